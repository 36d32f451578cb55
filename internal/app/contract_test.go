package app_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"gopkg.in/yaml.v3"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/openapi"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// call is an operation with a path that leads somewhere, called by someone who may.
type call struct {
	op     *contract.Operation
	path   string
	body   any // a valid one
	caller *apptest.Client
}

// calls returns every operation, ready to be called by the tenant.
func calls(t *testing.T, a *apptest.App, x *apptest.Tenant) []call {
	t.Helper()
	var out []call
	for _, op := range api.Operations {
		caller := x.Client
		switch {
		case op.Public:
			caller = a.Client(t)
		case takes(op, "refreshToken"):
			caller = a.Client(t).Bearer(x.RefreshToken)
		case !takes(op, "bearerAuth"):
			caller = a.Client(t).With("X-API-Key", x.Secret)
		}
		out = append(out, call{op, target(op, things(t, a, x, op)), body(t, a, x, op, x.ProjectID.String()), caller})
	}
	return out
}

func TestEveryOperationRefusesWhatIsNotForIt(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	for _, tg := range calls(t, a, x) {
		t.Run(tg.op.ID, func(t *testing.T) {
			if !tg.op.Public {
				// The body is one that would be refused too: without credentials nobody learns that.
				r := a.Client(t).Do(tg.op.Method, tg.path, []byte("{"))
				r.WantCode(401, "unauthenticated")
				if r.Header.Get("WWW-Authenticate") == "" {
					t.Error("a 401 without WWW-Authenticate")
				}
				a.Client(t).Bearer("not-a-token").Do(tg.op.Method, tg.path, []byte("{")).Want(401)
			}
			if tg.op.Body {
				tg.caller.Do(tg.op.Method, tg.path, []byte(`{"a":`)).WantCode(400, "malformed_json")
				tg.caller.With("Content-Type", "text/plain").Do(tg.op.Method, tg.path, []byte("{}")).WantCode(415, "unsupported_media_type")
				tg.caller.With("Content-Encoding", "br").Do(tg.op.Method, tg.path, []byte("{}")).WantCode(415, "unsupported_encoding")
				tg.caller.With("Content-Encoding", "gzip").Do(tg.op.Method, tg.path, []byte("{}")).WantCode(400, "malformed_encoding")
				tg.caller.With("Content-Encoding", "zstd").Do(tg.op.Method, tg.path, []byte("{}")).WantCode(400, "malformed_encoding")
				tg.caller.Do(tg.op.Method, tg.path, bytes.Repeat([]byte(" "), 11<<20)).WantCode(413, "body_too_large")
				tg.caller.Do(tg.op.Method, tg.path, []byte(`{"no such member":1}`)).WantCode(422, "validation_failed")
				if tg.op.BodyRequired {
					tg.caller.With("Content-Type", "application/json").Do(tg.op.Method, tg.path, nil).WantCode(400, "malformed_json")
				}
			}
			if slices.Contains(tg.op.Statuses, 404) && strings.Contains(tg.op.Path, "{") {
				gone := target(tg.op, ghosts(tg.op))
				missing := tg.caller.Do(tg.op.Method, gone, tg.body).WantCode(404, "not_found")
				odd := strings.NewReplacer("{", "x", "}", "x").Replace(tg.op.Path)
				if _, query, ok := strings.Cut(gone, "?"); ok {
					odd += "?" + query
				}
				malformed := tg.caller.Do(tg.op.Method, odd, tg.body).WantCode(404, "not_found")
				if detail(missing) != detail(malformed) {
					t.Errorf("a missing and a malformed id are told apart: %s / %s", missing.Body, malformed.Body)
				}
			}
			if slices.Contains(tg.op.Statuses, 422) && !tg.op.Body && !tg.op.OpenQuery {
				sep := "?"
				if strings.Contains(tg.path, "?") {
					sep = "&"
				}
				r := tg.caller.Do(tg.op.Method, tg.path+sep+"no_such_parameter=1&another=2", nil).WantCode(422, "validation_failed")
				for _, name := range []string{"/no_such_parameter", "/another"} {
					if !bytes.Contains(r.Body, []byte(name)) {
						t.Errorf("%s is not named: %s", name, r.Body)
					}
				}
			}
		})
	}
}

