package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/openapi"
)

// behindProxies runs a test with a server below /analytics, behind a proxy that takes the path off and one that passes it on.
func behindProxies(t *testing.T, test func(t *testing.T, s *testBundle, at string)) {
	t.Helper()
	for _, strips := range []bool{true, false} {
		name := "the proxy passes the path on"
		if strips {
			name = "the proxy takes the path off"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &testBundle{handlers: &handlers{}, log: &syncBuffer{}, reg: prometheus.NewRegistry()}
			page := []byte(`<!doctype html><base href="/" />the dashboard`)
			keys := credentials()
			keys.Signature = func(_ context.Context, _, _, _, _, path string, _ func() ([]byte, error)) (*auth.Principal, error) {
				return nil, problem.New(problem.CodeInvalidSignature, "over %s", path)
			}
			var err error
			s.echo, err = New(s.handlers, Options{AppName: "Test", Log: slog.New(slog.DiscardHandler), Registry: s.reg, BasePath: "/analytics",
				Credentials: keys, Access: openAccess{}, Operations: api.Operations, Spec: openapi.YAML, Ready: http.NotFound,
				Dashboard: fstest.MapFS{"index.html": {Data: page}, "index.html.gz": {Data: []byte("old")}, "index.html.br": {Data: []byte("old")},
					"assets/a.js": {Data: []byte("the script")}}})
			if err != nil {
				t.Fatal(err)
			}
			node := httptest.NewServer(s.echo)
			t.Cleanup(node.Close)
			target, err := url.Parse(node.URL)
			if err != nil {
				t.Fatal(err)
			}
			var forward http.Handler = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				r.Out.Header["X-Forwarded-Proto"] = r.In.Header["X-Forwarded-Proto"]
			}}
			if strips {
				forward = http.StripPrefix("/analytics", forward)
			}
			mux := http.NewServeMux()
			mux.Handle("/analytics/", forward)
			proxy := httptest.NewServer(mux)
			t.Cleanup(proxy.Close)
			test(t, s, proxy.URL)
		})
	}
}

// fetch follows no redirect; headers come in pairs of name and value.
func fetch(t *testing.T, method, at string, headers ...string) (*http.Response, string) {
	t.Helper()
	var body io.Reader
	if method == "POST" {
		body = strings.NewReader("{}")
	}
	r, err := http.NewRequestWithContext(t.Context(), method, at, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for k := 0; k < len(headers); k += 2 {
		r.Header.Set(headers[k], headers[k+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestPagesAndTheirFilesAreFoundBelowAPath(t *testing.T) {
	t.Parallel()
	behindProxies(t, func(t *testing.T, _ *testBundle, at string) {
		const want = `<!doctype html><base href="/analytics/" />the dashboard`
		for _, path := range []string{"/analytics/", "/analytics/projects/1/explore"} {
			res, plain := fetch(t, "GET", at+path, "Accept", "text/html", "Accept-Encoding", "identity")
			if res.StatusCode != 200 || plain != want {
				t.Errorf("%s: %d %s", path, res.StatusCode, plain)
			}
			res, compressed := fetch(t, "GET", at+path, "Accept", "text/html", "Accept-Encoding", "gzip, br")
			z, err := gzip.NewReader(bytes.NewReader([]byte(compressed)))
			if err != nil {
				t.Fatalf("%s: %v %v", path, err, res.Header)
			}
			if b, err := io.ReadAll(z); err != nil || string(b) != want {
				t.Errorf("%s, compressed: %s, %v", path, b, err)
			}
		}
		for _, page := range []string{"docs", "redoc", "docs/errors"} {
			res, body := fetch(t, "GET", at+"/analytics/"+page)
			if res.StatusCode != 200 {
				t.Errorf("%s: %d", page, res.StatusCode)
			}
			for _, part := range strings.Split(body, `"`) {
				if strings.HasPrefix(part, "/") {
					if res, _ := fetch(t, "GET", at+part, "Accept-Encoding", "gzip"); res.StatusCode != 200 {
						t.Errorf("%s loads %s: %d", page, part, res.StatusCode)
					}
				}
			}
		}
		if res, body := fetch(t, "GET", at+"/analytics/assets/a.js"); res.StatusCode != 200 || body != "the script" {
			t.Errorf("an asset: %d %s", res.StatusCode, body)
		}
		if _, spec := fetch(t, "GET", at+"/analytics/openapi.yaml"); !strings.Contains(spec, "\n  - url: /analytics/\n") {
			t.Error("the contract names a server that is not there")
		}
		res, _ := fetch(t, "GET", at+"/analytics/sdk.js")
		if script, _ := fetch(t, "GET", at+res.Header.Get("Content-Location")); script.StatusCode != 200 {
			t.Errorf("the tracker's own path %s: %d", res.Header.Get("Content-Location"), script.StatusCode)
		}
		if _, refused := fetch(t, "GET", at+"/analytics/v1/nothing"); !strings.Contains(refused, `"/analytics/docs/errors#not_found"`) {
			t.Error(refused)
		}
	})
}

func TestCookiesAndRedirectsStayBelowThePath(t *testing.T) {
	t.Parallel()
	behindProxies(t, func(t *testing.T, s *testBundle, at string) {
		s.login = func(c echo.Context) error {
			c.SetCookie(&http.Cookie{Name: auth.RefreshCookie, Value: "x", Path: "/v1/auth"})
			return c.Redirect(http.StatusFound, "/projects/1")
		}
		for proto, want := range map[string]string{
			"http":  auth.RefreshCookie + "=x; Path=/analytics/v1/auth",
			"https": hostPrefix + auth.RefreshCookie + "=x; Path=/; Secure",
		} {
			res, _ := fetch(t, "POST", at+"/analytics/v1/auth/login", "X-Forwarded-Proto", proto)
			if got := res.Header.Get("Set-Cookie"); got != want || res.Header.Get("Location") != "/analytics/projects/1" {
				t.Errorf("%s: %d, %s, to %s", proto, res.StatusCode, got, res.Header.Get("Location"))
			}
		}
	})
}

// What is signed begins with /v1, and keeps its escapes.
func TestASignatureIsVerifiedWithoutTheBasePath(t *testing.T) {
	t.Parallel()
	behindProxies(t, func(t *testing.T, _ *testBundle, at string) {
		_, refused := fetch(t, "POST", at+"/analytics/v1/events", headerKeyID, "a", headerTimestamp, "1", headerSignature, "b")
		if !strings.Contains(refused, `"over /v1/events"`) {
			t.Error(refused)
		}
	})
	for from, want := range map[string]string{
		"/analytics/v1/events?x=1":   "/v1/events",
		"/v1/events":                 "/v1/events",
		"/analytics/v1/people/a%2Fb": "/v1/people/a%2Fb",
		"/analytics":                 "/",
		"/analytics?x=1":             "/",
		"/analytics2/v1":             "/analytics2/v1",
	} {
		r := httptest.NewRequest("GET", from, nil)
		stripBase(r, "/analytics")
		if got := requestPath(r); got != want {
			t.Errorf("%s: signed over %s, want %s", from, got, want)
		}
		if got := r.URL.EscapedPath(); got != want {
			t.Errorf("%s: routed as %s", from, got)
		}
	}
}
