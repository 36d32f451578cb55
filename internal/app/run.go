package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/bahagh/nimbus/internal/httpapi"
)

// Handler serves the API.
func (a *App) Handler() http.Handler { return a.handler }

// Admin serves the metrics and profiles.
func (a *App) Admin() http.Handler { return a.admin }

// RunJob runs a background job now instead of at its next turn, and returns its error.
func (a *App) RunJob(ctx context.Context, name string) error { return a.jobs.Run(ctx, name) }

// Run listens and serves until the context ends, then shuts down in order. ready is called with the address once the
// server accepts connections.
func (a *App) Run(ctx context.Context, ready func(addr string)) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", a.cfg.Addr)
	if err != nil {
		a.Close(context.WithoutCancel(ctx))
		return fmt.Errorf("listen on NIMBUS_ADDR: %w", err)
	}
	servers := []*http.Server{httpapi.NewServer(a.handler, a.log)}
	if a.events.compat.Serves("mixpanel") {
		servers[0].MaxHeaderBytes = httpapi.LongHeaderBytes
	}
	failed := make(chan error, 2)
	serve := func(s *http.Server, ln net.Listener) {
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}
	if a.cfg.AdminAddr != "" {
		aln, err := lc.Listen(ctx, "tcp", a.cfg.AdminAddr)
		if err != nil {
			_ = ln.Close()
			a.Close(context.WithoutCancel(ctx))
			return fmt.Errorf("listen on NIMBUS_ADMIN_ADDR: %w", err)
		}
		servers = append(servers, httpapi.NewServer(a.admin, a.log))
		go serve(servers[1], aln)
	}
	go serve(servers[0], ln)
	ready(ln.Addr().String())

	select {
	case <-ctx.Done():
		err = a.drain(failed)
	case err = <-failed:
	}
	if err != nil {
		a.log.Error("the server failed", "error", err)
	}
	return errors.Join(err, a.shutDown(servers))
}

// drain goes on serving while readiness is red, until every proxy has noticed: one that has not would send requests to a
// port where nobody listens.
func (a *App) drain(failed <-chan error) error {
	a.health.ending.Store(true)
	if a.cfg.Drain == 0 {
		return nil
	}
	a.log.Info("stopping: readiness is red, and requests are still served", "for", a.cfg.DrainTime().String())
	select {
	case err := <-failed:
		return err
	case <-time.After(a.cfg.DrainTime()):
		return nil
	}
}

// shutDown answers all accepted requests before anything is closed.
func (a *App) shutDown(servers []*http.Server) error {
	a.log.Info("shutting down: answering accepted requests", "for_at_most", a.cfg.ShutdownTimeout.String())
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.ShutdownTimeout)
	defer cancel()
	// A stream does not end by itself: the servers would wait for it. Its client reconnects to another node meanwhile.
	a.drainStreams(ctx)
	var problems []error
	for _, s := range servers {
		if err := s.Shutdown(ctx); err != nil {
			problems = append(problems, fmt.Errorf("requests were aborted: %w", err), s.Close())
		}
	}
	problems = append(problems, a.Close(ctx))
	return errors.Join(problems...)
}

// streamsEndTime is how long clients of live streams may take to close.
const streamsEndTime = 5 * time.Second

func (a *App) drainStreams(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, streamsEndTime)
	defer cancel()
	a.hub.Drain(ctx)
}

// Close ends the live streams, drains the ingestion queue, stops the jobs and closes the database.
func (a *App) Close(ctx context.Context) error {
	if a.hub != nil {
		a.drainStreams(ctx)
	}
	var err error
	if a.events != nil {
		err = a.events.close(ctx)
	}
	if a.hub != nil {
		a.hub.Close(ctx) // after the last event was stored, so that the other nodes get it too
	}
	if a.jobs != nil {
		a.jobs.Stop()
	}
	if a.access != nil {
		a.access.close()
	}
	if a.redis != nil {
		a.redis.Close()
	}
	if a.reads != nil {
		a.reads.Close()
	}
	if a.db != nil {
		a.db.Close(ctx)
	}
	if a.traces != nil { // last, because closing the others may end spans
		if terr := a.traces.Close(ctx); terr != nil {
			a.log.Warn("the last traces were not sent", "error", terr)
		}
	}
	return err
}
