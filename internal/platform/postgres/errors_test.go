package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// class is the one answer an error gets.
func class(err error) string {
	var in []string
	for name, is := range map[string]func(error) bool{
		"unavailable": postgres.IsUnavailable, "retryable": postgres.IsRetryable, "data": postgres.IsData,
	} {
		if is(err) {
			in = append(in, name)
		}
	}
	switch len(in) {
	case 0:
		return "none"
	case 1:
		return in[0]
	}
	return fmt.Sprint(in)
}

func wantClass(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that is %s", want)
	}
	if got := class(fmt.Errorf("wrapped: %w", err)); got != want {
		t.Errorf("class %s, want %s: %v", got, want, err)
	}
}

func TestErrorsOfStatements(t *testing.T) {
	t.Parallel()
	pool := empty(t, 2)
	mustExec(t, pool, `CREATE TABLE t (n int PRIMARY KEY, s text, CONSTRAINT t_s_key UNIQUE (s), CHECK (n < 100));
		CREATE TABLE child (n int REFERENCES t); CREATE TABLE part (n int) PARTITION BY RANGE (n);
		INSERT INTO t VALUES (1, 'a')`)
	mustExec(t, pool, "CREATE TABLE locked ()")
	holder, err := pool.Begin(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Rollback(context.Background())
	if _, err := holder.Exec(testContext(t), "LOCK locked"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ sql, want string }{
		"unique":               {"INSERT INTO t VALUES (2, 'a')", "data"},
		"check":                {"INSERT INTO t VALUES (100, 'b')", "data"},
		"not null":             {"INSERT INTO t VALUES (NULL, 'b')", "data"},
		"foreign key":          {"INSERT INTO child VALUES (7)", "data"},
		"no partition":         {"INSERT INTO part VALUES (7)", "data"},
		"out of range":         {"INSERT INTO t VALUES (1::bigint << 40, 'b')", "data"},
		"NUL in text":          {"SELECT convert_from('\\x00', 'UTF8')", "data"},
		"not JSON":             {"SELECT '{'::jsonb", "data"},
		"key too long":         {"INSERT INTO t SELECT 2, string_agg(md5(i::text), '') FROM generate_series(1, 1000) i", "data"},
		"division by zero":     {"SELECT 1/0", "data"},
		"no such table":        {"SELECT * FROM nothing", "none"},
		"syntax":               {"SELEKT", "none"},
		"without a reason":     {"DO 'BEGIN RAISE internal_error; END'", "none"},
		"statement timeout":    {"SET LOCAL statement_timeout = 1; SELECT pg_sleep(60)", "none"},
		"lock not to be had":   {"SET LOCAL lock_timeout = 1; LOCK locked", "retryable"},
		"read-only":            {"SET LOCAL transaction_read_only = on; DELETE FROM t", "unavailable"},
		"backend is shut down": {"SELECT pg_terminate_backend(pg_backend_pid())", "unavailable"},
	} {
		// Simple protocol, several statements: one implicit transaction.
		_, err := pool.Exec(testContext(t), c.sql, pgx.QueryExecModeSimpleProtocol)
		if got := class(err); err == nil || got != c.want {
			t.Errorf("%s: class %s, want %s: %v", name, got, c.want, err)
		}
		if postgres.IsCanceled(err) != (name == "statement timeout") {
			t.Errorf("%s: IsCanceled is %v", name, postgres.IsCanceled(err))
		}
		if postgres.IsNoTable(err) != (name == "no such table") {
			t.Errorf("%s: IsNoTable is %v", name, postgres.IsNoTable(err))
		}
		if postgres.IsUnexplained(err) != (name == "without a reason") {
			t.Errorf("%s: IsUnexplained is %v", name, postgres.IsUnexplained(err))
		}
		if name == "unique" {
			for constraint, want := range map[string]bool{"": true, "t_s_key": true, "t_pkey": false} {
				if postgres.IsUnique(err, constraint) != want {
					t.Errorf("IsUnique(%q) is not %v", constraint, want)
				}
			}
		} else if postgres.IsUnique(err, "") {
			t.Errorf("%s counts as unique", name)
		}
	}
}

func TestNoErrorHasNoClass(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("x"), context.Canceled, pgx.ErrNoRows, pgx.ErrTxClosed} {
		if got := class(err); got != "none" {
			t.Errorf("%v is %s", err, got)
		}
	}
}

