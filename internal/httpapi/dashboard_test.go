package httpapi

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"
)

var builtDashboard = fstest.MapFS{
	".gitkeep":                {},
	"index.html":              {Data: []byte("<!doctype html>the dashboard")},
	"favicon.svg":             {Data: []byte("<svg/>")},
	"assets/app-1a2b.js":      {Data: []byte("the script")},
	"assets/app-1a2b.js.gz":   {Data: []byte("gzip")},
	"assets/app-1a2b.js.br":   {Data: []byte("brotli")},
	"assets/style-3c4d.css":   {Data: []byte("the style")},
	"assets/inter-5e6f.woff2": {Data: []byte("the font")},
}

func TestTheDashboardIsServedWhereNoOtherRouteIs(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const html = "text/html,application/xhtml+xml"
	for _, tt := range []struct {
		method, path, accept string
		status               int
		body                 string
	}{
		{"GET", "/", html, 200, "<!doctype html>the dashboard"},
		{"GET", "/projects/3fa85f64/explore?bucket=1d", html, 200, "<!doctype html>the dashboard"},
		{"GET", "/favicon.svg", "image/*", 200, "<svg/>"},
		{"GET", "/assets/app-1a2b.js", "*/*", 200, "the script"},
		{"GET", "/assets/app-0000.js", html, 404, ""}, // of an earlier build
		{"GET", "/nothing.png", "image/*", 404, ""},
		{"GET", "/.gitkeep", "*/*", 404, ""},
		{"GET", "/v1/nothing", html, 404, ""},
		{"POST", "/projects", html, 404, ""},
		{"PUT", "/v1/projects", html, 405, ""},
		{"DELETE", "/health", html, 405, ""},
	} {
		w := s.do(tt.method, tt.path, "", "Accept", tt.accept)
		if w.Code != tt.status || tt.status == 200 && w.Body.String() != tt.body {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, w.Code, w.Body)
		}
		if tt.status != 200 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %s", tt.method, tt.path, w.Header().Get("Content-Type"))
		}
	}
	if m := s.metrics(t); strings.Contains(m, "3fa85f64") || !strings.Contains(m, "http_requests_total method=GET route=/* status=200") {
		t.Errorf("the metrics have a path of the caller's, or do not count the dashboard: %s", m)
	}
}

func TestTheDashboardRunsNothingButItsOwnFiles(t *testing.T) {
	t.Parallel()
	w := setup(t).do("GET", "/projects", "", "Accept", "text/html")
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'self'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%s is not in %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || w.Header().Get("X-Frame-Options") != "DENY" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", w.Header())
	}
}

func TestTheDashboardIsCachedByItsContent(t *testing.T) {
	t.Parallel()
	s := setup(t)
	page := s.do("GET", "/", "", "Accept", "text/html")
	if got := page.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("a new version would not be seen: %s", got)
	}
	again := s.do("GET", "/", "", "Accept", "text/html", "If-None-Match", page.Header().Get("ETag"))
	if again.Code != 304 || again.Body.Len() > 0 {
		t.Errorf("%d %s", again.Code, again.Body)
	}
	if got := s.do("GET", "/assets/style-3c4d.css", "").Header(); got.Get("Cache-Control") != "public, max-age=31536000, immutable" ||
		!strings.HasPrefix(got.Get("Content-Type"), "text/css") {
		t.Errorf("%v", got)
	}
	for accepts, want := range map[string]string{"gzip, deflate, br": "brotli", "gzip": "gzip", "identity": "the script"} {
		w := s.do("GET", "/assets/app-1a2b.js", "", "Accept-Encoding", accepts)
		if w.Body.String() != want || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript") || w.Header().Get("Vary") == "" {
			t.Errorf("%s: %s %v", accepts, w.Body, w.Header())
		}
	}
}

func TestAServerWithoutDashboardSaysHowToBuildIt(t *testing.T) {
	t.Parallel()
	e := echo.New()
	pages, err := dashboard(fstest.MapFS{".gitkeep": {}}, "")
	if err != nil {
		t.Fatal(err)
	}
	e.Use(pages)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if w.Code != 200 || !strings.Contains(w.Body.String(), "make build") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
