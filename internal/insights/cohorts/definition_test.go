package cohorts_test

import (
	"math"
	"testing"

	"github.com/bahagh/nimbus/internal/insights/cohorts"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/query"
)

func TestDefinitionSaysWhoIsInIt(t *testing.T) {
	t.Parallel()
	did := func(least, most int) cohorts.Clause {
		return cohorts.Clause{Op: cohorts.Did, Label: "Purchase", WithinLabel: "in the last 7 days", Times: cohorts.Times{Min: least, Max: most}}
	}
	q := cohorts.Question{Where: cohorts.Clause{Op: cohorts.And, Clauses: []cohorts.Clause{
		did(1, math.MaxInt),
		{Op: cohorts.Not, Clauses: []cohorts.Clause{{Op: cohorts.Or, Clauses: []cohorts.Clause{did(2, 2), {Op: cohorts.In, Label: "have plan pro"}}}}},
		{Op: cohorts.First, Label: "Sign up", WithinLabel: "in May"},
		{Op: cohorts.Sequence, Steps: []funnel.Step{{Label: "View"}, {Label: "Cart"}}, Window: query.Hour, WithinLabel: "in May"},
	}}}
	const want = "People who did Purchase at least once in the last 7 days, are not among those who (did Purchase exactly 2 times in the last 7 days " +
		"or have plan pro), did Sign up for the first time ever in May and did View, then Cart, within 1 hour of the first step, in May."
	if got := cohorts.Definition(&q); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for want, c := range map[string]cohorts.Clause{
		"People who did Purchase at most 1 time in the last 7 days.":   did(0, 1),
		"People who did Purchase at least 3 times in the last 7 days.": did(3, math.MaxInt),
		"People who did Purchase 2 to 5 times in the last 7 days.":     did(2, 5),
		"People who did Purchase exactly 1 time in the last 7 days.":   did(1, 1),
	} {
		if got := cohorts.Definition(&cohorts.Question{Where: c}); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
