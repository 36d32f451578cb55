package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

var pruneNow = time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)

func newLimited(t *testing.T, pool *pgxpool.Pool, days int) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	execute(t, pool, `INSERT INTO projects (id, name, data_retention_days) VALUES ($1, 'p', $2)`, id, days)
	return id
}

func execute(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func count(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := pool.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// wantCounted fails the test unless event_counts is what counting the events anew gives, row by row.
func wantCounted(t *testing.T, pool *pgxpool.Pool, when string) {
	t.Helper()
	n := count(t, pool, `
		WITH recount AS (
			SELECT e.project_id, g.seconds AS granularity, n.name, date_trunc(g.field, e.ts, 'UTC') AS bucket, count(*) AS count
			FROM events e
			CROSS JOIN (VALUES (60, 'minute'), (3600, 'hour'), (86400, 'day')) AS g(seconds, field)
			CROSS JOIN LATERAL (VALUES (e.name), ('')) AS n(name)
			GROUP BY 1, 2, 3, 4)
		SELECT count(*) FROM recount r FULL JOIN event_counts c USING (project_id, granularity, name, bucket)
		WHERE r.count IS DISTINCT FROM c.count`)
	if n != 0 {
		t.Fatalf("%s: %d rows of event_counts are not those of the events", when, n)
	}
}

// scatter stores n events of a project, of a few names, at random times in a few minutes of each of the days before
// pruneNow: in all minutes, the counts would take longer than what is tested.
func scatter(t *testing.T, s world, project uuid.UUID, n, days int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, uint64(n)))
	writes := make([]*ingest.Row, n)
	for k := range writes {
		ago := time.Duration(random.IntN(days*6))*4*time.Hour + time.Duration(random.IntN(60_000_000))*time.Microsecond
		w := rowAt(project, fmt.Sprint(k), pruneNow.Add(-ago))
		w.Name = []string{"a", "B", "ä", "page view"}[random.IntN(4)]
		writes[k] = w
	}
	for len(writes) > 0 {
		size := min(len(writes), 10_000)
		if err := s.Append(t.Context(), writes[:size]); err != nil {
			t.Fatal(err)
		}
		writes = writes[size:]
	}
}

const younger = `SELECT count(*) FROM events WHERE project_id = $1 AND ts >= $2`

func TestCountsAreThoseOfTheEventsAfterEveryStepOfPruning(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s := newWorld(pool)
	project, other := newLimited(t, pool, 30), newLimited(t, pool, 0)
	scatter(t, s, project, 32_000, 120)
	scatter(t, s, other, 500, 120)
	limit := pruneNow.AddDate(0, 0, -30)
	keep := count(t, pool, younger, project, limit)
	total := count(t, pool, `SELECT count(*) FROM events WHERE project_id = $1`, project)
	p := &pruning{project: project}
	for steps := 1; ; steps++ {
		more, err := s.pruneStep(t.Context(), p, pruneNow)
		if err != nil {
			t.Fatal(err)
		}
		wantCounted(t, pool, fmt.Sprintf("after step %d", steps))
		left := count(t, pool, `SELECT count(*) FROM events WHERE project_id = $1`, project)
		if total-left > pruneRows {
			t.Errorf("step %d deleted %d events", steps, total-left)
		}
		if total = left; more {
			continue
		}
		if steps < 4 {
			t.Errorf("%d steps for more than 20,000 old events, and for the keys", steps)
		}
		break
	}
	if total != keep || count(t, pool, younger, project, limit) != keep {
		t.Errorf("%d events are left, want the %d that are young enough", total, keep)
	}
	if n := count(t, pool, `SELECT count(*) FROM event_counts WHERE count <= 0`); n != 0 {
		t.Errorf("%d rows that count nothing", n)
	}
	if n := count(t, pool, `SELECT count(*) FROM events WHERE project_id = $1`, other); n != 500 {
		t.Errorf("%d events of a project without a limit, want all 500", n)
	}
}

// cancelAt ends a context in the middle of a step: after its events are deleted, before its commit.
type cancelAt struct {
	left   atomic.Int32
	cancel context.CancelFunc
}

type isDelete struct{}

func (c *cancelAt) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, isDelete{}, strings.Contains(data.SQL, "delete_events"))
}

