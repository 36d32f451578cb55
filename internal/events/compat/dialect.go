package compat

import (
	"net/http"
	"time"

	"github.com/bahagh/nimbus/internal/events/ingest"
)

// Dialect is the wire format of one vendor.
type Dialect interface {
	// Name is its x-dialect in the contract, and the source of its events in metrics.
	Name() string
	// Stub answers an operation that stores nothing; nil for one that does.
	Stub(c *Call) *Answer
	// Read reads the items of a request. The error, for a body that cannot be decoded, is answered with Refused.
	Read(c *Call) (*Batch, error)
	// Again reads one item of the quarantine as Read would have read it in a request to the operation.
	Again(operation string, raw []byte) Item
	// Stored answers a request whose items are stored or in quarantine.
	Stored(c *Call, b *Batch) Answer
	// Refused answers a request of which nothing is stored.
	Refused(c *Call, why Failure) Answer
}

// Archive reads what a vendor gives out: the lines of its exports.
type Archive interface {
	// Archived maps one line. It says the same as the SDK that sent it, so that an event which was sent to Nimbus, too, is
	// the same event.
	Archived(line []byte) Item
}

// Call is a request to an operation of a dialect.
type Call struct {
	Operation string // its operationId
	Request   *http.Request
	Base      string                   // the path below which browsers find the server; the request is without it
	Param     func(name string) string // of the path
	Body      []byte                   // without its compression
	Now       time.Time
}

// Batch is the items of a request.
type Batch struct {
	Key    string // a write key, for the items that name none
	Secret string // an API secret, where the vendor takes one; it goes before keys
	SDK    string // as it names itself
	Items  []Item
}

// Item is what was sent as one event or one operation on a profile.
type Item struct {
	Raw    []byte // as it was sent, for the quarantine
	Key    string // the write key that it names itself; empty: that of its batch
	Event  ingest.Incoming
	Ops    []ingest.Operation
	Reason string // why it cannot be stored, for programs; empty when it can
	Detail string // for people
	Kept   bool   // in quarantine, once the batch was stored
}

// Bad marks an item as one that cannot be stored.
func (i *Item) Bad(reason, detail string) {
	if i.Reason == "" {
		i.Reason, i.Detail = reason, detail
	}
}

// Answer is a reply as a vendor's SDK wants it.
type Answer struct {
	Status int
	Type   string
	Body   []byte
	Header map[string]string
}

// JSON is an answer of status 200.
func JSON(body string) Answer {
	return Answer{Status: http.StatusOK, Type: "application/json", Body: []byte(body)}
}

// Failure says why nothing of a request is stored.
type Failure struct {
	Kind   FailureKind
	Detail string
}

// FailureKind is what the sender can do about a failure.
type FailureKind int

// The kinds of failures.
const (
	Undecodable FailureKind = iota // the body is nothing that the dialect knows
	BadKey                         // no key, or none that works
	TooLarge                       // the body
	Busy                           // try again: Retry-After says when
)

// Status is the usual status of a failure.
func (f Failure) Status() int {
	switch f.Kind {
	case BadKey:
		return http.StatusUnauthorized
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case Busy:
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadRequest
	}
}
