package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/openapi"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func do(t *testing.T, method, url string, header http.Header) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, b
}

func TestEveryErrorIsAProblemWithTheRequestsID(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	for _, tt := range []struct {
		method, path string
		status       int
		code         problem.Code
	}{
		{"GET", "/nothing", 404, problem.CodeNotFound},
		{"GET", "/v1/nothing", 404, problem.CodeNotFound},
		{"PUT", "/v1/projects", 405, problem.CodeMethodNotAllowed},
		{"GET", "/v1/auth/me", 401, problem.CodeUnauthenticated},
	} {
		res, b := do(t, tt.method, a.URL+tt.path, http.Header{"X-Request-Id": {"my-request.1"}})
		var p struct {
			Type, Title, Detail, Code string
			Status                    int
			RequestID                 string `json:"request_id"`
		}
		if err := json.Unmarshal(b, &p); err != nil {
			t.Fatalf("%s: %v: %s", tt.path, err, b)
		}
		if res.StatusCode != tt.status || p.Status != tt.status || p.Code != string(tt.code) || p.RequestID != "my-request.1" ||
			res.Header.Get("X-Request-Id") != "my-request.1" || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, res.StatusCode, b)
		}
		if p.Type != "/docs/errors#"+p.Code || p.Title == "" || p.Detail == "" {
			t.Errorf("not helpful: %s", b)
		}
		if tt.status == 405 && res.Header.Get("Allow") == "" {
			t.Error("a 405 without Allow")
		}
	}
	// A request id that could break the log is replaced.
	res, _ := do(t, "GET", a.URL+"/health", http.Header{"X-Request-Id": {`"}{` + strings.Repeat("x", 99)}})
	if id := res.Header.Get("X-Request-Id"); len(id) != 16 {
		t.Errorf("request id %q", id)
	}
	if !strings.Contains(a.Log.String(), `"request_id":"my-request.1"`) {
		t.Error("the log does not name the request")
	}
}

func TestDocsComeFromTheBinary(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	_, raw := do(t, "GET", a.URL+"/openapi.yaml", nil)
	if !bytes.Equal(raw, openapi.YAML) {
		t.Error("/openapi.yaml is not the contract")
	}
	_, asJSON := do(t, "GET", a.URL+"/openapi.json", nil)
	var fromYAML, fromJSON any
	if err := yaml.Unmarshal(raw, &fromYAML); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(asJSON, &fromJSON); err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"/docs", "/redoc", "/docs/errors"} {
		res, b := do(t, "GET", a.URL+page, nil)
		if res.StatusCode != 200 || !strings.Contains(res.Header.Get("Content-Security-Policy"), "script-src 'self'") {
			t.Errorf("%s: %d %v", page, res.StatusCode, res.Header)
		}
		for _, part := range strings.Split(string(b), `"`) {
			if strings.HasPrefix(part, "http") {
				t.Errorf("%s loads %s from elsewhere", page, part)
			}
			if strings.HasPrefix(part, "/docs/assets/") {
				if res, _ := do(t, "GET", a.URL+part, nil); res.StatusCode != 200 {
					t.Errorf("%s: %d", part, res.StatusCode)
				}
			}
		}
	}
	_, errors := do(t, "GET", a.URL+"/docs/errors", nil)
	for _, k := range problem.Kinds() {
		if !strings.Contains(string(errors), fmt.Sprintf(`id="%s"`, k.Code)) {
			t.Errorf("%s is not documented", k.Code)
		}
	}
}

