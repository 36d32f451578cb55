package sdktest

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// session is the state of one test.
type session struct {
	mu       sync.Mutex
	script   *Script
	requests []*Request
	waiting  int
	stored   map[string]bool
	order    []string
	news     chan struct{} // closed and renewed at every change
	release  chan struct{} // closed and renewed by __release
}

func newSession(script *Script) *session {
	return &session{script: script, stored: make(map[string]bool), news: make(chan struct{}), release: make(chan struct{})}
}

// follow replaces the script; what has arrived and is stored stays.
func (x *session) follow(script *Script) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.script = script
}

func (x *session) letGo() {
	x.mu.Lock()
	defer x.mu.Unlock()
	close(x.release)
	x.release = make(chan struct{})
}

func (x *session) look() (*Report, <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	report := &Report{Requests: make([]Request, len(x.requests)), Stored: slices.Clone(x.order), Waiting: x.waiting}
	for k, r := range x.requests {
		report.Requests[k] = *r
	}
	if report.Stored == nil {
		report.Stored = []string{}
	}
	return report, x.news
}

func (x *session) changed() {
	close(x.news)
	x.news = make(chan struct{})
}

// maxRead bounds the bytes read of any request; an SDK that sends more has a bug that must show.
const maxRead = 64 << 20

func (x *session) serve(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxRead))
	if err != nil {
		return // the client has gone, and the request has not arrived
	}
	reply, req, release := x.arrive(r, raw)
	if reply.DelayMS > 0 {
		select {
		case <-time.After(time.Duration(reply.DelayMS) * time.Millisecond):
		case <-r.Context().Done():
		}
	}
	if reply.Hold {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	a, cut := x.settle(r, raw, reply, req)
	if cut {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	h := w.Header()
	h.Set("Content-Type", a.typ)
	h.Set("Date", x.now().UTC().Format(http.TimeFormat))
	h.Set("X-Request-Id", "req_test")
	for name, value := range reply.Headers {
		h.Set(name, value)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client may have gone
}

// arrive notes the request and takes its reply from the script.
func (x *session) arrive(r *http.Request, raw []byte) (Reply, *Request, <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	req := &Request{ReceivedAt: time.Now(), Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		Headers: map[string]string{}, Signature: x.verdict(r, raw), BodyBytes: len(raw)}
	for name, values := range r.Header {
		req.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	if text, err := decompress(r.Header.Get("Content-Encoding"), raw); err == nil {
		req.Text = string(text)
		var body struct {
			ProjectID  string           `json:"project_id"`
			Events     []map[string]any `json:"events"`
			Operations []map[string]any `json:"operations"`
		}
		if json.Unmarshal(text, &body) == nil {
			req.ProjectID, req.Events, req.Operations = body.ProjectID, body.Events, body.Operations
		}
	}
	x.requests = append(x.requests, req)
	x.waiting++
	x.changed()
	var reply Reply
	if len(x.script.Replies) > 0 {
		reply, x.script.Replies = x.script.Replies[0], x.script.Replies[1:]
	}
	return reply, req, x.release
}

// settle decides on the answer; cut when there is none.
func (x *session) settle(r *http.Request, raw []byte, reply Reply, req *Request) (a answer, cut bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiting--
	defer x.changed()
	switch {
	case reply.Drop == DropBefore:
		return answer{}, true
	case reply.Status != 0:
		a = reply.answer()
	default:
		a = x.honest(r, raw, req)
		if reply.Drop == DropAfter {
			return answer{}, true
		}
	}
	req.Status = a.status
	return a, false
}

// honest gives the correct answer, as Nimbus does.
func (x *session) honest(r *http.Request, raw []byte, req *Request) answer {
	text, err := decompress(r.Header.Get("Content-Encoding"), raw)
	switch {
	case len(raw) > x.script.MaxBodyBytes || len(text) > x.script.MaxBodyBytes:
		return problem(http.StatusRequestEntityTooLarge, "body_too_large", "The body is limited.")
	case !x.knows(r, req.Signature):
		switch req.Signature {
		case Stale:
			return problem(http.StatusUnauthorized, "stale_timestamp", "The timestamp is more than 300 s from the server's clock.")
		case Invalid:
			return problem(http.StatusUnauthorized, "invalid_signature", "The signature does not match.")
		case Absent, Valid:
		}
		return problem(http.StatusUnauthorized, "unauthenticated", "Credentials are missing.")
	case err != nil:
		return problem(http.StatusBadRequest, "malformed_encoding", err.Error())
	}
	sent, other, most := req.Events, req.Operations, x.script.MaxEvents
	switch {
	case strings.HasSuffix(req.Path, "/v1/people/operations"):
		sent, other, most = req.Operations, req.Events, x.script.MaxOperations
	case !strings.HasSuffix(req.Path, "/v1/events"):
		return problem(http.StatusNotFound, "not_found", "There is no such path.")
	}
	if len(sent) == 0 || len(sent) > most || len(other) > 0 {
		return problem(http.StatusUnprocessableEntity, "validation_failed", "A batch has 1 to "+strconv.Itoa(most)+" of one kind.")
	}
	accepted, duplicates := 0, 0
	for k, e := range sent {
		key, _ := e["idempotency_key"].(string)
		if key == "" {
			key = fmt.Sprintf("without a key: request %d, item %d", len(x.requests), k)
		}
		if x.stored[key] {
			duplicates++
			continue
		}
		x.stored[key] = true
		x.order = append(x.order, key)
		accepted++
	}
	b, err := json.Marshal(map[string]any{"accepted": accepted, "duplicates": duplicates, "rejected": 0, "errors": []any{}})
	if err != nil {
		panic(err) // numbers
	}
	return answer{http.StatusOK, "application/json", b}
}

// knows tells whether one of the three kinds of credentials is right.
func (x *session) knows(r *http.Request, signature Verdict) bool {
	return signature == Valid || r.Header.Get("X-Api-Key") == x.script.Secret || r.Header.Get("X-Write-Key") == x.script.WriteKey
}

// verdict verifies the signature by the rule of the contract, implemented here again so that no SDK is tested against
// itself.
func (x *session) verdict(r *http.Request, raw []byte) Verdict {
	id, ts, given := r.Header.Get("X-Api-Key-Id"), r.Header.Get("X-Api-Timestamp"), r.Header.Get("X-Api-Signature")
	if id == "" && ts == "" && given == "" {
		return Absent
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if from := strings.LastIndex(path, "/v1/"); from > 0 {
		path = path[from:] // what Nimbus sees behind a proxy that takes the prefix away
	}
	mac := hmac.New(sha256.New, []byte(x.script.Secret))
	_, _ = fmt.Fprintf(mac, "%s:%s:%s:%s", ts, r.Method, path, raw) // a hash does not fail
	seconds, err := strconv.ParseInt(ts, 10, 64)
	if err != nil || id != x.script.KeyID || given != hex.EncodeToString(mac.Sum(nil)) {
		return Invalid
	}
	if age := x.at().Unix() - seconds; age > 300 || age < -300 {
		return Stale
	}
	return Valid
}

func (x *session) now() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.at()
}

func (x *session) at() time.Time {
	return time.Now().Add(time.Duration(x.script.ClockAheadSeconds) * time.Second)
}

func decompress(encoding string, raw []byte) ([]byte, error) {
	switch encoding {
	case "":
		return raw, nil
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(io.LimitReader(z, maxRead))
	}
	return nil, fmt.Errorf("%q is no encoding of the tests", encoding)
}
