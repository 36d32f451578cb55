package partitions

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

func TestPrepareMakesPartitionsForOneRequestAtATime(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s := NewSet(pool)
	prepare := func(ctx context.Context, from, to int) error {
		return s.Prepare(ctx, to-from+1, func(k int) time.Time { return time.Date(from+k, 1, 15, 0, 0, 0, 0, time.UTC) })
	}
	made := func() (n int) {
		t.Helper()
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := prepare(t.Context(), 1971, 1973); err != nil || made() != 3 {
		t.Fatalf("%d partitions, %v; want 3", made(), err)
	}
	s.making <- struct{}{} // another request
	if err := prepare(t.Context(), 1971, 1973); err != nil {
		t.Errorf("what needs nothing: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := prepare(gone, 1973, 1974); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that goes away while it waits: %v", err)
	}
	<-s.making
	if err := prepare(t.Context(), 1973, 1974); err != nil || made() != 4 {
		t.Errorf("%d partitions, %v; want 4", made(), err)
	}
}

// The floor in SQL decides the partition and the one in Go the range of a query: they must be the same.
func TestTheFloorOfIDsIsTheSameInSQL(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	for _, ts := range []time.Time{events.Beginning, time.Date(2026, 1, 15, 10, 30, 0, 1_000_000, time.UTC), time.Date(2261, 6, 1, 0, 0, 0, 0, time.UTC)} {
		var got uuid.UUID
		if err := pool.QueryRow(t.Context(), "SELECT event_id_floor($1)", ts).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if want := events.FirstID(ts); !bytes.Equal(got[:], want[:]) {
			t.Errorf("%s: %s in SQL, %s in Go", ts, got, want)
		}
	}
}

func TestMonthBounds(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{
		"1971-01-01T00:00:00Z": "1971-01-01", "2024-02-29T23:59:59Z": "2024-02-01", "2025-12-31T23:59:59.999999999Z": "2025-12-01",
		"2026-01-01T00:30:00+01:00": "2025-12-01",
	} {
		ts, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := Month(ts).From.Format("2006-01-02"); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}
