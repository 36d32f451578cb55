// Package nimbustest lets programs test what they track, without a server.
//
//	tracker, sent := nimbustest.Tracker(t)
//	handler := NewHandler(tracker)
//	…
//	for _, e := range sent.Events(t) { … }
package nimbustest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	nimbus "github.com/bahagh/nimbus/sdk/go"
)

// closeTimeout ends a test whose events cannot be delivered.
const closeTimeout = 10 * time.Second

// Recorder stands in for the server: an [http.RoundTripper] that stores each event and each operation once and answers like the
// server. Events with the same idempotency key, ts, name and person are the same event; of operations the ts does not matter. The
// zero value is ready: make the
// tracker's HTTPClient from it, or take the one of [Tracker].
//
// It checks neither credentials nor what it gets. What the tracker itself refuses never gets here.
type Recorder struct {
	mu         sync.Mutex
	tracker    *nimbus.Tracker
	events     []nimbus.Event
	operations []nimbus.Operation
	seen       map[identity]bool
	requests   int
	failures   []int
}

// identity is what makes two events, or two operations, with an idempotency key the same to the server.
type identity struct {
	project             uuid.UUID
	ts                  int64 // in microseconds
	name                string
	userID, anonymousID string // the second only without the first
	group               nimbus.Group
	key                 string
}

func identify(project uuid.UUID, e *nimbus.Event) identity {
	i := identity{project: project, ts: e.TS.UnixMicro(), name: e.Name, userID: e.UserID, key: e.IdempotencyKey}
	if e.UserID == "" {
		i.anonymousID = e.AnonymousID
	}
	return i
}

func identifyOperation(project uuid.UUID, o *nimbus.Operation) identity {
	i := identity{project: project, name: string(o.Op), userID: o.UserID, group: o.Group, key: o.IdempotencyKey}
	if o.UserID == "" {
		i.anonymousID = o.AnonymousID
	}
	return i
}

// Tracker returns a tracker that sends to the recorder, and is closed with the test. Each change sees the configuration
// before the tracker is made, to set such as WhenFull or OnDrop.
func Tracker(t testing.TB, change ...func(*nimbus.Config)) (*nimbus.Tracker, *Recorder) {
	t.Helper()
	r := &Recorder{}
	c := nimbus.Config{URL: "http://nimbus.test", ProjectID: "3fa85f64-5717-4562-b3fc-2c963f66afa6", Secret: "ns_test",
		HTTPClient: &http.Client{Transport: r}}
	for _, f := range change {
		f(&c)
	}
	tracker, err := nimbus.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r.tracker = tracker
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if err := tracker.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return tracker, r
}

// Events flushes the tracker, if the recorder came with one, and returns what was stored, in the order it arrived.
func (r *Recorder) Events(t testing.TB) []nimbus.Event {
	t.Helper()
	r.flush(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]nimbus.Event(nil), r.events...)
}

// Operations does what Events does, for operations.
func (r *Recorder) Operations(t testing.TB) []nimbus.Operation {
	t.Helper()
	r.flush(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]nimbus.Operation(nil), r.operations...)
}

func (r *Recorder) flush(t testing.TB) {
	t.Helper()
	if r.tracker == nil {
		return
	}
	if err := r.tracker.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Requests returns how many requests have arrived.
func (r *Recorder) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// Fail answers the next requests with these statuses, one each, and stores nothing of them; 0 breaks the connection.
func (r *Recorder) Fail(statuses ...int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, statuses...)
}

// RoundTrip answers a request.
func (r *Recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, err := read(req)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	if len(r.failures) > 0 {
		status := r.failures[0]
		r.failures = r.failures[1:]
		if status == 0 {
			return nil, io.ErrUnexpectedEOF
		}
		problem := nimbus.APIError{Status: status, Code: "test", Title: http.StatusText(status)}
		return answer(req, status, "application/problem+json", problem)
	}
	var result struct {
		Accepted   int `json:"accepted"`
		Duplicates int `json:"duplicates"`
	}
	count := func(fresh bool) bool {
		if fresh {
			result.Accepted++
		} else {
			result.Duplicates++
		}
		return fresh
	}
	for k := range sent.Events {
		if e := &sent.Events[k]; count(r.fresh(identify(sent.ProjectID, e))) {
			r.events = append(r.events, *e)
		}
	}
	for k := range sent.Operations {
		if o := &sent.Operations[k]; count(r.fresh(identifyOperation(sent.ProjectID, o))) {
			r.operations = append(r.operations, *o)
		}
	}
	return answer(req, http.StatusOK, "application/json", result)
}

// fresh reports whether it comes for the first time. Without a key it always does. The caller holds mu.
func (r *Recorder) fresh(id identity) bool {
	if r.seen == nil {
		r.seen = make(map[identity]bool)
	}
	again := id.key != "" && r.seen[id]
	r.seen[id] = true
	return !again
}

// batch is the body of a request.
type batch struct {
	ProjectID  uuid.UUID          `json:"project_id"`
	Events     []nimbus.Event     `json:"events"`
	Operations []nimbus.Operation `json:"operations"`
}

func read(req *http.Request) (*batch, error) {
	defer req.Body.Close()
	var body io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = z
	}
	var b batch
	if err := json.NewDecoder(body).Decode(&b); err != nil {
		return nil, err
	}
	return &b, nil
}

func answer(req *http.Request, status int, mediaType string, v any) (*http.Response, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {mediaType}},
		Body:   io.NopCloser(bytes.NewReader(b)), ContentLength: int64(len(b)),
		Request: req,
	}, nil
}
