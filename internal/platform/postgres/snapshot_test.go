package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestASnapshotSeesOneStateAndWritesNothing(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	if _, err := pool.Exec(t.Context(), "CREATE TABLE t (n int)"); err != nil {
		t.Fatal(err)
	}
	count := func(tx pgx.Tx) (n int) {
		if err := tx.QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	err := postgres.InSnapshot(t.Context(), pool, time.Minute, func(tx pgx.Tx) error {
		before := count(tx)
		if _, err := pool.Exec(t.Context(), "INSERT INTO t VALUES (1)"); err != nil {
			return err
		}
		if after := count(tx); after != before {
			t.Errorf("%d rows, then %d", before, after)
		}
		_, err := tx.Exec(t.Context(), "INSERT INTO t VALUES (2)")
		return err
	})
	if !postgres.IsUnavailable(err) { // 25006
		t.Errorf("a write in a snapshot: %v", err)
	}
}

func TestAStatementThatTakesTooLongIsCancelledAndItsConnectionUsable(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	for _, run := range []func() error{
		func() error {
			return postgres.InSnapshot(t.Context(), pool, time.Millisecond, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), "SELECT pg_sleep(60)")
				return err
			})
		},
		func() error {
			return postgres.InSnapshot(t.Context(), pool, -time.Second, func(tx pgx.Tx) error { // the time is up already
				_, err := tx.Exec(t.Context(), "SELECT pg_sleep(60)")
				return err
			})
		},
	} {
		if err := run(); !postgres.IsStatementTimeout(err) || postgres.IsUnavailable(err) {
			t.Errorf("%v, want a statement timeout", err)
		}
	}
	var limit string
	if err := pool.QueryRow(t.Context(), "SHOW statement_timeout").Scan(&limit); err != nil || limit != "0" {
		t.Errorf("the limit outlived its transaction: %q, %v", limit, err)
	}
}

func TestSettingsHoldForTheSnapshotAlone(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	show := func(q interface {
		QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	}) (memory string) {
		if err := q.QueryRow(t.Context(), "SHOW work_mem").Scan(&memory); err != nil {
			t.Error(err)
		}
		return memory
	}
	err := postgres.InSnapshot(t.Context(), pool, time.Minute, func(tx pgx.Tx) error {
		if got := show(tx); got != "7MB" {
			t.Errorf("%s in the snapshot, want 7MB", got)
		}
		return nil
	}, "enable_seqscan = off", "work_mem = '7MB'")
	if err != nil {
		t.Fatal(err)
	}
	if got := show(pool); got == "7MB" {
		t.Error("a setting outlived its transaction")
	}
}

func TestTheServerStopsWorkingWhenNobodyWaits(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	ctx, cancel := context.WithCancel(t.Context())
	running := func() (n int) {
		const q = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'SELECT pg_sleep(300)%'"
		if err := pool.QueryRow(t.Context(), q).Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	go func() {
		for t.Context().Err() == nil && running() == 0 { //nolint:revive // asking is what takes the time
		}
		cancel()
	}()
	err := postgres.InSnapshot(ctx, pool, 10*time.Minute, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SELECT pg_sleep(300)")
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that the caller went away", err)
	}
	nimbustest.Eventually(t, "the server works no longer for nobody", func() bool { return running() == 0 })
}
