package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

var quiet = slog.New(slog.DiscardHandler)

// with adds a parameter to a connection string of either form.
func with(dsn, name, value string) string {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme == "" {
		return fmt.Sprintf("%s %s='%s'", dsn, name, value)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// database is one of a test's own, with a role that is not the superuser.
type database struct {
	admin      *pgxpool.Pool
	role, name string
	dsn        string // as the role
}

func newDatabase(t *testing.T) *database {
	t.Helper()
	dsn := nimbustest.EmptyDSN(t)
	d := &database{admin: open(t, dsn, 2), role: "r" + strings.ReplaceAll(uuid.NewString(), "-", "")}
	if err := d.admin.QueryRow(testContext(t), "SELECT current_database()").Scan(&d.name); err != nil {
		t.Fatal(err)
	}
	d.exec(t, "CREATE ROLE "+d.role+" LOGIN", "GRANT USAGE, CREATE ON SCHEMA public TO "+d.role)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), nimbustest.Patience)
		defer cancel()
		if _, err := d.admin.Exec(ctx, "DROP OWNED BY "+d.role+"; DROP ROLE "+d.role); err != nil {
			t.Error(err)
		}
	})
	d.dsn = with(dsn, "user", d.role)
	return d
}

func (d *database) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		mustExec(t, d.admin, strings.NewReplacer("ROLE!", d.role, "DATABASE!", d.name).Replace(s))
	}
}

// What a role, a database or the URL says does not change what a text, a time, a number or an array is.
func TestASessionIsTheSameWhateverTheRoleAndTheURLSay(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	d.exec(t, "ALTER ROLE ROLE! SET client_encoding = 'LATIN1'", "ALTER ROLE ROLE! SET timezone = 'Asia/Tokyo'", "ALTER ROLE ROLE! SET datestyle = 'SQL, DMY'",
		"ALTER ROLE ROLE! SET extra_float_digits = -15", "ALTER ROLE ROLE! SET standard_conforming_strings = off", "ALTER ROLE ROLE! SET bytea_output = 'escape'",
		"ALTER DATABASE DATABASE! SET default_transaction_isolation = 'serializable'", "ALTER DATABASE DATABASE! SET transform_null_equals = on",
		"ALTER DATABASE DATABASE! SET intervalstyle = 'iso_8601'", "ALTER DATABASE DATABASE! SET array_nulls = off")
	const want = "UTF8 UTC ISO, MDY 1 on hex read committed off postgres on"
	for name, dsn := range map[string]string{
		"role": d.dsn,
		"url":  with(with(with(d.dsn, "client_encoding", "LATIN1"), "timezone", "Asia/Tokyo"), "options", "-c datestyle=SQL,DMY"),
		"pooler parameters": with(with(with(d.dsn, "default_query_exec_mode", "simple_protocol"), "statement_cache_capacity", "0"),
			"description_cache_capacity", "0"),
		"exec": with(d.dsn, "default_query_exec_mode", "exec"),
	} {
		t.Run(name, func(t *testing.T) {
			pool := open(t, dsn, 1)
			ctx := testContext(t)
			own, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig) // as the migrations and the listener do
			if err != nil {
				t.Fatal(err)
			}
			defer own.Close(ctx)
			for what, q := range map[string]interface {
				QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
			}{"pool": pool, "connection": own} {
				var settings, text string
				var octets int
				if err := q.QueryRow(ctx, `SELECT concat_ws(' ', current_setting('client_encoding'), current_setting('timezone'), current_setting('datestyle'),
					current_setting('extra_float_digits'), current_setting('standard_conforming_strings'), current_setting('bytea_output'),
					current_setting('default_transaction_isolation'), current_setting('transform_null_equals'), current_setting('intervalstyle'),
					current_setting('array_nulls')), octet_length($1::text), $1::text`, "Käse \U0001F9C0").Scan(&settings, &octets, &text); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if settings != want || octets != len("Käse \U0001F9C0") || text != "Käse \U0001F9C0" {
					t.Errorf("%s: %q, %d bytes of %q; want %q", what, settings, octets, text, want)
				}
			}
			// The arrays of ingestion, which only the extended protocol carries.
			var n int
			if err := pool.QueryRow(ctx, "SELECT count(*) FROM unnest($1::uuid[], $2::text[], $3::jsonb[])",
				[]uuid.UUID{uuid.New()}, []string{"Köln"}, [][]byte{[]byte(`{"a": "ü"}`)}).Scan(&n); err != nil || n != 1 {
				t.Errorf("%d rows of arrays, %v", n, err)
			}
		})
	}
}

