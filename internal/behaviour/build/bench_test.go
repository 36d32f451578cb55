package build_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/build"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/test/nimbustest"
)

var benchEvents = flag.Int("events", 1_000_000, "how many events BenchmarkQuestions asks")

const benchDays = 30

var benchStart = time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)

// fill stores the events that the figures of the design are of: 30 days, 200,000 people, 20 names, four props.
func fill(b *testing.B, pool *pgxpool.Pool, events int) {
	b.Helper()
	for _, sql := range []string{
		"SELECT ensure_event_partition('2026-10-20Z')", "SELECT ensure_event_partition('2026-11-18Z')",
		fmt.Sprintf(`INSERT INTO events (project_id, id, ts, received_at, seq, name, user_id, props) SELECT '%s'::uuid,
			(lpad(to_hex(floor(extract(epoch FROM t) * 1000)::bigint), 12, '0') || '8' ||
				substr(md5(i::text), 1, 3) || '8' || substr(md5(i::text), 4, 15))::uuid,
			t, t + interval '40 ms' + random() * interval '200 ms', i, 'event_' || floor(20 * power(random(), 2))::int,
			'user_' || floor(200000 * power(random(), 1.5))::int,
			jsonb_build_object('page', '/p/' || (random() * 500)::int,
				'referrer', (array['google', 'bing', 'direct', 'twitter'])[1 + floor(random() * 4)::int],
				'plan', (array['free', 'pro', 'team'])[1 + floor(random() * 3)::int], 'amount', (random() * 100000)::int / 100.0)
			FROM (SELECT i, date_trunc('milliseconds', timestamptz '2026-10-20 00:00+00' + i * interval '30 days' / %d) AS t
				FROM generate_series(0, %[2]d - 1) i) s`,
			project, events),
		`INSERT INTO event_counts (project_id, granularity, name, bucket, count)
			SELECT project_id, 86400, n.name, date_bin('1 day', ts, 'epoch'), count(*)
			FROM events e CROSS JOIN LATERAL (VALUES (e.name), ('')) n(name) GROUP BY 1, 3, 4`,
	} {
		if _, err := pool.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkQuestions asks parts in PostgreSQL: cold, each question reads everything anew. It reports the shortest and
// the median time, because the machine has other work.
func BenchmarkQuestions(b *testing.B) {
	pool := nimbustest.DB(b)
	fill(b, pool, *benchEvents)
	store := behaviour.NewStore(pool)
	builder := build.New(store, build.Options{Share: 1, Now: func() time.Time { return benchStart.AddDate(0, 0, 60) }})
	start := time.Now()
	if err := builder.Project(b.Context(), project); err != nil {
		b.Fatal(err)
	}
	b.Logf("built at %.0f events/s", float64(*benchEvents)/time.Since(start).Seconds())
	if _, err := pool.Exec(b.Context(), "VACUUM ANALYZE"); err != nil {
		b.Fatal(err)
	}
	var bytes int64
	if err := pool.QueryRow(b.Context(), "SELECT sum(bytes) FROM event_parts").Scan(&bytes); err != nil {
		b.Fatal(err)
	}
	b.Logf("%.2f bytes an event", float64(bytes)/float64(*benchEvents))
	from := benchStart.UnixMicro()
	q := scan.Query{From: from, To: from + benchDays*86_400_000_000}
	var bounds []int64
	for day := range int64(benchDays + 1) {
		bounds = append(bounds, from+day*86_400_000_000)
	}
	conditions := &scan.Filter{Op: scan.And, Filters: []scan.Filter{
		{Op: scan.Eq, Prop: "plan", Values: []parts.Value{{Kind: parts.String, Text: "pro"}}},
		{Op: scan.Neq, Prop: "referrer", Values: []parts.Value{{Kind: parts.String, Text: "bing"}}}}}
	measure := func(m scan.Measure) func(context.Context, *behaviour.View) error {
		return func(ctx context.Context, v *behaviour.View) error {
			m := scan.Measure{Query: scan.Query{
				From: q.From, To: q.To, Names: m.Names, Filter: m.Filter,
			}, Statistic: m.Statistic, Prop: m.Prop, Bounds: bounds, Workers: 2, By: m.By}
			if m.By != nil {
				m.By = by(scan.NewDictionary(m.By.By[0].Prop))
			}
			_, err := m.Run(ctx, v.Headers, v)
			return err
		}
	}
	for _, c := range []struct {
		name string
		ask  func(context.Context, *behaviour.View) error
	}{
		{"nothing but the view", func(context.Context, *behaviour.View) error { return nil }},
		{"funnel of three steps", func(ctx context.Context, v *behaviour.View) error {
			q := q
			q.OnlyMarked = true
			for _, n := range []string{"event_0", "event_3", "event_7"} {
				q.Matchers = append(q.Matchers, scan.Matcher{Names: []string{n}})
			}
			var converted atomic.Int64
			return scan.People(ctx, &q, v.Headers, v, steps(&converted), steps(&converted))
		}},
		{"retention by day", func(ctx context.Context, v *behaviour.View) error {
			p := scan.Presence{Query: q, Bounds: bounds}
			none := func(uint32, []uint64) error { return nil }
			return p.Run(ctx, v.Headers, v, none, none)
		}},
		{"people a day", measure(scan.Measure{Statistic: scan.Persons})},
		{"by page of one name", measure(
			scan.Measure{Query: scan.Query{Names: []string{"event_3"}}, By: by(scan.NewDictionary("page"))},
		)},
		{"by plan of all", measure(scan.Measure{By: by(scan.NewDictionary("plan"))})},
		{"by page, two conditions, one name", measure(
			scan.Measure{Query: scan.Query{Names: []string{"event_0"}, Filter: conditions}, By: by(scan.NewDictionary("page"))},
		)},
		{"by plan, two conditions, all", measure(
			scan.Measure{Query: scan.Query{Filter: conditions}, By: by(scan.NewDictionary("plan"))},
		)},
		{"sum of amount by plan, all", measure(
			scan.Measure{Statistic: scan.Numbers, Prop: "amount", By: by(scan.NewDictionary("plan"))},
		)},
	} {
		b.Run(c.name, func(b *testing.B) {
			var times []time.Duration
			day := behaviour.DayAt(benchStart)
			for b.Loop() {
				start := time.Now()
				err := store.View(b.Context(), project, day, day+benchDays, time.Minute, nil, func(v *behaviour.View) error {
					if v.Loose > 0 {
						b.Fatalf("%d events are in no part", v.Loose)
					}
					return c.ask(b.Context(), v)
				})
				if err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[0].Microseconds())/1000, "min-ms")
			b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "median-ms")
		})
	}
}

// steps counts those who did three steps within a week: about what an operator does with a person.
func steps(converted *atomic.Int64) func(*behaviour.Person) error {
	const week = 7 * 86_400_000_000
	return func(p *behaviour.Person) error {
		reach := [2]int64{-1 << 60, -1 << 60}
		for i := range p.Rows {
			r := &p.Rows[i]
			switch {
			case r.Fits(0):
				reach[0] = r.TS
			case r.Fits(1) && r.TS-reach[0] <= week:
				reach[1] = reach[0]
			case r.Fits(2) && r.TS-reach[1] <= week:
				converted.Add(1)
				return nil
			}
		}
		return nil
	}
}

func by(all ...*scan.Dictionary) *scan.Breakdown { return &scan.Breakdown{By: all} }
