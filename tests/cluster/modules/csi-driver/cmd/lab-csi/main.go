// lab-csi is a CSI driver for tests that keeps each volume as a sparse file and fails on request.
//
// In its data folder: data/<volume id>/disk.img and snapshots/<snapshot id>/disk.img hold the bytes, which tests
// read and write directly; state.json describes them; calls.log has a line per call. Tests may put there
// a file capacity (bytes in all), and files in fail/ and delay/, see faults.go.
package main

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
)

func main() {
	endpoint := flag.String("endpoint", "unix:///tmp/lab-csi.sock", "socket to serve on")
	dir := flag.String("data-dir", "", "folder of the volumes")
	name := flag.String("driver-name", "lab.vmmove.io", "name of the driver")
	node := flag.String("node-id", "node1", "name of the node")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *endpoint, *dir, *name, *node); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, endpoint, dir, name, node string) error {
	path := strings.TrimPrefix(endpoint, "unix://")
	// A killed driver leaves its socket behind.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	faults := &faults{dir: dir}
	store, err := openStore(dir, faults)
	if err != nil {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}

	server := grpc.NewServer(grpc.UnaryInterceptor(faults.intercept))
	csi.RegisterIdentityServer(server, &identity{name: name})
	csi.RegisterControllerServer(server, &controller{store: store})
	csi.RegisterNodeServer(server, &nodeService{id: node, store: store})
	context.AfterFunc(ctx, server.Stop)
	return server.Serve(listener)
}
