package build_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/build"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// TestPartsSayWhatTheEventsSayWhateverHappens compares scans with a reading of the events after random histories: late
// and re-sent events, transactions that commit after later ones, pruning, erasure, merged users, damaged and lost
// parts, a builder that is stopped anywhere.
func TestPartsSayWhatTheEventsSayWhateverHappens(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, seed)
			for range 60 {
				h.happen()
				if h.random.IntN(3) == 0 {
					h.compare()
				}
			}
			h.finishAll()
			// In the end the builder catches up and everything is in parts.
			b := build.New(h.store, build.Options{LeastEvents: 1, Share: 1, Now: func() time.Time { return h.now }})
			if _, err := b.Verify(t.Context(), project, true); err != nil {
				t.Fatal(err)
			}
			h.catchUp(b)
			h.compare()
			h.compareCatalogue("in the end")
			h.ingest()
			h.finishAll()
			h.compareCatalogue("with what is in no part yet")
			h.catchUp(b)
			if parts := h.provenParts(); parts > days {
				t.Errorf("%d parts of %d days", parts, days)
			}
			if r, err := b.Verify(t.Context(), project, false); err != nil || len(r.Wrong) > 0 {
				t.Errorf("days %v are wrong in the end: %v", r.Wrong, err)
			}
		})
	}
}

// catchUp lets the builder work until everything is in parts. Transactions of other tests on the same server hold the
// horizon back, too.
func (h *history) catchUp(b *build.Builder) {
	nimbustest.Eventually(h.t, "everything that arrived is in parts", func() bool {
		if err := b.Project(h.t.Context(), project); err != nil {
			h.t.Fatal(err)
		}
		backlog, err := h.store.Backlog(h.t.Context(), project)
		if err != nil {
			h.t.Fatal(err)
		}
		return backlog.Events == 0
	})
}

// provenParts fails the test unless everything is in parts and all are proven, and says how many there are.
func (h *history) provenParts() (n int) {
	h.t.Helper()
	from := behaviour.DayAt(origin)
	err := h.store.View(h.t.Context(), project, from, from+days, time.Minute, nil, func(v *behaviour.View) error {
		if v.Loose > 0 || len(v.Unproven) > 0 {
			h.t.Errorf("%d events are in no part, days %v are unproven", v.Loose, v.Unproven)
		}
		n = len(v.Headers)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *history) builder() *build.Builder {
	return build.New(h.store, build.Options{LeastEvents: 1, Share: 1, Now: func() time.Time { return h.now }})
}

// Each look at the clock takes a second here, and so each step, or two.
func TestTheBuilderYieldsToIngestionUnlessTooMuchWaits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		busy    bool
		patient int
		atMost  time.Duration // rest after a step
		atLeast time.Duration
	}{{false, 0, 3 * time.Second, time.Second}, {true, 0, 27 * time.Second, 9 * time.Second}, {true, 1, 3 * time.Second, time.Second}} {
		h := newHistory(t, 6)
		h.ingest()
		h.finishAll()
		now, rests := h.now, []time.Duration{}
		b := build.New(h.store, build.Options{
			LeastEvents: 1, MergeParts: 100, PatientEvents: tt.patient, Busy: func() bool { return tt.busy },
			Now:  func() time.Time { now = now.Add(time.Second); return now },
			Rest: func(_ context.Context, d time.Duration) error { rests = append(rests, d); return nil },
		})
		nimbustest.Eventually(t, "the builder takes what arrived", func() bool {
			rests = rests[:0]
			if err := b.Project(t.Context(), project); err != nil {
				t.Fatal(err)
			}
			return len(rests) > 1 // to begin, and to take
		})
		if d := rests[1]; d < tt.atLeast || d > tt.atMost {
			t.Errorf("busy %v, %d may wait: the builder rests for %s, not for %s to %s", tt.busy, tt.patient, d, tt.atLeast, tt.atMost)
		}
	}
}

