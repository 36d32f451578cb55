package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/ratelimit"
	"github.com/bahagh/nimbus/internal/platform/turns"
	"github.com/bahagh/nimbus/openapi"
)

// setupLimits is setup with limits of 2 requests for an address, 3 for a caller and 4 for ingestion, on a clock that
// stands still.
func setupLimits(t *testing.T, proxies ...string) *testBundle {
	t.Helper()
	s := &testBundle{handlers: &handlers{}, log: &syncBuffer{}, reg: prometheus.NewRegistry()}
	ok := func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }
	s.handlers.login, s.handlers.getMe, s.handlers.ingest = ok, ok, ok
	now := time.Unix(1_700_000_000, 0)
	state := ratelimit.New(nil, func() time.Time { return now }, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	var trusted []netip.Prefix
	for _, p := range proxies {
		trusted = append(trusted, netip.MustParsePrefix(p))
	}
	var err error
	s.echo, err = New(s.handlers, Options{AppName: "Test", Log: slog.New(slog.NewJSONHandler(s.log, nil)), Registry: s.reg,
		Credentials: credentials(), Access: openAccess{}, Operations: api.Operations, Spec: openapi.YAML, Dashboard: builtDashboard, Ready: func(http.ResponseWriter, *http.Request) {},
		TrustedProxies: trusted, Limits: Limits{Allow: state.Allow, PerAddress: 2, PerCaller: 3, Ingestion: 4}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// from sends a request from an address.
func (s *testBundle) from(addr, method, target string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, target, strings.NewReader("{}"))
	req.RemoteAddr = addr
	for k := 0; k < len(headers); k += 2 {
		req.Header.Add(headers[k], headers[k+1])
	}
	w := httptest.NewRecorder()
	s.echo.ServeHTTP(w, req)
	return w
}

func TestEachKindOfCallerHasItsOwnLimitAndIsToldIt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limit          int
		policy         string
		method, target string
		headers, other []string
	}{
		"a stranger by address": {2, "address", "POST", "/v1/auth/login", nil, nil},
		"an account":            {3, "caller", "GET", "/v1/auth/me", []string{"Authorization", "Bearer access"}, nil},
		"a key":                 {4, "ingestion", "POST", "/v1/events", []string{"X-Api-Key", "secret"}, []string{"X-Write-Key", "nw_1", "Origin", "https://shop.example"}},
		"a write key":           {4, "ingestion", "POST", "/v1/events", []string{"X-Write-Key", "nw_1", "Origin", "https://shop.example"}, []string{"X-Write-Key", "nw_2", "Origin", "https://shop.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := setupLimits(t)
			policy := fmt.Sprintf(`"%s";q=%d;w=60`, tt.policy, tt.limit)
			for i := range tt.limit {
				w := s.from("192.0.2.1:1", tt.method, tt.target, tt.headers...)
				// What was used of a bucket that fills up in a minute is back after that part of a minute.
				want := fmt.Sprintf(`"%s";r=%d;t=%d`, tt.policy, tt.limit-1-i, (60*(i+1)+tt.limit-1)/tt.limit)
				if w.Code != 204 || w.Header().Get("RateLimit-Policy") != policy || w.Header().Get("RateLimit") != want {
					t.Fatalf("request %d: %d, %q, %q; want %q", i+1, w.Code, w.Header().Get("RateLimit-Policy"), w.Header().Get("RateLimit"), want)
				}
			}
			w := s.from("192.0.2.1:2", tt.method, tt.target, tt.headers...)
			if p := decodeProblem(t, w); w.Code != 429 || p.Code != "rate_limited" {
				t.Fatalf("over the limit: %d %s", w.Code, w.Body)
			}
			if got, want := w.Header().Get("Retry-After"), strconv.Itoa(60/tt.limit); got != want {
				t.Errorf("Retry-After %q, want %q", got, want)
			}
			if w.Header().Get("RateLimit-Policy") != policy || w.Header().Get("RateLimit") != fmt.Sprintf(`"%s";r=0;t=60`, tt.policy) {
				t.Errorf("the refusal says %v", w.Header())
			}
			if tt.other != nil {
				if w := s.from("192.0.2.1:3", tt.method, tt.target, tt.other...); w.Code != 204 {
					t.Errorf("another caller: %d", w.Code)
				}
			}
			if w := s.from("192.0.2.2:1", "POST", "/v1/auth/login"); w.Code != 204 {
				t.Errorf("someone elsewhere: %d", w.Code)
			}
		})
	}
}

