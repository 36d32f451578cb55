package embedded

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestMain doubles as the program that the crash tests kill: see helper_test.go.
func TestMain(m *testing.M) {
	if dir := os.Getenv(helperEnv); dir != "" {
		helper(dir)
	}
	os.Exit(m.Run())
}

// deadline is generous: nothing in these tests waits for time to pass, and a loaded machine is slow.
const deadline = 5 * time.Minute

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// tempDir is t.TempDir for a directory that the account of the server can enter when the tests run as root.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nimbus-embedded-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func testConfig(dir string) Config {
	return Config{
		Dir: dir, CacheDir: DefaultCacheDir(), BinDir: os.Getenv("NIMBUS_POSTGRES_BIN"),
		Settings: map[string]string{"shared_buffers": "8MB"},
	}
}

// start is Start with a Stop at the end of the test.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	begun := time.Now()
	s, err := Start(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("PostgreSQL %s ready after %s", s.Version(), time.Since(begun).Round(time.Millisecond))
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, s *Server) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(testContext(t), s.DSN(Database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func mustExec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(testContext(t), sql); err != nil {
		t.Fatal(err)
	}
}

func value[T any](t *testing.T, conn *pgx.Conn, sql string) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(testContext(t), sql).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func mustContain(t *testing.T, err error, parts ...string) {
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

func TestColdAndWarmStartKeepTheData(t *testing.T) {
	t.Parallel()
	cfg := testConfig(tempDir(t))
	cfg.Durable = true
	s := start(t, cfg)
	conn := connect(t, s)
	mustExec(t, conn, "CREATE TABLE kept AS SELECT 42 AS n")
	stop(t, s)
	select {
	case <-s.Done():
		t.Errorf("Done is closed after a Stop: %v", s.Err())
	default:
	}

	s = start(t, cfg)
	if n := value[int](t, connect(t, s), "SELECT n FROM kept"); n != 42 {
		t.Errorf("n = %d after a restart, want 42", n)
	}
	stop(t, s)
	stop(t, s) // harmless
}

func TestServerIsPrivate(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	cfg := testConfig(dir)
	cfg.Settings["work_mem"] = "7MB"
	s := start(t, cfg)
	conn := connect(t, s)
	for setting, want := range map[string]string{
		"listen_addresses": "", "TimeZone": "UTC", "jit": "off", "server_encoding": "UTF8",
		"work_mem": "7MB", "shared_buffers": "8MB", "unix_socket_permissions": "0700",
	} {
		if got := value[string](t, conn, "SELECT current_setting('"+setting+"')"); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	if got := value[string](t, conn, "SELECT datcollate FROM pg_database WHERE datname = 'nimbus'"); got != "C" {
		t.Errorf("collation %q, want C", got)
	}
	for _, sub := range []string{"pg", "run"} {
		info, err := os.Stat(filepath.Join(dir, sub))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %04o, want 0700: trust authentication rests on it", sub, info.Mode().Perm())
		}
	}
	group, err := syscall.Getpgid(s.Pid())
	if err != nil {
		t.Fatal(err)
	}
	if own := syscall.Getpgrp(); group == own {
		t.Errorf("the server shares our process group %d: Ctrl-C would stop it before us", own)
	}
}

func TestSecondNimbusOnTheSameDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := start(t, testConfig(dir))
	_, err := Start(testContext(t), testConfig(dir))
	mustContain(t, err, "data directory "+dir+" is in use by another Nimbus (pid ")
	if !errors.Is(err, ErrInUse) {
		t.Errorf("%v is not ErrInUse", err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %v", err)
	}
	if n := value[int](t, connect(t, s), "SELECT 1"); n != 1 {
		t.Error("the first one suffered")
	}
	stop(t, s)
	start(t, testConfig(dir)) // free again
}

// TestLockThatCannotNameItsHolderIsNoLock: an unwritable lock file, as on a full disk, is found out before the database is.
func TestLockThatCannotNameItsHolderIsNoLock(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	if err := syscall.Mkfifo(filepath.Join(dir, lockName), 0o600); err != nil { // opens, but can neither be cut nor written at an offset
		t.Fatal(err)
	}
	f, err := lockDir(dir)
	if err == nil {
		f.Close()
	}
	mustContain(t, err, "lock data directory "+dir)
}

func TestDeepDirectoryGetsAShortSocketPath(t *testing.T) {
	t.Parallel()
	for name, sub := range map[string]string{
		"long":    strings.Repeat("deep-and-deeper/", 10) + "data",
		"special": "it's a 100%, truly odd, \\ dir",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := tempDir(t)
			dir := filepath.Join(top, sub)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			s := start(t, testConfig(dir))
			t.Cleanup(func() { os.RemoveAll(s.sockDir) })
			if n := value[int](t, connect(t, s), "SELECT 1"); n != 1 {
				t.Error("no answer")
			}
			first := s.sockDir
			stop(t, s)
			if s = start(t, testConfig(dir)); s.sockDir != first {
				t.Errorf("socket directory is %s, then %s: it must follow from the data directory", first, s.sockDir)
			}
		})
	}
}

