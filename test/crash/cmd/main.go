// Command cmd runs the crash harness: go run ./test/crash/cmd -nimbus bin/nimbus -cycles 200.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/test/crash"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	o := crash.Options{CacheDir: embedded.DefaultCacheDir(), PostgresBin: os.Getenv("NIMBUS_POSTGRES_BIN"), Out: os.Stdout}
	flag.StringVar(&o.Nimbus, "nimbus", "bin/nimbus", "the program under test")
	flag.IntVar(&o.Cycles, "cycles", 200, "how many kills, half of them with each kind of PostgreSQL")
	flag.IntVar(&o.CheckEvery, "check-every", 20, "kills between two checks")
	flag.IntVar(&o.Clients, "clients", 6, "senders at the same time")
	flag.Uint64Var(&o.Seed, "seed", uint64(time.Now().UnixNano())%1_000_000, "repeat an earlier run's choices")
	only := flag.String("only", "", "beside or own: with PostgreSQL beside the server, or run by it; empty: half of each")
	verbose := flag.Bool("v", false, "show what PostgreSQL logs")
	flag.Parse()
	o.Log = slog.New(slog.DiscardHandler)
	if *verbose {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	total := o.Cycles
	for k, own := range []bool{false, true} {
		o.Own, o.Cycles = own, (total+1-k)/2
		if *only != "" {
			o.Cycles = total
			if own != (*only == "own") {
				continue
			}
		}
		if o.Cycles == 0 {
			continue
		}
		s, err := crash.Run(ctx, o)
		if err != nil {
			if s != nil {
				err = fmt.Errorf("after %d cycles: %w", s.Cycles, err)
			}
			return errors.Join(err, fmt.Errorf("repeat with: make crash CYCLES=%d SEED=%d", total, o.Seed))
		}
		fmt.Fprintln(o.Out, s)
	}
	return nil
}
