package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
)

type usage struct {
	EventsToday  int `json:"events_today"`
	StoredEvents int `json:"stored_events"`
	StoredBytes  int `json:"stored_bytes"`
	EventNames   int `json:"event_names"`
	Limits       struct {
		EventsPerDay int `json:"events_per_day"`
		StoredBytes  int `json:"stored_bytes"`
		EventNames   int `json:"event_names"`
	}
	Days []struct {
		Day           string
		Events, Bytes int
	}
}

func usageOf(x *apptest.Tenant) (u usage) {
	x.Do("GET", "/v1/projects/"+x.ProjectID.String()+"/usage", nil).Want(200).JSON(&u)
	return u
}

func TestAProjectStoresNoMoreEventsADayThanItMay(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_QUOTA_EVENTS_PER_DAY=10")
	x, other := a.Tenant(t), a.Tenant(t)
	x.Ingest(events(8)...)
	r := x.Send(x.Signed(x.Batch(events(3)...))).WantCode(429, "quota_exceeded")
	if r.Header.Get("Retry-After") == "" || !strings.Contains(string(r.Body), "10 events a day and has stored 8") {
		t.Errorf("Retry-After %q: %s", r.Header.Get("Retry-After"), r.Body)
	}
	if n := x.Count(); n != 8 {
		t.Errorf("%d events, want the first 8", n)
	}
	other.Ingest(events(8)...)
	u := usageOf(x)
	if u.EventsToday != 8 || u.Limits.EventsPerDay != 10 || len(u.Days) != 1 || u.Days[0].Events != 8 || u.StoredBytes < 8*128 {
		t.Errorf("%+v", u)
	}
	m := a.Metrics(t)
	for _, want := range []string{`nimbus_quota_refused_events_total{quota="events_per_day"} 3`,
		fmt.Sprintf(`nimbus_project_quota_used_ratio{project="%s",quota="events_per_day"} 0.8`, x.ProjectID)} {
		if !strings.Contains(m, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	// The operator's limit holds where there is one.
	a.Exec(t, `INSERT INTO project_limits (project_id, events_per_day) VALUES ($1, 12)`, x.ProjectID)
	usageOf(x) // this node reads it with the usage
	x.Ingest(events(3)...)
	x.Send(x.Signed(x.Batch(events(2)...))).WantCode(429, "quota_exceeded")
}

// An event of a name too many is stored as it came. The counts are those of the events whatever the limit was when each was
// stored, also when events go.
func TestNamesBeyondTheLimitAreCountedTogether(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_QUOTA_EVENT_NAMES=3")
	x := a.Tenant(t)
	x.Do("PATCH", "/v1/projects/"+x.ProjectID.String(), map[string]any{"data_retention_days": 30}).Want(200)
	send := func(first, last, days int) (asOther int) {
		var batch []apptest.Event
		for k := first; k <= last; k++ {
			batch = append(batch, apptest.Event{"name": fmt.Sprint("name", k), "ts": a.Clock.Now().AddDate(0, 0, -days)})
		}
		var out struct {
			Accepted int
			AsOther  int `json:"counted_as_other"`
		}
		x.Send(x.Signed(x.Batch(batch...))).Want(200).JSON(&out)
		if out.Accepted != last-first+1 {
			t.Errorf("%d accepted of %d", out.Accepted, last-first+1)
		}
		return out.AsOther
	}
	verified := func(when string) {
		t.Helper()
		var wrong int
		a.Query(t, `WITH recount AS (
				SELECT e.project_id, g.seconds AS granularity, n.name, date_trunc(g.field, e.ts, 'UTC') AS bucket, count(*) AS count
				FROM events e CROSS JOIN (VALUES (60, 'minute'), (3600, 'hour'), (86400, 'day')) AS g(seconds, field)
				CROSS JOIN LATERAL (VALUES (CASE WHEN e.counted_as_other THEN '$other' ELSE e.name END), ('')) AS n(name)
				GROUP BY 1, 2, 3, 4)
			SELECT count(*) FROM recount r FULL JOIN event_counts c USING (project_id, granularity, name, bucket)
			WHERE r.count IS DISTINCT FROM c.count`, &wrong)
		if wrong != 0 {
			t.Errorf("%s: %d counts are not those of the events", when, wrong)
		}
	}
	if n := send(1, 5, 0); n != 2 {
		t.Errorf("%d counted as other, want 2", n)
	}
	if n := send(1, 200, 100); n != 197 { // many: these go by COPY
		t.Errorf("%d counted as other, want 197", n)
	}
	verified("at the limit")
	a.Exec(t, `INSERT INTO project_limits (project_id, event_names) VALUES ($1, 1000)`, x.ProjectID)
	usageOf(x)
	if n := send(1, 100, 0) + send(50, 60, 100); n != 0 {
		t.Errorf("%d counted as other below a higher limit", n)
	}
	verified("with a higher limit")
	a.RunJob(t, pruneJob)
	verified("after pruning")
	if n := x.Count(); n != 105 {
		t.Errorf("%d events, want the 105 of today", n)
	}
	a.RunJob(t, "measure projects")
	if u := usageOf(x); u.EventNames != 101 || u.StoredEvents != 105 || u.Limits.EventNames != 1000 {
		t.Errorf("%+v", u)
	}
	if m := a.Metrics(t); !strings.Contains(m, "\nnimbus_events_counted_as_other_total 199\n") {
		t.Error("the metrics do not count what was counted as other")
	}
}

func TestBelowTheReserveOfTheDiskNothingIsTakenInAndAllElseWorks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // the account that runs PostgreSQL passes through
		t.Fatal(err)
	}
	a := apptest.BootOn(t, "", "NIMBUS_DATA_DIR="+dir, fmt.Sprint("NIMBUS_MIN_FREE_BYTES=", int64(1)<<60))
	x := a.Tenant(t)
	r := x.Send(x.Signed(x.Batch(events(1)...))).WantCode(503, "low_on_disk")
	if r.Header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After %q", r.Header.Get("Retry-After"))
	}
	var h struct {
		Status string
		Checks struct {
			Ingest struct{ Status, Detail string }
		}
	}
	x.Do("GET", "/v1/health", nil).Want(200).JSON(&h)
	if h.Status != "ready" || h.Checks.Ingest.Status != "degraded" || !strings.Contains(h.Checks.Ingest.Detail, "kept free") {
		t.Errorf("%+v", h)
	}
	x.Do("DELETE", "/v1/projects/"+x.ProjectID.String(), nil).Want(204)
	a.Stop()
	again := apptest.BootOn(t, "", "NIMBUS_DATA_DIR="+dir, "NIMBUS_MIN_FREE_BYTES=0")
	y := again.Tenant(t)
	if got := y.Ingest(events(1)...); got.Accepted != 1 {
		t.Errorf("%+v", got)
	}
}

