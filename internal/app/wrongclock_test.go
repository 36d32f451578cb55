package app_test

import (
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/apptest"
)

func TestTheTimesOfAWrongClockAreMovedAndAnAttemptIsStillOneEvent(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	a.Clock.Freeze()
	x := a.Tenant(t)
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name  string
		ahead time.Duration // the device's clock minus the server's
		moved bool
	}{
		{"two days ahead", 2 * day, true},
		{"never set", time.Unix(1000, 0).Sub(a.Clock.Now()), true},
		{"400 days behind", -400 * day, true},
		{"right, and a slow request", -30 * time.Second, false},
		{"right", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			happened := a.Clock.Now().Add(-5 * time.Minute).Truncate(time.Millisecond)
			event := apptest.Event{"name": tt.name, "idempotency_key": "k", "ts": happened.Add(tt.ahead).Format(time.RFC3339Nano)}
			send := func() (got apptest.Ingested) {
				sent := strconv.FormatInt(a.Clock.Now().Add(tt.ahead).UnixMilli(), 10)
				a.Client(t).With("X-API-Key", x.Secret).With("X-Sent-At", sent).Do("POST", "/v1/events", x.Batch(event)).Want(200).JSON(&got)
				return got
			}
			if got := send(); got.Accepted != 1 {
				t.Fatalf("%+v", got)
			}
			a.Clock.Add(1700 * time.Millisecond)
			if got := send(); got.Duplicates != 1 {
				t.Errorf("the second attempt: %+v", got)
			}
			var list struct{ Items []struct{ TS time.Time } }
			x.Do("GET", "/v1/events?project_id="+x.ProjectID.String()+"&limit=1&name="+url.QueryEscape(tt.name), nil).Want(200).JSON(&list)
			want := happened
			if !tt.moved {
				want = happened.Add(tt.ahead)
			}
			if len(list.Items) != 1 || list.Items[0].TS.Sub(want).Abs() > time.Second {
				t.Errorf("stored %v, want one at %s", list.Items, want)
			}
		})
	}

	event := apptest.Event{"name": "e", "ts": a.Clock.Now().Add(48 * time.Hour).Format(time.RFC3339)}
	for _, sent := range []string{"", "yesterday", "1e3", "99999999999999999999"} {
		a.Client(t).With("X-API-Key", x.Secret).With("X-Sent-At", sent).Do("POST", "/v1/events", x.Batch(event)).WantCode(422, "all_events_rejected")
	}
}
