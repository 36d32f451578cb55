package cohorts

import (
	"math"
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/query"
)

var everything = query.Range{From: math.MinInt64, To: math.MaxInt64}

// condition says whether a clause is true of a person.
type condition interface {
	holds(p *behaviour.Person) bool
}

func compile(c *Clause) condition {
	switch c.Op {
	case Did:
		return (*did)(c)
	case First:
		return (*first)(c)
	case Sequence:
		return &sequence{c.Within, funnel.NewSequence(c.Steps, c.Window)}
	case In:
		if len(c.Clauses) == 1 {
			return compile(&c.Clauses[0])
		}
		return (*in)(c)
	default:
		list := make([]condition, len(c.Clauses))
		for i := range c.Clauses {
			list[i] = compile(&c.Clauses[i])
		}
		switch c.Op {
		case And:
			return and(list)
		case Or:
			return or(list)
		default:
			return not{list[0]}
		}
	}
}

type and []condition

func (list and) holds(p *behaviour.Person) bool {
	for _, c := range list {
		if !c.holds(p) {
			return false
		}
	}
	return true
}

type or []condition

func (list or) holds(p *behaviour.Person) bool {
	for _, c := range list {
		if c.holds(p) {
			return true
		}
	}
	return false
}

type not struct{ condition }

func (n not) holds(p *behaviour.Person) bool { return !n.condition.holds(p) }

type did Clause

func (c *did) holds(p *behaviour.Person) bool {
	n := 0
	for i := range p.Rows {
		r := &p.Rows[i]
		if r.Marks&c.Marks != 0 && c.Within.Has(r.TS) {
			if n++; n > c.Times.Max || n >= c.Times.Min && c.Times.Max == math.MaxInt {
				break // it is decided
			}
		}
	}
	return c.Times.Min <= n && n <= c.Times.Max
}

type first Clause

func (c *first) holds(p *behaviour.Person) bool {
	for i := range p.Rows {
		if r := &p.Rows[i]; r.Marks&c.Marks != 0 {
			return c.Within.Has(r.TS)
		}
	}
	return false
}

type in Clause

func (c *in) holds(p *behaviour.Person) bool { return c.Set.Has(p.No) }

type sequence struct {
	within query.Range
	steps  *funnel.Sequence
}

func (s *sequence) holds(p *behaviour.Person) bool {
	lo := 0
	for lo < len(p.Rows) && p.Rows[lo].TS < s.within.From {
		lo++
	}
	hi := lo
	for hi < len(p.Rows) && p.Rows[hi].TS < s.within.To {
		hi++
	}
	return s.steps.Done(p.Rows[lo:hi])
}

// reads is the range of the rows that the clause looks at.
func (c *Clause) reads() query.Range {
	switch c.Op {
	case Did, Sequence:
		return c.Within
	case First:
		return query.Range{From: everything.From, To: c.Within.To}
	default:
		return Reads(c.Clauses)
	}
}

// mayIdle says whether the clause may hold of somebody who has no row that it looks at.
func (c *Clause) mayIdle() bool {
	return c.hasSet() || compile(c).holds(&behaviour.Person{})
}

// hasSet says whether it depends on who somebody is, besides what he did.
func (c *Clause) hasSet() bool {
	return c.Op == In && len(c.Clauses) == 0 || slices.ContainsFunc(c.Clauses, func(c Clause) bool { return c.hasSet() })
}
