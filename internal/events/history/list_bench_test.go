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

// What a list of a project with events of this month costs beside another one that has made the partitions of 660 months, as
// versions before allowed.
func BenchmarkListBesideManyPartitions(b *testing.B) {
	for _, months := range []int{0, 660} {
		b.Run(fmt.Sprint(months, " old months"), func(b *testing.B) {
			pool := nimbustest.DB(b)
			w, project := newWorld(pool), uuid.New()
			now := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
			var rows []*ingest.Row
			for k := range 1000 {
				rows = append(rows, rowAt(project, fmt.Sprint(k), now.Add(-time.Duration(k)*time.Minute)))
			}
			for m := range months {
				rows = append(rows, rowAt(uuid.New(), "k", time.Date(1971, time.Month(1+m), 1, 0, 0, 0, 0, time.UTC)))
			}
			for _, row := range rows {
				row.ReceivedAt = row.TS
				if err := w.in.Append(b.Context(), []*ingest.Row{row}); err != nil {
					b.Fatal(err)
				}
			}
			r := NewReader(replica.Without(pool), time.Minute)
			for b.Loop() {
				page, err := r.List(b.Context(), &Filter{ProjectID: project, Limit: 100})
				if err != nil || len(page.Events) != 100 {
					b.Fatalf("%d events, %v", len(page.Events), err)
				}
			}
		})
	}
}
