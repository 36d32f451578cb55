package postgres_test

import (
	"context"
	"errors"
	"io"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// empty is a pool on a database without a schema; the tests here make their own tables.
func empty(t *testing.T, size int, opts ...postgres.Option) *pgxpool.Pool {
	t.Helper()
	return open(t, nimbustest.EmptyDSN(t), size, opts...)
}

func open(t *testing.T, dsn string, size int, opts ...postgres.Option) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(testContext(t), dsn, size, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func mustExec(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := pool.Exec(testContext(t), sql); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, pool *pgxpool.Pool) int {
	t.Helper()
	var n int
	if err := pool.QueryRow(testContext(t), "SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOpenSetsWhatTheURLLeavesOpen(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.EmptyDSN(t)
	named := dsn + " application_name=mine"
	if u, err := url.Parse(dsn); err == nil && u.Scheme != "" { // as NIMBUS_TEST_DATABASE_URL may be
		q := u.Query()
		q.Set("application_name", "mine")
		u.RawQuery = q.Encode()
		named = u.String()
	}
	for want, pool := range map[string]*pgxpool.Pool{
		"nimbus UTC off":    open(t, dsn, 1),
		"mine UTC off":      open(t, named, 1),
		"nimbus/job UTC on": open(t, dsn, 1, postgres.WithApplicationName("nimbus/job"), postgres.WithReadOnly()),
	} {
		var got string
		err := pool.QueryRow(testContext(t), `SELECT concat_ws(' ', current_setting('application_name'),
			current_setting('timezone'), current_setting('default_transaction_read_only'))`).Scan(&got)
		if err != nil || got != want {
			t.Errorf("settings %q, %v, want %q", got, err, want)
		}
	}
}

func TestOpenDoesNotWaitForTheDatabase(t *testing.T) {
	t.Parallel()
	pool := open(t, "postgres://nobody@127.0.0.1:1/none", 0)
	err := pool.Ping(testContext(t))
	if !postgres.IsUnavailable(err) {
		t.Errorf("nobody listening: %v, want unavailable", err)
	}
	if _, err := postgres.Open(testContext(t), "postgres://u:secret@h:not-a-port/x", 1); err == nil {
		t.Error("a nonsensical URL was accepted")
	} else if postgres.IsUnavailable(err) {
		t.Errorf("a nonsensical URL counts as a database that is away: %v", err)
	}
}

func TestInTx(t *testing.T) {
	t.Parallel()
	pool := empty(t, 1) // a connection not given back would block the next step
	mustExec(t, pool, "CREATE TABLE t (n int PRIMARY KEY)")
	insert := func(ctx context.Context, tx pgx.Tx) {
		if _, err := tx.Exec(ctx, "INSERT INTO t VALUES (1)"); err != nil {
			t.Error(err)
		}
	}

	own := errors.New("no")
	ctx := testContext(t)
	if err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error { insert(ctx, tx); return own }); !errors.Is(err, own) {
		t.Errorf("error %v, want the function's own", err)
	}
	if n := count(t, pool); n != 0 {
		t.Fatalf("%d rows after an error, want 0", n)
	}

	func() {
		defer func() {
			if r := recover(); r != "oh" {
				t.Errorf("recovered %v, want the function's own panic", r)
			}
		}()
		_ = postgres.InTx(ctx, pool, func(tx pgx.Tx) error { insert(ctx, tx); panic("oh") })
	}()
	if n := count(t, pool); n != 0 {
		t.Fatalf("%d rows after a panic, want 0", n)
	}

	cancelled, cancel := context.WithCancel(ctx)
	err := postgres.InTx(cancelled, pool, func(tx pgx.Tx) error { insert(cancelled, tx); cancel(); return nil })
	if !errors.Is(err, context.Canceled) || postgres.IsUnavailable(err) {
		t.Errorf("commit after the caller left: %v", err)
	}
	if n := count(t, pool); n != 0 {
		t.Fatalf("%d rows after the caller left, want 0", n)
	}

	// A statement failed and the function did not say so: there is nothing to commit, and that must not look like success.
	err = postgres.InTx(ctx, pool, func(tx pgx.Tx) error { _, _ = tx.Exec(ctx, "SELECT 1/0"); return nil })
	if !errors.Is(err, pgx.ErrTxCommitRollback) {
		t.Errorf("commit of a failed transaction: %v", err)
	}

	if err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error { insert(ctx, tx); return nil }); err != nil {
		t.Fatal(err)
	}
	if n := count(t, pool); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// What is asked for at the COMMIT happens there: the connection ends, or the answer does not come.
func TestACommitWithoutAnAnswerIsUnconfirmed(t *testing.T) {
	t.Parallel()
	pool := empty(t, 3)
	mustExec(t, pool, "CREATE TABLE t (n int PRIMARY KEY)")
	mustExec(t, pool, `CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		CASE NEW.n
		WHEN 1 THEN PERFORM pg_terminate_backend(pg_backend_pid());
		WHEN 2 THEN PERFORM pg_sleep(60);
		WHEN 3 THEN RAISE 'no';
		ELSE NULL; END CASE;
		RETURN NEW; END $$`)
	mustExec(t, pool, "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()")
	const insert = "INSERT INTO t VALUES ($1)"
	waits := func(want bool) func() bool {
		return func() (is bool) {
			const asleep = `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep')`
			if err := pool.QueryRow(testContext(t), asleep).Scan(&is); err != nil {
				t.Fatal(err)
			}
			return is == want
		}
	}
	for name, run := range map[string]func(context.Context, int) error{
		"transaction": func(ctx context.Context, n int) error {
			return postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, insert, n)
				return err
			})
		},
		"pipeline": func(ctx context.Context, n int) error {
			var p postgres.Pipeline
			if _, err := p.Exec(ctx, insert, n); err != nil {
				return err
			}
			return p.Commit(ctx, pool)
		},
	} {
		for n, want := range map[int]bool{1: true, 2: true, 3: false} {
			ctx, cancel := context.WithCancel(testContext(t))
			done := make(chan error, 1)
			go func() { done <- run(ctx, n) }()
			if n == 2 {
				nimbustest.Eventually(t, "the commit waits", waits(true))
				cancel()
			}
			err := <-done
			cancel()
			nimbustest.Eventually(t, "the server has noticed", waits(false)) // or the next one would be taken for waiting
			if err == nil || errors.Is(err, postgres.ErrUnconfirmed) != want {
				t.Errorf("%s %d: unconfirmed is not %v: %v", name, n, want, err)
			}
		}
		gone, cancel := context.WithCancel(testContext(t))
		cancel()
		if err := run(gone, 4); err == nil || errors.Is(err, postgres.ErrUnconfirmed) {
			t.Errorf("%s that was never sent: %v", name, err)
		}
	}
	before := postgres.InTx(testContext(t), pool, func(pgx.Tx) error { return io.ErrUnexpectedEOF })
	if errors.Is(before, postgres.ErrUnconfirmed) {
		t.Errorf("before the commit: %v", before)
	}
}

