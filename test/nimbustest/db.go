package nimbustest

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/db"
	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

const (
	tempPrefix = "nimbustest-"
	// startTimeout is for a loaded machine; a server is usually there in under a second.
	startTimeout = 5 * time.Minute
	poolSize     = 8
	strategy     = "file_copy"
)

// Main is for TestMain: it runs the tests, stops the database server they started, removes its files, and exits.
func Main(m *testing.M) {
	MainThen(m, func(code int) int { return code })
}

// MainThen is Main with a hook: then gets the tests' exit code and returns the one to exit with.
func MainThen(m *testing.M, then func(code int) int) {
	code := then(m.Run())
	shared.stop()
	os.Exit(code)
}

// DB is a pool on a database of the test's own: migrated, empty, gone when the test ends.
func DB(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return open(t, DSN(t))
}

// DSN is DB for code that opens its own connections, such as the whole application.
func DSN(t testing.TB) string {
	t.Helper()
	s := shared.get(t)
	return s.create(t, s.template)
}

// EmptyDSN is a database without any schema, to migrate.
func EmptyDSN(t testing.TB) string {
	t.Helper()
	s := shared.get(t)
	return s.create(t, s.blank)
}

// PrivateServer is a database server of the test's own, for tests that stop or kill it. durable decides whether what it
// acknowledged survives a kill. The server has a database embedded.Database, without a schema.
func PrivateServer(t testing.TB, durable bool, configure ...func(*embedded.Config)) *embedded.Server {
	t.Helper()
	dir, err := tempDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cfg := serverConfig(dir)
	cfg.Durable = durable
	for _, f := range configure {
		f(&cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	server, err := embedded.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	return server
}

// shared is the one server of this test process: that of NIMBUS_TEST_DATABASE_URL, the nodes of
// NIMBUS_TEST_CITUS_URL, or an embedded one started on first use.
var shared sharedServer

type sharedServer struct {
	once        sync.Once
	err         error
	admin       *pgxpool.Pool
	coordinator node // of Citus, with workers; else none
	workers     []worker
	template    string // migrated
	blank       string // without a schema
	strategy    string
	url         func(db string) string
	close       func()
}

func (s *sharedServer) get(t testing.TB) *sharedServer {
	t.Helper()
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		s.err = s.start(ctx)
	})
	if s.err != nil {
		// Never a skip: a suite that silently tests nothing is worse than one that fails.
		t.Fatalf("no database for the tests: %v", s.err)
	}
	return s
}

func (s *sharedServer) stop() {
	if s.admin != nil {
		s.admin.Close()
	}
	for _, w := range s.workers {
		w.admin.Close()
	}
	if s.close != nil {
		s.close()
	}
}

func (s *sharedServer) start(ctx context.Context) error {
	coordinator := os.Getenv("NIMBUS_TEST_CITUS_URL")
	if given := cmp.Or(coordinator, os.Getenv("NIMBUS_TEST_DATABASE_URL")); given != "" {
		s.url = func(db string) string { return withDatabase(given, db) }
	} else {
		sweep()
		dir, err := tempDir()
		if err != nil {
			return err
		}
		s.close = func() { os.RemoveAll(dir) }
		server, err := embedded.Start(ctx, serverConfig(dir))
		if err != nil {
			s.close()
			return err
		}
		s.url = server.DSN
		s.close = func() {
			// Nothing in it is wanted any more.
			hurry, cancel := context.WithCancel(context.Background())
			cancel()
			_ = server.Stop(hurry)
			os.RemoveAll(dir)
		}
	}
	var err error
	if s.admin, err = postgres.Open(ctx, s.url("postgres"), 4, postgres.WithApplicationName("nimbustest")); err != nil {
		return err
	}
	hash, err := migrationsHash()
	if err != nil {
		return err
	}
	s.blank, s.template = "template0", "nimbus_template_"+hash
	if coordinator != "" {
		if err := s.findNodes(ctx, coordinator); err != nil {
			return fmt.Errorf("NIMBUS_TEST_CITUS_URL: %w", err)
		}
		s.blank, s.template = "nimbus_citus", "nimbus_citus_"+hash
		if err := s.prepareTemplate(ctx, s.blank, "template0", s.registerWorkers); err != nil {
			return err
		}
	}
	return s.prepareTemplate(ctx, s.template, s.blank, func(ctx context.Context, pool *pgxpool.Pool) error { return db.Migrate(ctx, pool, nil) })
}