func detail(r *apptest.Reply) string {
	var p struct{ Detail string }
	r.JSON(&p)
	return p.Detail
}

// While the database is unavailable every operation answers 503 with Retry-After, and not with a hang, a 500 or a
// wrong answer.
func TestEveryOperationAnswers503WithoutDatabase(t *testing.T) {
	t.Parallel()
	srv := nimbustest.PrivateServer(t, false)
	a := apptest.BootOn(t, srv.DSN(embedded.Database))
	x := a.Tenant(t)
	all := calls(t, a, x)
	if err := srv.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tg := range all {
		t.Run(tg.op.ID, func(t *testing.T) {
			r := tg.caller.Do(tg.op.Method, tg.path, tg.body)
			if r.Status/100 == 3 || !slices.Contains(tg.op.Statuses, http.StatusServiceUnavailable) {
				return // it needs no database, or not for this answer: see TestALoginWithTheProviderNeedsTheDatabase
			}
			r.Want(503)
			if tg.op.ID != "getHealth" && r.Header.Get("Retry-After") == "" {
				t.Error("a 503 without Retry-After")
			}
		})
	}
	for _, path := range []string{"/healthz", "/readiness"} {
		if got := get(t, a, path).StatusCode; got != 503 {
			t.Errorf("%s: %d, want 503", path, got)
		}
	}
	if got := get(t, a, "/health").StatusCode; got != 200 {
		t.Errorf("/health: %d, want 200: liveness touches nothing", got)
	}
}

// The routes that are served under /v1 are those of the contract, and no other.
func TestServedRoutesAreTheContract(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	for _, op := range api.Operations {
		req, err := http.NewRequestWithContext(t.Context(), op.Method, a.URL+target(op, ghosts(op)), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultTransport.RoundTrip(req) // which follows no redirect
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusMethodNotAllowed || res.StatusCode == http.StatusNotFound && op.Public {
			t.Errorf("%s %s is in the contract and is not served: %d", op.Method, op.Path, res.StatusCode)
		}
	}
	router, ok := a.API.(*echo.Echo)
	if !ok {
		t.Fatalf("the API is served by %T", a.API)
	}
	for _, route := range router.Routes() {
		if strings.HasPrefix(route.Path, "/v1") && !inContract(route.Method, route.Path) {
			t.Errorf("%s %s is served and is not in the contract", route.Method, route.Path)
		}
	}
	for _, reserved := range []string{"x", "nothing"} {
		if got := get(t, a, "/v1/"+reserved).StatusCode; got != 404 {
			t.Errorf("/v1/%s: %d, want 404", reserved, got)
		}
	}
}

func inContract(method, route string) bool {
	for _, op := range api.Operations {
		if op.Method == method && op.Route == route {
			return true
		}
	}
	for _, op := range api.VendorOperations {
		if (op.Method == method || method == http.MethodOptions) && slices.Contains(op.Routes, strings.TrimSuffix(route, "/")) {
			return true
		}
	}
	return false
}

// An operation that does not state who may call it must not be served by accident, so the contract must state it.
func TestEveryOperationStatesItsSecurity(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal(openapi.YAML, &doc); err != nil {
		t.Fatal(err)
	}
	operations := 0
	for path, item := range doc.Paths {
		for method, node := range item {
			if method == "parameters" {
				continue
			}
			var op map[string]any
			if err := node.Decode(&op); err != nil {
				t.Fatal(err)
			}
			operations++
			security, stated := op["security"].([]any)
			if !stated {
				t.Errorf("%s %s does not state its security; say security: [] if it is for everyone", method, path)
			}
			if _, scoped := op["x-scope"].(string); scoped != (len(security) > 0) {
				t.Errorf("%s %s: an operation with security has an x-scope, a public one has none", method, path)
			}
		}
	}
	if n := len(api.Operations) + len(api.VendorOperations); operations != n {
		t.Errorf("%d operations in the contract, %d in the generated tables", operations, n)
	}
}

func get(t *testing.T, a *apptest.App, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}
