package ingest

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/quota"
)

// Request is events and profile operations of one project that came in together. They are stored, and answered, as a whole.
type Request struct {
	ProjectID uuid.UUID
	Source    Source
	// At is the time of events that have none of their own: that of a signed request, so that a replay gives the same
	// events. The zero time means now.
	At time.Time
	// Seed is what makes the events of this request the same events when it is sent again: its signature, or the
	// place in a file or a log that it was read from. Empty when nothing does; an event with an idempotency key needs
	// none. So it is with operations.
	Seed       string
	Events     []Incoming
	Operations []Operation
}

// Source is the way by which a request came in.
type Source struct {
	Kind  string // native, or the name of a vendor's protocol; a label of metrics, so one of few
	KeyID string // of the key that let it in; empty when there was none
}

// Incoming is an event as it was sent, already checked against the contract of its source.
type Incoming struct {
	Position       int // in what was sent: with Seed, part of the id of an event without a key
	Name           string
	TS             time.Time // zero when it was not given
	UserID         string
	AnonymousID    string
	IdempotencyKey string
	Seq            int64
	Props          []byte // a JSON object; nil when there are none
	KeyAlone       bool   // with an idempotency key it is the same event whatever its TS
	// SentTS is what TS was before it was corrected for a wrong clock; zero when it was not. An attempt that looked right, and
	// so was stored with the time that it was sent with, is found by it.
	SentTS time.Time
}

// Outcome is what became of one event.
type Outcome uint8

// The outcomes of an event. The zero value is for one whose transaction has not ended.
const (
	waiting   Outcome = iota
	Stored            // committed by this request
	Duplicate         // was there before, or stands in the same transaction already
	Refused           // by a rule, or by the database
)

// Result is the outcome of one event, with the reason when it was refused.
type Result struct {
	Outcome        Outcome
	CountedAsOther bool     // counted under rollups.Other: its project has as many names as it may
	Refusal        *Refusal // of a refused event, else nil
}

// Refusal says why an event or an operation was refused.
type Refusal struct {
	Field  string // of it: ts, group/key, or "" for all of it
	Code   string // for programs
	Detail string // for people
}

// Ingester applies the rules and hands the events to the batcher.
type Ingester struct {
	batcher *Batcher
	quotas  *quota.Keeper
	now     func() time.Time
	metrics *ingestMetrics
}

// NewIngester returns an Ingester in front of a running batcher. Without quotas, which may be nil, a project may store
// everything.
func NewIngester(b *Batcher, quotas *quota.Keeper, now func() time.Time) *Ingester {
	return &Ingester{batcher: b, quotas: quotas, now: now, metrics: b.metrics}
}

var emptyProps = []byte("{}")

// Ingest stores the events and operations of one request and returns after the commit, with one result for each event in their
// order, and one for each operation. When everything is refused, nothing is stored, and that is no error: the caller says so in
// its own protocol.
//
// The strings and props may alias the request's body: they are not used after Ingest returns.
//
// Errors: a problem of status 503 (queue full, database away, disk nearly full, shutting down), or 429 (the project has
// stored as much as it may). Then nothing is stored, or, when the detail says so, it is not known.
func (i *Ingester) Ingest(ctx context.Context, r *Request) ([]Result, []OperationResult, error) {
	now := i.now()
	results, changes := make([]Result, len(r.Events)), make([]OperationResult, len(r.Operations))
	b := newBatch(len(r.Events), r.Source)
	for k := range r.Events {
		in := &r.Events[k]
		ts := timestamp(in.TS, r, now)
		if refusal := checkTS(ts, now); refusal != nil {
			results[k] = Result{Outcome: Refused, Refusal: refusal}
			continue
		}
		i.addTo(b, r, k, ts, now)
	}
	for k := range r.Operations {
		if refusals := b.addOperation(r, k, now); refusals != nil {
			changes[k] = OperationResult{Outcome: Refused, Refusals: refusals}
		}
	}
	if err := i.store(ctx, r.ProjectID, b); err != nil {
		return nil, nil, err
	}
	for k := range b.rows {
		row := &b.rows[k]
		out := &results[row.index]
		out.Outcome = row.outcome
		switch row.outcome {
		case Stored:
			out.CountedAsOther = row.CountedAsOther
		case Refused:
			out.Refusal = notStorable
		default:
		}
	}
	for k := range b.operations {
		out := &changes[b.operations[k].index]
		if out.Outcome = b.operations[k].outcome; out.Outcome == Refused {
			out.Refusals = []*Refusal{notStorable}
		}
	}
	i.metrics.count(r.Source, results)
	i.metrics.countOperations(r.Source, changes)
	return results, changes, nil
}

