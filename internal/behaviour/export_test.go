package behaviour

import "slices"

// Identify says who is whom by the events that carry two ids, whose people have numbers, and by merges (merged, into), as
// a view does.
func Identify(events []StoredEvent, numbers map[PersonKey]uint32, merges [][2]uint32, asOf int64, last uint32) *Identity {
	v := View{links: linksOf(events, numbers), last: last}
	slices.SortFunc(v.links, byAnonymous)
	for _, m := range merges {
		v.merges = append(v.merges, merge{m[0], m[1]})
	}
	return v.Identity(asOf)
}
