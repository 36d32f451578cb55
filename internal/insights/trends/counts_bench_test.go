package trends_test

import (
	"slices"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/events/rollups"
)

// BenchmarkCountsByTheHour is 30 days of hourly counts of a project that has events in every minute.
func BenchmarkCountsByTheHour(b *testing.B) {
	env := setup(b)
	var counts rollups.Counts
	for at := now.AddDate(0, 0, -31); at.Before(now); at = at.Add(time.Minute) {
		for _, name := range []string{"page_view", "sign_up", "purchase"} {
			counts.Add(project, name, at)
		}
	}
	env.apply(b, &counts)
	if _, err := env.pool.Exec(b.Context(), "VACUUM ANALYZE event_counts"); err != nil {
		b.Fatal(err)
	}
	for _, zone := range []string{"UTC", "Asia/Kolkata", "Asia/Kathmandu"} {
		b.Run(zone, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := env.run(b, map[string]any{"project_id": project, "bucket": "1h", "limit": 720, "tz": zone}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[(len(took)*99)/100].Microseconds())/1000, "p99-ms")
		})
	}
}