func TestDataOfAnotherMajorVersionIsRefusedAndExplained(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	if err := os.Mkdir(filepath.Join(dir, "pg"), 0o700); err != nil {
		t.Fatal(err)
	}
	version := filepath.Join(dir, "pg", "PG_VERSION")
	if err := os.WriteFile(version, []byte("97\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(testContext(t), testConfig(dir))
	mustContain(t, err, filepath.Join(dir, "pg"), "PostgreSQL 97", "install PostgreSQL 97", "NIMBUS_DATA_DIR")
}

func TestForeignDirectoryIsNotTouched(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	precious := filepath.Join(dir, "pg", "precious.txt")
	if err := os.Mkdir(filepath.Dir(precious), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(precious, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(testContext(t), testConfig(dir))
	mustContain(t, err, "not empty", "NIMBUS_DATA_DIR")
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestHalfMadeClusterIsNeverUsed(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	half := filepath.Join(dir, initPrefix+"123")
	if err := os.MkdirAll(filepath.Join(half, "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	cfg := testConfig(dir)
	// The message that announces initdb is the signal to pull the plug.
	cfg.Logger = slog.New(slog.NewTextHandler(writerFunc(func(b []byte) {
		if strings.Contains(string(b), "making a PostgreSQL cluster") {
			cancel()
		}
	}), nil))
	_, err := Start(ctx, cfg)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want a cancelled start", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "pg")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a cancelled start left pg/: %v", err)
	}
	start(t, testConfig(dir))
	if left, _ := filepath.Glob(filepath.Join(dir, initPrefix+"*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBadSettingIsExplainedInPostgresOwnWords(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	cfg := testConfig(dir)
	cfg.Settings["shared_buffers"] = "plenty"
	_, err := Start(testContext(t), cfg)
	mustContain(t, err, "did not start", `invalid value for parameter "shared_buffers": "plenty"`)
	start(t, testConfig(dir)) // and the directory is free again
}

func TestStopInAHurryRecoversAtTheNextStart(t *testing.T) {
	t.Parallel()
	cfg := testConfig(tempDir(t))
	cfg.Durable = true
	s := start(t, cfg)
	mustExec(t, connect(t, s), "CREATE TABLE kept AS SELECT 42 AS n")
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Stop(gone); err != nil {
		mustContain(t, err, "stopped hard")
	}
	if n := value[int](t, connect(t, start(t, cfg)), "SELECT n FROM kept"); n != 42 {
		t.Errorf("n = %d, want 42", n)
	}
}

func TestServerLogGoesToTheLogger(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 100)
	cfg := testConfig(tempDir(t))
	cfg.Logger = slog.New(slog.NewTextHandler(writerFunc(func(b []byte) {
		select {
		case lines <- string(b):
		default:
		}
	}), nil))
	conn := connect(t, start(t, cfg))
	_, _ = conn.Exec(testContext(t), "SELECT 1/0 AS telltale")
	seen := ""
	for !strings.Contains(seen, "telltale") {
		select {
		case line := <-lines:
			seen += line
		case <-testContext(t).Done():
			t.Fatalf("the failed statement never reached the log:\n%s", seen)
		}
	}
	if !strings.Contains(seen, `level=ERROR msg="division by zero" source=postgres`) {
		t.Errorf("no such error in the log:\n%s", seen)
	}
	if strings.Contains(seen, "FATAL") {
		t.Errorf("an undisturbed start logged a failure:\n%s", seen)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }
