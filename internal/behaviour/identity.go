package behaviour

import "github.com/google/uuid"

// Identity says which numbers are one person. The zero value leaves every number as it is.
type Identity struct {
	// Canon is the number of the person that each number belongs to; a number beyond its end is its own. A number that is
	// mapped to must be mapped to itself.
	Canon []uint32
	// Splits are anonymous numbers of which later events belong to somebody else than the earlier ones.
	Splits map[uint32]Split
}

// Split is where an anonymous id begins to be another person: what it did from then on.
type Split struct {
	TS       int64  // of the event that tells, in microseconds since 1970
	Received int64  // of the same
	Tie      uint64 // of its id: parts.Tie
	ID       uuid.UUID
	To       uint32
}

// Canonical returns the number that a number belongs to, splits apart.
func (id *Identity) Canonical(no uint32) uint32 {
	if int(no) < len(id.Canon) {
		return id.Canon[no]
	}
	return no
}

// Before says whether an event comes before the one that tells, in the order.
func (s *Split) Before(ts, received int64, tie uint64) bool {
	if ts != s.TS {
		return ts < s.TS
	}
	if received != s.Received {
		return received < s.Received
	}
	return tie < s.Tie
}

// named returns the number of the person whom answers call by the key of a number.
func (id *Identity) named(no uint32) uint32 {
	if s, ok := id.Splits[no]; ok {
		return s.To
	}
	return id.Canonical(no)
}
