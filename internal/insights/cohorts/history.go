package cohorts

import (
	"sort"

	"github.com/bahagh/nimbus/internal/behaviour"
)

// History counts the people of a cohort at several moments in one pass: at each, what a person did before it is all that he
// did, and who had done nothing is not counted. It is for one goroutine; several count parts of the people and are merged.
type History struct {
	moments []int64
	where   []condition
	sizes   []int64
}

// NewHistory returns an empty history. Each moment, in microseconds since 1970, has the clause as it is then.
func NewHistory(moments []int64, clauses []Clause) *History {
	h := &History{moments: moments, sizes: make([]int64, len(moments))}
	for i := range clauses {
		h.where = append(h.where, compile(&clauses[i]))
	}
	return h
}

// Add counts a person.
func (h *History) Add(p *behaviour.Person) {
	then := behaviour.Person{No: p.No}
	for i, moment := range h.moments {
		n := sort.Search(len(p.Rows), func(k int) bool { return p.Rows[k].TS >= moment })
		if then.Rows = p.Rows[:n]; n > 0 && h.where[i].holds(&then) {
			h.sizes[i]++
		}
	}
}

// Merge adds what another history of the same moments counted, of other people.
func (h *History) Merge(other *History) {
	for i, n := range other.sizes {
		h.sizes[i] += n
	}
}

// Sizes is how many people there are at each moment.
func (h *History) Sizes() []int64 { return h.sizes }