func TestWhatNoWaitingMendsIsRefusedAtOnceWithWhatToDo(t *testing.T) {
	t.Parallel()
	other := func(encoding string) func(t *testing.T, d *database) string {
		return func(t *testing.T, d *database) string {
			name := d.name + "_" + strings.ToLower(encoding)
			d.exec(t, "CREATE DATABASE "+name+" OWNER ROLE! ENCODING '"+encoding+"' LOCALE 'C' TEMPLATE template0")
			t.Cleanup(func() { d.exec(t, "DROP DATABASE "+name+" WITH (FORCE)") })
			return with(d.dsn, "dbname", name)
		}
	}
	for name, tt := range map[string]struct {
		setup   func(t *testing.T, d *database) string // returns the connection string; "" is that of the role
		want    []string
		reading bool // a backup works all the same
	}{
		"no CREATE": {func(t *testing.T, d *database) string {
			d.exec(t, "REVOKE CREATE ON SCHEMA public FROM ROLE!, PUBLIC")
			return ""
		}, []string{"may not make tables in schema public", `GRANT USAGE, CREATE ON SCHEMA "public" TO "ROLE!"`}, true},
		"read only for the role": {func(t *testing.T, d *database) string {
			d.exec(t, "ALTER ROLE ROLE! SET default_transaction_read_only = on")
			return ""
		}, []string{`ALTER ROLE "ROLE!" RESET default_transaction_read_only`}, true},
		"read only for the database": {func(t *testing.T, d *database) string {
			d.exec(t, "ALTER DATABASE DATABASE! SET default_transaction_read_only = on")
			t.Cleanup(func() {
				d.exec(t, "SET default_transaction_read_only = off; ALTER DATABASE DATABASE! RESET default_transaction_read_only")
			})
			return ""
		}, []string{`ALTER DATABASE "DATABASE!" RESET default_transaction_read_only`}, true},
		"read only by the URL": {func(_ *testing.T, d *database) string {
			return with(d.dsn, "default_transaction_read_only", "on")
		}, []string{"take it out of NIMBUS_DATABASE_URL"}, true},
		"no schema": {func(_ *testing.T, d *database) string {
			return with(d.dsn, "search_path", "nowhere")
		}, []string{"search_path (nowhere)", "CREATE SCHEMA"}, true},
		"tables of another": {func(t *testing.T, d *database) string {
			d.exec(t, "CREATE TABLE events (id int)")
			return ""
		}, []string{"do not belong to role", "events", `OWNER TO "ROLE!"`}, true},
		"no triggers": {func(t *testing.T, d *database) string {
			d.exec(t, "ALTER ROLE ROLE! SET session_replication_role = replica")
			return ""
		}, []string{"session_replication_role is replica"}, true},
		"LATIN1":      {other("LATIN1"), []string{"encoding is LATIN1", "ENCODING 'UTF8'"}, false},
		"SQL_ASCII":   {other("SQL_ASCII"), []string{"encoding is SQL_ASCII", "ENCODING 'UTF8'"}, false},
		"no database": {func(_ *testing.T, d *database) string { return with(d.dsn, "dbname", "nowhere") }, []string{`database "nowhere" does not exist`}, false},
		"no role":     {func(_ *testing.T, d *database) string { return with(d.dsn, "user", "nobody_of_that_name") }, []string{"nobody_of_that_name"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t)
			dsn := tt.setup(t, d)
			if dsn == "" {
				dsn = d.dsn
			}
			pool := open(t, dsn, 2)
			begun := time.Now()
			err := postgres.Await(testContext(t), pool, postgres.Need{Writing: true, Tables: []string{"events"}}, quiet)
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("it took %s, as if waiting would help", took)
			}
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, want := range tt.want {
				want = strings.NewReplacer("ROLE!", d.role, "DATABASE!", d.name).Replace(want)
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if err := postgres.Await(testContext(t), pool, postgres.Need{}, quiet); (err == nil) != tt.reading {
				t.Errorf("for reading: %v", err)
			}
		})
	}
}

func TestADatabaseThatIsWellIsTaken(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	if err := postgres.Await(testContext(t), open(t, d.dsn, 1), postgres.Need{Writing: true, Tables: []string{"events"}}, quiet); err != nil {
		t.Error(err)
	}
}

// onWarning cancels when the wait has begun.
type onWarning struct {
	slog.Handler
	then func()
}

