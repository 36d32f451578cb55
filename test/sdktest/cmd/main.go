// Command cmd serves the misbehaving server of package sdktest to the tests of an SDK. Its first line is its URL.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/bahagh/nimbus/test/sdktest"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen; port 0 is one that is free")
	child := flag.Bool("until-eof", false, "end when standard input ends, so as not to outlive the test that started it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *child); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr string, child bool) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if child {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // an error ends it as well
			cancel()
		}()
	}
	server := &http.Server{Handler: sdktest.NewServer(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close() // the tests have ended, and whoever still waits with them
	}()
	fmt.Fprintf(os.Stdout, "http://%s\n", ln.Addr())
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
