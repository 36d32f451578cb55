package paths

import (
	"strings"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// Definition says in one sentence what the paths count.
func Definition(q *Question) string {
	var b strings.Builder
	named := "events"
	if q.NodeLabel != "" {
		named = "values of " + q.NodeLabel
	}
	most := query.Plural(int64(q.Depth), "step")
	switch {
	case q.Start != nil && q.End != nil:
		b.WriteString("The " + named + " on the way from " + q.Start.Label + " to the next " + q.End.Label)
		b.WriteString(" within " + query.Span(q.Window) + ", where that took at most " + most)
	case q.Backwards():
		b.WriteString("The " + named + " before " + q.End.Label + ", read backwards")
		b.WriteString(", at most " + most + " within " + query.Span(q.Window))
	case q.Start != nil:
		b.WriteString("The " + named + " from " + q.Start.Label + " on")
		b.WriteString(", at most " + most + " within " + query.Span(q.Window))
	default:
		b.WriteString("The " + named + " one after another, at most " + most + " within " + query.Span(q.Window))
	}
	if q.Collapse {
		b.WriteString(", repeats counted as one")
	}
	side := "first"
	if q.Backwards() {
		side = "last"
	}
	switch q.Count {
	case Totals:
		b.WriteString("; each path counts, and the next begins after it")
	case Sessions:
		b.WriteString("; each session counts once, by its " + side + " path")
	default:
		b.WriteString("; each person counts once, by the " + side + " path in the range")
	}
	return b.String() + "."
}
