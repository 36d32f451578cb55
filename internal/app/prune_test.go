package app_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

const pruneJob, purgeJob = "prune expired events", "purge deleted projects"

// series returns how many events the metrics of the last 400 days count.
func series(x *apptest.Tenant) int {
	var out struct {
		Series []struct{ Value float64 }
	}
	x.Do("GET", "/v1/metrics?bucket=1d&limit=400&project_id="+x.ProjectID.String(), nil).Want(200).JSON(&out)
	sum := 0
	for _, point := range out.Series {
		sum += int(point.Value)
	}
	return sum
}

func TestDataRetention(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, other := a.Tenant(t), a.Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String()
	retention := func() int {
		var p struct {
			Days int `json:"data_retention_days"`
		}
		x.Do("GET", path, nil).Want(200).JSON(&p)
		return p.Days
	}
	if got := retention(); got != 0 {
		t.Errorf("a new project is pruned after %d days, want never", got)
	}
	x.Do("PATCH", path, map[string]any{"data_retention_days": 30}).Want(200)
	x.Do("PATCH", path, map[string]any{"name": "another"}).Want(200)
	if got := retention(); got != 30 {
		t.Errorf("%d days, want 30", got)
	}
	for _, bad := range []any{-1, 3651, 1.5, "30", nil} {
		r := x.Do("PATCH", path, map[string]any{"data_retention_days": bad}).WantCode(422, "validation_failed")
		if !strings.Contains(string(r.Body), `"/data_retention_days"`) {
			t.Errorf("%v: the member is not named: %s", bad, r.Body)
		}
		x.Do("POST", "/v1/projects", map[string]any{"name": "x", "data_retention_days": bad}).WantCode(422, "validation_failed")
	}
	x.Do("POST", "/v1/projects", map[string]any{"name": "x", "data_retention_days": 3650}).Want(201)

	at := func(days int, name string) apptest.Event {
		return apptest.Event{"name": name, "ts": a.Clock.Now().AddDate(0, 0, -days), "idempotency_key": name}
	}
	for _, tenant := range []*apptest.Tenant{x, other} {
		// The last is late: it is older than the limit when it comes, and accepted all the same.
		if got := tenant.Ingest(at(0, "new"), at(29, "young"), at(300, "late")); got.Accepted != 3 {
			t.Fatalf("%+v", got)
		}
	}
	a.RunJob(t, pruneJob)
	if n, m := x.Count(), series(x); n != 2 || m != 2 {
		t.Errorf("%d events and %d in the metrics, want 2", n, m)
	}
	x.Ingest(at(299, "late")) // pruned, so it is new
	if n := x.Count(); n != 3 {
		t.Errorf("%d events", n)
	}
	a.RunJob(t, pruneJob)
	if n, m := x.Count(), series(x); n != 2 || m != 2 {
		t.Errorf("after the late event was pruned: %d events and %d in the metrics, want 2", n, m)
	}
	if n, m := other.Count(), series(other); n != 3 || m != 3 {
		t.Errorf("%d events and %d in the metrics of a project without a limit, want 3", n, m)
	}
}

type deletion struct {
	ProjectID     uuid.UUID `json:"project_id"`
	Status        string
	DeletedAt     time.Time `json:"deleted_at"`
	EventsDeleted int       `json:"events_deleted"`
	EventsLeft    int       `json:"events_left"`
}

