package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// launch starts the server and waits until it is ready. When the last one was killed, its children may take a moment to
// notice; until they are gone PostgreSQL rightly refuses to touch the data, so it is asked again.
func (s *Server) launch(ctx context.Context) error {
	for try := 0; ; try++ {
		err := s.launchOnce(ctx)
		if err == nil || ctx.Err() != nil || !strings.Contains(s.log.String(), "pre-existing shared memory block") {
			return err
		}
		sig := syscall.SIGQUIT
		if try > 50 {
			sig = syscall.SIGKILL
		}
		for _, pid := range leftBehind(s.dataDir) {
			_ = syscall.Kill(pid, sig)
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return err
		}
	}
}

func (s *Server) launchOnce(ctx context.Context) error {
	// What a killed server left would be in the way if its number has since been given to another program.
	for _, name := range []string{".s.PGSQL.5432", ".s.PGSQL.5432.lock"} {
		_ = os.Remove(filepath.Join(s.sockDir, name))
	}
	set := defaults(s.cfg.Durable)
	maps.Copy(set, s.cfg.Settings)
	args := []string{"-D", s.dataDir, "-k", s.sockDir, "-p", "5432"}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		args = append(args, "-c", name+"="+set[name])
	}
	cmd := exec.Command(filepath.Join(s.bin.dir, "postgres"), args...) //nolint:noctx // ctx bounds the start; the server outlives it
	s.isolate(cmd, s.dataDir)
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = w, w

	s.exited = make(chan struct{})
	started := make(chan error, 1)
	go func() {
		// endWithParent is about the thread that starts the process, so this goroutine keeps its thread to itself until
		// the process is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		w.Close()
		started <- err
		if err == nil {
			s.wait(cmd.Process)
		}
	}()
	if err := <-started; err != nil {
		r.Close()
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	s.log = newTail(s.logger, r)
	s.process = cmd.Process
	return s.awaitReady(ctx)
}

// wait reaps the process and says that it is gone, and with it the need for the lock on the directory.
func (s *Server) wait(p *os.Process) {
	state, err := p.Wait()
	if err == nil && !state.Success() {
		err = errors.New(state.String())
	}
	s.status = err
	close(s.exited)
}

// watch turns an end that nobody asked for into Done and Err.
func (s *Server) watch() {
	<-s.exited
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lock.Close()
	if s.stopping {
		return
	}
	s.err = fmt.Errorf("embedded PostgreSQL (pid %d) ended unexpectedly: %s%s", s.process.Pid, s.ending(), s.lastWords())
	close(s.done)
}

// ending is how the process ended, in words; to be asked once exited is closed.
func (s *Server) ending() string {
	if s.status != nil {
		return s.status.Error()
	}
	return "exit status 0"
}

func (s *Server) awaitReady(ctx context.Context) error {
	begun := time.Now()
	said := false
	for {
		if p, ok := readPostmaster(s.dataDir); ok && p.pid == s.process.Pid && p.status == "ready" {
			s.log.steady.Store(true)
			go s.watch()
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("embedded PostgreSQL in %s did not start: %s%s", s.dataDir, s.ending(), s.lastWords())
		case <-ctx.Done():
			s.stopHard()
			return fmt.Errorf("embedded PostgreSQL in %s was not ready after %s: %w%s",
				s.dataDir, time.Since(begun).Round(time.Millisecond), ctx.Err(), s.lastWords())
		case <-time.After(2 * time.Millisecond):
		}
		if !said && time.Since(begun) > 2*time.Second {
			said = true
			s.logger.Warn("PostgreSQL is recovering from a crash; this can take a while", "dir", s.dataDir)
		}
	}
}

// shutDown asks for a clean shutdown, and stops the server hard when that takes longer than ctx or patience allows. It
// returns when the process is gone.
func (s *Server) shutDown(ctx context.Context) (clean bool) {
	_ = s.process.Signal(syscall.SIGINT)
	select {
	case <-s.exited:
		return true
	case <-ctx.Done():
	case <-time.After(patience):
	}
	s.stopHard()
	return false
}

// stopHard has the server drop everything, and returns when the process is gone. The next start recovers.
func (s *Server) stopHard() {
	_ = s.process.Signal(syscall.SIGQUIT)
	select {
	case <-s.exited:
	case <-time.After(5 * time.Second):
		_ = s.process.Kill()
		<-s.exited
	}
}

// isolate has a program run as the right account, in a directory that account can enter, with nothing of our environment,
// and in a process group of its own: Ctrl-C in a terminal goes to the whole group, and PostgreSQL must outlive the requests
// that Nimbus is still answering.
func (s *Server) isolate(cmd *exec.Cmd, dir string) {
	cmd.Dir = dir
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.who.cred, Setpgid: true}
	endWithParent(cmd.SysProcAttr)
}

// runOnOneThread is CombinedOutput for a program under endWithParent.
func runOnOneThread(cmd *exec.Cmd) ([]byte, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.CombinedOutput()
}

// lastWords is what a server that has ended wrote last, indented below the message it is appended to. The log is whole once
// every process of the server has ended; a child can linger, so it is not waited for long.
func (s *Server) lastWords() string {
	select {
	case <-s.log.done:
	case <-time.After(100 * time.Millisecond):
	}
	log := strings.TrimSpace(s.log.String())
	if log == "" {
		return ""
	}
	return "\n  " + strings.ReplaceAll(log, "\n", "\n  ")
}
