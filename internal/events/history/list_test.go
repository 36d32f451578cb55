package history

import (
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