func TestATransactionThatCommitsAfterALaterOneIsNotMissed(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 1)
	b := h.builder()
	h.ingest()
	h.ingest()
	h.finish(1)
	// The first one is still open: what the second one stored waits for it, and is read by itself.
	if err := b.Project(t.Context(), project); err != nil {
		t.Fatal(err)
	}
	h.compare()
	h.finish(0)
	h.compare()
	h.catchUp(b)
	h.compare()
	h.provenParts()
}

func TestADayIsBuiltFromItsEventsBesideArrivals(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 2)
	b := h.builder()
	for range 5 {
		h.ingest()
		h.finishAll()
	}
	h.ingest() // not committed: the days are built without it
	from := behaviour.DayAt(origin)
	for day := from; day < from+days; day++ {
		if err := b.Rebuild(t.Context(), project, day); err != nil {
			t.Fatal(err)
		}
	}
	h.provenParts()
	h.finishAll()
	h.compare()
	h.catchUp(b) // takes what arrived after, and not the rest again
	h.compare()
	h.provenParts()
}

func TestArrivalsThatWaitedTooLongAreBuiltByDay(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 3)
	for range 3 {
		h.ingest()
		h.finishAll()
	}
	late := build.New(h.store, build.Options{
		LeastEvents: 1_000_000, MaxWait: 100 * 365 * 24 * time.Hour, KeepArrivals: time.Nanosecond, Share: 1,
	})
	if err := late.PruneArrivals(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := late.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := h.pool.QueryRow(t.Context(), "SELECT count(*) FROM arrivals").Scan(&left); err != nil || left > 0 {
		t.Errorf("%d arrivals are left: %v", left, err)
	}
	h.compare()
	h.provenParts()
}

func TestAProjectThatWasThereBeforeIsBuiltDayByDay(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 4)
	for range 3 {
		h.ingest()
		h.finishAll()
	}
	h.exec(h.pool, "DELETE FROM arrivals")
	h.compare() // from the events, since nothing is proven
	if err := h.builder().Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.compare()
	h.provenParts()
}

func TestNothingOfAProjectStaysWhenItIsRemoved(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 5)
	h.ingest()
	h.finishAll()
	h.catchUp(h.builder())
	h.ingest()
	h.finishAll()
	if err := h.store.Work(
		t.Context(), project, func(w *behaviour.Work) error { return w.RemoveProject(t.Context()) },
	); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{
		"arrivals", "arrival_cursors", "persons", "person_links", "person_merges",
		"event_parts", "event_part_columns", "event_part_days", "profile_operations", "profile_pending", "profiles",
	} {
		var n int
		if err := h.pool.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil || n > 0 {
			t.Errorf("%d rows are left in %s: %v", n, table, err)
		}
	}
}

func TestAPersonWhomAConflictMakesIsNamedByTheAnonymousID(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 19)
	shared := func(user string, after time.Duration) behaviour.StoredEvent {
		e := h.event()
		e.TS, e.ReceivedAt, e.UserID, e.AnonymousID = origin.Add(after), origin.Add(after), user, "shared"
		return e
	}
	if err := h.store.Work(t.Context(), project, func(w *behaviour.Work) error {
		_, err := w.Number(t.Context(), []behaviour.StoredEvent{shared("u0", 0), shared("u1", time.Hour)})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	from := behaviour.DayAt(origin)
	if err := h.store.View(t.Context(), project, from, from+1, time.Minute, nil, func(v *behaviour.View) error {
		splits := v.Identity(0).Splits
		if len(splits) != 1 {
			t.Errorf("%d anonymous ids are split, want 1", len(splits))
		}
		for _, split := range splits {
			keys, err := v.Keys(t.Context(), []uint32{split.To})
			if want := (behaviour.PersonKey{Kind: behaviour.Anonymous, Key: "shared"}); err != nil || keys[split.To] != want {
				t.Errorf("the later person is %+v, want %+v: %v", keys[split.To], want, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
