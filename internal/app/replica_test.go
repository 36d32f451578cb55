package app_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// replicaCheck is the readiness check of the replica. Readiness must be 200 in any case.
func replicaCheck(t *testing.T, a *apptest.App) (check string) {
	t.Helper()
	var body struct {
		Checks struct {
			Replica struct{ Status string }
		}
	}
	a.Client(t).Do("GET", "/v1/health", nil).Want(http.StatusOK).JSON(&body)
	return body.Checks.Replica.Status
}

// asksOf is the number of connections whose last statement on this server read events.
func asksOf(t *testing.T, dsn string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'questions' AND query LIKE '%FROM events %'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// newest is the id of the event that a database has stored last.
func newest(t *testing.T, dsn string) (id string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := conn.QueryRow(t.Context(), "SELECT id::text FROM events ORDER BY received_at DESC LIMIT 1").Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestQuestionsAreAnsweredWhateverBecomesOfTheReplica(t *testing.T) {
	t.Parallel()
	primary := nimbustest.PrivateServer(t, false, func(c *embedded.Config) { c.Settings["synchronous_commit"] = "on" })
	standby := nimbustest.Standby(t, primary)
	a := apptest.BootOn(t, primary.DSN(embedded.Database), "NIMBUS_REPLICA_MAX_LAG_SECONDS=1",
		"NIMBUS_ANALYTICS_DATABASE_URL="+standby.DSN()+" application_name=questions")
	x := a.Tenant(t)
	is := func(want string) {
		t.Helper()
		nimbustest.Eventually(t, "the replica is "+want, func() bool { return replicaCheck(t, a) == want })
	}
	counts := func(want int) {
		t.Helper()
		if n := x.Count(); n != want {
			t.Errorf("%d events, want %d", n, want)
		}
	}

	is("ok")
	x.Ingest(keyed("before", 3)...)
	standby.CatchUp(primary)
	counts(3)
	nimbustest.Eventually(t, "the standby is asked", func() bool { // unless it is behind by too much at the moment
		counts(3)
		return asksOf(t, standby.DSN()) > 0
	})

	// Replay is paused, and the lag grows too large. An event is found at once by its id, and soon counted.
	standby.Exec("SELECT pg_wal_replay_pause()")
	x.Ingest(keyed("paused", 2)...)
	x.Do("GET", "/v1/events/"+newest(t, primary.DSN(embedded.Database)), nil).Want(http.StatusOK)
	is("degraded")
	counts(5)
	nimbustest.Eventually(t, "a replica that is behind is up", func() bool { return gauge(t, a, "nimbus_replica_up") == 1 })
	standby.Exec("SELECT pg_wal_replay_resume()")
	standby.CatchUp(primary)
	is("ok")
	counts(5)

	standby.Kill()
	for range 50 { // each is answered, whether or not its death has been noticed
		counts(5)
	}
	is("degraded")
	x.Ingest(keyed("alone", 1)...)
	counts(6)
	nimbustest.Eventually(t, "the metrics say that the replica is away", func() bool {
		counts(6)
		return gauge(t, a, "nimbus_replica_up") == 0 && gauge(t, a, `nimbus_replica_fallbacks_total{reason="away"}`) > 0
	})
	standby.Start()
	standby.CatchUp(primary)
	is("ok")
	counts(6)
}
