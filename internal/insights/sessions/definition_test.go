package sessions_test

import (
	"strings"
	"testing"

	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/sessions"
)

func TestDefinitionSaysWhatIsCounted(t *testing.T) {
	t.Parallel()
	got := sessions.Definition(&sessions.Question{Breakdown: &query.Breakdown{Label: "source"}, Ends: &sessions.Ends{Label: "page"}})
	const want = "or when the client begins another; a bounce is a session of one event; split by source of the first event; " +
		"entry and exit are page of the first and the last event."
	if !strings.HasSuffix(got, want) {
		t.Errorf("%q does not end with %q", got, want)
	}
	got = sessions.Definition(&sessions.Question{Breakdown: &query.Breakdown{Label: "plan", Profile: true}})
	if !strings.HasSuffix(got, "; split by plan of the person's profile.") {
		t.Errorf("%q does not say whose plan it is", got)
	}
}
