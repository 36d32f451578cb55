package behaviour

import (
	"iter"
	"math/bits"
)

// Set is a set of people by their numbers, which are dense: a bit for each. The zero value is empty.
type Set struct {
	words []uint64
	size  int
}

// NewSet returns the set of these people.
func NewSet(people ...uint32) *Set {
	s := &Set{}
	for _, no := range people {
		s.Add(no)
	}
	return s
}

// Add puts a person into the set.
func (s *Set) Add(no uint32) {
	word := int(no / 64)
	for word >= len(s.words) {
		s.words = append(s.words, make([]uint64, max(16, word+1-len(s.words), len(s.words)))...)
	}
	if bit := uint64(1) << (no % 64); s.words[word]&bit == 0 {
		s.words[word] |= bit
		s.size++
	}
}

// Has says whether a person is in the set. A nil set is empty.
func (s *Set) Has(no uint32) bool {
	return s != nil && int(no/64) < len(s.words) && s.words[no/64]&(1<<(no%64)) != 0
}

// Len is how many people there are.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return s.size
}

// Union adds the people of another set.
func (s *Set) Union(other *Set) {
	if other == nil {
		return
	}
	if missing := len(other.words) - len(s.words); missing > 0 {
		s.words = append(s.words, make([]uint64, missing)...)
	}
	s.size = 0
	for i := range s.words {
		if i < len(other.words) {
			s.words[i] |= other.words[i]
		}
		s.size += bits.OnesCount64(s.words[i])
	}
}

// All yields the people in the order of their numbers.
func (s *Set) All() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if s == nil {
			return
		}
		for i, word := range s.words {
			for ; word != 0; word &= word - 1 {
				if !yield(uint32(i*64 + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// Intersect leaves the people who are in another set, too.
func (s *Set) Intersect(other *Set) {
	s.size = 0
	for i := range s.words {
		if other == nil || i >= len(other.words) {
			s.words[i] = 0
			continue
		}
		s.words[i] &= other.words[i]
		s.size += bits.OnesCount64(s.words[i])
	}
}
