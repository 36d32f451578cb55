package events

import (
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
)

// state is what became of one event.
type state uint8

const (
	waiting   state = iota
	stored          // committed by this write
	duplicate       // was there before, or stands in the same flush already
	refused         // the database does not take this row, whatever it stands beside
)

// write is one event on its way to the database.
type write struct {
	Event
	index   int       // position in the request
	keyHash uuid.UUID // set when the event came with a key, and without a ts or from a wrong clock
	state   state
}

// batch is the events of one request: it is stored and answered as a whole.
type batch struct {
	writes   []write
	bytes    int
	enqueued time.Time
	span     trace.Span // of the request; nil when it is not traced
	done     chan error
}

func newBatch(capacity int) *batch {
	return &batch{writes: make([]write, 0, capacity), done: make(chan error, 1)}
}

func (b *batch) add(e Event, index int) *write {
	b.writes = append(b.writes, write{Event: e, index: index})
	b.bytes += len(e.Name) + len(e.UserID) + len(e.AnonymousID) + len(e.Props) + 128
	return &b.writes[len(b.writes)-1]
}
