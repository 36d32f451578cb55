package app_test

import (
	"context"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// metric is what Prometheus gets to see of one name.
type metric struct {
	kind   string
	labels string // sorted, with commas
}

var (
	typeLine   = regexp.MustCompile(`^# TYPE (\S+) (\S+)$`)
	sampleLine = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? \S+$`)
	labelName  = regexp.MustCompile(`([a-z_]+)="`)
)

// served returns the metrics of a scrape by their names, but for those of every Go program.
func served(t *testing.T, scrape string) map[string]metric {
	t.Helper()
	out := make(map[string]metric)
	name := ""
	for line := range strings.Lines(scrape) {
		line = strings.TrimSpace(line)
		if m := typeLine.FindStringSubmatch(line); m != nil {
			if name = m[1]; strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
				name = ""
				continue
			}
			out[name] = metric{kind: m[2]}
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if name == "" || m == nil {
			continue
		}
		var labels []string
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			if l[1] != "le" {
				labels = append(labels, l[1])
			}
		}
		slices.Sort(labels)
		out[name] = metric{out[name].kind, strings.Join(labels, ",")}
	}
	return out
}

// documented returns the rows of docs/metrics.md.
func documented(t *testing.T) map[string]metric {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]metric)
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\w+) \\|([^|]*)\\|([^|]+)\\|").FindAllStringSubmatch(string(page), -1) {
		var labels []string
		for _, l := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		out[m[1]] = metric{m[2], strings.Join(labels, ",")}
	}
	return out
}

func TestEveryMetricIsDocumentedAndEveryDocumentedOneIsServed(t *testing.T) {
	t.Parallel()
	otlp := receive(t)
	everything := apptest.Boot(t, "NIMBUS_REDIS_URL="+nimbustest.Redis(t).URL, "NIMBUS_OTLP_ENDPOINT="+otlp.URL, "NIMBUS_QUOTA_EVENT_NAMES=1",
		"NIMBUS_ANALYTICS_DATABASE_URL="+nimbustest.DSN(t), "NIMBUS_OIDC_ISSUER=https://login.example.com", "NIMBUS_OIDC_CLIENT_ID=nimbus",
		"NIMBUS_OIDC_REDIRECT_URL=https://nimbus.example.com/v1/auth/oidc/callback",
		"NIMBUS_SMTP_URL=smtp://127.0.0.1:1", "NIMBUS_MAIL_FROM=nimbus@example.com", "NIMBUS_PUBLIC_URL=https://nimbus.example.com")
	x := everything.Tenant(t)
	x.Ingest(apptest.Event{"name": "good"}, apptest.Event{"name": ""})
	quarantine(t, everything, x)
	for user, status := range map[string]int{"u": 200, "": 422} {
		x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", operationsOf(x, operation{"op": "set", "user_id": user, "props": operation{}})).Want(status)
	}
	var got map[string]metric
	nimbustest.Eventually(t, "the projects are counted", func() bool { // left out while the database is slow to answer
		got = served(t, everything.Metrics(t))
		return got["nimbus_active_projects"].kind != "" && got["nimbus_purge_projects_pending"].kind != ""
	})
	// Served where PostgreSQL is embedded: TestTheRoomOfTheEmbeddedDatabaseIsTold.
	got["nimbus_disk_free_bytes"] = metric{kind: "gauge"}
	if want := documented(t); !maps.Equal(got, want) {
		for name, m := range got {
			if want[name] != m {
				t.Errorf("%s is served as %v, documented as %v", name, m, want[name])
			}
		}
		for name := range want {
			if _, ok := got[name]; !ok {
				t.Errorf("%s is documented and not served", name)
			}
		}
	}
}