func (c *cancelAt) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if ctx.Value(isDelete{}) == true && c.left.Add(-1) == 0 {
		c.cancel()
	}
}

func TestPruningThatWasCutOffIsTakenUpByTheNext(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	project := newLimited(t, pool, 30)
	scatter(t, newWorld(pool), project, 32_000, 120)
	keep := count(t, pool, younger, project, pruneNow.AddDate(0, 0, -30))
	for cut := int32(1); cut <= 2; cut++ {
		ctx, cancel := context.WithCancel(t.Context())
		tracer := &cancelAt{cancel: cancel}
		tracer.left.Store(cut)
		config := pool.Config()
		config.ConnConfig.Tracer = tracer
		cutOff, err := pgxpool.NewWithConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		err = NewStore(cutOff).Prune(ctx, pruneNow)
		cutOff.Close()
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("a Prune that was stopped: %v", err)
		}
		wantCounted(t, pool, "after a Prune that was cut off")
		if n := count(t, pool, `SELECT count(*) FROM events`); n != 32_000-10_000*int(cut-1) {
			t.Errorf("cut off in step %d: %d events are left", cut, n)
		}
	}
	if err := NewStore(pool).Prune(t.Context(), pruneNow); err != nil {
		t.Fatal(err)
	}
	wantCounted(t, pool, "at the end")
	if n := count(t, pool, `SELECT count(*) FROM events`); n != keep {
		t.Errorf("%d events are left, want %d", n, keep)
	}
}

func TestTheLimitIsExactToTheMillisecond(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project := newWorld(pool), newLimited(t, pool, 7)
	limit := pruneNow.AddDate(0, 0, -7)
	old, young := rowAt(project, "old", limit.Add(-time.Millisecond)), rowAt(project, "young", limit)
	if err := s.Append(t.Context(), []*ingest.Row{old, young}); err != nil {
		t.Fatal(err)
	}
	if err := s.Prune(t.Context(), pruneNow); err != nil {
		t.Fatal(err)
	}
	if n := count(t, pool, `SELECT count(*) FROM events WHERE id = $1`, young.ID); n != 1 {
		t.Error("an event that is exactly as old as the limit was pruned")
	}
	if n := count(t, pool, `SELECT count(*) FROM events`); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
	wantCounted(t, pool, "at the end")
}

func TestALimitThatWasLiftedEndsThePruningAtOnce(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project := newWorld(pool), newLimited(t, pool, 30)
	scatter(t, s, project, 25_000, 120)
	p := &pruning{project: project}
	if more, err := s.pruneStep(t.Context(), p, pruneNow); err != nil || !more {
		t.Fatal(more, err)
	}
	execute(t, pool, `UPDATE projects SET data_retention_days = 0`)
	if more, err := s.pruneStep(t.Context(), p, pruneNow); err != nil || more {
		t.Error(more, err)
	}
	if n := count(t, pool, `SELECT count(*) FROM events`); n != 15_000 {
		t.Errorf("%d events are left, want 15,000", n)
	}
}

func TestKeysArePrunedAfterTheirEvents(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project, other := newWorld(pool), newLimited(t, pool, 30), newLimited(t, pool, 0)
	limit := pruneNow.AddDate(0, 0, -30)
	for _, id := range []uuid.UUID{project, other} {
		execute(t, pool, `INSERT INTO event_keys SELECT $1, gen_random_uuid(), $2::timestamptz - i * interval '1 hour'
			FROM generate_series(0, 20999) i`, id, limit)
	}
	if err := s.Prune(t.Context(), pruneNow); err != nil {
		t.Fatal(err)
	}
	if n := count(t, pool, `SELECT count(*) FROM event_keys WHERE project_id = $1`, project); n != 25 {
		t.Errorf("%d keys are left, want those of one day", n)
	}
	if n := count(t, pool, `SELECT count(*) FROM event_keys WHERE project_id = $1`, other); n != 21_000 {
		t.Errorf("%d keys of a project without a limit, want all", n)
	}
}

func TestAProjectThatCannotBePrunedDoesNotKeepTheOthersWaiting(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, stuck, other := newWorld(pool), newLimited(t, pool, 30), newLimited(t, pool, 30)
	scatter(t, s, stuck, 100, 120)
	scatter(t, s, other, 100, 120)
	execute(t, pool, fmt.Sprintf(`ALTER FUNCTION delete_events RENAME TO really_delete_events;
		CREATE FUNCTION delete_events(project uuid, from_id uuid, to_id uuid) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
			IF project = '%s' THEN RAISE 'stuck'; END IF;
			RETURN really_delete_events(project, from_id, to_id);
		END $$`, stuck))
	err := s.Prune(t.Context(), pruneNow)
	if err == nil || !strings.Contains(err.Error(), stuck.String()) || strings.Contains(err.Error(), other.String()) {
		t.Errorf("error %v, want one that names the project which could not be pruned", err)
	}
	if n := count(t, pool, `SELECT count(*) FROM events WHERE project_id = $1 AND ts < $2`, other, pruneNow.AddDate(0, 0, -30)); n != 0 {
		t.Errorf("%d old events of the other project", n)
	}
	wantCounted(t, pool, "at the end")
}

// Late events are stored while the same buckets are pruned by two processes. No write may fail, nothing may deadlock, and the counts must be right all the time.
func TestPruningAndIngestionAtTheSameTime(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	projects := []uuid.UUID{newLimited(t, pool, 30), newLimited(t, pool, 0)}
	base := time.Date(2019, 3, 31, 23, 50, 0, 0, time.UTC) // around the end of a month: two partitions
	const writers, rounds, size = 3, 60, 80
	var writing, pruning sync.WaitGroup
	for writer := range writers {
		writing.Go(func() {
			s := newWorld(pool)
			random := rand.New(rand.NewPCG(9, uint64(writer)))
			for round := range rounds {
				var writes []*ingest.Row
				for k := range size {
					w := rowAt(projects[0], fmt.Sprint(writer%2, round, k), base.Add(time.Duration(random.IntN(1200))*time.Second))
					w.Name = []string{"a", "B", "ä"}[random.IntN(3)]
					writes = append(writes, w)
				}
				writes = append(writes, rowAt(projects[1], fmt.Sprint(round), base))
				if err := s.Append(context.Background(), writes); err != nil {
					t.Errorf("write: %v", err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	for range 2 {
		pruning.Go(func() {
			s := newWorld(pool)
			for {
				if err := s.Prune(context.Background(), pruneNow); err != nil {
					t.Errorf("prune: %v", err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	writing.Wait() // writers that waited for each other without end would be told so by PostgreSQL
	close(done)
	pruning.Wait()
	wantCounted(t, pool, "in the end")
	if err := NewStore(pool).Prune(t.Context(), pruneNow); err != nil {
		t.Fatal(err)
	}
	wantCounted(t, pool, "after the last Prune")
	if n := count(t, pool, `SELECT count(*) FROM events WHERE project_id = $1`, projects[0]); n != 0 {
		t.Errorf("%d events that are too old", n)
	}
	if n := count(t, pool, `SELECT count(*) FROM events WHERE project_id = $1`, projects[1]); n != rounds {
		t.Errorf("%d events of the project without a limit, want %d", n, rounds)
	}
}

func there(t *testing.T, pool *pgxpool.Pool, table string) bool {
	t.Helper()
	return count(t, pool, `SELECT count(*) FROM pg_class WHERE relname = $1`, table) == 1
}

// Two processes prune, or one prunes while another indexes: a partition that was listed is gone when its turn comes.
func TestAPartitionThatAnotherProcessDropsIsNobodysFailure(t *testing.T) {
	t.Parallel()
	for name, job := range map[string]func(*Store, context.Context, time.Time) error{"prune": (*Store).Prune, "index": (*Store).IndexPeople} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := nimbustest.DB(t)
			execute(t, pool, `SELECT ensure_event_partition('2019-04-01Z')`)
			other, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer other.Rollback(context.Background())
			if _, err := other.Exec(t.Context(), `DROP TABLE events_201904`); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- job(NewStore(pool), t.Context(), pruneNow) }()
			nimbustest.Eventually(t, "it waits for the partition", func() bool {
				return count(t, pool, `SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) == 1
			})
			if err := other.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOnlyOldAndEmptyPartitionsAreDropped(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project := newWorld(pool), newLimited(t, pool, 30)
	if err := s.in.EnsurePartitions(t.Context(), pruneNow); err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"2025-11-01", "2025-10-01", "2024-05-01", "2024-06-01"} {
		execute(t, pool, `SELECT ensure_event_partition(($1 || 'Z')::timestamptz)`, m)
	}
	at := time.Date(2024, 5, 3, 0, 0, 0, 0, time.UTC)
	execute(t, pool, `UPDATE projects SET data_retention_days = 0`)
	if err := s.Append(t.Context(), []*ingest.Row{rowAt(project, "k", at)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Prune(t.Context(), pruneNow); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"events_202601": true, "events_202603": true, "events_202511": true,
		"events_202510": false, "events_202405": true, "events_202406": false} {
		if there(t, pool, name) != want {
			t.Errorf("%s: there is %v, want %v", name, !want, want)
		}
	}
	// Once its last event has gone, and with it the row's space, it goes too.
	execute(t, pool, `UPDATE projects SET data_retention_days = 30`)
	if err := s.Prune(t.Context(), pruneNow); err != nil {
		t.Fatal(err)
	}
	if there(t, pool, "events_202405") {
		t.Error("a partition stays after its last event was pruned")
	}
	w := rowAt(project, "k", at)
	if err := s.Append(t.Context(), []*ingest.Row{w}); err != nil {
		t.Errorf("a late event after the drop: %v", err)
	}
	if n := count(t, pool, `SELECT count(*) FROM events WHERE id = $1`, w.ID); n != 1 {
		t.Errorf("a late event after the drop: %d events, want it", n)
	}
	wantCounted(t, pool, "after a late event")
}

// A long reader must not make ingestion wait, through a drop that waits for that reader.
func TestADropGivesUpWhenEventsAreInUse(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s, project := newWorld(pool), newLimited(t, pool, 0)
	execute(t, pool, `SELECT ensure_event_partition('2019-01-01Z')`)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(t.Context(), `SELECT FROM events LIMIT 1`); err != nil {
		t.Fatal(err)
	}
	pruned := make(chan error, 1)
	go func() { pruned <- s.Prune(context.Background(), pruneNow) }()
	writer := newWorld(pool) // none of its writes waits for the reader, who stays until the end
	for k := 0; ; k++ {
		if err := writer.Append(t.Context(), []*ingest.Row{rowAt(project, fmt.Sprint(k), pruneNow)}); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-pruned:
			if err != nil {
				t.Error(err)
			}
			if !there(t, pool, "events_201901") {
				t.Error("a partition was dropped under a reader")
			}
			return
		default:
		}
	}
}

// Who keeps something of the events is told once for each project that lost some, when all of them are gone.
func TestOthersAreToldWhatWasPruned(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	s := newWorld(pool)
	limited, broken, young, unlimited := newLimited(t, pool, 30), newLimited(t, pool, 40), newLimited(t, pool, 365), newLimited(t, pool, 0)
	for _, project := range []uuid.UUID{limited, broken, young, unlimited} {
		scatter(t, s, project, 12_000, 120) // more than one step deletes
	}
	told := map[uuid.UUID][]time.Time{}
	fails := errors.New("told in vain")
	s.OnPrune(func(_ context.Context, project uuid.UUID, oldest time.Time) error {
		if n := count(t, pool, `SELECT count(*) FROM events WHERE project_id = $1 AND ts < $2`, project, oldest); n > 0 {
			t.Errorf("%d events before %s are still there", n, oldest)
		}
		told[project] = append(told[project], oldest)
		if project == broken {
			return fails
		}
		return nil
	})
	if err := s.Prune(t.Context(), pruneNow); !errors.Is(err, fails) {
		t.Errorf("the error is %v", err)
	}
	want := map[uuid.UUID][]time.Time{limited: {pruneNow.AddDate(0, 0, -30)}, broken: {pruneNow.AddDate(0, 0, -40)}}
	if !reflect.DeepEqual(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	if err := s.Prune(t.Context(), pruneNow); err != nil || len(told[limited]) != 1 {
		t.Errorf("nothing was deleted and told %v: %v", told, err)
	}
}