func TestDeletionShowsItsProgressToTheMembers(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, other := a.Tenant(t), a.Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String()
	x.Ingest(events(12)...)
	x.Do("GET", path+"/deletion", nil).WantCode(404, "not_found")
	x.Do("DELETE", path, nil).Want(204)
	x.Do("DELETE", path, nil).WantCode(404, "not_found")
	var d deletion
	x.Do("GET", path+"/deletion", nil).Want(200).JSON(&d)
	if d.ProjectID != x.ProjectID || d.Status != "pending" || d.DeletedAt.IsZero() || d.EventsDeleted != 0 || d.EventsLeft != 12 {
		t.Errorf("%+v", d)
	}
	other.Do("GET", path+"/deletion", nil).WantCode(404, "not_found")
	if r := x.Do("GET", "/v1/projects", nil).Want(200); strings.Contains(string(r.Body), x.ProjectID.String()) {
		t.Errorf("the list has a deleted project: %s", r.Body)
	}
	counted := func(deleted string) func() bool { // what a database that is slow to answer leaves out comes with the next scrape
		return func() bool {
			m := a.Metrics(t)
			return strings.Contains(m, "\nnimbus_purge_projects_pending "+deleted+"\n") && strings.Contains(m, "\nnimbus_active_projects 1\n")
		}
	}
	nimbustest.Eventually(t, "the metrics count the deleted project", counted("1"))
	a.RunJob(t, purgeJob) // too early: a request that was let in before may still be storing events
	x.Do("GET", path+"/deletion", nil).Want(200)

	// Whoever refers to the project keeps its last row, and so the purge, waiting.
	conn, err := pgx.Connect(t.Context(), a.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT FROM projects WHERE id = $1 FOR KEY SHARE", x.ProjectID); err != nil {
		t.Fatal(err)
	}
	a.Clock.Add(3 * time.Minute)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.RunJob(t, purgeJob)
	}()
	nimbustest.Eventually(t, "the events are gone", func() bool {
		x.Do("GET", path+"/deletion", nil).Want(200).JSON(&d)
		if d.EventsDeleted+d.EventsLeft != 12 || d.EventsDeleted > 0 && d.Status != "running" {
			t.Fatalf("%+v", d)
		}
		return d.EventsLeft == 0
	})
	if d.Status != "running" || d.EventsDeleted != 12 {
		t.Errorf("%+v", d)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-done
	x.Do("GET", path+"/deletion", nil).WantCode(404, "not_found")
	nimbustest.Eventually(t, "the metrics no longer count the project", counted("0"))
}

// A wrong clock alone must not make any job delete data for its age.
func TestANodeWhoseClockIsAheadDeletesNothing(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	x.Do("PATCH", "/v1/projects/"+x.ProjectID.String(), map[string]any{"data_retention_days": 30}).Want(200)
	x.Ingest(apptest.Event{"name": "young", "ts": a.Clock.Now().AddDate(0, 0, -10)})
	health := func() (status, clock, detail string) {
		var h struct {
			Status string
			Checks struct {
				Clock struct{ Status, Detail string }
			}
		}
		x.Do("GET", "/v1/health", nil).Want(200).JSON(&h)
		return h.Status, h.Checks.Clock.Status, h.Checks.Clock.Detail
	}
	if status, clock, _ := health(); status != "ready" || clock != "ok" {
		t.Errorf("%s, clock %s; want ready, ok", status, clock)
	}
	rows := func() (n int) {
		t.Helper()
		a.Query(t, `SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM sessions) + (SELECT count(*) FROM api_keys)`, &n)
		return n
	}
	before := rows()
	const ahead = 45 * 24 * time.Hour
	a.Clock.Add(ahead)
	for _, job := range []string{pruneJob, "prune ended sessions", "prune expired keys", "prune idempotency keys"} {
		if err := a.JobError(t, job); err == nil || !strings.Contains(err.Error(), "1080h0m0s ahead of the database's") {
			t.Errorf("%s: %v", job, err)
		}
	}
	if n := rows(); n != before {
		t.Errorf("%d rows, want the %d of before", n, before)
	}
	if status, clock, detail := health(); status != "ready" || clock != "degraded" || !strings.Contains(detail, "1080h0m0s ahead") {
		t.Errorf("%s, clock %s: %s", status, clock, detail)
	}
	if m := a.Metrics(t); !strings.Contains(m, "\nnimbus_clock_difference_seconds 3.88") {
		t.Errorf("the metrics do not show 45 days:\n%s", m)
	}
	a.Clock.Add(-ahead)
	a.RunJob(t, pruneJob)
	if n := rows(); n != before {
		t.Errorf("%d rows after the clock was set right, want the %d of before", n, before)
	}
}
