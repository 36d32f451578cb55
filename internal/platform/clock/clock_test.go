package clock_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/platform/clock"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

func TestDeletingGoesByTheEarlierClockAndNotAtAllWhenTheyDiffer(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	for _, c := range []struct {
		node time.Duration // ahead of the database, which runs on this machine
		runs bool
	}{
		{0, true}, {time.Minute, true}, {-time.Minute, true}, {clock.Tolerance + time.Minute, false}, {-clock.Tolerance - time.Minute, false},
		{45 * 24 * time.Hour, false}, {-45 * 24 * time.Hour, false},
	} {
		clocks := clock.New(pool, func() time.Time { return time.Now().Add(c.node) }, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
		ran := false
		before := time.Now()
		err := clocks.Deleting(func(_ context.Context, now time.Time) error {
			ran = true
			if latest := time.Now().Add(min(c.node, 0)); now.After(latest) || now.Before(before.Add(min(c.node, 0)-time.Second)) {
				t.Errorf("node %s ahead: deletes as of %s, want the earlier clock, %s", c.node, now, latest)
			}
			return nil
		})(t.Context())
		if ran != c.runs {
			t.Errorf("node %s ahead: ran %v, %v", c.node, ran, err)
		}
		var differ *clock.DifferError
		if errors.As(err, &differ) == c.runs || (clocks.Check(t.Context()) == nil) != c.runs {
			t.Errorf("node %s ahead: %v, check %v", c.node, err, clocks.Check(t.Context()))
		}
	}
}

func TestWithoutTheTimeOfTheDatabaseNothingIsDeleted(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	clocks := clock.New(pool, time.Now, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	pool.Close()
	err := clocks.Deleting(func(context.Context, time.Time) error {
		t.Error("it deletes")
		return nil
	})(t.Context())
	if err == nil {
		t.Error("no error")
	}
	if err := clocks.Check(t.Context()); err != nil {
		t.Errorf("a database that is away is not a clock that is wrong: %v", err)
	}
}
