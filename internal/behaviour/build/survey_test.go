package build_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/build"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// withoutArrivals stores events as a node of an earlier release does, which knows of no arrivals.
func (h *history) withoutArrivals() {
	h.ingest()
	f := h.open[len(h.open)-1]
	h.exec(f.tx, "DELETE FROM arrivals WHERE xid = pg_current_xact_id()")
	h.finishAll()
}

// hourly is a builder whose every round looks at all days.
func (h *history) hourly() *build.Builder {
	return build.New(h.store, build.Options{LeastEvents: 1, Share: 1, SurveyEvery: time.Nanosecond, Now: time.Now})
}

func TestEventsThatAnEarlierReleaseStoredAreBuilt(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 11)
	h.ingest()
	h.finishAll()
	b := h.hourly()
	h.catchUp(b)
	h.provenParts()
	h.withoutArrivals()
	h.compare() // from the events, since nothing is proven
	h.ingest()  // what has arrived and is in no part is not what is wrong
	h.finishAll()
	h.withoutArrivals()
	if err := b.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.catchUp(b)
	h.compare()
	h.provenParts()
}

func TestEventsThatAnEarlierReleaseDeletedAreNoLongerInParts(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 12)
	h.ingest()
	h.finishAll()
	b := h.hourly()
	h.catchUp(b)
	h.exec(h.pool, "SELECT delete_events($1, event_id_floor($2), event_id_floor($3))", project, origin, origin.AddDate(0, 0, 2))
	h.compare()
	if err := b.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.compare()
	h.provenParts()
}

// A backup leaves arrivals and parts out; the numbers of people, their links and merges come back.
func TestAfterARestoreEverythingIsBuilt(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 13)
	for range 4 {
		h.ingest()
		h.finishAll()
	}
	h.catchUp(h.builder())
	h.exec(h.pool, "TRUNCATE arrivals, arrival_cursors, event_parts, event_part_columns, event_part_days")
	h.compare()
	if err := h.builder().Round(t.Context()); err != nil { // the first round of a node
		t.Fatal(err)
	}
	h.compare()
	h.provenParts()
}

func TestArrivalsThatWaitToBeWorthAPartAreNoReasonToBuildTheirDay(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 14)
	h.ingest()
	h.finishAll()
	h.catchUp(h.builder())
	h.ingest()
	h.finishAll()
	b := build.New(h.store, build.Options{LeastEvents: 1_000_000, MaxWait: time.Hour, Share: 1})
	if err := b.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if days, err := h.store.Dirty(t.Context(), project); err != nil || len(days) > 0 {
		t.Errorf("days %v are marked: %v", days, err)
	}
	if backlog, err := h.store.Backlog(t.Context(), project); err != nil || backlog.Events == 0 {
		t.Errorf("the events have been taken: %+v, %v", backlog, err)
	}
}

