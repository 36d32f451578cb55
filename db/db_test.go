package db_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/golang-migrate/migrate/v4/source"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/db"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, dsn string, size int) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(testContext(t), dsn, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// empty is a pool of a single connection: migrating must not need more.
func empty(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return open(t, nimbustest.EmptyDSN(t), 1)
}

// files makes migrations 1, 2, … of pairs of up and down.
func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		name := fmt.Sprintf("migrations/%06d_step", i/2+1)
		fsys[name+".up.sql"] = &fstest.MapFile{Data: []byte(pairs[i])}
		fsys[name+".down.sql"] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

var steps = []string{
	"CREATE TABLE a (id int); INSERT INTO a SELECT generate_series(1, 1000)", "DROP TABLE a",
	"CREATE INDEX CONCURRENTLY a_id ON a (id)", "DROP INDEX CONCURRENTLY a_id",
	"CREATE TABLE b (id int)", "DROP TABLE b",
}

func there(t *testing.T, pool *pgxpool.Pool, relation string) bool {
	t.Helper()
	var yes bool
	if err := pool.QueryRow(testContext(t), "SELECT to_regclass($1) IS NOT NULL", relation).Scan(&yes); err != nil {
		t.Fatal(err)
	}
	return yes
}

func wantStatus(t *testing.T, pool *pgxpool.Pool, fsys fs.FS, want db.Status) {
	t.Helper()
	if got, err := db.StatusFS(testContext(t), pool, fsys); err != nil || got != want {
		t.Errorf("status %+v, %v, want %+v", got, err, want)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error lacks %q: %v", p, err)
		}
	}
}

func TestOurMigrationsGoUpAndDownAndUpAgain(t *testing.T) {
	t.Parallel()
	pool, ctx := empty(t), testContext(t)
	if err := db.Check(ctx, pool); !errors.Is(err, db.ErrBehind) {
		t.Errorf("check of an empty database: %v", err)
	}
	if err := db.Migrate(ctx, pool, nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Check(ctx, pool); err != nil {
		t.Error(err)
	}
	st, err := db.ReadStatus(ctx, pool)
	if err != nil || st.Current != st.Latest || st.Latest == 0 || st.Newer || st.Unfinished != "" {
		t.Fatalf("status %+v, %v", st, err)
	}
	if err := db.Down(ctx, pool, int(st.Latest)); err != nil {
		t.Fatal(err)
	}
	var left []string
	if err := pool.QueryRow(ctx, `SELECT coalesce(array_agg(relname::text), '{}') FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'nimbus_schema_migrations%'
		  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'e')`).Scan(&left); err != nil || len(left) > 0 {
		t.Errorf("down leaves %v, %v", left, err)
	}
	if err := db.Migrate(ctx, pool, nil); err != nil {
		t.Fatal(err)
	}
}

// failures keeps every statement that PostgreSQL refused: each is an ERROR line in its log.
type failures struct {
	mu  sync.Mutex
	all []error
}

func (f *failures) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (f *failures) TraceQueryEnd(_ context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	if data.Err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.all = append(f.all, data.Err)
	}
}

// TestFirstMigrationIsQuiet: an operator who starts Nimbus for the first time finds no ERROR in the log of the database.
func TestFirstMigrationIsQuiet(t *testing.T) {
	t.Parallel()
	cfg, err := pgxpool.ParseConfig(nimbustest.EmptyDSN(t))
	if err != nil {
		t.Fatal(err)
	}
	var failed failures
	cfg.ConnConfig.Tracer = &failed
	ctx := testContext(t)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := db.Migrate(ctx, pool, nil); err != nil {
		t.Fatal(err)
	}
	if len(failed.all) > 0 {
		t.Errorf("statements that failed: %v", failed.all)
	}
}

