package scan

import (
	"math/bits"
	"slices"
)

// personSet is a set of people of a range: a list while they are few, a bit for each when they are many.
type personSet struct {
	list []uint32 // with repetitions
	bits []uint64 // in place of list
	base uint32
}

// listSize is how long a list is at first allowed to be, before it is looked at for repetitions.
const listSize = 32

// add adds a person of the range from base on, with span numbers, and says by how many bytes the set grew.
func (s *personSet) add(no, base uint32, span uint64) (grown int64) {
	if s.bits != nil {
		at := no - s.base
		s.bits[at>>6] |= 1 << (at & 63)
		return 0
	}
	if n := len(s.list); n > 0 && s.list[n-1] == no {
		return 0
	}
	if len(s.list) < cap(s.list) {
		s.list = append(s.list, no)
		return 0
	}
	before := cap(s.list)
	s.compact()
	if uint64(len(s.list)) > span/64 {
		s.base = base
		s.bits = make([]uint64, (span+63)/64)
		for _, no := range s.list {
			at := no - base
			s.bits[at>>6] |= 1 << (at & 63)
		}
		s.list = nil
		s.add(no, base, span)
		return int64(len(s.bits))*8 - int64(before)*4
	}
	if len(s.list) > cap(s.list)/2 || cap(s.list) == 0 {
		s.list = append(make([]uint32, 0, max(2*len(s.list), listSize)), s.list...)
	}
	s.list = append(s.list, no)
	return int64(cap(s.list)-before) * 4
}

// addAll adds those of some people who are in the range, to a set of bits.
func (s *personSet) addAll(persons []uint32, base uint32, span uint64) {
	bits, last := s.bits, uint32(span-1)
	for _, no := range persons {
		at := no - base // wraps around below base
		if word := int(at >> 6); at <= last && word < len(bits) {
			bits[word] |= 1 << (at & 63)
		}
	}
}

func (s *personSet) compact() {
	slices.Sort(s.list)
	s.list = slices.Compact(s.list)
}

// count says how many people are in the set.
func (s *personSet) count() int64 {
	if s.bits == nil {
		s.compact()
		return int64(len(s.list))
	}
	n := 0
	for _, w := range s.bits {
		n += bits.OnesCount64(w)
	}
	return int64(n)
}

// join adds the people of another set to one of bits.
func (s *personSet) join(x *personSet) {
	for i, w := range x.bits {
		s.bits[i] |= w
	}
	for _, no := range x.list {
		at := no - s.base
		s.bits[at>>6] |= 1 << (at & 63)
	}
}