// Beyond the names that its project may have, an event is counted under another one than its part has.
func TestEventsThatAreCountedAsOtherAreProven(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 15)
	h.ingest()
	h.finishAll()
	h.exec(h.pool, `INSERT INTO event_counts (project_id, granularity, name, bucket, count)
		SELECT project_id, granularity, '$other', bucket, sum(count) FROM event_counts WHERE name IN ('n0', 'n1') GROUP BY 1, 2, 4`)
	h.exec(h.pool, "DELETE FROM event_counts WHERE name IN ('n0', 'n1')")
	var other int64
	if err := h.pool.QueryRow(t.Context(), "SELECT count(*) FROM event_counts WHERE name = '$other' AND granularity = 86400").Scan(&other); err != nil || other == 0 {
		t.Fatalf("nothing is counted as other: %v", err)
	}
	h.catchUp(h.builder())
	h.provenParts()
	h.exec(h.pool, "UPDATE event_counts SET count = count + 1 WHERE name = '$other'")
	err := h.store.View(t.Context(), project, behaviour.DayAt(origin), behaviour.DayAt(origin)+days, time.Minute, nil,
		func(v *behaviour.View) error {
			if int64(len(v.Unproven)) != other {
				t.Errorf("of %d days that lack an event %v are unproven", other, v.Unproven)
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheBacklogCountsIDsWithoutReadingThem(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 16)
	for _, n := range []int{1, 2, 5, 6, 7, 100, 120, 500, 2_000, 10_000} {
		h.exec(h.pool, "TRUNCATE arrivals")
		h.exec(h.pool, `INSERT INTO arrivals (project_id, min_ts, max_ts, ids)
			SELECT $1, now(), now(), array_agg(gen_random_uuid()) FROM generate_series(1, $2)`, project, n)
		one, err := h.store.Backlog(t.Context(), project)
		if err != nil || one.Events != int64(n) {
			t.Errorf("%d events: %+v, %v", n, one, err)
		}
		if all, _, err := h.store.Behind(t.Context()); err != nil || all != int64(n) {
			t.Errorf("%d events everywhere: %d, %v", n, all, err)
		}
	}
}

// counter counts the statements of a pool.
type counter struct{ statements atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.statements.Add(1)
	return ctx
}

func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// idle makes projects whose events are all in parts, and a builder of them whose statements are counted.
func idle(tb testing.TB, projects int) (*build.Builder, *counter) {
	tb.Helper()
	pool := nimbustest.DB(tb)
	for _, sql := range []string{
		`INSERT INTO arrival_cursors (project_id, consumer, xid, seq) SELECT ('018f0000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid,
			'parts', '3', 0 FROM generate_series(1, $1) i`,
		`INSERT INTO event_counts (project_id, granularity, name, bucket, count)
			SELECT c.project_id, 86400, n.name, '2026-10-01Z'::timestamptz + d * interval '1 day', 1000
			FROM arrival_cursors c, generate_series(0, 29) d, (VALUES (''), ('e')) n(name) WHERE $1::int > 0`,
		`INSERT INTO event_parts (project_id, day, id, rows, bytes, header)
			SELECT c.project_id, extract(epoch FROM c.bucket) / 86400, gen_random_uuid(), c.count, 1, ''
			FROM event_counts c WHERE c.name = '' AND $1::int > 0`,
		`INSERT INTO event_part_days (project_id, day, dirty, snapshot)
			SELECT p.project_id, p.day, false, pg_current_snapshot() FROM event_parts p WHERE $1::int > 0`,
	} {
		if _, err := pool.Exec(tb.Context(), sql, projects); err != nil {
			tb.Fatalf("%s: %v", sql, err)
		}
	}
	if _, err := pool.Exec(tb.Context(), "VACUUM ANALYZE event_counts, event_parts, event_part_days, arrival_cursors"); err != nil {
		tb.Fatal(err)
	}
	c := &counter{}
	counted, err := postgres.Open(tb.Context(), pool.Config().ConnString(), 1, func(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = c })
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(counted.Close)
	b := build.New(behaviour.NewStore(counted), build.Options{Share: 1})
	if err := b.Round(tb.Context()); err != nil { // with a survey
		tb.Fatal(err)
	}
	return b, c
}

func TestARoundOfIdleProjectsAsksNothingForEach(t *testing.T) {
	t.Parallel()
	b, c := idle(t, 20)
	c.statements.Store(0)
	if err := b.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := c.statements.Load(); n > 2 {
		t.Errorf("%d statements for 20 projects for which there is nothing to do", n)
	}
}

// One query finds that there is not enough to do yet.
func TestAVisitOfAProjectWithLittleToDoIsOneQuery(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 17)
	h.ingest()
	h.finishAll()
	h.catchUp(h.builder())
	h.ingest()
	h.finishAll()
	c := &counter{}
	counted, err := postgres.Open(t.Context(), h.pool.Config().ConnString(), 1, func(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = c })
	if err != nil {
		t.Fatal(err)
	}
	defer counted.Close()
	b := build.New(behaviour.NewStore(counted), build.Options{LeastEvents: 1_000_000, MaxWait: time.Hour, Share: 1})
	if err := b.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.statements.Store(0)
	if err := b.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := c.statements.Load(); n != 5 { // two to find the project, one of it, two to find that there is no other one
		t.Errorf("%d statements for one project that has too little to do", n)
	}
}

// BenchmarkIdleProjects is what a round, and the survey of an hour, cost for a thousand projects of 30 days each.
func BenchmarkIdleProjects(b *testing.B) {
	const projects = 1_000
	builder, c := idle(b, projects)
	for _, what := range []struct {
		name string
		run  func(context.Context) error
	}{{"round", builder.Round}, {"survey", builder.Survey}} {
		b.Run(fmt.Sprintf("%s of %d projects", what.name, projects), func(b *testing.B) {
			c.statements.Store(0)
			for b.Loop() {
				if err := what.run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(c.statements.Load())/float64(b.N), "statements/op")
		})
	}
}

func TestPartsOfDeletedEventsGoAndTheDayThatIsCutIsBuiltAnew(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 18)
	for range 3 {
		h.ingest()
		h.finishAll()
	}
	b := h.builder()
	h.catchUp(b)
	oldest := origin.Add(60 * time.Hour)
	h.exec(h.pool, "SELECT delete_events($1, event_id_floor($2), event_id_floor($3))", project, origin, oldest)
	if err := b.RemoveBefore(t.Context(), project, oldest); err != nil {
		t.Fatal(err)
	}
	var before int
	if err := h.pool.QueryRow(t.Context(), `SELECT count(*) FROM event_parts p FULL JOIN event_part_columns c ON c.part_id = p.id
		WHERE least(p.day, c.day) < $1`, behaviour.DayAt(oldest)).Scan(&before); err != nil || before > 0 {
		t.Errorf("%d rows of days that are deleted are left: %v", before, err)
	}
	h.compare()
	if err := b.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.compare()
	h.provenParts()
	if err := b.RemoveBefore(t.Context(), uuid.New(), oldest); err != nil { // of a project that has no parts
		t.Error(err)
	}
}
