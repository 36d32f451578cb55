package app_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// Each operation that documents a rate limit has one: a caller with full access is refused in the end.
func TestEveryOperationHasItsLimit(t *testing.T) {
	t.Parallel()
	free, a := twoNodes(t, "NIMBUS_RATE_LIMIT_ENABLED=true", "NIMBUS_RATE_LIMIT_PER_MINUTE=5")
	x := free.Tenant(t) // what the operations need is made without limits
	const most = 3000   // more than any limit here, and than what is added to it meanwhile
	for _, tg := range calls(t, free, x) {
		if !slices.Contains(tg.op.Statuses, http.StatusTooManyRequests) {
			continue
		}
		t.Run(tg.op.ID, func(t *testing.T) {
			var body []byte
			if tg.op.Body {
				body = []byte("{")
			}
			for range most {
				r := tg.caller.On(a).Do(tg.op.Method, tg.path, body)
				if r.Header.Get("RateLimit") == "" || r.Header.Get("RateLimit-Policy") == "" {
					t.Fatalf("%d without its limit: %v", r.Status, r.Header)
				}
				if r.Status == http.StatusTooManyRequests {
					r.WantCode(http.StatusTooManyRequests, "rate_limited")
					return
				}
			}
			t.Errorf("%d requests were let through", most)
		})
	}
	if !strings.Contains(a.Metrics(t), `nimbus_rate_limited_total{policy="address"}`) {
		t.Error("refusals are not counted")
	}
}

// Registering and asking for a new password have a limit of their own. Logging in from the same address goes on.
func TestRegisteringHasALowerLimitThanLoggingIn(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_RATE_LIMIT_ENABLED=true")
	first := a.Account(t)
	for range 9 {
		a.Account(t)
	}
	for path, body := range map[string]any{
		"/v1/auth/register":                map[string]string{"email": "eleventh@example.com", "password": apptest.Password},
		"/v1/auth/password-reset/complete": map[string]string{"token": "np_" + strings.Repeat("a", 43), "new_password": apptest.Password},
	} {
		r := a.Client(t).Do("POST", path, body)
		r.WantCode(http.StatusTooManyRequests, "rate_limited")
		if after := r.Header.Get("Retry-After"); after == "" || after == "0" {
			t.Errorf("%s: Retry-After %q", path, after)
		}
	}
	for range 3 {
		a.Login(t, first.Email)
	}
}

func TestWithoutLimitsNobodyIsRefused(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_RATE_LIMIT_ENABLED=false", "NIMBUS_RATE_LIMIT_PER_MINUTE=1")
	x := a.Tenant(t)
	for range 5 {
		if r := x.Do("GET", "/v1/auth/me", nil).Want(200); r.Header.Get("RateLimit") != "" {
			t.Fatalf("a limit is told that is not there: %v", r.Header)
		}
	}
}

func TestAGuessedPasswordIs429AndTheRightOneWorksAfterTheWait(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	c := a.Client(t)
	c.Do("POST", "/v1/auth/register", map[string]string{"email": "ada@example.com", "password": apptest.Password}).Want(201)
	right := map[string]string{"email": "ada@example.com", "password": apptest.Password}
	for _, email := range []string{"ada@example.com", "nobody@example.com"} {
		wrong := map[string]string{"email": email, "password": "Wrong-Horse-7"}
		var r *apptest.Reply
		for range 20 {
			if r = c.Do("POST", "/v1/auth/login", wrong); r.Status == http.StatusTooManyRequests {
				break
			}
			r.WantCode(401, "invalid_credentials")
		}
		r.WantCode(429, "too_many_attempts")
	}
	nimbustest.Eventually(t, "the wait to be over", func() bool { return c.Do("POST", "/v1/auth/login", right).Status == 200 })
}

