package trends_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/trends"
	"github.com/bahagh/nimbus/internal/platform/replica"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// limited is the API of a bench that reads events, with other limits.
func (b *bench) limited(l query.Limits) *bench {
	t := trends.New(trends.Options{Reads: replica.Without(b.pool), Limits: l, Home: home, Now: func() time.Time { return now }})
	return &bench{pool: b.pool, api: trends.NewAPI(t.FromEvents())}
}

func day(person string, at time.Time) event { return event{name: "e", user: person, ts: at} }

func TestPeopleOfAWeekAreNotTheSumOfItsDays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	monday := utc("2025-10-20T10:00:00Z")
	events := []event{{name: "e", ts: monday}} // nobody's
	for d := range 7 {
		at := monday.AddDate(0, 0, d)
		events = append(events, day("x", at), day("x", at.Add(time.Hour)), event{name: "e", anonymous: "x", ts: at}, // nobody said that it is x
			event{name: "e", user: "x", anonymous: "y", ts: at}) // y is x, once x has said so in this event
	}
	events = append(events, day("late", monday.AddDate(0, 0, 6)))
	b.keep(t, events)
	for _, c := range []struct {
		bucket string
		want   []float64
	}{{"1d", []float64{2, 2, 2, 2, 2, 2, 3}}, {"1w", []float64{3}}} {
		r, err := b.run(t, map[string]any{"project_id": project, "measure": "users", "bucket": c.bucket, "from": "2025-10-20T00:00:00Z", "to": "2025-10-27T00:00:00Z"})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := json.Marshal(values(r.Series))
		if want, _ := json.Marshal(c.want); string(got) != string(want) || *r.Total != 3 {
			t.Errorf("%s: %s people, total %v; want %s, 3", c.bucket, got, *r.Total, want)
		}
	}
}

func TestPeopleOfADayOfTheClockChangeAreThoseOf25Hours(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.keep(t, []event{day("before", utc("2025-10-25T21:59:59.999999Z")), day("first", utc("2025-10-25T22:00:00Z")),
		day("repeated hour", utc("2025-10-26T01:30:00Z")), day("last", utc("2025-10-26T22:59:59.999999Z")), day("after", utc("2025-10-26T23:00:00Z"))})
	r, err := b.run(t, map[string]any{"project_id": project, "measure": "users", "bucket": "1d", "tz": "Europe/Berlin",
		"from": "2025-10-24T22:00:00Z", "to": "2025-10-27T23:00:00Z"})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := json.Marshal(values(r.Series)); string(got) != "[1,3,1]" || *r.Total != 5 {
		t.Errorf("%s, total %v; want [1,3,1], 5", got, *r.Total)
	}
}

// What ingestion stores is any number a double can hold, and some that are nearly nothing.
func TestNumbersAtTheEndsOfADoubleAreMeasuredOrNull(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hour := now.Truncate(time.Hour)
	b.keep(t, []event{day("x", hour)})
	if _, err := b.pool.Exec(t.Context(), `UPDATE events SET props = '{"huge": 1e308, "tiny": 1e-368, "text": "1"}'`); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO events SELECT project_id, id_of.id, ts, received_at, seq, name, user_id, anonymous_id, other.props
		FROM events, (VALUES (1, '{"huge": 1.5e308, "tiny": -1e-368}'::jsonb), (2, '{"huge": -1.7e308}')) AS other (n, props),
		LATERAL (SELECT overlay(id::text placing rpad(n::text, 12, '0') from 25)::uuid AS id) AS id_of`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ measure, prop, want string }{
		{"sum", "huge", "8e+307"}, {"max", "huge", "1.5e+308"}, {"p50", "huge", "1e+308"}, {"min", "huge", "-1.7e+308"},
		{"sum", "tiny", "0"}, {"p99", "tiny", "0"}, {"sum", "text", "0"}, {"avg", "text", "null"}, {"p50", "text", "null"}, {"max", "none", "null"},
	} {
		r, err := b.run(t, map[string]any{"project_id": project, "measure": c.measure, "prop": c.prop})
		if err != nil {
			t.Errorf("%s of %s: %v", c.measure, c.prop, err)
			continue
		}
		if got, _ := json.Marshal(r.Total); string(got) != c.want {
			t.Errorf("%s of %s: %s, want %s", c.measure, c.prop, got, c.want)
		}
	}
	if _, err := b.pool.Exec(t.Context(), `UPDATE events SET props = '{"huge": 1.7e308}'`); err != nil {
		t.Fatal(err)
	}
	if r, err := b.run(t, map[string]any{"project_id": project, "measure": "sum", "prop": "huge"}); err != nil || r.Total != nil {
		t.Errorf("a sum beyond a double is %v, %v; want null", r.Total, err)
	}
}

// A double has no 1.0 of its own, so the other tests never store one.
func TestEqualValuesAreOneGroupHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	texts := []string{`[1,2]`, `[1.0,2]`, `[1, 2.00]`, `[10,2]`, `[2,1]`, `{"a":1.50,"b":[0.0,"1.0"]}`, `{"b":[0,"1.0"],"a":1.5}`, `{"b":[0,"1"],"a":1.5}`,
		`[]`, `{}`, `1.0`, `1`, `"1.0"`, `[[{"x":[-0.0]}]]`, `[[{"x":[0.000]}]]`, `[1e2]`, `[100.0]`, `["1.0"]`}
	events := make([]event, len(texts))
	for i := range texts {
		events[i] = day(fmt.Sprint(i), now.Truncate(time.Hour))
	}
	b.keep(t, events)
	for i, text := range texts {
		if _, err := b.pool.Exec(t.Context(), `UPDATE events SET props = jsonb_build_object('v', $1::text::jsonb) WHERE user_id = $2`, text, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := b.run(t, map[string]any{"project_id": project, "breakdown": "prop", "breakdown_prop": "v", "top": 20})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, g := range r.Groups {
		got[*g.Value] = *g.Total
	}
	want := map[string]float64{`[1, 2]`: 3, `[10, 2]`: 1, `[2, 1]`: 1, `{"a": 1.5, "b": [0, "1.0"]}`: 2, `{"a": 1.5, "b": [0, "1"]}`: 1,
		`[]`: 1, `{}`: 1, `1`: 2, `1.0`: 1, `[[{"x": [0]}]]`: 2, `[100]`: 2, `["1.0"]`: 1}
	if !maps.Equal(got, want) {
		t.Errorf("groups %v\nwant   %v", got, want)
	}
}

func TestPercentilesAreExactWhateverTheDatabaseRoundsTo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.keep(t, []event{day("x", now.Truncate(time.Hour))})
	if _, err := b.pool.Exec(t.Context(), `UPDATE events SET props = '{"n": 0.30000000000000004}';
		DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET extra_float_digits = 0', current_database()); END $$`); err != nil {
		t.Fatal(err)
	}
	b.pool.Reset()
	r, err := b.run(t, map[string]any{"project_id": project, "measure": "p50", "prop": "n"})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := json.Marshal(r.Total); string(got) != "0.30000000000000004" {
		t.Errorf("%s, want 0.30000000000000004", got)
	}
}

