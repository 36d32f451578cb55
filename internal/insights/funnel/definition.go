package funnel

import (
	"strings"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// Definition says in one sentence what the funnel counts.
func Definition(q *Question) string {
	var b strings.Builder
	units := map[Count]string{Users: "People who did ", Totals: "Attempts to do ", Sessions: "Sessions with "}
	b.WriteString(units[q.Count])
	steps := make([]string, len(q.Steps))
	for i, step := range q.Steps {
		if steps[i] = step.Label; step.Optional {
			steps[i] += " (optional)"
		}
	}
	switch {
	case len(steps) == 1:
		b.WriteString(steps[0])
	case q.Order == Any:
		b.WriteString(query.List(steps, "and") + " in any order")
		b.WriteString(", within " + query.Span(q.Window) + " of the first of them")
	default:
		b.WriteString(strings.Join(steps, ", then ") + ", within " + query.Span(q.Window) + " of the first step")
		if q.Order == Strict {
			b.WriteString(" and with nothing else in between")
		} else {
			b.WriteString(", whatever else was done in between")
		}
	}
	if len(q.Hold) > 0 {
		b.WriteString(", with the same " + query.List(q.HoldLabels, "and") + " at every step")
	}
	for _, x := range q.Exclude {
		b.WriteString(", up to the first " + x.Label)
		b.WriteString(" between " + q.Steps[x.From].Label + " and " + q.Steps[x.To].Label)
	}
	b.WriteString("; " + q.counting())
	if q.Breakdown != nil {
		b.WriteString(", split by " + q.Breakdown.Label + " " + q.attributed())
	}
	return b.String() + "."
}

func (q *Question) counting() string {
	choice := "by the attempt that came furthest"
	if q.Choice == First {
		choice = "by the first attempt"
	}
	switch {
	case q.Count == Users:
		return "each person counts once, " + choice
	case q.Count == Sessions:
		return "each session counts once, " + choice
	case q.Choice == First:
		return "each attempt counts, and the next begins after it ended"
	default:
		return "each attempt counts, and one that is begun again before it ended is the same"
	}
}

func (q *Question) attributed() string {
	switch {
	case q.Breakdown.Profile:
		return "of the person's profile"
	case q.Breakdown.Attribution == StepValue:
		return "at " + q.Steps[q.Breakdown.Step].Label
	case q.Breakdown.Attribution == LastValue:
		return "at the last step that has it"
	default:
		return "at the first step that has it"
	}
}