func (h onWarning) Handle(context.Context, slog.Record) error { h.then(); return nil }

func TestTheWaitForADatabaseThatIsAwayEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(testContext(t))
	log := slog.New(onWarning{slog.NewTextHandler(nil, nil), cancel})
	begun := time.Now()
	err := postgres.Await(ctx, open(t, "postgres://nobody@127.0.0.1:1/none", 1), postgres.Need{}, log)
	if !errors.Is(err, context.Canceled) || time.Since(begun) > 20*time.Second {
		t.Errorf("after %s: %v", time.Since(begun), err)
	}
}

// pooler stands before PostgreSQL as PgBouncer does: it keeps sessions, and gives each client one for the length of a
// transaction, or for as long as the client stays.
type pooler struct {
	mu    sync.Mutex
	idle  []*pgconn.HijackedConn // the last one used is the first to be given
	cfg   *pgconn.Config
	byTx  bool
	ln    net.Listener
	fatal *pgproto3.ErrorResponse // what every client is told, if anything
}

func startPooler(t *testing.T, dsn string, byTx bool, fatal *pgproto3.ErrorResponse) *pooler {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := &pooler{cfg: cfg, byTx: byTx, ln: ln, fatal: fatal}
	t.Cleanup(func() {
		ln.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range p.idle {
			c.Conn.Close()
		}
	})
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *pooler) dsn() string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", p.cfg.User, p.ln.Addr(), p.cfg.Database)
}

func (p *pooler) take() (*pgconn.HijackedConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return c, nil
	}
	conn, err := pgconn.ConnectConfig(context.Background(), p.cfg)
	if err != nil {
		return nil, err
	}
	return conn.Hijack()
}

func (p *pooler) give(c *pgconn.HijackedConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
}

func (p *pooler) serve(conn net.Conn) {
	defer conn.Close()
	client := pgproto3.NewBackend(conn, conn)
	if _, err := client.ReceiveStartupMessage(); err != nil {
		return
	}
	if p.fatal != nil {
		client.Send(p.fatal)
		_ = client.Flush()
		return
	}
	client.Send(&pgproto3.AuthenticationOk{})
	client.Send(&pgproto3.BackendKeyData{ProcessID: 7, SecretKey: []byte{0, 0, 0, 7}})
	client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if client.Flush() != nil {
		return
	}
	var server *pgconn.HijackedConn
	defer func() {
		if server != nil {
			server.Conn.Close()
		}
	}()
	for {
		msg, err := client.Receive()
		if _, ends := msg.(*pgproto3.Terminate); err != nil || ends {
			return
		}
		if server == nil {
			if server, err = p.take(); err != nil {
				return
			}
		}
		server.Frontend.Send(msg)
		switch msg.(type) {
		case *pgproto3.Query, *pgproto3.Sync:
		default:
			continue
		}
		if server.Frontend.Flush() != nil {
			return
		}
		for ready := false; !ready; {
			answer, err := server.Frontend.Receive()
			if err != nil {
				return
			}
			client.Send(answer)
			if r, ok := answer.(*pgproto3.ReadyForQuery); ok {
				if ready = true; p.byTx && r.TxStatus == 'I' {
					p.give(server)
					server = nil
				}
			}
		}
		if client.Flush() != nil {
			return
		}
	}
}

func TestAPoolerInTransactionModeIsNamed(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	need := postgres.Need{Writing: true}
	err := postgres.Await(testContext(t), open(t, startPooler(t, d.dsn, true, nil).dsn(), 4), need, quiet)
	if err == nil || !strings.Contains(err.Error(), "a pooler in transaction mode") || !strings.Contains(err.Error(), "pool_mode = session") {
		t.Errorf("transaction mode: %v", err)
	}
	if err := postgres.Await(testContext(t), open(t, startPooler(t, d.dsn, false, nil).dsn(), 4), need, quiet); err != nil {
		t.Errorf("session mode: %v", err)
	}
}

// A password that is wrong does not become right by waiting.
func TestAWrongPasswordIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"28P01", "28000", "08P01"} {
		p := startPooler(t, nimbustest.EmptyDSN(t), false, &pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: "no"})
		begun := time.Now()
		err := postgres.Await(testContext(t), open(t, p.dsn(), 1), postgres.Need{}, quiet)
		if err == nil || time.Since(begun) > 10*time.Second {
			t.Errorf("%s: after %s: %v", code, time.Since(begun), err)
		}
	}
}
