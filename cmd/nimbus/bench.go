package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/bahagh/nimbus/test/bench"
)

// runBench takes its own words, so that the settings of a server stay those of a server: how many events to load, and
// a file for profiles; or live, and how many streams.
func runBench(ctx context.Context, e *env) error {
	o := bench.Options{Events: 1_000_000, Duration: 5 * time.Second, PostgresBin: e.cfg.PostgresBin, Out: e.stdout, Log: e.log}
	if len(e.args) > 0 && e.args[0] == "live" {
		return benchLive(ctx, e, o)
	}
	if len(e.args) > 2 {
		return usageError{fmt.Errorf("bench does not take %q", e.args[2])}
	}
	if len(e.args) > 0 {
		n, err := strconv.Atoi(e.args[0])
		if err != nil || n <= 0 {
			return usageError{fmt.Errorf("bench takes the number of events to load, not %q", e.args[0])}
		}
		o.Events = n
	}
	if len(e.args) > 1 {
		o.Profile = e.args[1]
	}
	return bench.Run(ctx, o)
}

func benchLive(ctx context.Context, e *env, o bench.Options) error {
	streams := 10_000
	if len(e.args) > 2 {
		return usageError{fmt.Errorf("bench live does not take %q", e.args[2])}
	}
	if len(e.args) > 1 {
		n, err := strconv.Atoi(e.args[1])
		if err != nil || n <= 0 {
			return usageError{fmt.Errorf("bench live takes a number of streams, not %q", e.args[1])}
		}
		streams = n
	}
	return bench.RunLive(ctx, o, streams)
}
