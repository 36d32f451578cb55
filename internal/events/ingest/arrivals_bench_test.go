package ingest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/events/arrivals"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// BenchmarkArrivals is what it costs a flush to say what it stored: flushes with and without it take turns, so that both
// have the same machine. ratio/op is with by without, of all the time and of the medians.
func BenchmarkArrivals(b *testing.B) {
	pool := nimbustest.DB(b)
	with, without := NewStore(pool), NewStore(pool)
	without.arrive = func(context.Context, db.DBTX, []arrivals.Event) error { return nil }
	start, stored := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 0
	project := uuid.New()
	flush := func(b *testing.B, s *Store, size int) time.Duration {
		rows := make([]*Row, size)
		for k := range rows {
			stored++
			rows[k] = writeAt(project, fmt.Sprint(stored), start.Add(time.Duration(stored)*time.Millisecond))
			rows[k].Name, rows[k].UserID = fmt.Sprint("name ", stored%20), fmt.Sprint("user ", stored%1000)
			rows[k].Props = []byte(`{"path": "/products/7", "price": 12.5, "plan": "pro"}`)
		}
		began := time.Now()
		if err := s.Append(b.Context(), rows); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	flush(b, with, 1)
	flush(b, without, 1)
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(size, " events"), func(b *testing.B) {
			var times [2][]time.Duration
			for turn := 0; b.Loop(); turn++ {
				stores := [2]*Store{without, with}
				for k := range stores {
					k = (k + turn) % 2
					times[k] = append(times[k], flush(b, stores[k], size))
				}
			}
			var sum, median [2]float64
			for k := range times {
				for _, d := range times[k] {
					sum[k] += float64(d)
				}
				slices.Sort(times[k])
				median[k] = float64(times[k][len(times[k])/2])
			}
			b.ReportMetric(sum[1]/sum[0], "ratio/op")
			b.ReportMetric(median[1]/median[0], "median-ratio/op")
			b.ReportMetric(median[0], "ns-without/op")
			b.ReportMetric(median[1], "ns-with/op")
		})
	}
}
