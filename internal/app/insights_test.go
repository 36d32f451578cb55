package app_test

import (
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/apptest"
)

// Where a session of somebody who never rests is cut depends on where his first one began, however long ago.
func TestSessionsAreCutAsIfEverythingHadBeenRead(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	first := a.Clock.Now().Add(-10 * 24 * time.Hour).UTC().Truncate(time.Hour)
	var events []apptest.Event
	for at := first; at.Before(first.Add(5 * 24 * time.Hour)); at = at.Add(20 * time.Minute) {
		events = append(events, apptest.Event{"name": "e", "user_id": "u", "ts": at.Format(time.RFC3339)})
	}
	x.Ingest(events...)
	// A session ends with the event 24 h after its start, so they begin at 0 h, 24:20 h, 48:40 h, 73 h and 97:20 h.
	for _, c := range []struct {
		from, to time.Duration
		want     int
	}{
		{0, 120 * time.Hour, 5},
		{73*time.Hour + 30*time.Minute, 97 * time.Hour, 0},
		{73 * time.Hour, 97 * time.Hour, 1},
		{97 * time.Hour, 98 * time.Hour, 1},
	} {
		var answer struct{ Sessions int }
		x.Do("POST", "/v1/insights/sessions", map[string]any{"project_id": x.ProjectID,
			"from": first.Add(c.from).Format(time.RFC3339), "to": first.Add(c.to).Format(time.RFC3339)}).Want(200).JSON(&answer)
		if answer.Sessions != c.want {
			t.Errorf("from %s to %s: %d sessions, want %d", c.from, c.to, answer.Sessions, c.want)
		}
	}
}
