package funnel

import (
	"testing"

	"github.com/bahagh/nimbus/internal/insights/query"
)

func TestDefinitionSaysWhatIsCounted(t *testing.T) {
	t.Parallel()
	steps := []Step{{Label: "Sign up"}, {Label: "Invite", Optional: true}, {Label: "Purchase"}}
	for _, c := range []struct {
		q    Question
		want string
	}{
		{Question{Steps: []Step{steps[0], steps[2]}, Window: 7 * query.Day},
			"People who did Sign up, then Purchase, within 7 days of the first step, whatever else was done in between; " +
				"each person counts once, by the attempt that came furthest."},
		{Question{Steps: steps, Window: query.Hour, Order: Strict, Count: Sessions, Choice: First},
			"Sessions with Sign up, then Invite (optional), then Purchase, within 1 hour of the first step and with nothing else in between; " +
				"each session counts once, by the first attempt."},
		{Question{Steps: []Step{steps[0], steps[2], {Label: "Refund"}}, Window: 90 * 60 * query.Second, Order: Any, Count: Totals},
			"Attempts to do Sign up, Purchase and Refund in any order, within 90 minutes of the first of them; " +
				"each attempt counts, and one that is begun again before it ended is the same."},
		{Question{Steps: []Step{steps[0], steps[2]}, Window: query.Day, Count: Totals, Choice: First, Hold: []int{0, 1}, HoldLabels: []string{"cart", "currency"},
			Exclude: []Exclusion{{Label: "Log out", From: 0, To: 1}}, Breakdown: &Breakdown{Breakdown: query.Breakdown{Label: "plan"}, Attribution: LastValue}},
			"Attempts to do Sign up, then Purchase, within 1 day of the first step, whatever else was done in between, " +
				"with the same cart and currency at every step, up to the first Log out between Sign up and Purchase; " +
				"each attempt counts, and the next begins after it ended, split by plan at the last step that has it."},
		{Question{Steps: []Step{steps[0]}, Breakdown: &Breakdown{Breakdown: query.Breakdown{Label: "plan"}, Attribution: StepValue}},
			"People who did Sign up; each person counts once, by the attempt that came furthest, split by plan at Sign up."},
		{Question{Steps: []Step{steps[0]}, Breakdown: &Breakdown{Breakdown: query.Breakdown{Label: "plan", Profile: true}}},
			"People who did Sign up; each person counts once, by the attempt that came furthest, split by plan of the person's profile."},
	} {
		if got := Definition(&c.q); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