// How long someone looks at a stream is not how long the server takes to answer: the request is over when the stream
// begins.
func TestALiveStreamIsNoSlowRequest(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/live"
	const labels = `{method="GET",route="/v1/projects/:project_id/live"`
	a.Client(t).Do("GET", path, nil).Want(401)
	ctx, leave := context.WithCancel(t.Context())
	res, err := x.HTTP().Do(x.Request("GET", path, nil).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	nimbustest.Eventually(t, "the request to end", func() bool {
		return strings.Contains(a.Metrics(t), "http_requests_total"+labels+`,status="200"} 1`)
	})
	if got := gauge(t, a, "http_request_duration_seconds_count"+labels+"}"); got != 2 {
		t.Errorf("%v requests have a duration, want the one that was refused and the one that opened the stream", got)
	}
	if got := gauge(t, a, "nimbus_live_subscribers"); got != 1 {
		t.Errorf("%v streams are open, want the one that nobody has left", got)
	}
	leave()
	nimbustest.Eventually(t, "the stream to end", func() bool { return gauge(t, a, "nimbus_live_subscribers") == 0 })
}

// A probe finds the node not ready every few seconds; the log tells once why, and once that it is over.
func TestReadinessIsLoggedWhenItChanges(t *testing.T) {
	t.Parallel()
	dsn, kill, again := restartable(t)
	a := apptest.BootOn(t, dsn)
	nimbustest.Eventually(t, "a node that has begun to be ready", func() bool {
		return gauge(t, a, `nimbus_ready{check="database"}`) == 1 && gauge(t, a, `nimbus_ready{check="ingest"}`) == 1
	})
	kill()
	nimbustest.Eventually(t, "readiness to turn red", func() bool { return readiness(t, a) == http.StatusServiceUnavailable })
	const red, green = `"msg":"not ready","database":"the database does not answer`, `"msg":"ready again"`
	told := strings.Count(a.Log.String(), red)
	for range 5 {
		readiness(t, a)
	}
	if gauge(t, a, `nimbus_ready{check="database"}`) != 0 {
		t.Error("the metrics do not tell that the database is away")
	}
	if n := strings.Count(a.Log.String(), red); n != told || n == 0 {
		t.Errorf("told %d times, and %d times after more probes:\n%s", told, n, a.Log)
	}
	healed := strings.Count(a.Log.String(), green)
	again()
	nimbustest.Eventually(t, "readiness to heal", func() bool { return readiness(t, a) == http.StatusOK })
	if strings.Count(a.Log.String(), green) == healed {
		t.Errorf("that it is over is not told:\n%s", a.Log)
	}
}

// Whatever a request makes the server say has its id, whichever package says it.
func TestEveryLineOfARequestHasItsID(t *testing.T) {
	t.Parallel()
	srv := nimbustest.Redis(t)
	a := apptest.Boot(t, "NIMBUS_REDIS_URL="+srv.URL, "NIMBUS_REDIS_TIMEOUT_MS=1000")
	account := a.Account(t)
	c := a.Client(t).With("X-Request-Id", "find-me")
	const failed, answered = `"msg":"the shared state failed`, `"route":"/v1/auth/login"`
	var said string
	nimbustest.Eventually(t, "a login that is the first to find Redis hanging", func() bool {
		nimbustest.Eventually(t, "Redis to be found", func() bool { _, check := redisCheck(t, a); return check == "ok" })
		srv.Hang() // the next login is counted by this node alone, and internal/platform/ratelimit says so
		defer srv.Resume()
		before := len(a.Log.String())
		c.Do("POST", "/v1/auth/login", map[string]string{"email": account.Email, "password": apptest.Password}).Want(200)
		said = a.Log.String()[before:]
		return strings.Contains(said, failed) // unless the loop that watches Redis was quicker
	})
	lines := 0
	for line := range strings.Lines(said) {
		if !strings.Contains(line, failed) && !strings.Contains(line, answered) {
			continue // of the loops that run beside it
		}
		if lines++; strings.Count(line, `"request_id":"find-me"`) != 1 {
			t.Errorf("without its id: %s", line)
		}
	}
	if lines < 2 {
		t.Errorf("%d lines of the request: %s", lines, said)
	}
}
