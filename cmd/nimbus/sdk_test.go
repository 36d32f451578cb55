package main_test

import (
	"context"
	"fmt"
	"log/slog"
	"syscall"
	"testing"
	"time"

	sdk "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/test/crash"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// The promise as the user of the SDK sees it: whatever was tracked is stored once, though the server dies by kill -9 while it
// is being sent.
func TestEveryTrackedEventIsStoredOnceThoughTheServerIsKilled(t *testing.T) {
	t.Parallel()
	const events, kills = 6_000, 3
	addr, release, err := crash.HoldAddr() // the server has it again after a kill
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	settings := []string{"NIMBUS_DATABASE_URL=" + nimbustest.DSN(t), "NIMBUS_DATA_DIR=" + dataDir(t), "NIMBUS_ADDR=" + addr}
	p := start(t, settings, "serve")
	x := register(t, p)
	tracker, err := sdk.New(sdk.Config{URL: p.url, ProjectID: x.project, KeyID: x.id, Secret: x.secret,
		FlushEvents: 20, QueueEvents: 100, WhenFull: sdk.Block, MinBackoff: time.Millisecond, MaxBackoff: 50 * time.Millisecond,
		SpoolDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler),
		OnDrop: func(e sdk.Event, why error) { t.Errorf("%s was dropped: %v", e.UserID, why) }})
	if err != nil {
		t.Fatal(err)
	}
	produced := make(chan error, 1)
	go func() {
		for k := range events {
			if err := tracker.Track(t.Context(), "e", map[string]any{"k": k}, sdk.WithUserID(fmt.Sprint(k))); err != nil {
				produced <- err
				return
			}
		}
		produced <- nil
	}()
	until := func(what string, reached func(sdk.Stats) bool) {
		t.Helper()
		nimbustest.Eventually(t, what, func() bool { return reached(tracker.Stats()) })
	}
	for k := range kills {
		until("progress", func(s sdk.Stats) bool { return s.Delivered >= uint64((k+1)*events/(kills+2)) })
		p.end(syscall.SIGKILL)
		before := tracker.Stats().Retries
		until("attempt", func(s sdk.Stats) bool { return s.Retries > before })
		p = start(t, settings, "serve")
	}
	if err := <-produced; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), nimbustest.Patience)
	defer cancel()
	if err := tracker.Close(ctx); err != nil {
		t.Fatal(err)
	}
	stored := x.users(p)
	for k := range events {
		if n := stored[fmt.Sprint(k)]; n != 1 {
			t.Errorf("event %d is stored %d times", k, n)
		}
	}
	if s := tracker.Stats(); len(stored) != events || x.total(p) != events || s.Delivered != events {
		t.Errorf("%d tracked, %d stored, %d counted: %+v", events, len(stored), x.total(p), s)
	}
}
