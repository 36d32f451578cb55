package crash

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/platform/embedded"
)

// Kind is the target of a kill.
type Kind string

// The kinds.
const (
	Server   Kind = "server"
	Postgres Kind = "postgres" // the postmaster; its children notice by themselves
	Backend  Kind = "backend"  // one child of the postmaster, which then restarts all the others
	Both     Kind = "both"
)

// world is the server and PostgreSQL. Each has a supervisor that restarts it whenever it ends.
type world struct {
	o   Options
	dir string
	url string
	env []string

	releaseAddr func()
	stopKeeping context.CancelFunc
	keepers     sync.WaitGroup

	mu     sync.Mutex
	server *exec.Cmd        // nil while there is none
	pg     *embedded.Server // nil when the server runs its own
	said   tail             // the last log lines of the server
	failed error            // why a supervisor gave up
}

func newWorld(o Options, dir string) *world { return &world{o: o, dir: dir} }

func (w *world) start(ctx context.Context) error {
	if err := os.Chmod(w.dir, 0o755); err != nil { // PostgreSQL may run as another user
		return fmt.Errorf("open the directory: %w", err)
	}
	addr, release, err := HoldAddr()
	if err != nil {
		return err
	}
	w.releaseAddr = release
	w.url = "http://" + addr
	w.env = append(os.Environ(), "NIMBUS_ADDR="+addr, "NIMBUS_ADMIN_ADDR=off", "NIMBUS_BCRYPT_COST=4", "NIMBUS_LOG_LEVEL=warn",
		"NIMBUS_DATA_DIR="+w.dataDir(), "NIMBUS_POSTGRES_BIN="+w.o.PostgresBin, "NIMBUS_ENVIRONMENT=development",
		"NIMBUS_RATE_LIMIT_ENABLED=false") // one key sends more than any real one may
	keep, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stopKeeping = stop
	if !w.o.Own {
		if w.pg, err = embedded.Start(ctx, w.postgresConfig()); err != nil {
			return err
		}
		w.env = append(w.env, "NIMBUS_DATABASE_URL="+w.pg.DSN(embedded.Database))
		w.keepers.Go(func() { w.superviseDatabase(keep) })
	} else {
		w.env = append(w.env, "NIMBUS_DATABASE_URL=")
	}
	w.keepers.Go(func() { w.superviseServer(keep) })
	return w.awaitReady(ctx)
}

func (w *world) dataDir() string {
	if w.o.Own {
		return w.dir
	}
	return filepath.Join(w.dir, "server")
}

func (w *world) postgresConfig() embedded.Config {
	return embedded.Config{Dir: w.dir, BinDir: w.o.PostgresBin, CacheDir: w.o.CacheDir, Durable: true, Logger: w.o.Log}
}

// superviseDatabase restarts PostgreSQL, as an operator's service manager does.
func (w *world) superviseDatabase(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.pg.Done():
		}
		for ctx.Err() == nil {
			pg, err := embedded.Start(ctx, w.postgresConfig())
			if err == nil {
				w.mu.Lock()
				w.pg = pg
				w.mu.Unlock()
				break
			}
			// A kill can hit the start too, so the error is only noted; progress reports when there are too many.
			w.o.Log.Warn("PostgreSQL did not start", "error", err)
			_ = pause(ctx, 50*time.Millisecond)
		}
	}
}

// superviseServer restarts the server.
func (w *world) superviseServer(ctx context.Context) {
	for ctx.Err() == nil {
		if err := w.runServer(ctx); err != nil {
			w.mu.Lock()
			w.failed = err
			w.mu.Unlock()
			return
		}
	}
}

// runServer starts the server and returns when it has ended, which it does with this process at the latest.
func (w *world) runServer(ctx context.Context) error {
	runtime.LockOSThread() // Pdeathsig is sent when the thread ends that started the process
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, w.o.Nimbus, "serve")
	cmd.Env = w.env
	cmd.Stderr = &w.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	w.mu.Lock()
	w.server = cmd
	w.mu.Unlock()
	_ = cmd.Wait() // it was killed, or stderr has the reason
	w.mu.Lock()
	w.server = nil
	w.mu.Unlock()
	return nil
}

// kill sends SIGKILL to the processes of the kind that are alive.
func (w *world) kill(kind Kind, random *rand.Rand) {
	if kind == Server || kind == Both {
		w.mu.Lock()
		if w.server != nil {
			_ = w.server.Process.Kill()
		}
		w.mu.Unlock()
	}
	pid := w.postmaster()
	if pid == 0 {
		return
	}
	switch kind {
	case Postgres, Both:
		_ = syscall.Kill(pid, syscall.SIGKILL)
	case Backend:
		if pids := children(pid); len(pids) > 0 {
			_ = syscall.Kill(pids[random.IntN(len(pids))], syscall.SIGKILL)
		}
	case Server:
	}
}

// postmaster returns the process of PostgreSQL, 0 when there is none. Its file outlives it, so that the number may be
// another program's by now: only one that works in the data directory counts.
func (w *world) postmaster() int {
	lines := w.postmasterFile()
	if len(lines) == 0 {
		return 0
	}
	pid, err := strconv.Atoi(lines[0])
	if err != nil {
		return 0
	}
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil || cwd != filepath.Join(w.dir, "pg") {
		return 0
	}
	return pid
}

func (w *world) postmasterFile() []string {
	b, err := os.ReadFile(filepath.Join(w.dir, "pg", "postmaster.pid"))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

func children(pid int) []int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var pids []int
	for _, f := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(f); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// connect returns a connection to PostgreSQL, waiting for it to come back.
func (w *world) connect(ctx context.Context) (*pgx.Conn, error) {
	for begun := time.Now(); ; {
		var dsn string
		if lines := w.postmasterFile(); len(lines) > 4 {
			dsn = fmt.Sprintf("host='%s' port=5432 user=nimbus dbname=%s sslmode=disable", lines[4], embedded.Database)
		}
		err := errors.New("PostgreSQL is not running")
		if dsn != "" {
			var conn *pgx.Conn
			if conn, err = pgx.Connect(ctx, dsn); err == nil {
				return conn, nil
			}
		}
		if time.Since(begun) > stuckTime {
			return nil, violation("PostgreSQL did not come back within %s: %v\n%s", stuckTime, err, w.said.String())
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// dead returns why a supervisor gave up, or nil.
func (w *world) dead() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

func (w *world) close() {
	if w.stopKeeping != nil {
		w.stopKeeping()
		w.keepers.Wait()
	}
	if w.releaseAddr != nil {
		w.releaseAddr()
	}
	if w.pg != nil {
		hurry, cancel := context.WithCancel(context.Background())
		cancel()
		_ = w.pg.Stop(hurry)
	}
}

// tail keeps the last lines that the server logged.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailBytes = 8 << 10

// Write appends.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 2*tailBytes {
		t.b = append([]byte(nil), t.b[len(t.b)-tailBytes:]...)
	}
	return len(p), nil
}

// String returns whole lines.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out strings.Builder
	for s := bufio.NewScanner(bytes.NewReader(t.b)); s.Scan(); {
		fmt.Fprintf(&out, "  | %s\n", s.Text())
	}
	return out.String()
}