// One analyst with many slow questions leaves connections to everyone else, and gets all his answers.
func TestOneAnalystCannotTakeTheWholePool(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_QUERY_TIMEOUT_SECONDS=25")
	analyst, other := a.Tenant(t), a.Tenant(t)
	analyst.Ingest(apptest.Event{"name": "e"}) // a project without events is answered without a look at the table
	conn := connect(t, a.DSN)
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE") // every question waits until its end
	waiting := func() (n int) {
		if err := conn.QueryRow(t.Context(), "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND relation = 'events'::regclass").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	var wg sync.WaitGroup
	for range 8 { // as many as the pool has connections
		wg.Go(func() {
			nimbustest.Eventually(t, "an answer", func() bool {
				r := analyst.Do("GET", "/v1/events?project_id="+analyst.ProjectID.String(), nil)
				if r.Status == http.StatusTooManyRequests { // it has waited for a slot as long as a question does
					r.WantCode(http.StatusTooManyRequests, "too_many_queries")
					return false
				}
				return r.Want(http.StatusOK) != nil
			})
		})
	}
	const share = 1 // half of the quarter that is for questions which take milliseconds
	nimbustest.Eventually(t, "the analyst to use his share", func() bool { return waiting() == share })
	for range 3 {
		other.Do("GET", "/v1/projects", nil).Want(200)
		analyst.Do("GET", "/v1/auth/me", nil).Want(200)
	}
	if n := waiting(); n > share {
		t.Errorf("the analyst has %d of 8 connections, want %d", n, share)
	}
	exec("COMMIT")
	wg.Wait()
}

func TestJSONThatIsNestedDeeplyIsRefused(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	for _, open := range []string{"[", `{"a":`} {
		x.Do("POST", "/v1/projects", bytes.Repeat([]byte(open), 100_000)).WantCode(400, "malformed_json")
		deep := `{"project_id":"` + x.ProjectID.String() + `","events":[{"name":"e","props":{"a":`
		x.Send(x.Signed([]byte(deep+strings.Repeat(open, 1_000_000)))).WantCode(400, "malformed_json")
	}
	nine := apptest.Event{"name": "e", "props": json.RawMessage(strings.Repeat(`{"a":`, 9) + "1" + strings.Repeat("}", 9))}
	x.Send(x.Signed(x.Batch(nine))).WantCode(422, "all_events_rejected")
}

// redisCheck is the readiness check of Redis.
func redisCheck(t *testing.T, a *apptest.App) (status int, check string) {
	t.Helper()
	r := a.Client(t).Do("GET", "/v1/health", nil)
	var h struct {
		Checks struct{ Redis struct{ Status string } }
	}
	if err := json.Unmarshal(r.Body, &h); err != nil {
		t.Fatal(err)
	}
	return r.Status, h.Checks.Redis.Status
}

// Redis hangs, and recovers: events are stored meanwhile, at the cost of one time-out, and the node stays in the load
// balancer.
func TestARedisThatHangsStopsNothingAndHealsByItself(t *testing.T) {
	t.Parallel()
	srv := nimbustest.Redis(t)
	a := apptest.Boot(t, "NIMBUS_REDIS_URL="+srv.URL, "NIMBUS_REDIS_TIMEOUT_MS=1000", "NIMBUS_RATE_LIMIT_ENABLED=true")
	x := a.Tenant(t)
	is := func(want string) func() bool {
		return func() bool {
			status, check := redisCheck(t, a)
			return status == 200 && check == want
		}
	}
	nimbustest.Eventually(t, "Redis to be found", is("ok"))
	x.Ingest(keyed("before", 1)...)
	before := gauge(t, a, "nimbus_redis_failures_total")
	srv.Hang()
	for range 20 {
		x.Ingest(keyed("during", 1)...)
		x.Do("GET", "/v1/auth/me", nil).Want(200)
	}
	// The first call, and those that wait at the same moment, time out. Without a circuit breaker every call would.
	if timeOuts := gauge(t, a, "nimbus_redis_failures_total") - before; timeOuts > 5 {
		t.Errorf("%v calls waited for a Redis that hangs", timeOuts)
	}
	nimbustest.Eventually(t, "readiness to tell", is("degraded"))
	if !strings.Contains(a.Metrics(t), "nimbus_redis_up 0") {
		t.Error("the metrics do not tell")
	}
	srv.Resume()
	nimbustest.Eventually(t, "readiness to heal", is("ok"))
	nimbustest.Eventually(t, "the metrics to tell that it is back", func() bool { return gauge(t, a, "nimbus_redis_up") == 1 })
	if got := x.Count(); got != 2 {
		t.Errorf("%d events are stored, want 2", got)
	}
}
