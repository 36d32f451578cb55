// Command go-http is a web server that tracks its requests and what its users do, through the Go SDK.
//
//	NIMBUS_URL=http://127.0.0.1:8080 NIMBUS_PROJECT_ID=… NIMBUS_KEY_ID=nk_… NIMBUS_SECRET=ns_… go run ./examples/go-http
//	curl -X POST -H 'X-User: ada' http://127.0.0.1:9000/orders/42
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	nimbus "github.com/bahagh/nimbus/sdk/go"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listening := func(addr string) { slog.Info("listening", "url", "http://"+addr) }
	if err := run(ctx, os.Getenv, "127.0.0.1:9000", listening); err != nil {
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, env func(string) string, addr string, listening func(addr string)) error {
	tracker, err := nimbus.New(nimbus.Config{
		URL:       env("NIMBUS_URL"),
		ProjectID: env("NIMBUS_PROJECT_ID"),
		KeyID:     env("NIMBUS_KEY_ID"),
		Secret:    env("NIMBUS_SECRET"),
		OnDrop:    func(e nimbus.Event, why error) { slog.Error("not tracked", "event", e.Name, "error", why) },
	})
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return errors.Join(err, tracker.Close(ctx))
	}
	server := &http.Server{Handler: routes(tracker), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	listening(ln.Addr().String())
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	// First the requests, which may still track something, then the tracker.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(grace), tracker.Close(grace))
}

func routes(tracker *nimbus.Tracker) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Welcome.") })
	var orders sync.Map // when each was placed; a database, in a real shop
	mux.HandleFunc("POST /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		placed, _ := orders.LoadOrStore(id, time.Now())
		at, _ := placed.(time.Time)
		// A client that repeats its request has ordered once, and is counted once: key and ts are those of the order.
		err := tracker.Track(r.Context(), "ordered", map[string]any{"order": id},
			nimbus.WithUserID(r.Header.Get("X-User")), nimbus.WithIdempotencyKey("order-"+id), nimbus.WithTS(at))
		if err != nil {
			slog.Warn("not tracked", "error", err) // and served all the same
		}
		w.WriteHeader(http.StatusAccepted)
	})
	return trackRequests(tracker, mux)
}

// trackRequests tracks each request: its route rather than its path, which would be a value of its own for every order.
func trackRequests(tracker *nimbus.Tracker, next *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		_, route := next.Handler(r)
		next.ServeHTTP(seen, r)
		took := float64(time.Since(begun).Microseconds()) / 1000
		props := map[string]any{"method": r.Method, "route": route, "status": seen.status, "ms": took}
		err := tracker.Track(r.Context(), "http_request", props, nimbus.WithUserID(r.Header.Get("X-User")))
		if err != nil {
			slog.Warn("not tracked", "error", err)
		}
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status and passes it on.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController through.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
