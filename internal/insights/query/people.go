package query

import (
	"cmp"
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour"
)

// Found is a person who may be behind a number, and the value of his group.
type Found struct {
	behaviour.Member
	Value uint32
}

// Members returns the people found, by their numbers, those of one person by their moments. With shown, the groups
// that an answer shows, it leaves out everybody who is in one: the rest is what is asked for.
func Members(found []Found, shown []Group) []behaviour.Member {
	left := map[uint32]bool{}
	for _, g := range shown {
		left[g.Value] = true
	}
	members := make([]behaviour.Member, 0, len(found))
	for _, f := range found {
		if !left[f.Value] {
			members = append(members, f.Member)
		}
	}
	slices.SortFunc(members, func(a, b behaviour.Member) int {
		return cmp.Or(cmp.Compare(a.No, b.No), cmp.Compare(a.At, b.At))
	})
	return members
}