// Guessing keys is limited by address, also where each guess names another key; right credentials and logging in from
// the same address, as behind one NAT, are not held up by it.
func TestRefusedCredentialsCountForTheirAddress(t *testing.T) {
	t.Parallel()
	s := setupLimits(t)
	for i := range 2 {
		if w := s.from("192.0.2.1:1", "GET", "/v1/auth/me", "Authorization", fmt.Sprint("Bearer wrong", i)); w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" {
			t.Fatalf("%d %v", w.Code, w.Header())
		}
	}
	w := s.from("192.0.2.1:1", "GET", "/v1/auth/me", "Authorization", "Bearer wrong")
	if w.Code != 429 || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("the third: %d %v", w.Code, w.Header())
	}
	if w := s.from("192.0.2.1:1", "POST", "/v1/events", "X-Write-Key", "nw_1"); w.Code != 429 {
		t.Errorf("a write key of another origin: %d", w.Code)
	}
	if w := s.from("192.0.2.1:1", "GET", "/v1/auth/me", "Authorization", "Bearer access"); w.Code != 204 {
		t.Errorf("the right token: %d", w.Code)
	}
	if w := s.from("192.0.2.1:1", "POST", "/v1/auth/login"); w.Code != 204 {
		t.Errorf("logging in: %d", w.Code)
	}
	if w := s.from("192.0.2.3:1", "GET", "/v1/auth/me", "Authorization", "Bearer no-database"); w.Code != 503 || w.Header().Get("RateLimit") != "" {
		t.Errorf("credentials that could not be checked: %d %v", w.Code, w.Header())
	}
}

func TestALoadBalancerCanAlwaysAsk(t *testing.T) {
	t.Parallel()
	if limited(api.Operations["getHealth"]) {
		t.Error("health has a limit: a node would be taken for dead because it was asked too often")
	}
	for id, op := range api.Operations {
		if !limited(op) && id != "getHealth" {
			t.Errorf("%s has no limit: document its 429", id)
		}
	}
}

