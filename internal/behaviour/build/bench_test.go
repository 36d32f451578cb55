package build_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
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

var (
	benchEvents = flag.Int("events", 1_000_000, "how many events BenchmarkQuestions asks")
	benchPeers  = flag.String("peers", "", "a Python `program` with chdb: ask ClickHouse, too")
)

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

// BenchmarkQuestions asks parts in PostgreSQL, cold: each question reads everything anew. It reports the shortest and
// the median time, because the machine has other work, and how long the same takes in SQL on the events, once; both answers
// have to agree. `make bench-parts` runs it.
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
	day := behaviour.DayAt(benchStart)
	peer := askPeers(b, pool)
	for _, c := range questions() {
		b.Run(c.name, func(b *testing.B) {
			var times []time.Duration
			var said string
			for b.Loop() {
				start := time.Now()
				err := store.View(b.Context(), project, day, day+benchDays, time.Minute, nil, func(v *behaviour.View) (err error) {
					if v.Loose > 0 {
						b.Fatalf("%d events are in no part", v.Loose)
					}
					said, err = c.ask(b.Context(), v)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[0].Microseconds())/1000, "min-ms")
			b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "median-ms")
			if c.sql == "" {
				return
			}
			var want string
			start := time.Now()
			if err := pool.QueryRow(b.Context(), c.sql).Scan(&want); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "sql-ms")
			if said != want {
				b.Errorf("the parts say %s, the events %s", said, want)
			}
			if p, ok := peer[c.name]; ok {
				slices.Sort(p.MS)
				b.ReportMetric(p.MS[0], "clickhouse-min-ms")
				b.ReportMetric(p.MS[len(p.MS)/2], "clickhouse-median-ms")
				if p.Answer != want {
					b.Errorf("ClickHouse says %s, the events %s", p.Answer, want)
				}
			}
		})
	}
}

// peerAnswer is what ClickHouse says, and how long each run took it.
type peerAnswer struct {
	Answer string
	MS     []float64
}

// askPeers asks ClickHouse the same questions over the same events, where there is one.
func askPeers(b *testing.B, pool *pgxpool.Pool) (answers map[string]peerAnswer) {
	b.Helper()
	if *benchPeers == "" {
		return nil
	}
	file, err := os.Create(filepath.Join(b.TempDir(), "events.csv"))
	if err != nil {
		b.Fatal(err)
	}
	conn, err := pool.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Conn().PgConn().CopyTo(b.Context(), file, `COPY (SELECT (extract(epoch FROM ts) * 1000000)::bigint AS ts, name, user_id,
		props ->> 'page' AS page, props ->> 'referrer' AS referrer, props ->> 'plan' AS plan, props ->> 'amount' AS amount
		FROM events) TO STDOUT (FORMAT csv, HEADER)`); err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	asked := map[string]string{}
	for _, c := range questions() {
		if c.clickhouse != "" {
			asked[c.name] = c.clickhouse
		}
	}
	in, err := json.Marshal(asked)
	if err != nil {
		b.Fatal(err)
	}
	peer := exec.CommandContext(b.Context(), *benchPeers, "../../../tools/peers/clickhouse.py", file.Name())
	peer.Stdin, peer.Stderr = bytes.NewReader(in), os.Stderr
	out, err := peer.Output()
	if err == nil {
		err = json.Unmarshal(out, &answers)
	}
	if err != nil {
		b.Fatalf("ask ClickHouse: %v", err)
	}
	return answers
}

// asked is a question: of parts, and the same of the events in SQL, and of ClickHouse. All say the same.
type asked struct {
	name       string
	ask        func(context.Context, *behaviour.View) (string, error)
	sql        string
	clickhouse string
}

