package httpapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func newReader(s string) *bufio.Reader { return bufio.NewReader(strings.NewReader(s)) }

func TestAPanicIsA500WithTheRequestsIDAndItsStackInTheLog(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{"a string": "secret words", "an error": errors.New("secret words"), "a bug": nil} {
		s := setup(t)
		s.getMe = func(echo.Context) error {
			if value == nil {
				value = strings.Fields("secret words")[2]
			}
			panic(value)
		}
		w := s.do("GET", "/v1/auth/me", "", "Authorization", "Bearer access", "X-Request-Id", "find-me")
		p := decodeProblem(t, w)
		if w.Code != 500 || p.Code != "internal" || p.RequestID != "find-me" || strings.Contains(w.Body.String(), "secret words") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		var line string
		for l := range strings.Lines(s.log.String()) {
			if strings.Contains(l, `"msg":"panic"`) {
				line = l
			}
		}
		if !strings.Contains(line, `"request_id":"find-me"`) || !strings.Contains(line, "middleware_test.go") {
			t.Errorf("%s: the log does not lead to the bug: %s", name, line)
		}
		if !strings.Contains(s.metrics(t), `http_requests_total method=GET route=/v1/auth/me status=500 1`) {
			t.Errorf("%s is not counted: %s", name, s.metrics(t))
		}
	}
}

func TestAnAnswerThatHasBegunIsNotMixedWithAnError(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func() error{
		"an error": func() error { return errors.New("late") },
		"a panic":  func() error { panic("late") },
	} {
		s := setup(t)
		s.getMe = func(c echo.Context) error {
			if err := c.String(http.StatusOK, "begun"); err != nil {
				return err
			}
			return end()
		}
		w := s.do("GET", "/v1/auth/me", "", "Authorization", "Bearer access")
		if w.Code != 200 || w.Body.String() != "begun" || !strings.Contains(s.log.String(), "late") {
			t.Errorf("%s: %d %s\n%s", name, w.Code, w.Body, s.log)
		}
	}
}

// deadlines is a connection that remembers its deadlines.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error  { d.read = append(d.read, t); return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = append(d.write, t); return nil }

