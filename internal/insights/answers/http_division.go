package answers

import (
	"context"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// division is a breakdown of an answer about people that their events say nothing about: each person is in the group of what his
// profile has. Funnels, retention, sessions and trends have groups of their own, to which a profile's property is one more value of an
// event; this is for the questions that have none.
type division struct {
	*query.Breakdown
	values *scan.Dictionary
	in     query.Range // the largest groups have the most people who did something in it

	only  *uint32 // the group whose people are asked for; nil: all
	other bool    // those of the groups that are not shown are asked for
}

// division reads by what an answer about people is broken down: by a property of profiles, or by the cohorts that it returns.
func (r *resolver) division(b *api.PeopleBreakdown, in query.Range) (cohorts []string) {
	if b == nil {
		return nil
	}
	g := r.by(nil, b.Profile, b.Cohorts)
	if g.profile {
		r.divided = &division{Breakdown: g.breakdown(b.Top), values: g.values, in: in}
	}
	return g.cohorts
}

// lines is how many groups an answer has, with all and the rest.
func (r *resolver) lines() int {
	if r.divided == nil {
		return 1
	}
	return r.divided.Top + 2
}

// words says whom the question considers, and its groups, behind a definition.
func (r *resolver) words() string {
	if r == nil {
		return ""
	}
	return r.groupWords() + r.divided.words() + r.who.words()
}

// words says it in a definition.
func (d *division) words() string {
	if d == nil {
		return ""
	}
	return " The groups are by " + d.Label + " of people's profiles, those with the most people who did something in the range; the rest is counted together."
}

// asked reads which group is asked about.
func (d *division) asked(r *resolver, at *api.Coordinate) *division {
	out := *d
	switch {
	case value(at.Other):
		out.other = true
		if at.Group != nil || value(at.NoValue) {
			r.refuse("at/other", query.CodeConflict, "cannot be combined with group or no_value")
		}
	case value(at.NoValue):
		out.only = new(uint32)
		if at.Group != nil {
			r.refuse("at/no_value", query.CodeConflict, "cannot be combined with group")
		}
	case at.Group != nil:
		v, err := scan.ScalarValue(at.Group)
		if err != nil {
			r.refuse("at/group", contract.CodeType, "must be a string, a number, true or false")
		}
		code := d.values.Code(v)
		out.only = &code
	}
	return &out
}

// group is the code of the group that a person is in.
func (d *division) group(p *behaviour.Person) uint32 { return p.Rows[0].Values[d.Column] }

// census counts the people of each group who did something in the range.
type census struct {
	d *division
	n map[uint32]int
}

func newCensus(d *division) *census { return &census{d, map[uint32]int{}} }

// Add counts a person.
func (c *census) Add(p *behaviour.Person) {
	n := 0
	for i := range p.Rows {
		if c.d.in.Has(p.Rows[i].TS) {
			n = 1
			break
		}
	}
	c.n[c.d.group(p)] += n
}

// Merge adds what another counted, of other people.
func (c *census) Merge(other *census) {
	for code, n := range other.n {
		c.n[code] += n
	}
}

// shown are the groups that an answer shows, the largest first, and the others.
func (c *census) shown() (shown, others []query.Group) {
	return query.Top(c.n, func(n int) int { return n }, c.d.Top, c.d.Compare)
}

// manyValues is for how many values each has an operator while people are counted. With more, those that are shown are found by a
// pass of its own first.
const manyValues = 100

// shown returns the groups that an answer shows when that has to be known before people are counted; nil when it need not.
func (o *reading[T]) shown(ctx context.Context, v *behaviour.View, q *scan.Query) (map[uint32]bool, error) {
	d := o.r.divided
	if d == nil || d.only != nil || !d.other && d.values.Len() < manyValues {
		return nil, nil
	}
	c, err := pass(ctx, v, q, &o.outcome, func() *census { return newCensus(d) }, nil)
	if err != nil {
		return nil, err
	}
	shown := map[uint32]bool{}
	top, _ := c.shown()
	for _, g := range top {
		shown[g.Value] = true
	}
	return shown, nil
}

// wants says whether a person is among those whom the coordinate asks for.
func (d *division) wants(p *behaviour.Person, shown map[uint32]bool) bool {
	switch {
	case d == nil:
		return true
	case d.only != nil:
		return d.group(p) == *d.only
	case d.other:
		return !shown[d.group(p)]
	}
	return true
}

// groups are the groups of an answer.
type groups[T any] struct {
	list   []T      // in the order of the answer
	values []uint32 // of each, in a division
	rest   T        // the groups that are not shown, together
	others int      // how many those are
}

// group is how an answer writes a group.
func (r *resolver) group(values []uint32, i int) (api.GroupValue, *string) {
	if r.divided != nil {
		return jsonOf(r.divided.values.Value(values[i])), nil
	}
	return r.who.group(i)
}
