package db_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/db"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// statements cuts a file of SQL at the semicolons that end its statements.
func statements(body string) (out []string) {
	quoted := ""
	begin := 0
	for i := 0; i < len(body); i++ {
		rest := body[i:]
		switch {
		case quoted != "":
			if strings.HasPrefix(rest, quoted) {
				i, quoted = i+len(quoted)-1, ""
			}
		case strings.HasPrefix(rest, "--"):
			quoted = "\n"
		case strings.HasPrefix(rest, "$$"):
			quoted, i = "$$", i+1
		case rest[0] == '\'':
			quoted = "'"
		case rest[0] == ';':
			out, begin = append(out, body[begin:i+1]), i+1
		}
	}
	return out
}

// copyOf is a set of files that can be changed.
func copyOf(t *testing.T, files fs.FS) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		body, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = &fstest.MapFile{Data: body}
	}
	return out
}

// The server's side of the connection is killed after each statement of each of our migrations, up and down. What was begun
// is gone, and the next run goes on.
func TestAKillAtAnyStatementOfAnyMigrationLeavesNothing(t *testing.T) {
	t.Parallel()
	pool, ctx := empty(t), testContext(t)
	latest, err := db.ReadStatus(ctx, pool)
	if err != nil {
		t.Fatal(err)
	}
	kill := func(v uint, direction string, run func(files fs.FS) error) {
		t.Helper()
		before, err := db.ReadStatus(ctx, pool)
		if err != nil {
			t.Fatal(err)
		}
		names, err := fs.Glob(db.Migrations, fmt.Sprintf("migrations/%06d_*.%s.sql", v, direction))
		if err != nil || len(names) != 1 {
			t.Fatalf("%v, %v", names, err)
		}
		body, err := fs.ReadFile(db.Migrations, names[0])
		if err != nil {
			t.Fatal(err)
		}
		all := statements(string(body))
		if len(all) == 0 {
			t.Fatalf("%s has no statements", names[0])
		}
		for n := range len(all) + 1 {
			cut := copyOf(t, db.Migrations)
			cut[names[0]].Data = []byte(strings.Join(all[:n], "") + "SELECT pg_terminate_backend(pg_backend_pid());" + strings.Join(all[n:], ""))
			var pg *pgconn.PgError
			if err := run(cut); !errors.As(err, &pg) || pg.Code != "57P01" {
				t.Fatalf("%s, killed after %d statements: %v", names[0], n, err)
			}
			if after, err := db.ReadStatus(ctx, pool); err != nil || after != before {
				t.Fatalf("%s, killed after %d statements: %+v, %v; want %+v", names[0], n, after, err, before)
			}
		}
	}
	for v := uint(1); v <= latest.Latest; v++ {
		kill(v, "up", func(files fs.FS) error { return db.MigrateFS(ctx, pool, files, nil) })
		if err := db.MigrateTo(ctx, pool, v, nil); err != nil {
			t.Fatalf("version %d after the kills: %v", v, err)
		}
	}
	for v := latest.Latest; v >= 1; v-- {
		kill(v, "down", func(files fs.FS) error { return db.DownFS(ctx, pool, files, 1) })
		if err := db.Down(ctx, pool, 1); err != nil {
			t.Fatalf("down from %d after the kills: %v", v, err)
		}
	}
	if err := db.Migrate(ctx, pool, nil); err != nil {
		t.Fatal(err)
	}
}

// guillotine cuts the connections of a client at the n-th message it sends: before it leaves, or after, so that the server
// does what it says and nobody hears of it.
type guillotine struct {
	n     int64
	after bool
	sent  atomic.Int64
	cut   atomic.Bool
}

type cutConn struct {
	net.Conn
	g *guillotine
}

func (c cutConn) Write(b []byte) (int, error) {
	n := c.g.sent.Add(1)
	if n < c.g.n {
		return c.Conn.Write(b)
	}
	c.g.cut.Store(true)
	if n == c.g.n && c.g.after {
		_, _ = c.Conn.Write(b)
	}
	_ = c.Close()
	return 0, errors.New("killed")
}

