package nimbustest

import (
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
	"github.com/bahagh/nimbus/internal/embedded"
	"github.com/bahagh/nimbus/internal/postgres"
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

// MainThen is Main with a last word: then gets the tests' exit code and returns the one to exit with.
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

// DSN is DB for what wants to make its own connections, such as the whole application.
func DSN(t testing.TB) string {
	t.Helper()
	s := shared.get(t)
	return s.create(t, s.template)
}

// EmptyDSN is a database without any schema, to migrate.
func EmptyDSN(t testing.TB) string {
	t.Helper()
	return shared.get(t).create(t, "template0")
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

// shared is the one server of this test process: that of NIMBUS_TEST_DATABASE_URL, or an embedded one started on first use.
var shared sharedServer

type sharedServer struct {
	once     sync.Once
	err      error
	admin    *pgxpool.Pool
	template string
	strategy string
	url      func(db string) string
	close    func()
}

func (s *sharedServer) get(t testing.TB) *sharedServer {
	t.Helper()
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		s.err = s.start(ctx)
	})
	if s.err != nil {
		// Never a skip: a suite that silently tests nothing is worse than a red one.
		t.Fatalf("no database for the tests: %v", s.err)
	}
	return s
}

func (s *sharedServer) stop() {
	if s.admin != nil {
		s.admin.Close()
	}
	if s.close != nil {
		s.close()
	}
}

func (s *sharedServer) start(ctx context.Context) error {
	if given := os.Getenv("NIMBUS_TEST_DATABASE_URL"); given != "" {
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
	return s.prepareTemplate(ctx)
}

// prepareTemplate makes the database that all others are copied from, once per server and set of migrations. The flag
// datistemplate marks it as complete; several test processes on one server queue for an advisory lock.
func (s *sharedServer) prepareTemplate(ctx context.Context) error {
	hash, err := migrationsHash()
	if err != nil {
		return err
	}
	s.template = "nimbus_template_" + hash
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
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext($1))", s.template); err != nil {
		return err
	}
	defer func() { // where this fails the connection is broken, and the lock went with it
		_, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtext($1))", s.template)
	}()
	var complete bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)", s.template).Scan(&complete); err != nil || complete {
		return err
	}
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + s.template + " WITH (FORCE)", "CREATE DATABASE " + s.template} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	pool, err := postgres.Open(ctx, s.url(s.template), 2)
	if err != nil {
		return err
	}
	err = db.Migrate(ctx, pool, nil)
	pool.Close()
	if err != nil {
		return fmt.Errorf("migrate the template: %w", err)
	}
	// Closed to connections, since a copy waits for none.
	_, err = conn.Exec(ctx, "ALTER DATABASE "+s.template+" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false")
	return err
}

// create makes a database for one test and has it dropped at its end.
func (s *sharedServer) create(t testing.TB, template string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	name := "nimbus_test_" + strings.ToLower(rand.Text())
	if _, err := s.admin.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template+s.strategy); err != nil {
		t.Fatalf("copy the template database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		if _, err := s.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return s.url(name)
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

// sweep removes what killed test processes left behind: directories whose lock nobody holds. A young one may be that of a
// process which has not come to lock it yet.
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