func TestOurMigrationsAreNumberedWithoutGapsAndHaveBothDirections(t *testing.T) {
	t.Parallel()
	entries, err := fs.ReadDir(db.Migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	names := map[source.Direction]map[uint]string{source.Up: {}, source.Down: {}}
	for _, e := range entries {
		m, err := source.DefaultParse(e.Name())
		if err != nil || !strings.HasPrefix(e.Name(), fmt.Sprintf("%06d_", m.Version)) {
			t.Errorf("%s is not named like 000001_name.up.sql", e.Name())
			continue
		}
		if other, taken := names[m.Direction][m.Version]; taken {
			t.Errorf("%s and %s have the same number", other, e.Name())
		}
		names[m.Direction][m.Version] = e.Name()
	}
	for v := uint(1); v <= uint(len(names[source.Up])); v++ {
		up, down := names[source.Up][v], names[source.Down][v]
		if up == "" {
			t.Errorf("number %d is missing", v)
		} else if want := strings.TrimSuffix(up, ".up.sql") + ".down.sql"; down != want {
			t.Errorf("%s has %q for its way back, want %s", up, down, want)
		}
	}
	if u, d := len(names[source.Up]), len(names[source.Down]); u != d {
		t.Errorf("%d files up, %d down", u, d)
	}
}

func TestEightReplicasMigrateAtOnce(t *testing.T) {
	t.Parallel()
	dsn, fsys := nimbustest.EmptyDSN(t), files(steps...)
	begin := make(chan struct{})
	errs := make(chan error, 8)
	for range 8 {
		pool := open(t, dsn, 2)
		go func() {
			<-begin
			errs <- db.MigrateFS(testContext(t), pool, fsys, slog.New(slog.DiscardHandler))
		}()
	}
	begun := time.Now()
	close(begin)
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	t.Logf("8 replicas: %s", time.Since(begun).Round(time.Millisecond))
	pool := open(t, dsn, 1)
	wantStatus(t, pool, fsys, db.Status{Current: 3, Latest: 3, CompatibleFrom: 1})
	var valid bool
	if err := pool.QueryRow(testContext(t), "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass").Scan(&valid); err != nil || !valid {
		t.Errorf("index made concurrently valid: %v, %v", valid, err)
	}
}

func TestFailedFileLeavesNothingAndExplainsItself(t *testing.T) {
	t.Parallel()
	pool, ctx := empty(t), testContext(t)
	broken := append(steps[:len(steps):len(steps)], "CREATE TABLE c (id int);\nINSERT INTO c VALUES (1);\nINSERT INTO c SELECT 1/nothing;", "DROP TABLE c")
	fsys := files(broken...)
	err := db.MigrateFS(ctx, pool, fsys, nil)
	wantError(t, err, "000004_step.up.sql", "line 3", `column "nothing" does not exist`, "nothing of it was applied",
		"still at version 3", "run it again")
	if there(t, pool, "c") {
		t.Error("table c of the failed file is there")
	}
	wantStatus(t, pool, fsys, db.Status{Current: 3, Latest: 4, CompatibleFrom: 1})

	// The way out, as told: nothing has to be repaired.
	broken[len(broken)-2] = "CREATE TABLE c (id int)"
	fsys = files(broken...)
	if err := db.MigrateFS(ctx, pool, fsys, nil); err != nil {
		t.Fatal(err)
	}
	if !there(t, pool, "c") {
		t.Error("table c is not there")
	}
	wantStatus(t, pool, fsys, db.Status{Current: 4, Latest: 4, CompatibleFrom: 1})
}

func TestFailedDownExplainsItself(t *testing.T) {
	t.Parallel()
	pool, ctx := empty(t), testContext(t)
	fsys := files("CREATE TABLE a (id int)", "DROP TABLE a; DROP TABLE nothing")
	if err := db.MigrateFS(ctx, pool, fsys, nil); err != nil {
		t.Fatal(err)
	}
	err := db.DownFS(ctx, pool, fsys, 1)
	wantError(t, err, "000001_step.down.sql", `table "nothing" does not exist`, "still at version 1")
	if !there(t, pool, "a") {
		t.Error("half of the file was applied")
	}
	wantStatus(t, pool, fsys, db.Status{Current: 1, Latest: 1, CompatibleFrom: 1})
}

func TestForceRecordsAVersionThatThisBinaryHas(t *testing.T) {
	t.Parallel()
	pool, ctx := empty(t), testContext(t)
	fsys := files(steps...)
	if err := db.ForceFS(ctx, pool, fsys, 2); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, pool, fsys, db.Status{Current: 2, Latest: 3, CompatibleFrom: 1})
	wantError(t, db.ForceFS(ctx, pool, fsys, 9), "no migration 9")
}

// A file may not leave its transaction: what it did after that could not be undone with it.
func TestAFileThatEndsItsTransactionIsRefused(t *testing.T) {
	t.Parallel()
	pool, ctx := empty(t), testContext(t)
	wantError(t, db.MigrateFS(ctx, pool, files("CREATE TABLE a (id int); COMMIT", "DROP TABLE a"), nil), "000001_step.up.sql", "ends its transaction")
}

