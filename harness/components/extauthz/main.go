// An external authorization service that does no more than it must: one look into a table of keys, and the headers that say
// who called. What it costs is the call, not the work, so it stands for the cheapest that such a service can be.
//
//	extauthz ADDRESS KEYS   (KEYS: a file of lines "KEY CONSUMER")
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

const keyHeader = "x-api-key"

type server struct {
	auth.UnimplementedAuthorizationServer
	consumers map[string]string
}

func (s *server) Check(_ context.Context, request *auth.CheckRequest) (*auth.CheckResponse, error) {
	headers := request.GetAttributes().GetRequest().GetHttp().GetHeaders()
	consumer, known := s.consumers[headers[keyHeader]]
	if !known {
		return denied, nil
	}
	set := []*core.HeaderValueOption{header("x-tollgate-consumer", consumer), header("x-tollgate-plan", "free")}
	if headers["x-api-version"] == "2" {
		set = append(set, header("x-tollgate-route", "petstore/v2"))
	}
	return &auth.CheckResponse{
		Status:       &status.Status{Code: int32(codes.OK)},
		HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{Headers: set, HeadersToRemove: []string{keyHeader}}},
	}, nil
}

var denied = &auth.CheckResponse{
	Status: &status.Status{Code: int32(codes.Unauthenticated)},
	HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
		Status: &envoytype.HttpStatus{Code: envoytype.StatusCode_Unauthorized}, Body: "unknown key\n",
	}},
}

func header(name, value string) *core.HeaderValueOption {
	return &core.HeaderValueOption{
		Header:       &core.HeaderValue{Key: name, Value: value},
		AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "extauthz:", err)
		os.Exit(1)
	}
}

func serve() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: extauthz ADDRESS KEYS")
	}
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		return err
	}
	consumers := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		key, consumer, found := strings.Cut(line, " ")
		if !found {
			return fmt.Errorf("a line of the keys has no consumer")
		}
		consumers[key] = consumer
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		return err
	}
	grpcServer := grpc.NewServer()
	auth.RegisterAuthorizationServer(grpcServer, &server{consumers: consumers})
	return grpcServer.Serve(listener)
}