// prepareTemplate makes a database that others are copied from, once per server. The flag datistemplate marks it as
// complete; several test processes on one server queue for an advisory lock.
func (s *sharedServer) prepareTemplate(ctx context.Context, name, from string, fill func(context.Context, *pgxpool.Pool) error) error {
	conn, err := s.admin.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	var version int
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return err
	}
	if version >= 150000 {
		s.strategy = " STRATEGY " + strategy
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext($1))", name); err != nil {
		return err
	}
	defer func() { // when this fails the connection is broken, which has released the lock
		_, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtext($1))", name)
	}()
	var complete bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)", name).Scan(&complete); err != nil || complete {
		return err
	}
	if err := s.everywhere(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)", "CREATE DATABASE "+name+" TEMPLATE "+from); err != nil {
		return err
	}
	pool, err := postgres.Open(ctx, s.url(name), 2)
	if err != nil {
		return err
	}
	err = fill(ctx, pool)
	pool.Close()
	if err != nil {
		return fmt.Errorf("make the template %s: %w", name, err)
	}
	// Closed to connections, since a copy waits for none.
	return s.everywhere(ctx, "ALTER DATABASE "+name+" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
}

// create makes a database for one test and has it dropped at its end.
func (s *sharedServer) create(t testing.TB, template string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	name := "nimbus_test_" + strings.ToLower(rand.Text())
	if err := s.everywhere(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template+s.strategy); err != nil {
		t.Fatalf("copy the template database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		if err := s.drop(ctx, name); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return s.url(name)
}

// drop drops a database of the tests.
func (s *sharedServer) drop(ctx context.Context, name string) error {
	if len(s.workers) > 0 {
		// Citus's own sessions between the nodes would reconnect.
		if err := s.everywhere(ctx, "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS false"); err != nil {
			return err
		}
	}
	for {
		err := s.everywhere(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		// One of them may wait for a session of its own, which waits for the drop, which waits for the first, for
		// seconds.
		if len(s.workers) == 0 || !inUse(err) || ctx.Err() != nil {
			return err
		}
	}
}

// everywhere runs statements on the server, then on each worker.
func (s *sharedServer) everywhere(ctx context.Context, statements ...string) error {
	admins := []*pgxpool.Pool{s.admin}
	for _, w := range s.workers {
		admins = append(admins, w.admin)
	}
	for _, admin := range admins {
		for _, sql := range statements {
			if _, err := admin.Exec(ctx, sql); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
	}
	return nil
}

// open is a pool that is closed when the test ends, and says so if the test kept one of its connections.
func open(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(context.Background(), dsn, poolSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() { pool.Close(); close(closed) }()
		select {
		case <-closed:
		case <-time.After(Patience):
			t.Errorf("the test never released %d of its database connections", pool.Stat().AcquiredConns())
		}
	})
	return pool
}

func serverConfig(dir string) embedded.Config {
	return embedded.Config{
		Dir: dir, BinDir: os.Getenv("NIMBUS_POSTGRES_BIN"), CacheDir: embedded.DefaultCacheDir(),
		Settings: map[string]string{"shared_buffers": "32MB", "max_connections": "200"},
	}
}

// tempDir is one that the account of the server can enter when the tests run as root.
func tempDir() (string, error) {
	dir, err := os.MkdirTemp("", tempPrefix)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// sweep removes the directories of killed test processes, whose lock nobody holds. A new one may belong to a process
// that has not locked it yet.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), tempPrefix+"*"))
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < 10*time.Minute {
			continue
		}
		if f, err := os.OpenFile(filepath.Join(dir, "nimbus.lock"), os.O_RDWR, 0); err == nil {
			held := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
			f.Close()
			if held {
				continue
			}
		}
		_ = os.RemoveAll(dir)
	}
}

func migrationsHash() (string, error) {
	h := sha256.New()
	err := fs.WalkDir(db.Migrations, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(db.Migrations, path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(content), content)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:8]), err
}

// withDatabase is a connection string, of either form, for another database of the same server.
func withDatabase(dsn, db string) string {
	if u, err := url.Parse(dsn); err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") {
		u.Path = "/" + db
		return u.String()
	}
	return dsn + " dbname=" + db // the last one counts
}
