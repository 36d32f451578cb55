package nimbus_test

import (
	"net/http"
	"strings"
	"testing"

	nimbus "github.com/bahagh/nimbus/sdk/go"
)

// Proxies and portals answer as they please. Unless it is a refusal, an answer that is not the server's is none.
func TestOnlyA4xxIsARefusal(t *testing.T) {
	t.Parallel()
	retries(`{"status": 202}, {"status": 204}, {"status": 300}, {"status": 304}`)(t)
}

// After a 301, 302 or 303 a POST is repeated as a GET, without the events.
func TestARedirectThatLosesTheEventsIsNotFollowed(t *testing.T) {
	t.Parallel()
	const redirects = `{"status": 301, "headers": {"Location": "events?moved"}}, {"status": 302, "headers": {"Location": "events?moved"}}, {"status": 303, "headers": {"Location": "events?moved"}}`
	retries(redirects)(t)

	x := scripted(t, `{"replies": [`+redirects+`]}`).tracker()
	x.track("a")
	x.flush()
	if !strings.Contains(x.log.String(), "nimbus: 301 Moved Permanently: redirected to events?moved") {
		t.Errorf("the log does not say why:\n%s", x.log)
	}
}

func TestARedirectThatKeepsTheEventsIsFollowed(t *testing.T) {
	t.Parallel()
	const redirects = `{"replies": [{"status": 307, "headers": {"Location": "events?moved"}}, {"status": 308, "headers": {"Location": "events?moved"}}]}`
	for name, c := range map[string]struct {
		check   func(*http.Request, []*http.Request) error
		retries uint64
	}{
		"as net/http does":    {nil, 0},
		"but as the user may": {func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scripted(t, redirects)
			x := s.tracker(func(config *nimbus.Config) { config.HTTPClient = &http.Client{CheckRedirect: c.check} })
			x.track("a")
			x.flush()
			if got, n := x.Stats(), len(s.report("").Requests); got.Delivered != 1 || got.Retries != c.retries || n != 3 {
				t.Errorf("%d requests, %+v", n, got)
			}
		})
	}
}

func TestRedirectsInACircleEnd(t *testing.T) {
	t.Parallel()
	s := scripted(t, `{"replies": [{"status": 307, "times": 10, "headers": {"Location": "events"}}]}`)
	x := s.tracker()
	x.track("a")
	x.flush()
	if got := x.Stats(); got.Delivered != 1 || got.Retries != 1 {
		t.Errorf("stats %+v", got)
	}
}