func TestHeadersAndCORS(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_ALLOWED_ORIGINS=https://app.example.com")
	res, _ := do(t, "GET", a.URL+"/v1/health", nil)
	page, _ := do(t, "GET", a.URL+"/docs", nil)
	for _, tt := range []struct {
		from       *http.Response
		name, want string
	}{{res, "X-Content-Type-Options", "nosniff"}, {res, "Cache-Control", "no-store"}, {res, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
		{page, "X-Content-Type-Options", "nosniff"}, {page, "X-Frame-Options", "DENY"}, {page, "Referrer-Policy", "no-referrer"}} {
		if got := tt.from.Header.Get(tt.name); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	preflight := func(path, method, origin string) string {
		res, _ := do(t, "OPTIONS", a.URL+path, http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}})
		return res.Header.Get("Access-Control-Allow-Origin")
	}
	if got := preflight("/v1/events", "POST", "https://shop.example.org"); got != "*" {
		t.Errorf("ingestion from a browser: %q", got)
	}
	if got := preflight("/v1/projects", "GET", "https://app.example.com"); got != "https://app.example.com" {
		t.Errorf("an allowed origin: %q", got)
	}
	for _, c := range [][2]string{{"/v1/projects", "GET"}, {"/v1/events", "GET"}} {
		if got := preflight(c[0], c[1], "https://shop.example.org"); got != "" {
			t.Errorf("%s %s from a foreign origin: %q", c[1], c[0], got)
		}
	}
}

func TestMetricsAreScraped(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	x.Ingest(apptest.Event{"name": "good"}, apptest.Event{"name": ""})
	nimbustest.Eventually(t, "the server is ready", func() bool { return readiness(t, a) == http.StatusOK })
	do(t, "GET", a.URL+"/wp-admin.php", nil)
	// A metric that is absent because the database was slow comes with the next scrape.
	nimbustest.Eventually(t, "the projects are counted", func() bool { return strings.Contains(a.Metrics(t), "nimbus_active_projects 1\n") })
	got := a.Metrics(t)
	for _, want := range []string{
		"nimbus_events_ingested_total 1\n", `nimbus_events_rejected_total{code="length"} 1`,
		`postgresql_connections_active{pool="ingestion"} `, "nimbus_ingest_queue_rows 0\n", "nimbus_ingest_oldest_seconds 0\n",
		`http_requests_total{method="POST",route="/v1/events",status="200"} 1`, `http_request_duration_seconds_count{method="POST",route="/v1/events"} 1`,
		`http_requests_total{method="GET",route="other",status="404"}`, `nimbus_job_age_seconds{job="purge deleted projects"}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the metrics", want)
		}
	}
	if strings.Contains(got, "wp-admin") {
		t.Error("a scanner makes time series")
	}
}

// Stopping under load: everything that was answered with 200 is stored, and nothing twice.
func TestStoppingLosesNothing(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.DSN(t)
	settings := []string{"NIMBUS_SECRET_KEY=" + strings.Repeat("0123456789abcdef", 4), "NIMBUS_JWT_SECRET=" + strings.Repeat("0123456789abcdef", 2)}
	a := apptest.BootOn(t, dsn, settings...)
	x := a.Tenant(t)
	var acked, attempts atomic.Int64
	var wg sync.WaitGroup
	enough, stopped := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(enough) })
	for worker := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := 0; ; k++ {
				body := x.Batch(apptest.Event{"name": "e", "idempotency_key": fmt.Sprintf("%d-%d", worker, k)}, apptest.Event{"name": "f", "idempotency_key": fmt.Sprintf("%d-%d", worker, k)})
				attempts.Add(2)
				res, err := http.DefaultClient.Do(x.Signed(body))
				if err != nil {
					return // the listener is closed
				}
				select {
				case <-stopped:
					_ = res.Body.Close()
					return // and another program has its port
				default:
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode == http.StatusOK && acked.Add(2) > 400 {
					once()
				}
			}
		}()
	}
	nimbustest.Await(t, "enough load", enough)
	a.Stop()
	close(stopped)
	wg.Wait()
	b := apptest.BootOn(t, dsn, settings...)
	reader := *x
	reader.Client = b.Client(t).With("X-API-Key", x.Secret)
	stored := int64(reader.Count())
	if stored < acked.Load() || stored > attempts.Load() {
		t.Errorf("%d events acknowledged, %d stored, %d attempted", acked.Load(), stored, attempts.Load())
	}
}