// A migration that changes a table under a prepared statement makes it fail once, on each connection that has it.
func TestAStatementThatAMigrationOvertookIsRetryable(t *testing.T) {
	t.Parallel()
	pool := empty(t, 1)
	mustExec(t, pool, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
	read := func() error {
		var n int
		return pool.QueryRow(testContext(t), "SELECT n FROM t").Scan(&n)
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	mustExec(t, pool, "ALTER TABLE t ALTER COLUMN n TYPE bigint")
	wantClass(t, read(), "retryable")
	if err := read(); err != nil {
		t.Errorf("again: %v", err)
	}
	_, err := pool.Exec(testContext(t), "ALTER TABLE t ADD CONSTRAINT c CHECK ((SELECT true))")
	wantClass(t, err, "none") // it is not supported either, and never will be
}

func TestTransactionTimeoutIsUnavailable(t *testing.T) {
	t.Parallel()
	pool := empty(t, 1)
	mustExec(t, pool, "SET idle_in_transaction_session_timeout = 1")
	err := postgres.InTx(testContext(t), pool, func(tx pgx.Tx) error {
		_, err := tx.Conn().WaitForNotification(testContext(t)) // none comes: the server ends the connection
		return err
	})
	wantClass(t, err, "unavailable")
}

func TestDeadlockIsRetryable(t *testing.T) {
	t.Parallel()
	pool := empty(t, 3)
	mustExec(t, pool, "CREATE TABLE t (n int PRIMARY KEY, v int); INSERT INTO t VALUES (1), (2)")
	ctx := testContext(t)
	lock := func(tx pgx.Tx, n int) error {
		_, err := tx.Exec(ctx, "UPDATE t SET v = 1 WHERE n = "+strconv.Itoa(n))
		return err
	}
	held := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	errs := make(chan error, 2)
	for i := range 2 {
		go func() {
			errs <- postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
				if err := lock(tx, i+1); err != nil {
					return err
				}
				close(held[i])
				<-held[1-i]
				return lock(tx, 2-i)
			})
		}()
	}
	err := errors.Join(<-errs, <-errs) // one of them wins
	wantClass(t, err, "retryable")
}

func TestSerializationFailureIsRetryable(t *testing.T) {
	t.Parallel()
	pool := empty(t, 2)
	mustExec(t, pool, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
	ctx := testContext(t)
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(ctx, "SELECT * FROM t"); err != nil {
		t.Fatal(err)
	}
	mustExec(t, pool, "UPDATE t SET n = 2")
	_, err = tx.Exec(ctx, "UPDATE t SET n = 3")
	wantClass(t, err, "retryable")
}

func TestOutOfConnectionsIsUnavailable(t *testing.T) {
	t.Parallel()
	s := nimbustest.PrivateServer(t, false, func(c *embedded.Config) {
		c.Settings["max_connections"], c.Settings["superuser_reserved_connections"] = "5", "0"
		c.Settings["max_wal_senders"] = "0"
	})
	pool := open(t, s.DSN(embedded.Database), 10)
	var held []*pgxpool.Conn
	defer func() {
		for _, c := range held {
			c.Release()
		}
	}()
	for {
		c, err := pool.Acquire(testContext(t))
		if err != nil {
			wantClass(t, err, "unavailable")
			return
		}
		if held = append(held, c); len(held) > 5 {
			t.Fatal("more connections than the server allows")
		}
	}
}

func TestFullAndClosedPoolsAreUnavailable(t *testing.T) {
	t.Parallel()
	pool := empty(t, 1)
	c, err := pool.Acquire(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	late, cancel := context.WithTimeout(context.Background(), 1)
	defer cancel()
	_, err = pool.Acquire(late)
	wantClass(t, err, "unavailable")

	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = pool.Acquire(gone)
	wantClass(t, err, "none") // the caller left: says nothing about the database

	conn := c.Conn()
	conn.Close(testContext(t))
	_, err = conn.Exec(testContext(t), "SELECT 1")
	wantClass(t, err, "unavailable")
	c.Release()
	pool.Close()
	_, err = pool.Exec(testContext(t), "SELECT 1")
	wantClass(t, err, "unavailable")
}

// TestLostServer has a query under way when the server goes, each way it can go, and asks again when it is gone.
func TestLostServer(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*embedded.Server) error{
		"stopped": func(s *embedded.Server) error { return s.Stop(context.Background()) },
		"stopped hard": func(s *embedded.Server) error {
			if err := syscall.Kill(s.Pid(), syscall.SIGQUIT); err != nil {
				return err
			}
			<-s.Done()
			return nil
		},
		"killed": func(s *embedded.Server) error {
			if err := syscall.Kill(s.Pid(), syscall.SIGKILL); err != nil {
				return err
			}
			<-s.Done()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := nimbustest.PrivateServer(t, false)
			pool := open(t, s.DSN(embedded.Database), 4)
			waiting := make(chan error, 1)
			go func() {
				_, err := pool.Exec(testContext(t), "SELECT pg_sleep(600)")
				waiting <- err
			}()
			watch := "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active')"
			for there := false; !there; {
				if err := pool.QueryRow(testContext(t), watch).Scan(&there); err != nil {
					t.Fatal(err)
				}
			}
			if err := end(s); err != nil {
				t.Fatal(err)
			}
			wantClass(t, <-waiting, "unavailable")
			_, err := pool.Exec(testContext(t), "SELECT 1") // on a pooled connection that has died
			wantClass(t, err, "unavailable")
			pool.Reset()
			_, err = pool.Exec(testContext(t), "SELECT 1") // on a new one
			wantClass(t, err, "unavailable")
		})
	}
}
