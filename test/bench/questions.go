package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/bahagh/nimbus/internal/events/history"
)

// fill loads the events that are asked about, runs the background jobs that would have run by then, and prints the size of
// all that is stored.
func (w *world) fill(ctx context.Context) error {
	s := lately(4, w.Events)
	for loaded := 0; loaded < w.Events; {
		n := min(100, (w.Events-loaded+999)/1000)
		requests, err := requests(s, []*project{w.project}, n, 1000)
		if err != nil {
			return err
		}
		if _, err := w.drive(ctx, requests, 1000, 8); err != nil {
			return err
		}
		loaded += n * 1000
	}
	start := time.Now()
	store := history.NewStore(w.pool)
	if err := store.IndexPeople(ctx, start); err != nil {
		return err
	}
	if err := store.SummarisePeople(ctx); err != nil {
		return err
	}
	took := time.Since(start)
	if _, err := w.pool.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		return fmt.Errorf("vacuum: %w", err)
	}
	var stored, bytes, people int64
	if err := w.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM events), sum(pg_total_relation_size(c.oid))::bigint,
		(SELECT coalesce(sum(pg_relation_size(i.oid)), 0)::bigint FROM pg_class i WHERE i.relname ~ '^events_[0-9]{6}(_[0-9]{6})?_(people|recent)')
		FROM pg_class c WHERE c.relispartition AND c.relkind = 'r'`).Scan(&stored, &bytes, &people); err != nil {
		return fmt.Errorf("size: %w", err)
	}
	w.printf("%d events stored: %d bytes of disk for each with the primary key, and %d for the indexes by person, which were built in %.0f s.\n\n",
		stored, (bytes-people)/max(stored, 1), people/max(stored, 1), took.Seconds())
	return nil
}

// lately returns a stream whose next `events` events are those of about the last 60 days.
func lately(seed uint64, events int) *stream {
	now := time.Now()
	s := newStream(seed, now)
	s.shop.SessionsPerHour = max(1, events/60/24/4)
	week := 0
	for hour := range 7 * 24 {
		week += len(s.shop.Hour(now.Add(-time.Duration(hour) * time.Hour)))
	}
	// Weeks are not all alike: two days more, so that the last events are not ahead of the clock, and refused.
	s.hour = now.Add(-time.Duration(float64(events)/float64(max(week, 1))*float64(7*24*time.Hour)) - 48*time.Hour)
	return s
}

// question is asked many times; each may have a path of its own.
type question struct {
	name string
	path func(k int) string
}

// ask asks a question n times and returns the durations, sorted: over HTTP, and as the server reports them.
func (w *world) ask(ctx context.Context, q question, n int) (total, inside []time.Duration, err error) {
	for k := range n {
		var out struct {
			Meta struct {
				TookMS float64 `json:"took_ms"`
			}
		}
		at := time.Now()
		if err := w.call(ctx, "GET", q.path(k), nil, &out, 200); err != nil {
			return nil, nil, err
		}
		total = append(total, time.Since(at))
		inside = append(inside, time.Duration(out.Meta.TookMS*float64(time.Millisecond)))
	}
	slices.Sort(total)
	slices.Sort(inside)
	return total, inside, nil
}

const asked = 200

// counts measures questions that the rollups answer.
func (w *world) counts(ctx context.Context) error {
	w.printf("| counts | p50 | p99 | in the server, p99 |\n|---|---|---|---|\n")
	for _, q := range []struct{ name, query string }{
		{"24 hourly counts", "bucket=1h&limit=24"},
		{"30 days of hourly counts", "bucket=1h&limit=720"},
		{"30 days of hourly counts, by name", "bucket=1h&limit=720&breakdown=name"},
		{"30 days of hourly counts in New York", "bucket=1h&limit=720&tz=America/New_York"},
		{"30 days of hourly counts in Kathmandu", "bucket=1h&limit=720&tz=Asia/Kathmandu"},
		{"60 days of daily counts in Kathmandu", "bucket=1d&limit=60&tz=Asia/Kathmandu"},
	} {
		path := "/v1/metrics?" + q.query + "&project_id=" + w.project.id.String()
		total, inside, err := w.ask(ctx, question{q.name, func(int) string { return path }}, asked)
		if err != nil {
			return err
		}
		w.printf("| %s | %.1f ms | %.1f ms | %.1f ms |\n", q.name, ms(total[len(total)/2]), ms(total[len(total)*99/100]), ms(inside[len(inside)*99/100]))
	}
	w.printf("\n")
	return nil
}

// timelines measures pages of events, of all and of one person. People are asked for in an order that is far from that
// in which they were stored.
func (w *world) timelines(ctx context.Context) error {
	list := "/v1/events?limit=100&project_id=" + w.project.id.String()
	person := func(k int) string { return fmt.Sprintf("%s&user_id=user_%d", list, k*7919%100_000) }
	w.printf("| events | p50 | p99 | CPU ms: server | database |\n|---|---|---|---|---|\n")
	for _, q := range []question{
		{"newest 100 events", func(int) string { return list }},
		{"newest 100 events of a person, never asked for before", person},
		{"the same again", person},
		{"oldest 100 events of a person", func(k int) string { return person(k+asked) + "&order=asc" }},
		{"newest 100 events of one of the busiest", func(k int) string { return fmt.Sprintf("%s&user_id=user_%d", list, k) }},
	} {
		before, err := w.cpu()
		if err != nil {
			return err
		}
		total, _, err := w.ask(ctx, q, asked)
		if err != nil {
			return err
		}
		after, err := w.cpu()
		if err != nil {
			return err
		}
		server, database, _ := after.since(before).perEvent(asked)
		w.printf("| %s | %.1f ms | %.1f ms | %.1f | %.1f |\n", q.name, ms(total[len(total)/2]), ms(total[len(total)*99/100]), server/1000, database/1000)
	}
	w.printf("\n")
	return nil
}

// measures measures questions that read the events themselves. The quick ones are asked three times, and the fastest
// counts: other load on the machine only ever adds time. A question beyond the server's time-out is refused.
func (w *world) measures(ctx context.Context) error {
	to := time.Now().UTC().Truncate(time.Hour)
	from := to.AddDate(0, 0, -30)
	project := w.project.id.String()
	var events struct{ Total float64 }
	if err := w.call(ctx, "POST", "/v1/metrics/query", map[string]any{"project_id": project, "bucket": "1d", "from": from, "to": to}, &events, 200); err != nil {
		return err
	}
	w.printf("| daily, of 30 days with %.0f events | time | CPU µs per event: database |\n|---|---|---|\n", events.Total)
	for _, q := range []struct {
		name string
		ask  map[string]any
	}{
		{"users", map[string]any{"measure": "users"}},
		{"sum of a prop", map[string]any{"measure": "sum", "prop": "amount"}},
		{"mean of a prop", map[string]any{"measure": "avg", "prop": "amount"}},
		{"95th percentile of a prop", map[string]any{"measure": "p95", "prop": "results"}},
		{"counts by a prop", map[string]any{"breakdown": "prop", "breakdown_prop": "source"}},
		{"users by a prop", map[string]any{"measure": "users", "breakdown": "prop", "breakdown_prop": "source"}},
		{"counts where a prop is", map[string]any{"filter": map[string]any{"op": "eq", "prop": "device", "value": "mobile"}}},
	} {
		q.ask["project_id"], q.ask["bucket"], q.ask["from"], q.ask["to"] = project, "1d", from, to
		best, spent := time.Duration(0), 0.0
		var refused *refusal
		for try := 0; try < 3 && best < 2*time.Second; try++ {
			before, err := w.cpu()
			if err != nil {
				return err
			}
			at := time.Now()
			err = w.call(ctx, "POST", "/v1/metrics/query", q.ask, nil, http.StatusOK)
			if errors.As(err, &refused) && refused.status == http.StatusUnprocessableEntity {
				break
			}
			if err != nil {
				return err
			}
			took := time.Since(at)
			after, err := w.cpu()
			if err != nil {
				return err
			}
			if best == 0 || took < best {
				best = took
				_, spent, _ = after.since(before).perEvent(max(1, int(events.Total)))
			}
		}
		if refused != nil {
			w.printf("| %s | refused | |\n", q.name)
			continue
		}
		w.printf("| %s | %.2f s | %.2f |\n", q.name, best.Seconds(), spent)
	}
	return nil
}
