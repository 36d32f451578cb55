package retention_test

import (
	"testing"

	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/retention"
)

func TestDefinitionSaysWhatIsCounted(t *testing.T) {
	t.Parallel()
	usual := retention.Question{Start: retention.Step{Label: "Sign up"}, Return: retention.Step{Label: "any event"}, Bucket: query.Bucket1w}
	for _, c := range []struct {
		change func(*retention.Question)
		want   string
	}{
		{func(*retention.Question) {},
			"Of the people who did Sign up for the first time ever in each week, how many did any event in the nth week after it; " +
				"averages are of all people whose span is over."},
		{func(q *retention.Question) {
			q.Cohort, q.Mode, q.Interval = retention.Recurring, retention.OnOrAfter, retention.Rolling
		},
			"Of the people who did Sign up in each week, how many did any event in the nth span of 7 days after their own start, or later; " +
				"averages are of all people whose span is over."},
		{func(q *retention.Question) {
			q.Mode, q.Breakdown = retention.Streak, &query.Breakdown{Label: "plan"}
		},
			"Of the people who did Sign up for the first time ever in each week, how many did any event in every one up to the nth week after it, " +
				"split by plan at their start; averages are of all people whose span is over."},
		{func(q *retention.Question) { q.Breakdown = &query.Breakdown{Label: "plan", Profile: true} },
			"Of the people who did Sign up for the first time ever in each week, how many did any event in the nth week after it, " +
				"split by plan of their profiles; averages are of all people whose span is over."},
	} {
		q := usual
		c.change(&q)
		if got := retention.Definition(&q); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
