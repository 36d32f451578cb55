package sdktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Script says how a session behaves. A zero field has the default named beside it.
type Script struct {
	KeyID    string `json:"key_id"`    // whose signatures are valid; "nk_test"
	Secret   string `json:"secret"`    // signs, and is accepted as X-API-Key; "ns_test"
	WriteKey string `json:"write_key"` // accepted as X-Write-Key; "nw_test"

	ClockAheadSeconds int64 `json:"clock_ahead_seconds"` // the server's clock minus the real one; 0
	MaxBodyBytes      int   `json:"max_body_bytes"`      // more, compressed or not, is a 413; 10 MiB
	MaxEvents         int   `json:"max_events"`          // more is a 422; 10,000
	MaxOperations     int   `json:"max_operations"`      // the same of changes of profiles; 1,000

	Replies []Reply `json:"replies"` // to the requests, in order; after the last every answer is a correct one
}

// Reply is the answer to one request. The zero Reply is the correct one.
type Reply struct {
	Status  int               `json:"status"`   // instead of the correct answer; nothing is stored
	Headers map[string]string `json:"headers"`  // added to the answer
	Body    json.RawMessage   `json:"body"`     // with status; a string is sent as its text; otherwise a problem of the status
	DelayMS int               `json:"delay_ms"` // waited before the answer
	Hold    bool              `json:"hold"`     // wait for POST __release before the answer
	Drop    Drop              `json:"drop"`     // cut the connection instead of an answer
	Times   int               `json:"times"`    // this reply answers so many requests; 1
}

// Drop says when a connection is cut.
type Drop string

// The moments.
const (
	DropNever  Drop = ""
	DropBefore Drop = "before" // nothing is stored
	DropAfter  Drop = "after"  // everything is stored, and only the answer is lost
)

// Request is a request that arrived, and its outcome.
type Request struct {
	ReceivedAt time.Time         `json:"received_at"`
	Method     string            `json:"method"`
	Path       string            `json:"path"` // as sent, the session's prefix included; what is signed begins at /v1
	Query      string            `json:"query"`
	Headers    map[string]string `json:"headers"` // names in lower case
	Signature  Verdict           `json:"signature"`
	BodyBytes  int               `json:"body_bytes"` // as sent
	Text       string            `json:"text"`       // the body, decompressed
	ProjectID  string            `json:"project_id"`
	Events     []map[string]any  `json:"events"`
	Operations []map[string]any  `json:"operations"` // changes of profiles
	Status     int               `json:"status"`     // answered; 0 while it waits, and when the connection was cut
}

// Verdict is the result of verifying a signature.
type Verdict string

// The verdicts.
const (
	Absent  Verdict = "absent"
	Valid   Verdict = "valid"
	Invalid Verdict = "invalid"
	Stale   Verdict = "stale" // right, and more than 300 s from the server's clock
)

// Report is the requests and the stored events of a session.
type Report struct {
	Requests []Request `json:"requests"`
	Stored   []string  `json:"stored"` // idempotency keys, in the order they were stored
	Waiting  int       `json:"waiting"`
}

func (s *Script) complete() error {
	if s.KeyID == "" {
		s.KeyID = "nk_test"
	}
	if s.Secret == "" {
		s.Secret = "ns_test"
	}
	if s.WriteKey == "" {
		s.WriteKey = "nw_test"
	}
	if s.MaxBodyBytes == 0 {
		s.MaxBodyBytes = 10 << 20
	}
	if s.MaxEvents == 0 {
		s.MaxEvents = 10_000
	}
	if s.MaxOperations == 0 {
		s.MaxOperations = 1000
	}
	var replies []Reply
	for k, r := range s.Replies {
		switch {
		case r.Drop != DropNever && r.Drop != DropBefore && r.Drop != DropAfter:
			return fmt.Errorf("replies[%d].drop: %q is neither before nor after", k, r.Drop)
		case r.Drop != DropNever && r.Status != 0:
			return fmt.Errorf("replies[%d]: a connection that is cut carries no status", k)
		case r.Status != 0 && (r.Status < 200 || r.Status > 599):
			return fmt.Errorf("replies[%d].status: %d", k, r.Status)
		case r.Status == 0 && r.Body != nil:
			return fmt.Errorf("replies[%d]: a body needs its status", k)
		case r.Times < 0 || r.DelayMS < 0:
			return errors.New("times and delay_ms are not negative")
		}
		for range max(r.Times, 1) {
			replies = append(replies, r)
		}
	}
	s.Replies = replies
	return nil
}

// answer is what is written.
type answer struct {
	status int
	typ    string
	body   []byte
}

func (r *Reply) answer() answer {
	const jsonType, problemType = "application/json", "application/problem+json"
	var text string
	switch {
	case r.Body == nil && r.Status >= http.StatusBadRequest:
		return problem(r.Status, "scripted", "The script said so.")
	case r.Body == nil:
		return answer{status: r.Status, typ: jsonType}
	case json.Unmarshal(r.Body, &text) == nil:
		return answer{r.Status, "text/plain; charset=utf-8", []byte(text)}
	case r.Status >= http.StatusBadRequest:
		return answer{r.Status, problemType, r.Body}
	}
	return answer{r.Status, jsonType, r.Body}
}

func problem(status int, code, detail string) answer {
	b, err := json.Marshal(map[string]any{"type": "/docs/errors#" + code, "title": http.StatusText(status), "status": status,
		"detail": detail, "code": code, "request_id": "req_test"})
	if err != nil {
		panic(err) // strings and a number
	}
	return answer{status, "application/problem+json", b}
}
