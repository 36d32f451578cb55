package cohorts

import (
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// Op is the kind of a clause.
type Op uint8

// The clauses.
const (
	And      Op = iota // all of Clauses
	Or                 // one of Clauses
	Not                // not the only one of Clauses
	Did                // an event so many times in a range
	First              // the first event ever of its kind was in a range
	Sequence           // the steps of a funnel, all in a range
	In                 // the person is in a set: of a profile's value, or of a list; or in another cohort, for which a clause holds
)

// Times is how often an event has to be done, at least and at most.
type Times struct{ Min, Max int }

// Clause is a condition on a person, or a combination of some. Times are microseconds.
type Clause struct {
	Op      Op
	Clauses []Clause       // and, or, not; in: the one of the other cohort
	Marks   uint64         // did, first: the event
	Times   Times          // did
	Within  query.Range    // did, first, sequence
	Steps   []funnel.Step  // sequence
	Window  int64          // sequence, from its first step
	Set     *behaviour.Set // in, where there is no clause
	// Label and WithinLabel are for the definition: the event (did, first) or what the people in the set are, and the
	// range.
	Label, WithinLabel string
}

// Question asks who is in a cohort.
type Question struct {
	Where Clause
	// Profiles are the people that have a profile: they are among all people, with or without an event.
	Profiles *behaviour.Set
}

// Reads is the range of the rows that the question needs: everything where it may hold of people who did nothing that its
// clauses ask for, because those are all people then.
func (q *Question) Reads() query.Range {
	if q.Everybody() {
		return everything
	}
	return q.Where.reads()
}

// Everybody says whether the question needs a row of everybody: it may hold of people who did nothing that its clauses ask for.
func (q *Question) Everybody() bool { return q.Where.mayIdle() }

// Cohort finds people. It is for one goroutine; several find parts of the people and are merged.
type Cohort struct {
	q     Question
	where condition
	seen  behaviour.Set
	found behaviour.Set
}

// New returns an empty cohort.
func New(q Question) *Cohort {
	return &Cohort{q: q, where: compile(&q.Where)}
}

// Add looks at a person.
func (c *Cohort) Add(p *behaviour.Person) {
	c.seen.Add(p.No)
	if c.where.holds(p) {
		c.found.Add(p.No)
	}
}

// Merge adds what another cohort of the same question found, of other people.
func (c *Cohort) Merge(other *Cohort) {
	c.seen.Union(&other.seen)
	c.found.Union(&other.found)
}

// Answer returns the people in the cohort. It looks at those who have a profile and no event.
func (c *Cohort) Answer() *behaviour.Set {
	for no := range c.q.Profiles.All() {
		if !c.seen.Has(no) {
			c.Add(&behaviour.Person{No: no})
		}
	}
	return &c.found
}
