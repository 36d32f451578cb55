package activity

import (
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// StickinessQuestion asks in how many of the periods people were active.
type StickinessQuestion struct {
	Active Step
	Bounds []int64 // the starts of the periods and the end of the last
	Bucket query.Bucket
}

// Cut cuts a range into whole periods.
func (q *StickinessQuestion) Cut(c query.Calendar, in query.Range) {
	q.Bucket, q.Bounds = c.Bucket, c.Bounds(in)
}

// Reads is the range of the rows that the question needs.
func (q *StickinessQuestion) Reads() query.Range {
	return query.Range{From: q.Bounds[0], To: q.Bounds[len(q.Bounds)-1]}
}

// Stickiness counts people by how many periods they were active in. It is for one goroutine; several count parts of the
// people and are merged.
type Stickiness struct {
	q       StickinessQuestion
	exactly []int
	visits  visits
	wanted  *StickinessCoordinate
	found   people
}

// NewStickiness returns the stickiness of nobody.
func NewStickiness(q StickinessQuestion) *Stickiness {
	return &Stickiness{q: q, exactly: make([]int, len(q.Bounds)-1)}
}

// Add counts a person.
func (s *Stickiness) Add(p *behaviour.Person) {
	s.visits.load(p.Rows, s.q.Active.Marks, s.q.Bounds)
	active := s.visits
	if len(active) > 0 && active[0].period < 0 {
		active = active[1:]
	}
	if len(active) == 0 {
		return
	}
	s.exactly[len(active)-1]++
	if c := s.wanted; c != nil && (len(active) == c.Periods || c.AtLeast && len(active) > c.Periods) {
		s.found.add(p.No, active[c.Periods-1].first)
	}
}

// Merge adds what another stickiness of the same question counted, of other people.
func (s *Stickiness) Merge(other *Stickiness) {
	for i, n := range other.exactly {
		s.exactly[i] += n
	}
	s.found = append(s.found, other.found...)
}

// StickinessAnswer says how many people were active in 1, 2, … periods, exactly and at least.
type StickinessAnswer struct {
	Periods, People  int
	Exactly, AtLeast []int
}

// Answer returns what was counted.
func (s *Stickiness) Answer() StickinessAnswer {
	a := StickinessAnswer{Periods: len(s.exactly), Exactly: s.exactly, AtLeast: make([]int, len(s.exactly))}
	for i := len(s.exactly) - 1; i >= 0; i-- {
		a.People += s.exactly[i]
		a.AtLeast[i] = a.People
	}
	return a
}

// StickinessCoordinate names a number of the answer.
type StickinessCoordinate struct {
	Periods int // from 1
	AtLeast bool
}

// Collect makes it find the people behind a number too. It is asked before the first person.
func (s *Stickiness) Collect(c StickinessCoordinate) { s.wanted = &c }

// People returns those behind the number, by their numbers, each with his first event in the last period that it
// needed.
func (s *Stickiness) People() []behaviour.Member { return s.found.sorted() }
