package nimbus

import (
	"encoding/json"
	"time"
)

// Event is something that happened, as the server stores it. Only Name is required.
type Event struct {
	Name           string          `json:"name"`                      // what happened, 1 to 200 characters
	TS             time.Time       `json:"ts,omitzero"`               // when; to the microsecond, not before 1971
	UserID         string          `json:"user_id,omitempty"`         // who did it, once known
	AnonymousID    string          `json:"anonymous_id,omitempty"`    // who did it, before it is known
	IdempotencyKey string          `json:"idempotency_key,omitempty"` // stored once by it, ts, name and person
	Seq            int64           `json:"seq,omitempty"`             // orders events of the same ts
	Props          json.RawMessage `json:"props,omitempty"`           // a JSON object of at most 32 KiB, nested 8 deep
}

// FieldError says what is wrong with one field.
type FieldError struct {
	In      string `json:"in,omitempty"`    // where a field of a request is: body, query, path or header
	Index   *int   `json:"index,omitempty"` // the position of the event in its batch
	Pointer string `json:"pointer"`         // JSON pointer (RFC 6901) of the field; for a parameter, / and its name
	Code    string `json:"code"`            // stable and documented
	Detail  string `json:"detail"`          // what it must be
}

// ingestResult is the server's answer to a batch.
type ingestResult struct {
	Accepted   int          `json:"accepted"`
	Duplicates int          `json:"duplicates"`
	Rejected   int          `json:"rejected"`
	Errors     []FieldError `json:"errors"` // each has its index
}
