package history

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/internal/platform/replica"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestReadingAcrossPartitionsKeepsTheOrder(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project := newWorld(pool), uuid.New()
	var rows []*ingest.Row
	for k := range 30 {
		rows = append(rows, rowAt(project, fmt.Sprint(k), time.Date(2025, time.Month(1+k%12), 1+k, 0, 0, 0, 0, time.UTC)))
	}
	if err := s.Append(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	f := &Filter{ProjectID: project, Limit: 7, Ascending: true}
	var last time.Time
	total := 0
	for {
		page, err := NewReader(replica.Without(pool), time.Minute).List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if e.TS.Before(last) {
				t.Errorf("%s after %s", e.TS, last)
			}
			last = e.TS
			total++
		}
		if page.Next == nil {
			break
		}
		f.After = page.Next
	}
	if total != 30 {
		t.Errorf("%d events, want 30", total)
	}
}

// Others may have made partitions of any time, and some may be locked for long: a list needs those of its project's days.
func TestAListTouchesNoPartitionThatCannotHaveItsEvents(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	w, project, other := newWorld(pool), uuid.New(), uuid.New()
	last := time.Date(2026, 1, 15, 23, 59, 59, 999_999_000, time.UTC)
	mine := []*ingest.Row{rowAt(project, "first", time.Date(2025, 11, 3, 0, 0, 0, 0, time.UTC)), rowAt(project, "last", last)}
	mine[0].UserID, mine[1].UserID = "u", "u"
	for _, rows := range [][]*ingest.Row{mine, {rowAt(other, "old", time.Date(2019, 5, 1, 0, 0, 0, 0, time.UTC))}, {rowAt(other, "new", last.AddDate(0, 3, 0))}} {
		if err := w.Append(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
	locker, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer locker.Rollback(context.Background())
	if _, err := locker.Exec(t.Context(), "LOCK TABLE events_201905, events_202604 IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), nimbustest.Patience)
	defer cancel()
	r, user := NewReader(replica.Without(pool), time.Minute), "u"
	for name, f := range map[string]Filter{"all": {}, "ascending": {Ascending: true}, "of a name": {Names: []string{"e"}}, "of a person": {UserID: &user},
		"since long ago": {Since: time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)}, "until long after": {Until: last.AddDate(50, 0, 0)}} {
		f.ProjectID, f.Limit = project, 10
		for range 8 { // PostgreSQL tries a plan for any range after five of its own
			page, err := r.List(ctx, &f)
			if err != nil || len(page.Events) != 2 {
				t.Fatalf("%s: %d events, %v; want both", name, len(page.Events), err)
			}
		}
	}
	page, err := r.List(ctx, &Filter{ProjectID: uuid.New(), Limit: 10})
	if err != nil || len(page.Events) != 0 || page.Next != nil {
		t.Errorf("a project without events: %+v, %v", page, err)
	}
}
