package events

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// The widest range an event's ts can be in; the end is where 48 bits of milliseconds and time.Time still agree.
var (
	Beginning = time.Unix(0, 0).UTC()
	End       = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
)

// IDHashBytes is how many bytes of a hash an id takes. It keeps 74 bits of them.
const IDHashBytes = 10

// NewID lays out a UUID of version 8: 48 bits of milliseconds, so that ids sort by time, then 74 of the 80 bits of the
// hash around version and variant.
func NewID(ts time.Time, hash [IDHashBytes]byte) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(ts.UnixMilli())<<16)
	copy(id[6:], hash[:])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// FirstID returns the smallest id an event of this millisecond can have. The function event_id_floor of the database is
// the same.
func FirstID(ts time.Time) uuid.UUID { return NewID(ts, [IDHashBytes]byte{}) }

// NextID returns the smallest id greater than this one.
func NextID(id uuid.UUID) uuid.UUID {
	for i := len(id) - 1; i >= 0; i-- {
		id[i]++
		if id[i] != 0 {
			break
		}
	}
	return id
}

// TimeOf is the time in an id, to the millisecond.
func TimeOf(id uuid.UUID) time.Time {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms).UTC()
}