func TestTheClientsAddressIsNotTheClientsToChoose(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, remote string
		proxies      []string
		forwarded    []string
		want         string
	}{
		{"no proxy is trusted", "203.0.113.9:1", nil, []string{"198.51.100.1"}, "203.0.113.9"},
		{"a stranger poses as a proxy", "203.0.113.9:1", []string{"10.0.0.0/8"}, []string{"198.51.100.1"}, "203.0.113.9"},
		{"a proxy says who", "10.0.0.1:1", []string{"10.0.0.0/8"}, []string{"198.51.100.1"}, "198.51.100.1"},
		{"what the client wrote itself is left alone", "10.0.0.1:1", []string{"10.0.0.0/8"}, []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		{"also in a header of its own", "10.0.0.1:1", []string{"10.0.0.0/8"}, []string{"1.1.1.1", "198.51.100.1"}, "198.51.100.1"},
		{"a chain of proxies", "10.0.0.1:1", []string{"10.0.0.0/8", "192.0.2.7/32"}, []string{"1.1.1.1, 198.51.100.1, 192.0.2.7,10.9.9.9"}, "198.51.100.1"},
		{"nothing but proxies", "10.0.0.1:1", []string{"10.0.0.0/8"}, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"no header", "10.0.0.1:1", []string{"10.0.0.0/8"}, nil, "10.0.0.1"},
		{"nonsense stops the reading", "10.0.0.1:1", []string{"10.0.0.0/8"}, []string{"198.51.100.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"with a port", "10.0.0.1:1", []string{"10.0.0.0/8"}, []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv4 within IPv6", "[::ffff:10.0.0.1]:1", []string{"10.0.0.0/8"}, []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"one subscriber of IPv6 has a /64", "[2001:db8:1:2:3:4:5:6]:1", nil, nil, "2001:db8:1:2::/64"},
		{"IPv6 with a zone and a port", "[fd00::1]:1", []string{"fd00::/8"}, []string{"[2001:db8::9]:80"}, "2001:db8::/64"},
		{"no address at all", "@", nil, []string{"198.51.100.1"}, "invalid IP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o proxies
			for _, p := range tt.proxies {
				o = append(o, netip.MustParsePrefix(p))
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.remote
			r.Header[headerForwardedFor] = tt.forwarded
			if got := network(o.address(r)); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// A client that forges another X-Forwarded-For in each request still counts as one address.
func TestALimitCannotBeEvadedByAHeader(t *testing.T) {
	t.Parallel()
	for _, proxies := range [][]string{nil, {"10.0.0.0/8"}} {
		s := setupLimits(t, proxies...)
		status := func(i int) int {
			if proxies == nil {
				return s.from("203.0.113.9:1", "POST", "/v1/auth/login", "X-Forwarded-For", fmt.Sprint("198.51.100.", i)).Code
			}
			return s.from("10.0.0.1:1", "POST", "/v1/auth/login", "X-Forwarded-For", fmt.Sprintf("198.51.100.%d, 203.0.113.9", i)).Code
		}
		if a, b, c := status(1), status(2), status(3); a != 204 || b != 204 || c != 429 {
			t.Errorf("with proxies %v: %d %d %d", proxies, a, b, c)
		}
	}
}

func TestQuestionsLeaveHalfOfTheConnections(t *testing.T) {
	t.Parallel()
	lanes := newQuestions(8) // 2 in each lane, 1 for each caller
	enter := func(caller string) (context.Context, func()) {
		t.Helper()
		ctx, leave, err := lanes.Enter(t.Context(), caller)
		if err != nil {
			t.Fatalf("%s: %v", caller, err)
		}
		return ctx, leave
	}
	project := "project"
	heavy, leave := enter("a")
	defer leave()
	if err := turns.Heavy(heavy, project); err != nil {
		t.Fatal(err)
	}
	// A heavy question holds no quick slot: neither of its caller nor of the others.
	_, leaveQuick := enter("a")
	leaveQuick()
	second, leave := enter("b")
	defer leave()
	gone, cancel := context.WithCancel(second)
	cancel()
	if err := turns.Heavy(gone, project); !errors.Is(err, context.Canceled) {
		t.Errorf("a second question that reads much of one project: %v", err)
	}
	if err := turns.Heavy(second, "another"); err != nil {
		t.Errorf("one of another project: %v", err)
	}
	for _, tt := range []struct {
		err  error
		want problem.Code
	}{{turns.ErrShare, problem.CodeTooManyQueries}, {fmt.Errorf("read: %w", turns.ErrBusy), problem.CodeBusy}} {
		if p := toProblem(tt.err); p.Code != tt.want || p.RetryAfter == 0 {
			t.Errorf("%v is answered as %s", tt.err, p.Code)
		}
	}
}

func BenchmarkLimit(b *testing.B) {
	state := ratelimit.New(nil, time.Now, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	l := newLimiter(&Limits{Allow: state.Allow, PerAddress: 120, PerCaller: 1000, Ingestion: ratelimit.MaxPerMinute}, prometheus.NewRegistry())
	c := echo.New().NewContext(httptest.NewRequest("POST", "/v1/events", nil), httptest.NewRecorder())
	b.ReportAllocs()
	for b.Loop() {
		_ = l.take(c, &l.ingestion, "nk_0123456789abcdef")
	}
}
