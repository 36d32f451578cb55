package retention

import (
	"strings"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// Definition says in one sentence what the retention counts.
func Definition(q *Question) string {
	var b strings.Builder
	word := q.Bucket.Word()
	b.WriteString("Of the people who did " + q.Start.Label)
	if q.Cohort == FirstTime {
		b.WriteString(" for the first time ever")
	}
	b.WriteString(" in each " + word + ", how many did " + q.Return.Label + " ")
	nth := "the nth " + word + " after it"
	if q.Interval == Rolling {
		nth = "the nth span of " + query.Span(q.width()) + " after their own start"
	}
	switch q.Mode {
	case OnOrAfter:
		b.WriteString("in " + nth + ", or later")
	case Streak:
		b.WriteString("in every one up to " + nth)
	default:
		b.WriteString("in " + nth)
	}
	if q.Breakdown != nil {
		b.WriteString(", split by " + q.Breakdown.Label)
		if q.Breakdown.Profile {
			b.WriteString(" of their profiles")
		} else {
			b.WriteString(" at their start")
		}
	}
	return b.String() + "; averages are of all people whose span is over."
}
