package paths_test

import (
	"testing"

	"github.com/bahagh/nimbus/internal/insights/paths"
	"github.com/bahagh/nimbus/internal/insights/query"
)

func TestDefinitionSaysWhatIsCounted(t *testing.T) {
	t.Parallel()
	home, buy := &paths.Anchor{Label: "/home"}, &paths.Anchor{Label: "Purchase"}
	for _, c := range []struct {
		q    paths.Question
		want string
	}{
		{paths.Question{Depth: 5, Window: 30 * query.Day, Collapse: true},
			"The events one after another, at most 5 steps within 30 days, repeats counted as one; each person counts once, by the first path in the range."},
		{paths.Question{Depth: 5, Window: query.Hour, Start: home, NodeLabel: "page", Count: paths.Totals},
			"The values of page from /home on, at most 5 steps within 1 hour; each path counts, and the next begins after it."},
		{paths.Question{Depth: 3, Window: query.Hour, End: buy, Count: paths.Sessions},
			"The events before Purchase, read backwards, at most 3 steps within 1 hour; each session counts once, by its last path."},
		{paths.Question{Depth: 3, Window: 45 * query.Second, Start: home, End: buy},
			"The events on the way from /home to the next Purchase within 45 seconds, where that took at most 3 steps; " +
				"each person counts once, by the first path in the range."},
	} {
		if got := paths.Definition(&c.q); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
