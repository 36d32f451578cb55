package activity_test

import (
	"testing"

	"github.com/bahagh/nimbus/internal/insights/activity"
	"github.com/bahagh/nimbus/internal/insights/query"
)

func TestDefinitionsSayWhatIsCounted(t *testing.T) {
	t.Parallel()
	open := activity.Step{Label: "Open"}
	for got, want := range map[string]string{
		activity.UniquesDefinition(&activity.UniquesQuestion{Active: open}): "How many different people did Open, in the whole range and in each period of it; " +
			"a person counts once in each, so the periods do not add up to the range.",
		activity.LifecycleDefinition(&activity.LifecycleQuestion{Active: open, Bucket: query.Bucket1d}): "The people who did Open in each day: new did it never before, " +
			"returning also in the day before, resurrecting earlier but not in the day before; dormant did it in the day before and not in this one.",
		activity.StickinessDefinition(&activity.StickinessQuestion{Active: open, Bucket: query.Bucket1mo}): "How many people did Open in exactly, and in at least, " +
			"1, 2 or more of the months of the range; a month that the range begins or ends in counts as a whole.",
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
