// What an API server finds where a node's kubelet would be: port forwarding into pods, with the kubelet's own code for the
// protocol. The file given as the only argument is a JSON mapping from NAMESPACE/POD:PORT to where that port really is.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
)

type ports string

// PortForward implements portforward.PortForwarder.
func (file ports) PortForward(ctx context.Context, pod string, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	text, err := os.ReadFile(string(file))
	if err != nil {
		return err
	}
	addresses := map[string]string{}
	if err := json.Unmarshal(text, &addresses); err != nil {
		return err
	}
	address, known := addresses[fmt.Sprintf("%s:%d", pod, port)]
	if !known {
		return fmt.Errorf("nothing listens on port %d of pod %s", port, pod)
	}
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	ended := make(chan error, 2)
	go func() {
		_, err := io.Copy(connection, stream)
		connection.(*net.TCPConn).CloseWrite()
		ended <- err
	}()
	go func() {
		_, err := io.Copy(stream, connection)
		ended <- err
	}()
	select {
	case err = <-ended:
		if err == nil {
			err = <-ended
		}
	case <-ctx.Done():
	}
	return err
}

func main() {
	file := ports(os.Args[1])
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		pod, found := strings.CutPrefix(request.URL.Path, "/portForward/")
		options, err := portforward.NewV4Options(request)
		if !found || err != nil {
			http.NotFound(w, request)
			return
		}
		portforward.ServePortForward(w, request, file, pod, "", options, time.Minute, 10*time.Second, portforward.SupportedProtocols)
	}))
	server.StartTLS()
	fmt.Println(server.Listener.Addr().String())
	select {}
}
