package rollups_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/internal/events/quota"
	"github.com/bahagh/nimbus/internal/events/rollups"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

var (
	// noon of the middle one of the days that have events.
	noon      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	someNames = []string{"a", "B", "b", "ä", "page view", "_", "a\x1fb"} // a collation would order these otherwise
)

// world is a database that events are ingested into as the server does it.
type world struct {
	t        *testing.T
	pool     *pgxpool.Pool
	ingester *ingest.Ingester
	projects []uuid.UUID
}

func newWorld(t *testing.T) *world {
	t.Helper()
	pool := nimbustest.DB(t)
	now := func() time.Time { return noon.AddDate(0, 0, 2) }
	b := ingest.NewBatcher(ingest.NewStore(pool), ingest.DefaultBatcherConfig(), ingest.NewMetrics(prometheus.NewRegistry()), now, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &world{t: t, pool: pool, ingester: ingest.NewIngester(b, nil, now), projects: []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}}
}

// ingest stores a request with events of one project, spread over three days; some are sent a second time, in the same
// request or by another.
func (w *world) ingest(random *rand.Rand, events int) {
	w.t.Helper()
	in := batch(random, events)
	r := &ingest.Request{ProjectID: w.projects[random.IntN(len(w.projects))], Events: in}
	if _, _, err := w.ingester.Ingest(w.t.Context(), r); err != nil {
		w.t.Errorf("ingest: %v", err)
	}
}

func batch(random *rand.Rand, n int) []ingest.Incoming {
	in := make([]ingest.Incoming, n)
	for i := range in {
		key := random.IntN(20_000) // all of the event follows from it, so one that comes again is a duplicate
		in[i] = ingest.Incoming{
			Position: i, Name: someNames[key%len(someNames)], IdempotencyKey: fmt.Sprint(key),
			TS: noon.Add(time.Duration(key*7919%(48*3600)-24*3600) * time.Second),
		}
	}
	return in
}