func questions() []asked {
	from := benchStart.UnixMicro()
	q := scan.Query{From: from, To: from + benchDays*86_400_000_000}
	var bounds []int64
	for day := range int64(benchDays + 1) {
		bounds = append(bounds, from+day*86_400_000_000)
	}
	conditions := &scan.Filter{Op: scan.And, Filters: []scan.Filter{
		{Op: scan.Eq, Prop: "plan", Values: []parts.Value{{Kind: parts.String, Text: "pro"}}},
		{Op: scan.Neq, Prop: "referrer", Values: []parts.Value{{Kind: parts.String, Text: "bing"}}}}}
	const pro = "props ->> 'plan' = 'pro' AND props ->> 'referrer' <> 'bing'"
	// measure counts by a prop and day. Its answer is the sum of the squares of the counts, and that of the numbers.
	measure := func(m scan.Measure, prop string) func(context.Context, *behaviour.View) (string, error) {
		return func(ctx context.Context, v *behaviour.View) (string, error) {
			m := m
			m.From, m.To, m.Bounds, m.Workers = q.From, q.To, bounds, 2
			if prop != "" {
				m.By = by(scan.NewDictionary(prop))
			}
			result, err := m.Run(ctx, v.Headers, v)
			if err != nil {
				return "", err
			}
			groups := slices.Collect(maps.Values(result.Groups))
			if prop == "" {
				groups = []*scan.Group{result.All}
			}
			squares, sum := int64(0), scan.Decimal{}
			for _, g := range groups {
				for _, c := range g.Buckets {
					squares += c.Count * c.Count
					sum.Add(c.Sum)
				}
			}
			if m.Statistic == scan.Numbers {
				return sum.String(), nil
			}
			return fmt.Sprint(squares), nil
		}
	}
	counted := func(by, what, where string) string {
		return fmt.Sprintf(`SELECT sum(n * n)::bigint::text FROM (SELECT %s AS n FROM events WHERE %s
			GROUP BY date_bin('1 day', ts, 'epoch'), %s) t`, what, where, by)
	}
	const day = "intDiv(ts, 86400000000)"
	peer := func(by, what, where string) string {
		return fmt.Sprintf("SELECT sum(n * n) FROM (SELECT %s AS n FROM ev WHERE %s GROUP BY %s, %s)", what, where, by, day)
	}
	const peerPro = "plan = 'pro' AND referrer <> 'bing'"
	return []asked{
		{"nothing but the view", func(context.Context, *behaviour.View) (string, error) { return "", nil }, "", ""},
		{"funnel of three steps", func(ctx context.Context, v *behaviour.View) (string, error) {
			q := q
			q.OnlyMarked = true
			for _, n := range []string{"event_0", "event_3", "event_7"} {
				q.Matchers = append(q.Matchers, scan.Matcher{Names: []string{n}})
			}
			var converted atomic.Int64
			err := scan.People(ctx, &q, v.Headers, v, steps(&converted), steps(&converted))
			return fmt.Sprint(converted.Load()), err
		}, `WITH a AS (SELECT user_id, ts, name, max(ts) FILTER (WHERE name = 'event_0') OVER (PARTITION BY user_id ORDER BY ts) AS began
				FROM events WHERE name IN ('event_0', 'event_3', 'event_7')),
			b AS (SELECT user_id, ts, name, max(began) FILTER (WHERE name = 'event_3' AND ts - began <= interval '7 days')
				OVER (PARTITION BY user_id ORDER BY ts) AS went_on FROM a)
			SELECT count(DISTINCT user_id)::text FROM b WHERE name = 'event_7' AND ts - went_on <= interval '7 days'`,
			`SELECT countIf(level = 3) FROM (SELECT windowFunnel(604800000000)(ts, name = 'event_0', name = 'event_3', name = 'event_7') AS level
				FROM ev WHERE name IN ('event_0', 'event_3', 'event_7') GROUP BY user_id)`},
		{"days of each person", func(ctx context.Context, v *behaviour.View) (string, error) {
			p := scan.Presence{Query: q, Bounds: bounds}
			var there atomic.Int64
			each := func(_ uint32, days []uint64) error {
				for _, word := range days {
					there.Add(int64(bits.OnesCount64(word)))
				}
				return nil
			}
			err := p.Run(ctx, v.Headers, v, each, each)
			return fmt.Sprint(there.Load()), err
		}, "SELECT count(*)::text FROM (SELECT DISTINCT user_id, date_bin('1 day', ts, 'epoch') FROM events) t",
			"SELECT sum(n) FROM (SELECT uniqExact(" + day + ") AS n FROM ev GROUP BY user_id)"},
		{"people a day", measure(scan.Measure{Statistic: scan.Persons}, ""), counted("user_id IS NULL", "count(DISTINCT user_id)", "true"),
			peer(day, "uniqExact(user_id)", "1")},
		{"by page of one name", measure(scan.Measure{Query: scan.Query{Names: []string{"event_3"}}}, "page"),
			counted("props ->> 'page'", "count(*)", "name = 'event_3'"), peer("page", "count()", "name = 'event_3'")},
		{"by plan of all", measure(scan.Measure{}, "plan"), counted("props ->> 'plan'", "count(*)", "true"), peer("plan", "count()", "1")},
		{"by page, two conditions, one name", measure(
			scan.Measure{Query: scan.Query{Names: []string{"event_0"}, Filter: conditions}}, "page",
		), counted("props ->> 'page'", "count(*)", "name = 'event_0' AND "+pro), peer("page", "count()", "name = 'event_0' AND "+peerPro)},
		{"by plan, two conditions, all", measure(scan.Measure{Query: scan.Query{Filter: conditions}}, "plan"),
			counted("props ->> 'plan'", "count(*)", pro), peer("plan", "count()", peerPro)},
		{"sum of amount by plan, all", measure(scan.Measure{Statistic: scan.Numbers, Prop: "amount"}, "plan"),
			"SELECT trim_scale(sum((props ->> 'amount')::numeric))::text FROM events",
			"SELECT toString(sum(s)) FROM (SELECT sum(amount) AS s FROM ev GROUP BY plan, " + day + ")"},
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
