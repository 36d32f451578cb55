package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/bahagh/nimbus/internal/platform/durable"
)

const (
	lockName   = "nimbus.lock"
	initPrefix = "pg.init-"
	// maxSocketDir leaves room for "/.s.PGSQL.5432" and the final NUL in the 108 bytes Linux gives a socket path
	// (104 on macOS).
	maxSocketDir = 104 - 15
	// politeTime is how long a server left behind gets to shut down cleanly, and quitTime how long to end at all. A
	// recovery takes less than a second as a rule.
	politeTime = 2 * time.Second
	quitTime   = 8 * time.Second
)

// prepareDir makes the data directory. As root it must stay passable for the account that runs the server, whatever the
// umask; what it holds is closed by the modes of pg/ and run/.
func prepareDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o755
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	return os.Chmod(dir, mode)
}

// lockDir takes the directory for this process. The lock belongs to the open file, so the kernel gives it back however the
// process ends: there is no stale lock to clean up after kill -9. The file itself stays, since removing it would let two
// processes lock two different files of that name.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
		}
		holder := "another Nimbus"
		if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
			holder += " (pid " + strings.TrimSpace(string(b)) + ")"
		}
		return nil, fmt.Errorf("data directory %s is %w by %s: stop it, or choose another NIMBUS_DATA_DIR", dir, ErrInUse, holder)
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	return f, nil
}

// clusterMajor reads the major version of an existing cluster; 0 when there is none yet.
func clusterMajor(dataDir string) (int, error) {
	b, err := os.ReadFile(filepath.Join(dataDir, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		if entries, err := os.ReadDir(dataDir); err == nil && len(entries) > 0 {
			return 0, fmt.Errorf("%s is not empty and not a PostgreSQL cluster either: move it away, or choose another NIMBUS_DATA_DIR", dataDir)
		}
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read cluster version: %w", err)
	}
	major, err := majorOf(string(b))
	if err != nil {
		return 0, fmt.Errorf("%s is damaged: it says %q", filepath.Join(dataDir, "PG_VERSION"), b)
	}
	return major, nil
}

// initCluster makes dataDir. All the work is done in a directory beside it: dataDir appears by one rename, complete and on
// disk, so that a machine switched off half-way leaves rubbish with a telling name instead of half a cluster.
func (s *Server) initCluster(ctx context.Context) error {
	tmp, err := os.MkdirTemp(s.cfg.Dir, initPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := s.who.give(tmp); err != nil {
		return err
	}
	// trust: a connection through the socket needs no password. Only the account that runs the server can: the
	// socket has mode 0700, its directory too, and there is no TCP port. A password would have to be stored beside it, for
	// the same account to read.
	args := []string{"-D", tmp, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions"}
	if !s.cfg.Durable {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin.dir, "initdb"), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) } // it then ends its own children
	cmd.WaitDelay = 5 * time.Second
	s.isolate(cmd, tmp)
	if out, err := runOnOneThread(cmd); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("initdb: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	if err := os.Remove(s.dataDir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // at most an empty directory: clusterMajor has looked
	}
	if err := os.Rename(tmp, s.dataDir); err != nil {
		return err
	}
	return durable.SyncDir(s.cfg.Dir)
}

// sweep removes what interrupted initialisations left. Only the holder of the lock may call it.
func (s *Server) sweep() {
	left, _ := filepath.Glob(filepath.Join(s.cfg.Dir, initPrefix+"*"))
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			s.logger.Warn("cannot remove an unfinished cluster", "dir", dir, "error", err)
		}
	}
}

// socketDir chooses and makes the directory of the socket: run/ in the data directory, or, where that path is too long for
// a socket or has characters that PostgreSQL's list of socket directories gives a meaning to, a private one for temporary
// files whose name follows from the data directory.
func (s *Server) socketDir() (string, error) {
	dir := filepath.Join(s.cfg.Dir, "run")
	if !socketPath(dir) {
		sum := sha256.Sum256([]byte(s.cfg.Dir))
		name := "nimbus-" + hex.EncodeToString(sum[:8])
		if dir = filepath.Join(os.TempDir(), name); !socketPath(dir) {
			dir = filepath.Join("/tmp", name)
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("make socket directory: %w", err)
	}
	// In a place anyone may write to, someone else can have made it first and would then own the socket's directory.
	owner, ok := ownerOf(dir)
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() || !ok || (owner.uid != os.Geteuid() && owner.uid != s.who.uid) {
		return "", fmt.Errorf("socket directory %s is not ours (it belongs to %s): remove it, or choose a shorter NIMBUS_DATA_DIR", dir, owner.name)
	}
	if err := s.who.give(dir); err != nil {
		return "", fmt.Errorf("make socket directory: %w", err)
	}
	return dir, nil
}

func socketPath(dir string) bool {
	plain := strings.IndexFunc(dir, func(r rune) bool {
		return r > 126 || r <= ' ' || strings.ContainsRune(`,"'\@`, r)
	}) < 0
	return plain && len(dir) <= maxSocketDir
}

// postmaster is what the file postmaster.pid says. PostgreSQL writes it for pg_ctl, which waits for "ready" as we do;
// trying to connect instead would fill the log with refused connections.
type postmaster struct {
	pid       int
	socketDir string
	status    string
}

func readPostmaster(dataDir string) (postmaster, bool) {
	b, err := os.ReadFile(filepath.Join(dataDir, "postmaster.pid"))
	if err != nil {
		return postmaster{}, false
	}
	lines := strings.Split(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 0 {
		return postmaster{}, false
	}
	p := postmaster{pid: pid}
	if len(lines) > 7 {
		p.socketDir = lines[4]
		p.status = strings.TrimSpace(lines[7])
	}
	return p, true
}

// stopOrphan ends a server that outlived the Nimbus which started it. We hold the lock of the directory, so nobody else is
// in charge of it. It is asked politely first: a clean shutdown saves the recovery. It is not asked for long: nobody is
// served meanwhile, and a server that is itself recovering when it is asked can take forever to answer.
func (s *Server) stopOrphan(ctx context.Context) error {
	p, ok := readPostmaster(s.dataDir)
	if !ok {
		return nil
	}
	if !runsIn(p.pid, s.dataDir) {
		// The number has been given to another program, as it soon is in a container, where numbers start anew with each
		// run. PostgreSQL would take that program for a server of its own and refuse to start. Should a child of the old
		// server still be there, PostgreSQL notices by its shared memory; see launch.
		return removeStale(filepath.Join(s.dataDir, "postmaster.pid"))
	}
	s.logger.Warn("stopping a PostgreSQL that outlived its Nimbus", "pid", p.pid, "dir", s.dataDir)
	started := time.Now()
	sent := syscall.Signal(0)
	for {
		want := syscall.SIGINT
		switch waited := time.Since(started); {
		case waited > quitTime:
			want = syscall.SIGKILL // launch ends the children
		case waited > politeTime:
			want = syscall.SIGQUIT
		}
		if want != sent {
			if err := syscall.Kill(p.pid, want); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stop the PostgreSQL left behind in %s (pid %d): %w", s.dataDir, p.pid, err)
			}
			sent = want
		}
		if now, ok := readPostmaster(s.dataDir); !ok || now.pid != p.pid || !runsIn(p.pid, s.dataDir) {
			return removeStale(filepath.Join(s.dataDir, "postmaster.pid"))
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for the PostgreSQL left behind in %s (pid %d) to stop: %w", s.dataDir, p.pid, err)
		}
	}
}

func removeStale(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// pause waits for something that gives no signal of its own.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
