package rollups_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/events/rollups"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

func TestConcurrentTransactionsNeverDeadlockAndLoseNothing(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	const workers, transactions, adds = 8, 20, 80
	seed := rand.New(rand.NewPCG(5, 6))
	projects := []uuid.UUID{randomID(seed), randomID(seed), randomID(seed)}
	names := []string{"a", "B", "b", "ä", "page_view", "page view", "_"} // a collation would order these otherwise
	origin := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)

	want := make([]reference, workers)
	var group sync.WaitGroup
	for worker := range workers {
		want[worker] = reference{}
		group.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(worker)))
			for range transactions {
				var counts rollups.Counts
				for range 1 + random.IntN(adds) {
					projectID, name := projects[random.IntN(len(projects))], names[random.IntN(len(names))]
					ts := origin.Add(time.Duration(random.IntN(5)) * time.Minute)
					counts.Add(projectID, name, ts)
					want[worker].add(projectID, name, ts)
				}
				err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error { return rollups.Apply(t.Context(), tx, &counts) })
				if err != nil {
					t.Errorf("apply: %v", err)
					return
				}
			}
		})
	}
	group.Wait()

	all := reference{}
	for _, one := range want {
		for key, n := range one {
			all[key] += n
		}
	}
	got := table(t, pool)
	if len(got) != len(all) {
		t.Errorf("%d rows in the table, want %d", len(got), len(all))
	}
	for key, n := range all {
		if got[key] != n {
			t.Errorf("%+v: count %d, want %d", key, got[key], n)
		}
	}
}

func TestARollbackCountsNothing(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	var counts rollups.Counts
	counts.Add(uuid.New(), "a", time.Now())
	stop := errors.New("stop")
	err := postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		if err := rollups.Apply(t.Context(), tx, &counts); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatalf("InTx: %v", err)
	}
	if rows := table(t, pool); len(rows) != 0 {
		t.Errorf("%d rows after a rollback", len(rows))
	}
}

func TestApplyOfNothingNeedsNoDatabase(t *testing.T) {
	t.Parallel()
	if err := rollups.Apply(context.Background(), nil, &rollups.Counts{}); err != nil {
		t.Error(err)
	}
}

func TestProjectsAreInTheOrderOfPostgreSQL(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	random := rand.New(rand.NewPCG(8, 9))
	var counts rollups.Counts
	for range 300 {
		id := randomID(random)
		id[0] = byte(random.IntN(2) * 0x80) // signed bytes would go the other way
		counts.Add(id, "a", time.Unix(0, 0))
	}
	var ours []uuid.UUID
	for _, r := range counts.Rows() {
		if len(ours) == 0 || ours[len(ours)-1] != r.ProjectID {
			ours = append(ours, r.ProjectID)
		}
	}
	rows, err := pool.Query(t.Context(), `SELECT id FROM unnest($1::uuid[]) AS id ORDER BY id`, ours)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		t.Fatal(err)
	}
	if len(theirs) != 300 {
		t.Fatalf("%d ids", len(theirs))
	}
	for i := range theirs {
		if ours[i] != theirs[i] {
			t.Fatalf("position %d: %v, PostgreSQL has %v", i, ours[i], theirs[i])
		}
	}
}

// table reads all of event_counts.
func table(t *testing.T, pool *pgxpool.Pool) map[rowKey]int64 {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT project_id, granularity, name, bucket, count FROM event_counts`)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[rowKey]int64)
	var key rowKey
	var bucket time.Time
	var count int64
	_, err = pgx.ForEachRow(rows, []any{&key.projectID, &key.granularity, &key.name, &bucket, &count}, func() error {
		key.bucket = bucket.Unix()
		got[key] = count
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
