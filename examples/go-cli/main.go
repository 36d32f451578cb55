// Command go-cli is a command-line program that tracks how it is used, through the Go SDK, and never keeps its user
// waiting for that: events go to a spool on disk first, and what cannot be delivered within a moment is delivered by
// the next run.
//
//	NIMBUS_URL=http://127.0.0.1:8080 NIMBUS_PROJECT_ID=… NIMBUS_WRITE_KEY=nw_… go run ./examples/go-cli Ada
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	nimbus "github.com/bahagh/nimbus/sdk/go"
)

func main() {
	cache, err := os.UserCacheDir()
	if err == nil {
		err = run(context.Background(), os.Args[1:], os.Getenv, filepath.Join(cache, "nimbus-go-cli"), os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// patience is how long the user waits at the end, at most.
const patience = 500 * time.Millisecond

func run(ctx context.Context, args []string, env func(string) string, spool string, out io.Writer) error {
	begun := time.Now()
	_, err := fmt.Fprintf(out, "Hello, %s!\n", strings.Join(args, " ")) // what the program is for

	if env("NIMBUS_URL") == "" {
		return err // tracking is off
	}
	tracker, failed := nimbus.New(nimbus.Config{
		URL:       env("NIMBUS_URL"),
		ProjectID: env("NIMBUS_PROJECT_ID"),
		WriteKey:  env("NIMBUS_WRITE_KEY"), // users can take the program apart, so it has no secret
		SpoolDir:  spool,
		Logger:    slog.New(slog.DiscardHandler), // the terminal is for the user
	})
	if failed != nil {
		return errors.Join(err, failed)
	}
	took := float64(time.Since(begun).Microseconds()) / 1000
	props := map[string]any{"os": runtime.GOOS, "arguments": len(args), "ok": err == nil, "ms": took}
	failed = tracker.Track(ctx, "command_run", props, nimbus.WithAnonymousID("cli"))
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var later *nimbus.UndeliveredError
	if closed := tracker.Close(ctx); !errors.As(closed, &later) { // they wait in the spool
		failed = errors.Join(failed, closed)
	}
	return errors.Join(err, failed)
}