func TestAnExportTakesAsLongAsItsReaderGoesOnReading(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const lines = 3
	s.exportAudit = func(c echo.Context) error {
		if end, ok := c.Request().Context().Deadline(); ok {
			t.Errorf("it ends at %s, whatever has been read by then", end)
		}
		for range lines {
			if _, err := c.Response().Write([]byte("{}\n")); err != nil {
				return err
			}
			c.Response().Flush()
		}
		return nil
	}
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequest("GET", "/v1/projects/3fa85f64-5717-4562-b3fc-2c963f66afa6/audit/export", nil)
	r.Header.Set("Authorization", "Bearer access")
	before := time.Now()
	s.echo.ServeHTTP(w, r)
	if w.Code != 200 || w.Body.String() != strings.Repeat("{}\n", lines) || !w.Flushed {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if len(w.read) != 1 || !w.read[0].IsZero() {
		t.Errorf("it is given until %v to be read", w.read)
	}
	if len(w.write) != lines || w.write[lines-1].Before(before.Add(requestTime)) {
		t.Errorf("it is given until %v to be written", w.write)
	}
	if n, err := testutil.GatherAndCount(s.reg, "http_request_duration_seconds"); n != 0 || err != nil {
		t.Errorf("how long it was read counts as how fast the server is: %d, %v", n, err)
	}
}

func TestAConnectionThatIsToBeAbortedIsAborted(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.getMe = func(echo.Context) error { panic(http.ErrAbortHandler) }
	defer func() {
		if got := recover(); got != http.ErrAbortHandler { //nolint:errorlint // the very value is what net/http looks for
			t.Errorf("%v", got)
		}
	}()
	s.do("GET", "/v1/auth/me", "", "Authorization", "Bearer access")
}

// A cancelled context means that the client disconnected only when it is the request's own context. Otherwise the
// answer would be an empty 200 for something that was not done.
func TestOnlyACallerWhoLeftGetsNoAnswer(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.getMe = func(echo.Context) error { return fmt.Errorf("store: %w", context.Canceled) }
	if w := s.do("GET", "/v1/auth/me", "", "Authorization", "Bearer access"); w.Code != 500 || w.Body.Len() == 0 {
		t.Errorf("the caller is there and gets %d %q", w.Code, w.Body)
	}
	ctx, leave := context.WithCancel(t.Context())
	s.getMe = func(c echo.Context) error {
		leave()
		<-c.Request().Context().Done()
		return fmt.Errorf("store: %w", c.Request().Context().Err())
	}
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/auth/me", nil)
	req.Header.Set("Authorization", "Bearer access")
	w := httptest.NewRecorder()
	s.echo.ServeHTTP(w, req)
	if w.Body.Len() != 0 || !strings.Contains(s.metrics(t), "status=499 1") || strings.Contains(s.log.String(), "request_id\":\"\"") {
		t.Errorf("%q\n%s", w.Body, s.metrics(t))
	}
}

func TestEveryRequestHasADeadline(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.getMe = func(c echo.Context) error {
		at, ok := c.Request().Context().Deadline()
		if left := time.Until(at); !ok || left <= 0 || left > requestTime {
			t.Errorf("%s left", left)
		}
		return c.NoContent(http.StatusNoContent)
	}
	if w := s.do("GET", "/v1/auth/me", "", "Authorization", "Bearer access"); w.Code != 204 {
		t.Errorf("%d", w.Code)
	}
}

func TestARequestKeepsItsIDUnlessItCouldHarmTheLog(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, id := range []string{"a", "01JH8V5T7Z", "a-b_c.d", strings.Repeat("x", 64)} {
		if got := s.do("GET", "/health", "", "X-Request-Id", id).Header().Get("X-Request-Id"); got != id {
			t.Errorf("%q became %q", id, got)
		}
	}
	seen := make(map[string]bool)
	for _, id := range []string{"", " ", "a b", `a"b`, "a\nb", "ü", strings.Repeat("x", 65), "a;b", "a=b", "<script>"} {
		got := s.do("GET", "/health", "", "X-Request-Id", id).Header().Get("X-Request-Id")
		if len(got) != 16 || strings.Trim(got, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" || seen[got] {
			t.Errorf("%q became %q", id, got)
		}
		seen[got] = true
	}
}

func TestBrowsersMayDoWhatTheSettingsSay(t *testing.T) {
	t.Parallel()
	const ours, foreign = "https://app.example.com", "https://shop.example"
	preflight := func(s *testBundle, path, method, origin string) http.Header {
		w := s.do("OPTIONS", path, "", "Origin", origin, "Access-Control-Request-Method", method)
		return w.Header()
	}
	for _, tt := range []struct {
		name                 string
		settings             []string
		path, method, origin string
		want                 string
	}{
		{"events from anywhere", nil, "/v1/events", "POST", foreign, "*"},
		{"events from anywhere, with origins set", []string{ours}, "/v1/events", "POST", foreign, "*"},
		{"reading from an allowed origin", []string{ours}, "/v1/events", "GET", ours, ours},
		{"reading from another", []string{ours}, "/v1/events", "GET", foreign, ""},
		{"projects from an allowed origin", []string{ours}, "/v1/projects", "DELETE", ours, ours},
		{"projects from another", []string{ours}, "/v1/projects", "GET", foreign, ""},
		{"projects when nothing is allowed", nil, "/v1/projects", "GET", ours, ""},
		{"projects when all is allowed", []string{"*"}, "/v1/projects", "GET", foreign, "*"},
		{"an origin that only begins alike", []string{ours}, "/v1/projects", "GET", ours + ".evil.example", ""},
		{"the null origin", []string{ours}, "/v1/projects", "GET", "null", ""},
	} {
		h := preflight(setup(t, tt.settings...), tt.path, tt.method, tt.origin)
		if got := h.Get("Access-Control-Allow-Origin"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: cookies are invited", tt.name)
		}
	}
	// Tracing adds headers of its own to a page's requests: none may keep them from being sent.
	const asked = "baggage,content-type,sentry-trace,traceparent,tracestate,x-b3-traceid,x-datadog-trace-id,x-sent-at,x-write-key"
	for _, tt := range []struct{ path, origin, want string }{
		{"/v1/events", foreign, asked}, {"/v1/projects", ours, asked}, {"/v1/projects", foreign, ""},
	} {
		h := setup(t, ours).do("OPTIONS", tt.path, "", "Origin", tt.origin, "Access-Control-Request-Method", "POST",
			"Access-Control-Request-Headers", asked).Header()
		if got := h.Get("Access-Control-Allow-Headers"); got != tt.want || tt.want != "" && h.Get("Access-Control-Max-Age") != "7200" {
			t.Errorf("%s from %s: %v", tt.path, tt.origin, h)
		}
	}
	// The answer itself says so too, when it is an error as well: the browser shows it to the page only then.
	s := setup(t)
	w := s.do("POST", "/v1/events", "{}", "Origin", foreign)
	if w.Code != 401 || w.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(w.Header().Get("Access-Control-Expose-Headers"), "Retry-After") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestHeadersKeepABrowserFromDoingMore(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, path := range []string{"/v1/auth/me", "/health", "/nothing", "/docs"} {
		h := s.do("GET", path, "").Header()
		if h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") ||
			!strings.HasSuffix(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %v", path, h)
		}
		if strings.HasPrefix(path, "/v1/") {
			if h.Get("Cache-Control") != "no-store" {
				t.Errorf("%s may be stored: %v", path, h)
			}
			continue
		}
		// What a person may look at.
		if h.Get("X-Frame-Options") != "DENY" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" ||
			h.Get("Cache-Control") == "no-store" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestACallerCannotMakeTimeSeries(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.getMe = func(c echo.Context) error { return c.NoContent(http.StatusOK) }
	s.do("GET", "/v1/auth/me", "", "Authorization", "Bearer access")
	for k := range 50 {
		for _, path := range []string{"/x%d", "/v1/x%d", "/v1/projects/x%d", "/v1/projects/x%d/y/z", "/x/v1/%d", "/v1/auth/%d", "/docs/%d", "/docs/assets/%d"} {
			s.do("GET", fmt.Sprintf(path, k), "")
			s.do(fmt.Sprintf("BREW%d", k), fmt.Sprintf(path, k), "")
		}
	}
	lines := strings.Split(strings.TrimSpace(s.metrics(t)), "\n")
	if len(lines) > 25 {
		t.Errorf("%d time series:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	if !strings.Contains(s.metrics(t), "method=other route=other status=404 ") {
		t.Errorf("%s", s.metrics(t))
	}
}

// metrics lists the counters of requests, one a line.
func (s *testBundle) metrics(t *testing.T) string {
	t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		if f.GetName() != "http_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			b.WriteString(f.GetName())
			for _, l := range m.GetLabel() {
				fmt.Fprintf(&b, " %s=%s", l.GetName(), l.GetValue())
			}
			fmt.Fprintf(&b, " %v\n", m.GetCounter().GetValue())
		}
	}
	return b.String()
}

func TestRequestsThatComeAllTheTimeAreLoggedForDebuggingOnly(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.ingest = func(c echo.Context) error { return c.NoContent(http.StatusOK) }
	s.getMe = s.ingest
	s.do("POST", "/v1/events", "{}", "X-Api-Key", "secret", "X-Request-Id", "quiet-1")
	s.do("GET", "/health", "", "X-Request-Id", "quiet-2")
	s.do("POST", "/v1/events", "{}", "X-Request-Id", "loud-1")
	s.do("GET", "/v1/auth/me", "", "Authorization", "Bearer access", "X-Request-Id", "loud-2")
	s.do("GET", "/readiness", "", "X-Request-Id", "loud-3") // 503 here
	for line := range strings.Lines(s.log.String()) {
		quiet, info := strings.Contains(line, `"request_id":"quiet`), strings.Contains(line, `"level":"INFO"`)
		if strings.Contains(line, `"msg":"request"`) && quiet == info {
			t.Error(line)
		}
		if strings.Contains(line, "access") && !strings.Contains(line, "Bearer") && strings.Contains(line, "Authorization") || strings.Contains(line, `"secret"`) {
			t.Errorf("credentials in the log: %s", line)
		}
	}
	for _, id := range []string{"quiet-1", "quiet-2", "loud-1", "loud-2", "loud-3"} {
		if !strings.Contains(s.log.String(), id) {
			t.Errorf("%s was not logged", id)
		}
	}
}

func TestAHeadRequestGetsNoBody(t *testing.T) {
	t.Parallel()
	s := setup(t)
	if w := s.do("HEAD", "/v1/nothing", ""); w.Code != 404 || w.Body.Len() != 0 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestTheServerBoundsWhatASlowPeerCanHold(t *testing.T) {
	t.Parallel()
	s := NewServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.IdleTimeout <= 0 || s.WriteTimeout <= requestTime || s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 64<<10 {
		t.Errorf("%+v", s)
	}
}

func TestReadinessHasTwoNamesAndLivenessOne(t *testing.T) {
	t.Parallel()
	s := setup(t) // whose Ready says 503
	for path, status := range map[string]int{"/health": 200, "/healthz": 503, "/readiness": 503} {
		if w := s.do("GET", path, ""); w.Code != status {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := s.do("GET", "/docs/assets/redoc.standalone.js", "", "Accept-Encoding", "br"); w.Code != http.StatusNotAcceptable {
		t.Errorf("a compressed file for who cannot read it: %d", w.Code)
	}
}
