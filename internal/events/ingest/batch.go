package ingest

import (
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/rollups"
)

// Row is one event on its way to the database.
type Row struct {
	events.Event
	KeyHash        uuid.UUID // set when the event came with a key and without a ts
	SentID         uuid.UUID // its id with the ts that it was sent with, when that was corrected
	CountedAsOther bool      // its name is one too many to be counted
	index          int       // of its result
	outcome        Outcome
}

// countedName is the name under which the event is counted.
func (r *Row) countedName() string {
	if r.CountedAsOther {
		return rollups.Other
	}
	return r.Name
}

// batch is the events and operations of one request: it is stored and answered as a whole.
type batch struct {
	rows       []Row
	operations []OperationRow
	bytes      int
	source     Source
	enqueued   time.Time
	span       trace.Span // of the request; nil when it is not traced
	done       chan error
}

func newBatch(capacity int, source Source) *batch {
	return &batch{rows: make([]Row, 0, capacity), source: source, done: make(chan error, 1)}
}

// size is how many rows the batch is.
func (b *batch) size() int { return len(b.rows) + len(b.operations) }

// rowBytes is about what an event needs beside its texts, in memory and on disk.
const rowBytes = 128

func (b *batch) add(e events.Event, index int) *Row {
	b.rows = append(b.rows, Row{Event: e, index: index})
	b.bytes += len(e.Name) + len(e.UserID) + len(e.AnonymousID) + len(e.Props) + rowBytes
	return &b.rows[len(b.rows)-1]
}
