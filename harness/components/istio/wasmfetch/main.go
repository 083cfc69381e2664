// wasmfetch pulls a Wasm module from a registry with the code that Istio's agent runs, and prints what it got, or ERR and
// why not:
//
//	manifest digest=HEX size=BYTES sha256=HEX head=HEX    digest is what WasmPlugin's sha256 is compared with
//	cache file=PATH size=BYTES sha256=HEX                 with -cache
//
// usage: wasmfetch [-cache DIR [-sha256 HEX]] [-secret FILE] [-insecure] oci://HOST/REPOSITORY[:TAG|@DIGEST]
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"istio.io/istio/pkg/util/sets"
	"istio.io/istio/pkg/wasm"
)

const timeout = 30 * time.Second

var (
	cacheDir = flag.String("cache", "", "fetch through the agent's file cache in this folder, which also compares -sha256")
	checksum = flag.String("sha256", "", "expected digest of the manifest, as in WasmPlugin's sha256")
	secret   = flag.String("secret", "", "file of a kubernetes.io/dockerconfigjson, as in an imagePullSecret")
	insecure = flag.Bool("insecure", false, "skip the check of the registry's certificate, as WASM_INSECURE_REGISTRIES does")
)

func main() {
	flag.Parse()
	if flag.NArg() != 1 || (*checksum != "" && *cacheDir == "") {
		// the bare fetcher compares nothing
		flag.Usage()
		os.Exit(2)
	}
	if err := fetch(flag.Arg(0)); err != nil {
		fmt.Println("ERR", err)
		os.Exit(1)
	}
}

func fetch(image string) error {
	pullSecret, err := readSecret()
	if err != nil {
		return err
	}
	if *cacheDir != "" {
		return fetchCached(image, pullSecret)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	fetcher := wasm.NewImageFetcher(ctx, wasm.ImageFetcherOption{PullSecret: pullSecret, Insecure: *insecure})
	read, digest, err := fetcher.PrepareFetch(strings.TrimPrefix(image, "oci://"))
	if err != nil {
		return err
	}
	module, err := read()
	if err != nil {
		return err
	}
	if len(module) < 8 {
		return errors.New("the module is shorter than its header")
	}
	fmt.Printf("manifest digest=%s size=%d sha256=%x head=%x\n", digest, len(module), sha256.Sum256(module), module[:8])
	return nil
}

func fetchCached(image string, pullSecret []byte) error {
	options := wasm.Options{
		PurgeInterval: time.Hour, ModuleExpiry: time.Hour, HTTPRequestTimeout: timeout, HTTPRequestMaxRetries: 1,
		InsecureRegistries: sets.New[string](),
	}
	if parsed, err := url.Parse(image); err == nil && *insecure {
		options.InsecureRegistries.Insert(parsed.Host)
	}
	cache := wasm.NewLocalFileCache(*cacheDir, options)
	defer cache.Cleanup()
	path, err := cache.Get(image, wasm.GetOptions{
		ResourceName: "tollgate.test", ResourceVersion: "1", RequestTimeout: timeout, PullSecret: pullSecret, Checksum: *checksum,
	})
	if err != nil {
		return err
	}
	module, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fmt.Printf("cache file=%s size=%d sha256=%x\n", path, len(module), sha256.Sum256(module))
	return nil
}

func readSecret() ([]byte, error) {
	if *secret == "" {
		return nil, nil
	}
	return os.ReadFile(*secret)
}
