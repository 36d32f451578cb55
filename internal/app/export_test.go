package app_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// An export takes what there is, then what comes, each event once, and can be gone on with after the last page.
func TestEventsAreExportedAsTheyAreReceived(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	send := func(n int) {
		events := make([]apptest.Event, n)
		for i := range events {
			events[i] = apptest.Event{"name": "e", "ts": a.Clock.Now().Add(-time.Duration(i) * time.Hour)}
		}
		x.Ingest(events...)
	}
	path := "/v1/events?order=received&limit=2&project_id=" + x.ProjectID.String()
	seen, cursor := map[uuid.UUID]bool{}, ""
	page := func() (more bool) {
		var page struct {
			Items  []struct{ ID uuid.UUID }
			Next   *string `json:"next_cursor"`
			Resume string  `json:"resume_cursor"`
		}
		at := path
		if cursor != "" {
			at += "&cursor=" + url.QueryEscape(cursor)
		}
		x.Do("GET", at, nil).Want(200).JSON(&page)
		for _, e := range page.Items {
			if seen[e.ID] {
				t.Errorf("%s is there twice", e.ID)
			}
			seen[e.ID] = true
		}
		cursor = page.Resume
		return page.Next != nil
	}
	for want := range 4 {
		want = 5 * (want + 1)
		send(5)
		nimbustest.Eventually(t, "all are listed", func() bool { // transactions of other tests hold the horizon back
			for page() {
			}
			a.RunJob(t, "build parts")
			return len(seen) >= want
		})
	}
	if len(seen) != 20 {
		t.Errorf("%d of 20 events", len(seen))
	}
	x.Do("GET", path+"&name=e&cursor="+url.QueryEscape(cursor), nil).Want(422)
	x.Do("GET", path+"&cursor=Ag", nil).Want(422)
	a.Exec(t, "DELETE FROM arrival_cursors WHERE consumer = 'export'")
	x.Do("GET", path+"&cursor="+url.QueryEscape(cursor), nil).Want(410)
}