func TestInTxInsideOfATransactionIsPartOfIt(t *testing.T) {
	t.Parallel()
	pool := empty(t, 1) // a second connection would not be had
	mustExec(t, pool, "CREATE TABLE t (n int PRIMARY KEY)")
	own := errors.New("no")
	inner := func(ctx context.Context, n int, outcome error) error {
		return postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "INSERT INTO t VALUES ($1)", n); err != nil {
				return err
			}
			return outcome
		})
	}
	for _, outcome := range []error{own, nil} {
		err := postgres.InTx(testContext(t), pool, func(tx pgx.Tx) error {
			ctx := postgres.WithTx(testContext(t), tx)
			if err := inner(ctx, 1, nil); err != nil {
				t.Error(err)
			}
			if err := inner(ctx, 2, own); !errors.Is(err, own) {
				t.Errorf("error %v, want the inner function's own", err)
			}
			if err := inner(ctx, 1, nil); !postgres.IsUnique(err, "") {
				t.Errorf("error %v, want the broken key", err)
			}
			return outcome // that the inner parts failed does not undo the rest
		})
		if !errors.Is(err, outcome) {
			t.Fatal(err)
		}
		want := 1
		if outcome != nil {
			want = 0
		}
		if n := count(t, pool); n != want {
			t.Errorf("%d rows, want %d", n, want)
		}
	}
}
