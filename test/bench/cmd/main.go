// Command cmd measures a Nimbus and prints the tables of docs/benchmarks.md:
//
//	go run ./test/bench/cmd -nimbus bin/nimbus -events 1000000
//	go run ./test/bench/cmd -nimbus bin/nimbus -live 10000
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/bahagh/nimbus/test/bench"
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
	o := bench.Options{Duration: 5 * time.Second, PostgresBin: os.Getenv("NIMBUS_POSTGRES_BIN"), Out: os.Stdout,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	flag.StringVar(&o.Nimbus, "nimbus", "bin/nimbus", "the program that is measured")
	flag.IntVar(&o.Events, "events", 1_000_000, "how many are loaded before questions are asked")
	flag.StringVar(&o.Profile, "profile", "", "a `file` for a CPU profile of the server during batches of 1,000")
	streams := flag.Int("live", 0, "measure so many live `streams`, and nothing else")
	flag.Parse()
	if flag.NArg() > 0 || o.Events <= 0 || *streams < 0 {
		flag.Usage()
		return fmt.Errorf("unusable arguments: %q", os.Args[1:])
	}
	if *streams > 0 {
		return bench.RunLive(ctx, o, *streams)
	}
	return bench.Run(ctx, o)
}