func TestNewerDatabaseIsRefusedUnlessItSaysThatItMayBeUsed(t *testing.T) {
	t.Parallel()
	pool, ctx := empty(t), testContext(t)
	newer, older := files(steps...), files(steps[:4]...)
	if err := db.MigrateFS(ctx, pool, newer, nil); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"check": db.CheckFS(ctx, pool, older), "migrate": db.MigrateFS(ctx, pool, older, nil)} {
		if err != nil {
			t.Errorf("%s of a schema that programs from version 1 on may use: %v", name, err)
		}
	}
	if err := db.DownFS(ctx, pool, older, 1); !errors.Is(err, db.ErrNewer) {
		t.Errorf("down without the file for it: %v, want ErrNewer", err)
	}
	if _, err := pool.Exec(ctx, "UPDATE nimbus_schema_migrations SET compatible_from = 3"); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"check": db.CheckFS(ctx, pool, older), "migrate": db.MigrateFS(ctx, pool, older, nil)} {
		if !errors.Is(err, db.ErrNewer) {
			t.Errorf("%s: %v, want ErrNewer", name, err)
		}
		wantError(t, err, "version 3", "up to 2", "newer binary")
	}
	wantStatus(t, pool, newer, db.Status{Current: 3, Latest: 3, CompatibleFrom: 3})
}

func TestOlderDatabaseIsToldToMigrate(t *testing.T) {
	t.Parallel()
	pool, ctx := empty(t), testContext(t)
	if err := db.MigrateFS(ctx, pool, files(steps[:2]...), nil); err != nil {
		t.Fatal(err)
	}
	err := db.CheckFS(ctx, pool, files(steps...))
	wantError(t, err, "database is at version 1, this binary needs 3: run nimbus migrate up")
}

func TestDownTakesBackSteps(t *testing.T) {
	t.Parallel()
	pool, ctx := empty(t), testContext(t)
	fsys := files(steps...)
	if err := db.MigrateFS(ctx, pool, fsys, nil); err != nil {
		t.Fatal(err)
	}
	if err := db.DownFS(ctx, pool, fsys, 2); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, pool, fsys, db.Status{Current: 1, Latest: 3, CompatibleFrom: 1})
	if there(t, pool, "b") || there(t, pool, "a_id") || !there(t, pool, "a") {
		t.Error("not the last two were taken back")
	}
	wantError(t, db.DownFS(ctx, pool, fsys, 2), "2 steps, but only 1")
	wantError(t, db.DownFS(ctx, pool, fsys, 0), "at least 1")
	if err := db.DownFS(ctx, pool, fsys, 1); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, pool, fsys, db.Status{Latest: 3})
}

func TestEveryAppliedFileIsLogged(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(b)
	}), nil))
	pool := empty(t)
	for range 2 { // the second time there is nothing to say
		if err := db.MigrateFS(testContext(t), pool, files(steps...), logger); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "msg=migrated"); n != 3 {
		t.Errorf("%d lines for 3 files:\n%s", n, log.String())
	}
}

// TestWaitingEndsWithItsContext: a replica that waits for another one can be stopped.
func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.EmptyDSN(t)
	holder := open(t, dsn, 1)
	if _, err := holder.Exec(testContext(t), "SELECT pg_advisory_lock($1)", int64(db.Gate)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	logger := slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		if strings.Contains(string(b), "waiting") {
			cancel()
		}
		return len(b), nil
	}), nil))
	if err := db.MigrateFS(ctx, open(t, dsn, 1), files(steps...), logger); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want cancelled", err)
	}
	if there(t, holder, "a") {
		t.Error("migrated without the lock")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestMigrateToStopsAtTheVersionAskedFor(t *testing.T) {
	t.Parallel()
	pool, ctx := empty(t), testContext(t)
	for range 2 { // the second time it is there already
		if err := db.MigrateTo(ctx, pool, 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	st, err := db.ReadStatus(ctx, pool)
	if err != nil || st.Current != 1 {
		t.Fatalf("status %+v, %v, want version 1", st, err)
	}
	if err := db.MigrateTo(ctx, pool, st.Latest+1, nil); err == nil {
		t.Error("a version that is not there was migrated to")
	}
	if err := db.Migrate(ctx, pool, nil); err != nil {
		t.Fatal(err)
	}
	wantError(t, db.MigrateTo(ctx, pool, 1, nil), "the database is at", "already")
}
