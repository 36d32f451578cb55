package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	ingestion "github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// connect is a connection of the test's own, closed at its end.
func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// lock locks a table and returns the function that unlocks it. Every flush writes event_counts last.
func lock(t *testing.T, dsn, table string) (release func()) {
	t.Helper()
	conn := connect(t, dsn)
	exec(t, conn, "BEGIN")
	exec(t, conn, "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE")
	return func() { exec(t, conn, "ROLLBACK") }
}

// fault runs a statement at every insert of events, also by COPY, until heal is called.
func fault(t *testing.T, dsn, when, plpgsql string) (heal func()) {
	t.Helper()
	conn := connect(t, dsn)
	exec(t, conn, "SET citus.enable_unsafe_triggers = on") // to PostgreSQL a setting like any other
	exec(t, conn, "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "+plpgsql+" RETURN NEW; END $$")
	exec(t, conn, "CREATE TRIGGER fault BEFORE INSERT ON events FOR EACH "+when+" EXECUTE FUNCTION fault()")
	return func() { exec(t, conn, "DROP FUNCTION fault CASCADE") }
}

// answer is the answer to a sender in another goroutine; status 0 when the connection broke.
type answer struct {
	apptest.Ingested
	status     int
	retryAfter int // seconds
	body       string
}

// post sends a signed request and does not check the answer.
func post(x *apptest.Tenant, body []byte) answer {
	res, err := http.DefaultClient.Do(x.Signed(body))
	if err != nil {
		return answer{body: err.Error()}
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		return answer{body: err.Error()}
	}
	a := answer{status: res.StatusCode, body: b.String()}
	a.retryAfter, _ = strconv.Atoi(res.Header.Get("Retry-After")) // 0 is judged by want503
	_ = json.Unmarshal(b.Bytes(), &a.Ingested)                    // a problem has none of it
	return a
}

func want503(t *testing.T, a answer) {
	t.Helper()
	if a.status != http.StatusServiceUnavailable || a.retryAfter < 1 {
		t.Errorf("status %d, Retry-After %d, want a 503 that says when to come back: %s", a.status, a.retryAfter, a.body)
	}
}

// keyed returns n events that can be sent again; label makes them differ from others.
func keyed(label string, n int) []apptest.Event {
	out := make([]apptest.Event, n)
	for k := range out {
		out[k] = apptest.Event{"name": "e", "idempotency_key": fmt.Sprintf("%s-%d", label, k), "ts": "2026-01-15T10:30:00Z"}
	}
	return out
}

// readiness returns the status of /v1/health.
func readiness(t *testing.T, a *apptest.App) int {
	t.Helper()
	return get(t, a, "/v1/health").StatusCode
}

// gauge returns one number of /metrics, which must be there.
func gauge(t *testing.T, a *apptest.App, name string) float64 {
	t.Helper()
	for line := range strings.Lines(a.Metrics(t)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s is not in the metrics", name)
	return 0
}

// quick are bounds that a test reaches soon. A busy machine reaches them too, without a fault: events that must be
// stored are sent again until they are.
func quick(c *ingestion.BatcherConfig) {
	c.FlushTime = 250 * time.Millisecond
}

// patient are bounds that no test reaches: a flush that the test blocks waits until the test unblocks it.
func patient(c *ingestion.BatcherConfig) {
	c.FlushTime, c.WaitTime, c.StalledTime = nimbustest.Patience, nimbustest.Patience, nimbustest.Patience
}

// flows sends events until they are acknowledged, as an SDK does, and says how many were stored before.
func flows(t *testing.T, x *apptest.Tenant, body []byte) apptest.Ingested {
	t.Helper()
	var last answer
	nimbustest.Eventually(t, "events are stored again", func() bool {
		last = post(x, body)
		if last.status != http.StatusOK && last.status != http.StatusServiceUnavailable {
			t.Fatalf("an answer that is neither 200 nor 503: %d %s", last.status, last.body)
		}
		return last.status == http.StatusOK
	})
	return last.Ingested
}
