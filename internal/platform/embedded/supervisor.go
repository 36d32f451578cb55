package embedded

import (
	"context"
	"log/slog"
	"time"
)

// restartDelay is the time between two tries to start a server that does not start.
const restartDelay = time.Second

// Supervisor keeps a server running: when it dies, it is started again, recovers by itself, and is found at the same socket.
type Supervisor struct {
	cfg  Config
	dsn  string
	log  *slog.Logger
	stop context.CancelFunc
	done chan struct{}
	now  *Server
}

// Supervise starts a server and keeps it running until Close. ctx bounds the first start only.
func Supervise(ctx context.Context, cfg Config) (*Supervisor, error) {
	srv, err := Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Supervisor{cfg: cfg, dsn: srv.DSN(Database), log: srv.logger, stop: stop, done: make(chan struct{}), now: srv}
	go s.run(watch)
	return s, nil
}

// DSN is the connection string of [Database]. It stays the same over restarts.
func (s *Supervisor) DSN() string { return s.dsn }

func (s *Supervisor) run(ctx context.Context) {
	defer close(s.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.now.Done():
		}
		s.log.Error("the embedded PostgreSQL died; starting it again", "error", s.now.Err())
		_ = s.now.Stop(ctx) // it is dead; this releases its lock
		if !s.restart(ctx) {
			return
		}
	}
}

// restart tries until the server is back, and reports whether it is: not when ctx ended first.
func (s *Supervisor) restart(ctx context.Context) bool {
	for {
		srv, err := Start(ctx, s.cfg)
		if err == nil {
			s.now = srv
			s.log.Info("the embedded PostgreSQL is back")
			return true
		}
		s.log.Error("the embedded PostgreSQL does not start; trying again", "error", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(restartDelay):
		}
	}
}

// Close ends the supervision and stops the server. When ctx ends first, the server is stopped hard and recovers at its next
// start.
func (s *Supervisor) Close(ctx context.Context) {
	s.stop()
	<-s.done
	if err := s.now.Stop(ctx); err != nil {
		s.log.Warn("the embedded PostgreSQL did not stop in order; it recovers at the next start", "error", err)
	}
}