// notStorable is for what the rules let through and the database does not take.
var notStorable = &Refusal{Code: "not_storable", Detail: "the database refuses it; its neighbours are stored"}

// store hands a batch to the batcher, as far as the project may store it.
func (i *Ingester) store(ctx context.Context, project uuid.UUID, b *batch) error {
	if b.size() == 0 {
		return nil
	}
	if i.quotas == nil {
		return i.batcher.Submit(ctx, b)
	}
	may, err := i.quotas.Admit(ctx, project, len(b.rows), int64(b.bytes))
	if err != nil {
		return err
	}
	for k := range b.rows {
		b.rows[k].CountedAsOther = may.CountedAsOther(b.rows[k].Name)
	}
	if err := i.batcher.Submit(ctx, b); err != nil {
		return err
	}
	stored, asOther, operations := 0, 0, 0
	for k := range b.rows {
		if b.rows[k].outcome == Stored {
			stored++
			if b.rows[k].CountedAsOther {
				asOther++
			}
		}
	}
	for k := range b.operations {
		if b.operations[k].outcome == Stored {
			operations++
		}
	}
	may.Stored(stored, asOther, int64(b.bytes)*int64(stored+operations)/int64(b.size()))
	return nil
}

// addTo adds event k of the request to the batch.
func (i *Ingester) addTo(b *batch, r *Request, k int, ts, now time.Time) {
	in := &r.Events[k]
	props := in.Props
	if props == nil {
		props = emptyProps
	}
	id := identity{
		projectID: r.ProjectID, ts: ts, name: in.Name, userID: in.UserID, anonymousID: in.AnonymousID,
		key: in.IdempotencyKey, seed: r.Seed, position: in.Position,
	}
	row := b.add(events.Event{
		ProjectID: r.ProjectID, ID: id.id(), TS: ts, ReceivedAt: now, Seq: in.Seq, Name: in.Name,
		UserID: in.UserID, AnonymousID: in.AnonymousID, Props: props,
	}, k)
	if (in.TS.IsZero() || in.KeyAlone) && in.IdempotencyKey != "" {
		row.KeyHash = id.keyHash()
		if !in.SentTS.IsZero() {
			id.ts = in.SentTS.UTC().Truncate(time.Microsecond)
			row.SentID = id.id()
		}
	}
}

// Reject counts events that were refused before they came to Ingest, because they break the contract of their source: a
// code for each error.
func (i *Ingester) Reject(codes ...string) {
	for _, code := range codes {
		i.metrics.rejected.WithLabelValues(code).Inc()
	}
}

// RejectOperation counts an error of an operation on a profile that was refused for the same reason.
func (i *Ingester) RejectOperation(code string) { i.metrics.refused.WithLabelValues(code).Inc() }

// timestamp is its own, else that of the request, else now. PostgreSQL keeps microseconds, and the id is made
// of what is kept.
func timestamp(own time.Time, r *Request, now time.Time) time.Time {
	switch {
	case !own.IsZero():
		return own.UTC().Truncate(time.Microsecond)
	case !r.At.IsZero():
		return r.At.UTC().Truncate(time.Microsecond)
	default:
		return now.UTC().Truncate(time.Microsecond)
	}
}

// The limits of a ts. Earlier than 1971 is nearly always a clock that was never set, or seconds taken for milliseconds;
// the future is bounded so that one wrong clock does not put events where nobody looks.
const maxAhead = 24 * time.Hour

var minTS = time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)

// checkTS returns why an event of this time is refused, or nil.
func checkTS(ts, now time.Time) *Refusal {
	switch {
	case ts.Before(minTS):
		return &Refusal{Field: "ts", Code: "minimum", Detail: "must not be before 1971-01-01T00:00:00Z"}
	case ts.After(now.Add(maxAhead)):
		return &Refusal{Field: "ts", Code: "maximum", Detail: "must not be more than 24 hours ahead of the server's clock, " +
			"which is at " + now.UTC().Format(time.RFC3339)}
	default:
		return nil
	}
}