func TestAnOperatorGivesAProjectLimitsOfItsOwn(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_QUOTA_EVENTS_PER_DAY=10")
	boss, x := a.Operator(t), a.Tenant(t)
	path := "/v1/instance/projects/" + x.ProjectID.String()
	var p struct {
		Disabled bool
		Limits   map[string]int
	}
	own := func(limits map[string]int) map[string]any { return map[string]any{"limits": limits} }
	boss.Do("PATCH", path, own(map[string]int{"events_per_day": 2, "event_names": 0})).Want(200).JSON(&p)
	if p.Disabled || len(p.Limits) != 2 || p.Limits["events_per_day"] != 2 {
		t.Errorf("%+v", p)
	}
	if u := usageOf(x); u.Limits.EventsPerDay != 2 || u.Limits.EventNames != 0 {
		t.Errorf("%+v", u.Limits)
	}
	x.Send(x.Signed(x.Batch(events(3)...))).WantCode(429, "quota_exceeded")
	var n int
	a.Query(t, `SELECT count(*) FROM audit_log WHERE action = 'project.update' AND changes -> 'events_per_day' ->> 'new' = '2'`, &n)
	if n != 1 {
		t.Errorf("%d audit entries", n)
	}
	boss.Do("PATCH", path, own(map[string]int{})).Want(200)
	if u := usageOf(x); u.Limits.EventsPerDay != 10 {
		t.Errorf("without limits of its own: %+v", u.Limits)
	}
	x.Do("PATCH", path, own(map[string]int{"events_per_day": 0})).WantCode(403, "insufficient_role")
	boss.Do("PATCH", path, own(map[string]int{"events_per_day": -1})).WantCode(422, "validation_failed")
}

// Operations on profiles are no events, and take room all the same.
func TestOperationsCountAsBytesAndNotAsEvents(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_QUOTA_EVENTS_PER_DAY=2", "NIMBUS_QUOTA_STORED_BYTES=5000")
	x := a.Tenant(t)
	x.Ingest(events(2)...)
	big := operation{"op": "set", "user_id": "u", "props": operation{"text": strings.Repeat("x", 1000)}}
	changeProfiles(x, big, big)
	before := usageOf(x)
	if before.EventsToday != 2 || before.StoredEvents > 2 || before.StoredBytes < 2000 {
		t.Errorf("%+v", before)
	}
	x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", operationsOf(x, big, big, big)).WantCode(429, "quota_exceeded")
	a.RunJob(t, "measure projects")
	if u := usageOf(x); u.StoredBytes < 2*400 {
		t.Errorf("measured: %+v", u)
	}
}