func TestAQuestionOverTheBudgetIsRefusedBeforeItRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store(t, project, "a", 30, now) // counted and not there: only the counts are asked
	b.store(t, project, "b", 3, now)
	few := b.limited(query.Limits{Timeout: time.Minute, MaxEvents: 10})
	for _, c := range []struct {
		names   []string
		refused bool
	}{{[]string{}, true}, {[]string{"a", "b"}, true}, {[]string{"b"}, false}} {
		_, err := few.run(t, map[string]any{"project_id": project, "measure": "users", "names": c.names})
		if refused := problem.Is(err, problem.CodeQueryTooHeavy); refused != c.refused {
			t.Errorf("%v: %v", c.names, err)
		}
	}
}

// lock keeps everyone from reading events until the test ends.
func (b *bench) lock(t *testing.T) {
	t.Helper()
	tx, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	if _, err := tx.Exec(t.Context(), "LOCK TABLE events"); err != nil {
		t.Fatal(err)
	}
}

func TestAQuestionThatTakesTooLongIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.lock(t)
	impatient := b.limited(query.Limits{Timeout: 50 * time.Millisecond, MaxEvents: 10})
	for _, q := range []map[string]any{{"measure": "users"}, {"breakdown": "prop", "breakdown_prop": "x"}} {
		q["project_id"] = project
		_, err := impatient.run(t, q)
		var p *problem.Error
		if !errors.As(err, &p) || p.Code != problem.CodeQueryTooHeavy || !strings.Contains(p.Detail, "longer than the 50ms") {
			t.Errorf("%v: %v", q, err)
		}
	}
	if r := b.query(t, api.QueryMetricsParams{}); r.Meta.Source != api.SourceRollup {
		t.Errorf("counts come from %s", r.Meta.Source) // and do not wait for the events
	}
}

func TestAQuestionEndsWhenTheCallerGoesAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.keep(t, []event{day("x", now.Add(-time.Minute))})
	b.lock(t)
	ctx, cancel := context.WithCancel(t.Context())
	waiting := func() (n int) {
		const q = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
		if err := b.pool.QueryRow(t.Context(), q).Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	go func() {
		for t.Context().Err() == nil && waiting() == 0 { //nolint:revive // asking is what takes the time
		}
		cancel()
	}()
	measure := api.MeasureUsers
	_, err := b.api.QueryMetrics(ctx, api.QueryMetricsRequestObject{Params: api.QueryMetricsParams{ProjectID: project, Measure: &measure}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that the caller went away", err)
	}
	nimbustest.Eventually(t, "the database no longer works on it", func() bool { return waiting() == 0 })
}

// What is read is the partitions of the range and no other, when the plan is made for any range too.
func TestOtherMonthsAreNotRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var events []event
	for month := range 6 {
		for k := range 50 {
			events = append(events, day("x", time.Date(2025, time.Month(month+1), 1+k%28, 0, k, 0, 0, time.UTC)))
		}
	}
	b.keep(t, events)
	for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
		for name, statement := range trends.Statements(project, utc("2025-03-05T00:00:00Z"), utc("2025-03-20T00:00:00Z")) {
			tx, err := b.pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), "SET LOCAL plan_cache_mode = "+mode); err != nil {
				t.Fatal(err)
			}
			rows, err := tx.Query(t.Context(), "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) "+statement.SQL, append([]any{pgx.QueryExecModeDescribeExec}, statement.Args...)...)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			plan := strings.Join(lines, "\n")
			for _, month := range []string{"events_202501", "events_202502", "events_202504", "events_202505", "events_202506"} {
				if strings.Contains(plan, month) {
					t.Errorf("%s, %s: %s is read\n%s", mode, name, month, plan)
				}
			}
			if !strings.Contains(plan, "events_202503") {
				t.Errorf("%s, %s: March is not read\n%s", mode, name, plan)
			}
			_ = tx.Rollback(t.Context())
		}
	}
}
