package app_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// Parts follow their events: they are made of what arrived, go with what is pruned, and the metrics say what waits.
func TestPartsFollowTheirEvents(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	x.Do("PATCH", "/v1/projects/"+x.ProjectID.String(), map[string]any{"data_retention_days": 30}).Want(200)
	// While a transaction that began before is open, nothing can be taken into parts.
	conn, err := pgx.Connect(t.Context(), a.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "BEGIN; SELECT pg_current_xact_id()"); err != nil {
		t.Fatal(err)
	}
	for _, days := range []int{0, 29, 40, 300} {
		x.Ingest(apptest.Event{"name": "e", "user_id": "u", "ts": a.Clock.Now().AddDate(0, 0, -days)})
	}
	says := func(line string) func() bool { // left out of a scrape while the database is slow to answer
		return func() bool { return strings.Contains(a.Metrics(t), line) }
	}
	nimbustest.Eventually(t, "four events wait", says("nimbus_parts_backlog_events 4\n"))
	a.Exec(t, "UPDATE arrivals SET created_at = now() - interval '1 hour'")
	nimbustest.Eventually(t, "the first of them has waited for an hour", says("nimbus_parts_age_seconds 36"))
	health := func() (status, parts string) {
		var h struct {
			Status string
			Checks map[string]struct{ Status string }
		}
		x.Do("GET", "/v1/health", nil).Want(200).JSON(&h)
		return h.Status, h.Checks["parts"].Status
	}
	if status, parts := health(); status != "ready" || parts != "degraded" {
		t.Errorf("the node is %s and its parts %s", status, parts)
	}
	if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	nimbustest.Eventually(t, "they are in parts", func() bool { // transactions of other tests hold the horizon back
		a.RunJob(t, "build parts")
		var waiting int
		a.Query(t, "SELECT count(*) FROM arrivals", &waiting)
		return waiting == 0
	})
	nimbustest.Eventually(t, "nothing waits", says("nimbus_parts_backlog_events 0\n"))
	nimbustest.Eventually(t, "for no time", says("nimbus_parts_age_seconds 0\n"))
	if _, parts := health(); parts != "ok" {
		t.Errorf("the parts are %s when nothing waits", parts)
	}
	var rows int
	if a.Query(t, "SELECT coalesce(sum(rows), 0)::int FROM event_parts", &rows); rows != 4 {
		t.Errorf("%d events in parts, want 4", rows)
	}
	a.RunJob(t, pruneJob)
	if a.Query(t, "SELECT coalesce(sum(rows), 0)::int FROM event_parts", &rows); rows != 2 {
		t.Errorf("%d events in parts after those older than 30 days are gone, want 2", rows)
	}
	// The day that is cut through is marked, or has been built since.
	var marked bool
	a.Query(t, fmt.Sprintf("SELECT EXISTS (SELECT FROM event_part_days WHERE day = %d)", a.Clock.Now().AddDate(0, 0, -30).Unix()/86400), &marked)
	if !marked {
		t.Error("the day that is cut through is not marked")
	}
	a.RunJob(t, "build parts")
	var dirty int
	if a.Query(t, "SELECT count(*) FROM event_part_days WHERE dirty", &dirty); dirty != 0 {
		t.Errorf("%d days are still to be built", dirty)
	}
	a.RunJob(t, "prune arrivals")
}
