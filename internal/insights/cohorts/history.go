package cohorts

import (
	"iter"
	"sort"

	"github.com/bahagh/nimbus/internal/behaviour"
)

// Profiles says who had a profile when.
type Profiles interface {
	// Had says whether a person had one at a moment, by what was said before it, in microseconds since 1970.
	Had(person uint32, at int64) bool
	// All yields everybody who ever had one.
	All() iter.Seq[uint32]
}

// History counts the people of a cohort at several moments in one pass: at each, what a person did before it is all that he
// did, and who had done nothing and had no profile is not counted. It is for one goroutine; several count parts of the people
// and are merged.
type History struct {
	moments  []int64
	where    []condition
	profiles Profiles
	seen     behaviour.Set
	sizes    []int64
}

// NewHistory returns an empty history. Each moment, in microseconds since 1970, has the clause as it is then. Without profiles
// nobody has one, as where the clauses hold only of people who did something.
func NewHistory(moments []int64, clauses []Clause, profiles Profiles) *History {
	h := &History{moments: moments, profiles: profiles, sizes: make([]int64, len(moments))}
	for i := range clauses {
		h.where = append(h.where, compile(&clauses[i]))
	}
	return h
}

// Add counts a person.
func (h *History) Add(p *behaviour.Person) {
	h.seen.Add(p.No)
	then := behaviour.Person{No: p.No}
	for i, moment := range h.moments {
		n := sort.Search(len(p.Rows), func(k int) bool { return p.Rows[k].TS >= moment })
		then.Rows = p.Rows[:n]
		if (n > 0 || h.profiles != nil && h.profiles.Had(p.No, moment)) && h.where[i].holds(&then) {
			h.sizes[i]++
		}
	}
}

// Merge adds what another history of the same moments counted, of other people.
func (h *History) Merge(other *History) {
	h.seen.Union(&other.seen)
	for i, n := range other.sizes {
		h.sizes[i] += n
	}
}

// Sizes is how many people there are at each moment. It looks at those who have a profile and no event.
func (h *History) Sizes() []int64 {
	if h.profiles == nil {
		return h.sizes
	}
	for no := range h.profiles.All() {
		if !h.seen.Has(no) {
			h.Add(&behaviour.Person{No: no})
		}
	}
	return h.sizes
}
