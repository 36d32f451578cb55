package nimbustest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// RedisServer is a Redis of the test's own, on a Unix socket.
type RedisServer struct {
	URL string

	t      testing.TB
	socket string
	shell  *exec.Cmd
	input  io.Closer
	pid    int
}

// Redis starts a Redis that ends with the test. Where there is no redis-server the test fails.
func Redis(t testing.TB) *RedisServer {
	t.Helper()
	// Not t.TempDir: with the name of the test in it the path would be too long for a socket.
	dir, err := os.MkdirTemp("", tempPrefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &RedisServer{t: t, socket: filepath.Join(dir, "redis.sock")}
	s.URL = "unix://" + s.socket
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Start starts it again, empty, after Kill.
func (s *RedisServer) Start() {
	s.t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatalf("no Redis for the tests (scripts/fetch-redis.sh installs it): %v", err)
	}
	// The shell kills Redis when its own standard input closes, so that Redis does not outlive the test process in
	// any case.
	s.shell = exec.Command("sh", "-c", `"$@" >/dev/null & echo $!; cat; kill -9 $!`, "sh",
		path, "--port", "0", "--unixsocket", s.socket, "--save", "", "--appendonly", "no", "--dir", filepath.Dir(s.socket))
	out, err := s.shell.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if s.input, err = s.shell.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	if err := s.shell.Start(); err != nil {
		s.t.Fatal(err)
	}
	if _, err := fmt.Fscanln(out, &s.pid); err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", s.socket)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("redis-server does not start: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Kill ends it with SIGKILL.
func (s *RedisServer) Kill() {
	_ = s.input.Close()
	_ = s.shell.Wait() // it ends with the status of what it killed
	_ = os.Remove(s.socket)
}

// Hang makes it stop answering, with its connections open, until Resume.
func (s *RedisServer) Hang() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	Eventually(s.t, "redis-server stands still", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
		return err == nil && bytes.Contains(stat, []byte(") T "))
	})
}

// Resume ends Hang.
func (s *RedisServer) Resume() { s.signal(syscall.SIGCONT) }

func (s *RedisServer) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(s.pid, sig); err != nil {
		s.t.Fatal(err)
	}
}
