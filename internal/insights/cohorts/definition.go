package cohorts

import (
	"math"
	"strconv"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// Definition says in one sentence who is in the cohort.
func Definition(q *Question) string { return "People who " + describe(&q.Where, false) + "." }

// Words says a clause in words that follow "people who".
func Words(c *Clause) string { return describe(c, true) }

// describe says a clause in words that follow "people who"; a combination within another one stands in brackets.
func describe(c *Clause, inner bool) string {
	switch c.Op {
	case And, Or:
		words := make([]string, len(c.Clauses))
		for i := range c.Clauses {
			words[i] = describe(&c.Clauses[i], true)
		}
		text := query.List(words, map[Op]string{And: "and", Or: "or"}[c.Op])
		if inner && len(words) > 1 {
			return "(" + text + ")"
		}
		return text
	case Not:
		return "are not among those who " + describe(&c.Clauses[0], true)
	case Did:
		return "did " + c.Label + " " + c.Times.words() + after(" ", c.WithinLabel)
	case First:
		return "did " + c.Label + " for the first time ever" + after(" ", c.WithinLabel)
	case Sequence:
		text := "did "
		for i, step := range c.Steps {
			if i > 0 {
				text += ", then "
			}
			text += step.Label
		}
		return text + ", within " + query.Span(c.Window) + " of the first step" + after(", ", c.WithinLabel)
	default:
		return c.Label
	}
}

// after is words behind what they follow; nothing when there are none.
func after(mark, words string) string {
	if words == "" {
		return ""
	}
	return mark + words
}

func (t Times) words() string {
	switch {
	case t.Max == math.MaxInt && t.Min == 1:
		return "at least once"
	case t.Max == math.MaxInt:
		return "at least " + times(t.Min)
	case t.Min == t.Max:
		return "exactly " + times(t.Min)
	case t.Min == 0:
		return "at most " + times(t.Max)
	default:
		return strconv.Itoa(t.Min) + " to " + times(t.Max)
	}
}

func times(n int) string { return query.Plural(int64(n), "time") }
