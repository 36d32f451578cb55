package behaviour

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/events"
)

// Identity says which numbers are one person. The zero value leaves every number as it is.
type Identity struct {
	// Canon is the number of the person that each number belongs to; a number beyond its end is its own. A number that is
	// mapped to must be mapped to itself.
	Canon []uint32
	// Splits are anonymous numbers of which later events belong to somebody else than the earlier ones.
	Splits map[uint32]Split
}

// Split is where an anonymous id begins to be another person: what it did from then on. An event or a profile operation tells.
type Split struct {
	TS       int64 // of what tells, in microseconds since 1970
	Received int64 // of the same
	ID       uuid.UUID
	To       uint32
}

// Named returns the person whom an id names: of an anonymous one that a conflict split the later.
func (id *Identity) Named(no uint32) uint32 {
	if s, ok := id.Splits[no]; ok {
		return s.To
	}
	return id.Canonical(no)
}

// Of returns the numbers of all ids that are, for some time at least, a person.
func (id *Identity) Of(person uint32) []uint32 {
	numbers := []uint32{}
	if id.Canonical(person) == person {
		numbers = append(numbers, person)
	}
	for no, to := range id.Canon {
		if to == person && uint32(no) != person {
			numbers = append(numbers, uint32(no))
		}
	}
	for no, split := range id.Splits {
		if split.To == person && !slices.Contains(numbers, no) {
			numbers = append(numbers, no)
		}
	}
	return numbers
}

// Canonical returns the number that a number belongs to, splits apart.
func (id *Identity) Canonical(no uint32) uint32 {
	if int(no) < len(id.Canon) {
		return id.Canon[no]
	}
	return no
}

// Before says whether an event comes before what tells, in the order. A part keeps of the event's id only what follows its time
// (parts.Tie). The id of an operation does not begin with its time, so the two are compared first.
func (s *Split) Before(ts, received int64, tie uint64) bool {
	if at := s.compareTimes(ts, received); at != 0 {
		return at < 0
	}
	first := events.FirstID(time.UnixMicro(ts))
	return cmp.Or(bytes.Compare(first[:idTimeBytes], s.ID[:idTimeBytes]), cmp.Compare(tie, parts.Tie(s.ID))) < 0
}

// BeforeID is the same of an operation, which has its whole id.
func (s *Split) BeforeID(ts, received int64, id uuid.UUID) bool {
	return cmp.Or(s.compareTimes(ts, received), bytes.Compare(id[:], s.ID[:])) < 0
}

// idTimeBytes is how many bytes the time in the id of an event has: events.NewID.
const idTimeBytes = 6

func (s *Split) compareTimes(ts, received int64) int {
	return cmp.Or(cmp.Compare(ts, s.TS), cmp.Compare(received, s.Received))
}
