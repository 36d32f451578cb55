package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server holds the sessions: each test opens one of its own, so that tests run side by side. It is an http.Handler.
type Server struct {
	mu       sync.Mutex
	sessions map[string]*session
}

// NewServer returns a server without sessions.
func NewServer() *Server { return &Server{sessions: make(map[string]*session)} }

// ServeHTTP serves the control protocol of README.md and, below the URL of each session, everything else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	allowBrowsers(w.Header())
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.URL.Path == "/__script" && r.Method == http.MethodPost {
		s.open(w, r)
		return
	}
	id, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s.mu.Lock()
	x := s.sessions[id]
	s.mu.Unlock()
	if x == nil {
		http.Error(w, "no such session; POST /__script opens one and answers with its url", http.StatusNotFound)
		return
	}
	switch r.Method + " " + rest {
	case "POST __script":
		script, err := readScript(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		x.follow(script)
		w.WriteHeader(http.StatusNoContent)
	case "GET __requests":
		x.report(w, r)
	case "POST __release":
		x.letGo()
		w.WriteHeader(http.StatusNoContent)
	default:
		x.serve(w, r)
	}
}

// allowBrowsers lets a page of any origin be the client.
func allowBrowsers(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "*")
	h.Set("Access-Control-Allow-Headers", "*, Authorization, Content-Type, Content-Encoding, X-Write-Key")
	h.Set("Access-Control-Expose-Headers", "Date, Retry-After, X-Request-Id")
	h.Set("Access-Control-Max-Age", "600")
}

func readScript(r *http.Request) (*Script, error) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields() // a misspelt instruction would make a test that tests nothing
	var script Script
	if err := d.Decode(&script); err != nil {
		return nil, fmt.Errorf("the script cannot be read: %w", err)
	}
	return &script, script.complete()
}

func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	script, err := readScript(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	id := strconv.Itoa(len(s.sessions) + 1)
	s.sessions[id] = newSession(script)
	s.mu.Unlock()
	writeJSON(w, http.StatusCreated, map[string]string{"url": "http://" + r.Host + "/" + id})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}

// waitLimit is the time-out of a wait; it is well above the time-outs of the tests.
const waitLimit = 2 * time.Minute

// report answers with what has arrived; with ?requests=n or ?waiting=n as soon as there are so many.
func (x *session) report(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	answered, err1 := number(q.Get("requests"))
	waiting, err2 := number(q.Get("waiting"))
	if err1 != nil || err2 != nil {
		http.Error(w, "requests and waiting are numbers", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), waitLimit)
	defer cancel()
	for {
		report, news := x.look()
		if len(report.Requests)-report.Waiting >= answered && report.Waiting >= waiting {
			writeJSON(w, http.StatusOK, report)
			return
		}
		select {
		case <-news:
		case <-ctx.Done():
			writeJSON(w, http.StatusRequestTimeout, report)
			return
		}
	}
}

func number(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.Atoi(s)
}
