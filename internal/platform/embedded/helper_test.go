package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// helperEnv names the data directory for a copy of the test program that is a Nimbus to be killed.
const helperEnv = "NIMBUS_EMBEDDED_HELPER"

// helper starts a server, commits a row, says so, and waits to be killed.
func helper(dir string) {
	ctx := context.Background()
	s, err := Start(ctx, testConfig(dir))
	if err == nil {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(ctx, s.DSN(Database)); err == nil {
			_, err = conn.Exec(ctx, "CREATE TABLE kept AS SELECT 42 AS n")
		}
	}
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("ready", s.Pid())
	select {}
}

func TestKillOfNimbusEndsTheServerAndTheNextStartWorks(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	word, number, _ := strings.Cut(strings.TrimSpace(line), " ")
	pid, err := strconv.Atoi(number)
	if word != "ready" || err != nil {
		t.Fatalf("helper said %q", line)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	s := start(t, testConfig(dir)) // at once, while the old server is still on its way out
	if n := value[int](t, connect(t, s), "SELECT n FROM kept"); n != 42 {
		t.Errorf("n = %d, want 42", n)
	}
	if runsIn(pid, filepath.Join(dir, "pg")) {
		t.Errorf("the server of the killed Nimbus (pid %d) still runs", pid)
	}
}

func TestServerLeftBehindIsStopped(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	old := start(t, testConfig(dir))
	mustExec(t, connect(t, old), "CREATE TABLE kept AS SELECT 42 AS n")
	old.lock.Close() // as if its Nimbus were gone, with nothing to tell the server so

	s := start(t, testConfig(dir))
	if s.Pid() == old.Pid() {
		t.Fatal("the same server")
	}
	select {
	case <-old.Done():
	case <-testContext(t).Done():
		t.Fatal("the old server still runs")
	}
	if n := value[int](t, connect(t, s), "SELECT n FROM kept"); n != 42 {
		t.Errorf("n = %d, want 42", n)
	}
}

// A server left behind that reacts to nothing must not keep Nimbus from starting.
func TestServerLeftBehindThatHangsIsKilled(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	old := start(t, testConfig(dir))
	mustExec(t, connect(t, old), "CREATE TABLE kept AS SELECT 42 AS n")
	mustExec(t, connect(t, old), "CHECKPOINT")
	if err := syscall.Kill(old.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	old.lock.Close() // as if its Nimbus were gone
	s := start(t, testConfig(dir))
	if n := value[int](t, connect(t, s), "SELECT n FROM kept"); n != 42 {
		t.Errorf("n = %d, want 42", n)
	}
}

func TestKillOfTheServerIsReportedAndRecovered(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	cfg := testConfig(dir)
	cfg.Durable = true
	s := start(t, cfg)
	mustExec(t, connect(t, s), "CREATE TABLE kept AS SELECT 42 AS n")

	// A backend in the middle of a computation does not notice that its postmaster is gone, and holds on to the shared
	// memory: the next start has to deal with it.
	busy := connect(t, s)
	mustExec(t, busy, "SET max_parallel_workers_per_gather = 0")
	pid := int(busy.PgConn().PID())
	go func() {
		_, _ = busy.Exec(context.Background(), "SELECT count(*) FROM generate_series(1, 2000000000) a")
	}() // it is killed
	watcher, ctx := connect(t, s), testContext(t)
	for value[string](t, watcher, "SELECT state FROM pg_stat_activity WHERE pid = "+strconv.Itoa(pid)) != "active" {
		if pause(ctx, time.Millisecond) != nil {
			t.Fatal("the computation never began")
		}
	}

	if err := syscall.Kill(s.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-testContext(t).Done():
		t.Fatal("Done was never closed")
	}
	mustContain(t, s.Err(), "ended unexpectedly", "killed", strconv.Itoa(s.Pid()))

	s = start(t, cfg)
	if n := value[int](t, connect(t, s), "SELECT n FROM kept"); n != 42 {
		t.Errorf("n = %d, want 42", n)
	}
	if runsIn(pid, filepath.Join(dir, "pg")) {
		t.Errorf("backend %d of the killed server still runs", pid)
	}
}

// TestStalePidFileOfAnotherProgram: in a container numbers start anew, and the one in postmaster.pid soon belongs to
// something else, with which PostgreSQL would refuse to start.
func TestStalePidFileOfAnotherProgram(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := start(t, testConfig(dir))
	file := filepath.Join(dir, "pg", "postmaster.pid")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, s)

	other := exec.Command("sleep", "600")
	other.SysProcAttr = &syscall.SysProcAttr{Credential: s.who.cred} // PostgreSQL is only worried by programs of its own account
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	_, rest, _ := strings.Cut(string(content), "\n")
	if err := os.WriteFile(file, []byte(strconv.Itoa(other.Process.Pid)+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.who.give(filepath.Join(dir, "pg")); err != nil {
		t.Fatal(err)
	}
	start(t, testConfig(dir))
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the innocent program was stopped: %v", err)
	}
}

func TestUnreachableDirectoryIsNamed(t *testing.T) {
	t.Parallel()
	top := tempDir(t)
	closed := filepath.Join(top, "closed")
	inside := filepath.Join(closed, "a", "b")
	if err := os.MkdirAll(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	// An account that is neither the owner nor in the group of anything here, whoever runs the test.
	stranger := account{uid: 4_000_001, gid: 4_000_001, name: "stranger", cred: &syscall.Credential{}}
	err := stranger.canReach(inside)
	var unreachable *unreachableError
	if !errors.As(err, &unreachable) {
		t.Fatalf("error %v, want unreachable", err)
	}
	mustContain(t, err, "stranger", closed+" (mode 0700)", inside)
	if err := os.Chmod(closed, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := stranger.canReach(inside); err != nil {
		t.Error(err)
	}
}

// TestPauseEndsWithItsContext keeps the only waiting this package does interruptible.
func TestPauseEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := pause(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("pause returned %v", err)
	}
}