func (w *world) verify(project *uuid.UUID) rollups.Report {
	w.t.Helper()
	r, err := rollups.NewProof(w.pool).Verify(w.t.Context(), project, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) rebuild(project *uuid.UUID) rollups.Report {
	w.t.Helper()
	r, err := rollups.NewProof(w.pool).Rebuild(w.t.Context(), project, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) wantClean() {
	w.t.Helper()
	if r := w.verify(nil); r.Differences != 0 || r.Wrong != 0 || len(r.First) != 0 {
		w.t.Errorf("%d differences on %d of %d days: %+v", r.Differences, r.Wrong, r.Slices, r.First)
	}
	w.wantBruteForce()
}

// wantBruteForce counts the events one by one, in Go: the proof's own SQL is not asked.
func (w *world) wantBruteForce() {
	w.t.Helper()
	want := reference{}
	rows, err := w.pool.Query(w.t.Context(), `SELECT project_id, name, ts FROM events`)
	if err != nil {
		w.t.Fatal(err)
	}
	var id uuid.UUID
	var name string
	var ts time.Time
	if _, err := pgx.ForEachRow(rows, []any{&id, &name, &ts}, func() error { want.add(id, name, ts); return nil }); err != nil {
		w.t.Fatal(err)
	}
	got := table(w.t, w.pool)
	for key, n := range want {
		if got[key] != n {
			w.t.Errorf("%+v: count %d, want %d", key, got[key], n)
		}
	}
	if len(got) != len(want) {
		w.t.Errorf("%d counts, want %d", len(got), len(want))
	}
}

func (w *world) exec(sql string, args ...any) int64 {
	w.t.Helper()
	tag, err := w.pool.Exec(w.t.Context(), sql, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return tag.RowsAffected()
}

func TestCountsAreRightAfterIngestionWithDuplicates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	random := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		w.ingest(random, 200)
	}
	w.wantClean()
	if r := w.verify(nil); r.Slices != 9 {
		t.Errorf("%d days compared, want 3 of each of 3 projects", r.Slices)
	}
	before := table(t, w.pool)
	if r := w.rebuild(nil); r.Differences != 0 || r.Slices != 9 || len(before) == 0 {
		t.Errorf("a rebuild with nothing to do: %+v", r)
	}
}

func TestEveryKindOfDamageIsFoundAndCorrected(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		damage  string // of project $1, of rows like (granularity, name, bucket) = ($2, $3, $4)
		granule int
		of      string
		there   bool
		has     func(should int64) int64
	}{
		{name: "count too high", damage: `UPDATE event_counts SET count = count + 3`, granule: 60, of: "a", there: true, has: func(n int64) int64 { return n + 3 }},
		{name: "count too low, below nothing", damage: `UPDATE event_counts SET count = -7`, granule: 3600, of: "ä", there: true, has: func(int64) int64 { return -7 }},
		{name: "count of nothing", damage: `UPDATE event_counts SET count = 0`, granule: 86400, of: "B", there: true, has: func(int64) int64 { return 0 }},
		{name: "missing row", damage: `DELETE FROM event_counts`, granule: 3600, of: "b"},
		{name: "missing total of a minute", damage: `DELETE FROM event_counts`, granule: 60},
		{name: "missing total of a day", damage: `DELETE FROM event_counts`, granule: 86400},
		{name: "wrong total", damage: `UPDATE event_counts SET count = count - 1`, granule: 3600, there: true, has: func(n int64) int64 { return n - 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			random := rand.New(rand.NewPCG(2, 2))
			for range 6 {
				w.ingest(random, 300)
			}
			id := w.projects[1]
			var bucket time.Time
			var should int64
			if err := w.pool.QueryRow(t.Context(), `SELECT bucket, count FROM event_counts WHERE project_id = $1 AND granularity = $2 AND name = $3
				ORDER BY bucket DESC LIMIT 1`, id, tt.granule, tt.of).Scan(&bucket, &should); err != nil {
				t.Fatal(err)
			}
			if n := w.exec(tt.damage+` WHERE project_id = $1 AND granularity = $2 AND name = $3 AND bucket = $4`, id, tt.granule, tt.of, bucket); n != 1 {
				t.Fatalf("%d rows damaged", n)
			}
			want := rollups.Difference{ProjectID: id, Granularity: int32(tt.granule), Name: tt.of, Bucket: bucket.UTC(), There: tt.there, Should: should}
			if tt.there {
				want.Has = tt.has(should)
			}
			w.wantOnly(want)
		})
	}
}

func TestRowsThatShouldNotBeThereAreFoundAndRemoved(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name    string
		granule int32
		of      string
		bucket  time.Time
		count   int64
	}{
		{"a name no event has", 60, "never sent", day, 5},
		{"a name no event has, counted as nothing", 3600, "never sent", day, 0},
		{"a day without events", 86400, "a", day.AddDate(0, 0, 100), 5},
		{"the total of a minute of a day without events", 60, "", day.AddDate(0, -3, 0), 1},
		{"before 1970", 3600, "a", time.Date(1969, 12, 31, 23, 0, 0, 0, time.UTC), -4},
		{"far before 1970", 60, "a", time.Date(1066, 10, 14, 9, 0, 0, 0, time.UTC), 2},
		{"a bucket between two buckets", 3600, "a", day.Add(90 * time.Second), 2},
		{"a width nobody counts in", 900, "a", day, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.ingest(rand.New(rand.NewPCG(3, 3)), 1000)
			var id uuid.UUID
			if err := w.pool.QueryRow(t.Context(), `SELECT project_id FROM events LIMIT 1`).Scan(&id); err != nil {
				t.Fatal(err)
			}
			w.exec(`INSERT INTO event_counts (project_id, granularity, name, bucket, count) VALUES ($1, $2, $3, $4, $5)`, id, tt.granule, tt.of, tt.bucket, tt.count)
			w.wantOnly(rollups.Difference{ProjectID: id, Granularity: tt.granule, Name: tt.of, Bucket: tt.bucket, There: true, Has: tt.count})
		})
	}
	t.Run("a project without events", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.exec(`INSERT INTO event_counts (project_id, granularity, name, bucket, count) VALUES ($1, 60, 'x', $2, 1)`, w.projects[0], day)
		w.wantOnly(rollups.Difference{ProjectID: w.projects[0], Granularity: 60, Name: "x", Bucket: day, There: true, Has: 1})
	})
}

// wantOnly expects this one difference, that a rebuild corrects it, and that it changes nothing else.
func (w *world) wantOnly(want rollups.Difference) {
	w.t.Helper()
	r := w.verify(nil)
	if r.Differences != 1 || r.Wrong != 1 || !slices.Equal(r.First, []rollups.Difference{want}) {
		w.t.Errorf("%d differences on %d days: %+v, want %+v", r.Differences, r.Wrong, r.First, want)
	}
	if again := w.verify(&want.ProjectID); again.Differences != 1 {
		w.t.Errorf("the project alone: %d differences", again.Differences)
	}
	if r := w.rebuild(&want.ProjectID); r.Differences != 1 || r.Wrong != 1 || !slices.Equal(r.First, []rollups.Difference{want}) {
		w.t.Errorf("corrected %d counts on %d days: %+v, want %+v", r.Differences, r.Wrong, r.First, want)
	}
	w.wantClean()
}

func TestANameThatWasChangedIsTwoDifferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ingest(rand.New(rand.NewPCG(4, 4)), 1000)
	w.exec(`UPDATE event_counts SET name = 'wrong' WHERE granularity = 86400 AND name = 'a' AND bucket = '2026-03-01Z'`)
	if r := w.verify(nil); r.Differences != 2 || r.Wrong != 1 {
		t.Errorf("%d differences on %d days", r.Differences, r.Wrong)
	}
	w.rebuild(nil)
	w.wantClean()
}

func TestOneProjectIsRebuiltAndOthersAreNotTouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	random := rand.New(rand.NewPCG(5, 5))
	for range 6 {
		w.ingest(random, 500)
	}
	w.exec(`UPDATE event_counts SET count = count + 1`)
	total := w.verify(nil)
	if len(total.First) != 20 || total.Differences != int64(len(table(t, w.pool))) {
		t.Errorf("%d differences, of which %d are named", total.Differences, len(total.First))
	}
	before := table(t, w.pool)
	w.rebuild(&w.projects[0])
	for key, n := range table(t, w.pool) {
		if change := before[key] - n; key.projectID == w.projects[0] && change != 1 || key.projectID != w.projects[0] && change != 0 {
			t.Errorf("%+v went down by %d", key, change)
		}
	}
	if r := w.verify(&w.projects[0]); r.Differences != 0 {
		t.Errorf("%d differences are left", r.Differences)
	}
	unknown := uuid.New()
	if _, err := rollups.NewProof(w.pool).Verify(t.Context(), &unknown, nil); !errors.Is(err, rollups.ErrNoProject) {
		t.Errorf("an unknown project: %v", err)
	}
}

// The purge removes events before their counts; a rebuild must neither report that nor get in its way.
func TestAProjectThatIsBeingDeletedIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ingest(rand.New(rand.NewPCG(6, 6)), 100)
	w.exec(`INSERT INTO projects (id, name, deleted_at) SELECT DISTINCT project_id, 'p', now() FROM events`)
	w.exec(`DELETE FROM events`)
	if r := w.verify(nil); r.Slices != 0 || r.Differences != 0 {
		t.Errorf("%+v", r)
	}
}

// A day of which nothing is counted needs more than one transaction, and more than one comparison when it is large.
func TestCountsAreMadeFromNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(`SELECT ensure_event_partition('2026-03-01Z')`)
	w.exec(`INSERT INTO events (project_id, id, ts, received_at, seq, name, props)
		SELECT $1, (left(event_id_floor(ts)::text, 24) || lpad(to_hex(n), 12, '0'))::uuid, ts, ts, 0, 'n' || n % 9, '{}'
		FROM (SELECT n, '2026-03-01Z'::timestamptz + n * interval '43.2 seconds' AS ts FROM generate_series(0, 1999) AS n) AS t`, w.projects[0])
	r, err := rollups.NewProof(w.pool).InSteps(1000, 300).Rebuild(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Wrong != 1 || r.Differences < 2001 || len(r.First) != 20 {
		t.Errorf("%d counts on %d days, %d of them named", r.Differences, r.Wrong, len(r.First))
	}
	w.wantClean()
}

func TestARebuildThatWasStoppedIsTakenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	random := rand.New(rand.NewPCG(7, 7))
	for range 6 {
		w.ingest(random, 500)
	}
	w.exec(`UPDATE event_counts SET count = count * 2`)
	all := w.verify(nil)
	ctx, stop := context.WithCancel(t.Context())
	var seen []int
	part, err := rollups.NewProof(w.pool).Rebuild(ctx, nil, func(done, total int) {
		seen = append(seen, done)
		if total != all.Slices {
			t.Errorf("%d slices, want %d", total, all.Slices)
		}
		if done == 4 {
			stop()
		}
	})
	if !errors.Is(err, context.Canceled) || !slices.Equal(seen, []int{1, 2, 3, 4}) || part.Wrong != 4 {
		t.Fatalf("stopped: %v, progress %v, %d days corrected", err, seen, part.Wrong)
	}
	if left := w.verify(nil); left.Wrong != all.Wrong-4 || left.Differences != all.Differences-part.Differences {
		t.Errorf("%d differences on %d days are left of %d on %d, after %d", left.Differences, left.Wrong, all.Differences, all.Wrong, part.Differences)
	}
	if rest := w.rebuild(nil); rest.Wrong != all.Wrong-4 {
		t.Errorf("%d days corrected the second time", rest.Wrong)
	}
	w.wantClean()
}

// The three moments at which an ingest transaction can be while a correction is made.
func TestIngestionUnderWayIsNeitherLostNorDoubled(t *testing.T) {
	t.Parallel()
	for _, isolation := range []string{"read committed", "repeatable read"} { // the default of the database must not matter
		t.Run(isolation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.exec(`SELECT ensure_event_partition('2026-03-01Z')`)
			if _, err := w.pool.Exec(t.Context(), `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''`+isolation+`''', current_database()); END $$`); err != nil {
				t.Fatal(err)
			}
			w.pool.Reset()
			id := w.projects[0]
			insert := func(tx pgx.Tx, n int) {
				t.Helper()
				if _, err := tx.Exec(t.Context(), `INSERT INTO events (project_id, id, ts, received_at, seq, name, props)
					SELECT $1, (left(event_id_floor($2)::text, 24) || lpad(to_hex($3::int), 12, '0'))::uuid, $2, $2, 0, 'a', '{}'`, id, noon, n); err != nil {
					t.Fatal(err)
				}
			}
			count := func(tx pgx.Tx) {
				t.Helper()
				var counts rollups.Counts
				counts.Add(id, "a", noon)
				if err := rollups.Apply(t.Context(), tx, &counts); err != nil {
					t.Fatal(err)
				}
			}
			if err := postgres.InTx(t.Context(), w.pool, func(tx pgx.Tx) error { insert(tx, 1); count(tx); return nil }); err != nil {
				t.Fatal(err)
			}
			begin := func() pgx.Tx {
				t.Helper()
				tx, err := w.pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.ReadCommitted}) // as ingestion needs it
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
				return tx
			}

			// Events stored, not yet counted: the correction does not wait for it.
			w.exec(`UPDATE event_counts SET count = count + 10`)
			tx := begin()
			insert(tx, 2)
			if r := w.rebuild(nil); r.Differences != 6 {
				t.Errorf("%d corrected", r.Differences)
			}
			count(tx)
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.wantClean()

			// Counted, not yet committed: the correction waits for its rows, and adds to what is committed then; once with the
			// rows there, and once with the rows missing, so that both make them.
			for n, damage := range []string{`UPDATE event_counts SET count = count - 1`, `DELETE FROM event_counts`, `UPDATE event_counts SET name = 'b' WHERE name = 'a'`} {
				w.exec(damage)
				tx := begin()
				insert(tx, 3+n)
				count(tx)
				rebuilt := make(chan error, 1)
				go func() {
					_, err := rollups.NewProof(w.pool).Rebuild(t.Context(), nil, nil)
					rebuilt <- err
				}()
				for waiting := false; !waiting; {
					if err := w.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted), pg_sleep(0.01)::text`).Scan(&waiting, nil); err != nil {
						t.Fatal(err)
					}
				}
				if err := tx.Commit(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := <-rebuilt; err != nil {
					t.Fatal(err)
				}
				w.wantClean()
			}

			// A row that is removed while ingestion waits for it.
			w.exec(`DELETE FROM events`)
			if r := w.rebuild(nil); r.Differences != 6 {
				t.Errorf("%d removed", r.Differences)
			}
			if err := postgres.InTx(t.Context(), w.pool, func(tx pgx.Tx) error {
				if _, err := tx.Exec(t.Context(), "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"); err != nil {
					return err
				}
				insert(tx, 9)
				count(tx)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			w.wantClean()
		})
	}
}

// Without the repair lock two of them would work out the same sum and add it twice.
func TestRebuildsAtTheSameTimeCorrectOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	random := rand.New(rand.NewPCG(11, 11))
	w.projects = w.projects[:1]
	w.ingest(random, 300)
	for range 5 {
		damaged := w.exec(`UPDATE event_counts SET count = count + 5`)
		var corrected atomic.Int64
		var rebuilding sync.WaitGroup
		for range 4 {
			rebuilding.Go(func() {
				r, err := rollups.NewProof(w.pool).InSteps(500, 50).Rebuild(t.Context(), nil, nil)
				if err != nil {
					t.Errorf("rebuild: %v", err)
				}
				corrected.Add(r.Differences)
			})
		}
		rebuilding.Wait()
		if corrected.Load() != damaged {
			t.Errorf("%d counts corrected of %d", corrected.Load(), damaged)
		}
		w.wantClean()
	}
}

// What a rebuild has compared stays until it has corrected it.
func TestPruningWaitsForTheRebuildOfItsProject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.projects = w.projects[:2]
	w.ingest(rand.New(rand.NewPCG(12, 12)), 100)
	prune := func(project uuid.UUID) error {
		return postgres.InTx(t.Context(), w.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), "SET LOCAL lock_timeout = '50ms'"); err != nil {
				return err
			}
			_, err := tx.Exec(t.Context(), "SELECT delete_events($1, event_id_floor('1971-01-01Z'), event_id_floor('2100-01-01Z'))", project)
			return err
		})
	}
	if err := rollups.NewProof(w.pool).Repairing(t.Context(), w.projects[0], func() {
		if err := prune(w.projects[0]); !postgres.IsRetryable(err) {
			t.Errorf("pruned beside a rebuild: %v", err)
		}
		if err := prune(w.projects[1]); err != nil {
			t.Errorf("of another project: %v", err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, project := range w.projects {
		if err := prune(project); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(table(t, w.pool)); n != 0 {
		t.Errorf("%d counts without events", n)
	}
}

// Writers, vandals, verifiers and two rebuilds at once. In the end the counts are those of the events.
func TestRebuildsUnderLoadLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const writers, requests = 4, 50
	var sent atomic.Int64
	var writing, others sync.WaitGroup
	done := make(chan struct{})
	for writer := range writers {
		writing.Go(func() {
			random := rand.New(rand.NewPCG(8, uint64(writer)))
			for range requests {
				n := 1 + random.IntN(200)
				w.ingest(random, n)
				sent.Add(int64(n))
			}
		})
	}
	var corrected, rebuilds atomic.Int64
	running := func() bool {
		select {
		case <-done:
			return false
		default:
			return t.Context().Err() == nil
		}
	}
	for range 2 {
		others.Go(func() {
			for running() {
				r, err := rollups.NewProof(w.pool).InSteps(200, 20).Rebuild(t.Context(), nil, nil)
				if err != nil {
					t.Errorf("rebuild: %v", err)
					return
				}
				corrected.Add(r.Differences)
				rebuilds.Add(1)
			}
		})
	}
	const one = "WHERE project_id = $1 AND granularity = $2 AND name = $3 AND bucket = $4"
	others.Go(func() {
		random := rand.New(rand.NewPCG(9, 9))
		for running() {
			// Whole totals, single rows and rows that should not be there; in the order in which ingestion locks.
			for _, d := range []struct{ where, sql string }{
				{"WHERE name = '' AND granularity = 86400", `UPDATE event_counts SET count = count + 17 ` + one},
				{"", `DELETE FROM event_counts ` + one},
				{"", fmt.Sprintf(`INSERT INTO event_counts VALUES ($1, $2, $3 || 'x', $4, %d) ON CONFLICT DO NOTHING`, random.IntN(9)-4)},
			} {
				var project uuid.UUID
				var granularity int
				var name string
				var bucket time.Time
				err := w.pool.QueryRow(t.Context(), `SELECT project_id, granularity, name, bucket FROM event_counts `+d.where+` ORDER BY random() LIMIT 1`).
					Scan(&project, &granularity, &name, &bucket)
				if errors.Is(err, pgx.ErrNoRows) {
					continue
				}
				if err == nil {
					_, err = w.pool.Exec(t.Context(), d.sql, project, granularity, name, bucket)
				}
				if err != nil {
					t.Errorf("damage: %v", err)
				}
			}
		}
	})
	writing.Wait()
	close(done)
	others.Wait()
	t.Logf("%d events sent, %d rebuilds, %d counts corrected", sent.Load(), rebuilds.Load(), corrected.Load())
	if rebuilds.Load() == 0 || corrected.Load() == 0 {
		t.Error("there was nothing to see")
	}
	w.rebuild(nil) // what was damaged last
	w.wantClean()
}

// Ingestion alone never looks like a difference.
func TestVerifyIsExactWhileEventsAreStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var writing sync.WaitGroup
	done := make(chan struct{})
	for writer := range 3 {
		writing.Go(func() {
			random := rand.New(rand.NewPCG(10, uint64(writer)))
			for range 40 {
				w.ingest(random, 1+random.IntN(100))
			}
		})
	}
	go func() { writing.Wait(); close(done) }()
	for rounds := 0; ; rounds++ {
		if r := w.verify(nil); r.Differences > 0 {
			t.Errorf("round %d: %+v", rounds, r.First)
		}
		select {
		case <-done:
			w.wantClean()
			return
		default:
		}
	}
}

// Events of names beyond the limit are counted together, and the proof counts them so, too.
func TestTheProofKnowsWhatIsCountedAsOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range w.projects {
		w.exec(`INSERT INTO projects (id, name) VALUES ($1, 'p')`, p)
	}
	now := func() time.Time { return noon.AddDate(0, 0, 2) }
	b := ingest.NewBatcher(ingest.NewStore(w.pool), ingest.DefaultBatcherConfig(), ingest.NewMetrics(prometheus.NewRegistry()), now, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	quotas := quota.New(w.pool, quota.Config{Defaults: quota.Limits{EventNames: 3}, Now: now}, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	w.ingester = ingest.NewIngester(b, quotas, now)
	random := rand.New(rand.NewPCG(21, 22))
	for range 6 {
		w.ingest(random, 200) // by COPY, and when something comes again by INSERT
	}
	for range 30 {
		w.ingest(random, 3)
	}
	if n := w.exec(`SELECT FROM events WHERE counted_as_other`); n == 0 {
		t.Fatal("no event was counted as other: nothing was tested")
	}
	if r := w.verify(nil); r.Differences != 0 {
		t.Errorf("%d differences: %+v", r.Differences, r.First)
	}
	w.exec(`DELETE FROM event_counts WHERE name IN ('$other', 'a')`)
	w.exec(`UPDATE event_counts SET count = count + 1 WHERE name = ''`)
	if r := w.rebuild(nil); r.Differences == 0 {
		t.Error("nothing was corrected")
	}
	if r := w.verify(nil); r.Differences != 0 {
		t.Errorf("after the rebuild %d differences: %+v", r.Differences, r.First)
	}
}
