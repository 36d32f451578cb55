package events

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/auth"
	"github.com/bahagh/nimbus/internal/problem"
	"github.com/bahagh/nimbus/internal/wire"
)

// Event is an event as it is stored.
type Event struct {
	ProjectID   uuid.UUID
	ID          uuid.UUID
	TS          time.Time // to the microsecond
	ReceivedAt  time.Time
	Seq         int64
	Name        string
	UserID      string // empty when there is none
	AnonymousID string // empty when there is none
	Props       []byte // a JSON object
}

// Incoming is an event as it was sent, already checked against the contract.
type Incoming struct {
	Index          int // position in the request
	Name           string
	TS             time.Time // zero when it was not given
	UserID         string
	AnonymousID    string
	IdempotencyKey string
	Seq            int64
	Props          []byte // nil when there are none
	KeyAlone       bool   // with an idempotency key it is the same event whatever its TS
}

// Result says what happened to the events of one request.
type Result struct {
	Accepted   int
	Duplicates int
	Rejected   int
	Errors     []wire.FieldError // of the rejected events, by index
}

// Ingester applies the rules and hands the events to the batcher.
type Ingester struct {
	batcher *Batcher
	now     func() time.Time
	metrics *ingestMetrics
}

// NewIngester returns an Ingester in front of a running batcher.
func NewIngester(b *Batcher, now func() time.Time) *Ingester {
	return &Ingester{batcher: b, now: now, metrics: b.metrics}
}

var emptyProps = []byte("{}")

// Ingest stores the events of one request and returns after the commit. invalid holds what the contract check found
// wrong with the other events of the request; it is counted and returned with what is found here.
//
// The strings and props of the events may alias the request's body: they are not used after Ingest returns.
//
// Errors: a problem of status 422 (no event is left to store), 503 (queue full, database away, shutting down).
func (i *Ingester) Ingest(ctx context.Context, p *auth.Principal, events []Incoming, invalid []wire.FieldError) (Result, error) {
	now := i.now()
	errs := invalid
	b := newBatch(len(events))
	for k := range events {
		in := &events[k]
		ts := i.timestamp(in, p, now)
		if e, bad := checkTS(ts, now); bad {
			e.Pointer, e.Item = fmt.Sprintf("/events/%d/ts", in.Index), in.Index
			errs = append(errs, e)
			continue
		}
		props := in.Props
		if props == nil {
			props = emptyProps
		}
		id := identity{
			projectID: p.ProjectID, ts: ts, name: in.Name, userID: in.UserID, anonymousID: in.AnonymousID,
			key: in.IdempotencyKey, signature: p.Signature, position: in.Index,
		}
		w := b.add(Event{
			ProjectID: p.ProjectID, ID: id.id(), TS: ts, ReceivedAt: now, Seq: in.Seq, Name: in.Name,
			UserID: in.UserID, AnonymousID: in.AnonymousID, Props: props,
		}, in.Index)
		if (in.TS.IsZero() || in.KeyAlone) && in.IdempotencyKey != "" {
			w.keyHash = id.keyHash()
		}
	}
	res := Result{Errors: errs, Rejected: wire.Errors(errs).Items()}
	i.metrics.reject(errs)
	if len(b.writes) == 0 {
		return res, allRejected(res)
	}
	if err := i.batcher.Submit(ctx, b); err != nil {
		return Result{}, err
	}
	for k := range b.writes {
		switch w := &b.writes[k]; w.state {
		case stored:
			res.Accepted++
		case duplicate:
			res.Duplicates++
		case refused:
			e := wire.FieldError{In: "body", Pointer: fmt.Sprintf("/events/%d", w.index), Code: "not_storable",
				Detail: "the database refuses this event; its neighbours are stored", Item: w.index}
			res.Errors = append(res.Errors, e)
			res.Rejected++
			i.metrics.reject([]wire.FieldError{e})
		case waiting: // none is, once Submit has succeeded
		}
	}
	i.metrics.accepted.Add(float64(res.Accepted))
	i.metrics.duplicates.Add(float64(res.Duplicates))
	if res.Accepted+res.Duplicates == 0 {
		return res, allRejected(res)
	}
	return res, nil
}

// timestamp is the event's own, else that of the signed request (so that a replay gives the same event), else now.
// PostgreSQL keeps microseconds, and the id is made of what is kept.
func (i *Ingester) timestamp(in *Incoming, p *auth.Principal, now time.Time) time.Time {
	switch {
	case !in.TS.IsZero():
		return in.TS.UTC().Truncate(time.Microsecond)
	case p.Signature != "":
		return time.Unix(p.SignedAt, 0).UTC()
	default:
		return now.UTC().Truncate(time.Microsecond)
	}
}

func checkTS(ts, now time.Time) (wire.FieldError, bool) {
	e := wire.FieldError{In: "body"}
	switch {
	case ts.Before(minTS):
		e.Code, e.Detail = "minimum", "must not be before 1971-01-01T00:00:00Z"
	case ts.After(now.Add(maxAhead)):
		e.Code, e.Detail = "maximum", fmt.Sprintf("must not be more than 24 hours ahead of the server's clock, which is at %s",
			now.UTC().Format(time.RFC3339))
	default:
		return e, false
	}
	return e, true
}

func allRejected(res Result) error {
	p := problem.New(problem.CodeAllRejected, "None of the %d events can be stored; errors says why.", res.Rejected)
	p.Fields = res.Errors
	return p
}