func (g *guillotine) pool(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns = 1
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return cutConn{conn, g}, nil
	}
	pool, err := pgxpool.NewWithConfig(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// The client is killed at each message it sends, with the message and without it. The next run goes on by itself, whether
// the file is a transaction or makes an index concurrently.
func TestAKillOfTheProcessAtAnyPointIsGoneOnFrom(t *testing.T) {
	t.Parallel()
	fsys := files(steps...)
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after=%t", after), func(t *testing.T) {
			t.Parallel()
			dsn := nimbustest.EmptyDSN(t)
			pool, ctx := open(t, dsn, 1), testContext(t)
			whole := func(n int64) {
				t.Helper()
				// A way back that goes on in the server takes a version away after it was looked at.
				nimbustest.Eventually(t, "the server has ended what the killed process asked for", func() bool {
					var others int
					err := pool.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").Scan(&others)
					return err == nil && others == 0
				})
				if err := db.MigrateFS(ctx, pool, fsys, nil); err != nil {
					t.Fatalf("after a kill at message %d: %v", n, err)
				}
				wantStatus(t, pool, fsys, db.Status{Current: 3, Latest: 3, CompatibleFrom: 1})
				var rows int
				var valid bool
				if err := pool.QueryRow(ctx, "SELECT (SELECT count(*) FROM a), (SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass)").
					Scan(&rows, &valid); err != nil || rows != 1000 || !valid {
					t.Fatalf("after a kill at message %d: %d rows, index valid: %t, %v", n, rows, valid, err)
				}
			}
			up := func(pool *pgxpool.Pool) error { return db.MigrateFS(ctx, pool, fsys, nil) }
			down := func(pool *pgxpool.Pool) error { return db.DownFS(ctx, pool, fsys, 3) }
			for _, tt := range []struct{ prepare, run func(*pgxpool.Pool) error }{{down, up}, {up, down}} {
				whole(0)
				points := 0
				for n := int64(1); ; n++ {
					if err := tt.prepare(pool); err != nil {
						t.Fatal(err)
					}
					g := &guillotine{n: n, after: after}
					victim := g.pool(t, dsn)
					err := tt.run(victim)
					victim.Close()
					if !g.cut.Load() {
						if err != nil {
							t.Fatal(err)
						}
						break
					}
					points++
					whole(n)
				}
				if points < 10 {
					t.Errorf("killed at %d points only", points)
				}
			}
		})
	}
}

// An index that was cut off half-way is invalid. It is named, and built again.
func TestAnIndexThatWasCutOffIsNamedAndBuiltAgain(t *testing.T) {
	t.Parallel()
	pool, ctx := empty(t), testContext(t)
	fsys := files("CREATE TABLE a (id int); INSERT INTO a VALUES (1), (1)", "DROP TABLE a",
		"-- Why.\nCREATE UNIQUE INDEX CONCURRENTLY a_id ON a (id)", "DROP INDEX CONCURRENTLY a_id")
	wantError(t, db.MigrateFS(ctx, pool, fsys, nil), "000002_step.up.sql", "(id)=(1) is duplicated", "index a_id is there, but invalid", "goes on from there")
	wantStatus(t, pool, fsys, db.Status{Current: 1, Latest: 2, CompatibleFrom: 1, Unfinished: "000002_step.up.sql"})
	err := db.CheckFS(ctx, pool, fsys)
	wantError(t, err, "000002_step.up.sql", "index a_id is there, but invalid", "nimbus migrate up")
	if !errors.Is(err, db.ErrUnfinished) {
		t.Errorf("%v, want ErrUnfinished", err)
	}
	// A program that does not have the file is not held up by it.
	if err := db.CheckFS(ctx, pool, files("CREATE TABLE a (id int)", "DROP TABLE a")); err != nil {
		t.Errorf("the older program: %v", err)
	}
	if _, err := pool.Exec(ctx, "DELETE FROM a"); err != nil {
		t.Fatal(err)
	}
	if err := db.MigrateFS(ctx, pool, fsys, nil); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, pool, fsys, db.Status{Current: 2, Latest: 2, CompatibleFrom: 1})
}

// A run waits for the statement that a killed one has left running, and does not work beside it.
func TestTheLockLastsAsLongAsTheWorkOfAKilledProcess(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.EmptyDSN(t)
	pool, ctx := open(t, dsn, 2), testContext(t)
	// The first run hangs in its file until this lock is given up, and is cut off from its client in the meantime.
	held, err := pool.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.Exec(ctx, "SELECT pg_advisory_lock(1)"); err != nil {
		t.Fatal(err)
	}
	fsys := files("CREATE TABLE a (id int); SELECT pg_advisory_xact_lock(1)", "DROP TABLE a")
	var mu sync.Mutex
	var raw net.Conn
	killed := false
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if killed { // what is killed does not ask the server to cancel anything
			return nil, errors.New("killed")
		}
		conn, err := dial(ctx, network, addr)
		raw = conn
		return conn, err
	}
	victim, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	done := make(chan error, 1)
	go func() { done <- db.MigrateFS(ctx, victim, fsys, nil) }()
	nimbustest.Eventually(t, "the first run hangs in its file", func() bool {
		var n int
		err := pool.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n)
		return err == nil && n == 1
	})
	mu.Lock()
	killed = true
	raw.Close()
	mu.Unlock()
	if err := <-done; err == nil {
		t.Fatal("the run without its connection succeeded")
	}
	waiting := make(chan struct{}, 1)
	second := make(chan error, 1)
	go func() { second <- db.MigrateFS(ctx, open(t, dsn, 1), fsys, onWaiting(waiting)) }()
	nimbustest.Await(t, "the second run to wait", waiting)
	if _, err := held.Exec(ctx, "SELECT pg_advisory_unlock_all()"); err != nil {
		t.Fatal(err)
	}
	held.Release()
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	wantStatus(t, pool, fsys, db.Status{Current: 1, Latest: 1, CompatibleFrom: 1})
}
