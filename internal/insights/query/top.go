package query

import (
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour"
)

// Group is one value of a breakdown and how much it has.
type Group struct {
	Value uint32
	Size  int
}

// Breakdown is the values of a column by which an answer has groups. Which event of a person, or of a session, has the value is up to
// the kind of the question.
type Breakdown struct {
	Column  int
	Top     int // how many groups are shown
	Compare behaviour.Compare
	Label   string // for the definition
	Profile bool   // the values are those of a property of people's profiles
}

// Top returns the n largest of what was counted by value, largest first, and the others. Groups of one size are in the
// order of their values, so that which of them are shown never depends on the sequence in which they were counted.
func Top[T any](counted map[uint32]T, size func(T) int, n int, compare behaviour.Compare) (top, others []Group) {
	groups := make([]Group, 0, len(counted))
	for value, t := range counted {
		groups = append(groups, Group{Value: value, Size: size(t)})
	}
	slices.SortFunc(groups, func(a, b Group) int {
		if a.Size != b.Size {
			return b.Size - a.Size
		}
		return compare(a.Value, b.Value)
	})
	n = min(n, len(groups))
	return groups[:n], groups[n:]
}
