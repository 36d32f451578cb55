package behaviour

import (
	"time"

	"github.com/google/uuid"
)

// Cursor is a place in the arrivals of a project: everything up to it has been consumed. The zero value is before the
// first.
type Cursor struct {
	XID string // decimal; empty for 0
	Seq int64
}

func (c Cursor) xid() string {
	if c.XID == "" {
		return "0"
	}
	return c.XID
}

// Arrival is the events of a project that one transaction stored.
type Arrival struct {
	Cursor // of this one
	At     time.Time
	IDs    []uuid.UUID
	// Built are days whose parts have these events already.
	Built []int32
}

// StoredEvent is what parts are made of.
type StoredEvent struct {
	ID          uuid.UUID
	TS          time.Time
	ReceivedAt  time.Time
	Name        string
	UserID      string // empty when there is none
	AnonymousID string // empty when there is none
	Props       []byte // the text of a jsonb object
}

const (
	dayMillis = 86_400_000
	dayMicros = dayMillis * 1000
)

// DayOf returns the UTC day since 1970 of an event, by its id.
func DayOf(id uuid.UUID) int32 {
	ms := int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])
	return int32(ms / dayMillis)
}

// DayAt returns the UTC day since 1970 of a moment.
func DayAt(t time.Time) int32 {
	us := t.UnixMicro()
	day := us / dayMicros
	if us%dayMicros < 0 {
		day--
	}
	return int32(day)
}

// StartOf returns the first moment of a UTC day.
func StartOf(day int32) time.Time { return time.UnixMicro(int64(day) * dayMicros).UTC() }

// idFloor returns the smallest id that an event of a day can have.
func idFloor(day int32) uuid.UUID {
	ms := uint64(int64(day) * dayMillis)
	var id uuid.UUID
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6], id[8] = 0x80, 0x80
	return id
}
