package cohorts

import (
	"math"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// Sets finds the people of several clauses in one pass, for another question to consider only them, or to have a group of
// them. Unlike a Cohort it says of every number whether the clause holds, also of those that nobody has. It is for one
// goroutine; several find parts of the people and are merged.
type Sets struct {
	clauses []Clause
	where   []condition
	seen    behaviour.Set
	found   []*behaviour.Set
}

// NewSets returns the empty sets of some clauses.
func NewSets(clauses []Clause) *Sets {
	s := &Sets{clauses: clauses}
	for i := range clauses {
		s.where, s.found = append(s.where, compile(&clauses[i])), append(s.found, &behaviour.Set{})
	}
	return s
}

// Reads is the range of the rows that some clauses look at; empty when they look at none. Who has no row in it did nothing.
func Reads(clauses []Clause) query.Range {
	out := query.Range{From: math.MaxInt64, To: math.MinInt64}
	for i := range clauses {
		r := clauses[i].reads()
		out.From, out.To = min(out.From, r.From), max(out.To, r.To)
	}
	return out
}

// Add looks at a person.
func (s *Sets) Add(p *behaviour.Person) {
	s.seen.Add(p.No)
	for i, where := range s.where {
		if where.holds(p) {
			s.found[i].Add(p.No)
		}
	}
}

// Merge adds what others of the same clauses found, of other people.
func (s *Sets) Merge(other *Sets) {
	s.seen.Union(&other.seen)
	for i := range s.found {
		s.found[i].Union(other.found[i])
	}
}

// Answer returns the people of each clause. It looks at all numbers up to the last one, where the clause may hold of
// somebody who did nothing.
func (s *Sets) Answer(last uint32) []*behaviour.Set {
	for i, where := range s.where {
		if !s.clauses[i].mayIdle() {
			continue
		}
		idle := behaviour.Person{}
		for idle.No = 1; idle.No <= last; idle.No++ {
			if !s.seen.Has(idle.No) && where.holds(&idle) {
				s.found[i].Add(idle.No)
			}
		}
	}
	return s.found
}
