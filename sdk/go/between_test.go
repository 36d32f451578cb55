package nimbus_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/nimbustest"
)

// Proxies and portals answer as they please. Unless it is a refusal, an answer that is not the server's is none.
func TestOnlyA4xxIsARefusal(t *testing.T) {
	t.Parallel()
	retries(`{"status": 202}, {"status": 204}, {"status": 300}, {"status": 304}`)(t)
}

// The longest answer of the server is read to its end: a part of it would be no answer, and the batch would be sent again for ever.
func TestAnAnswerIsReadWhole(t *testing.T) {
	t.Parallel()
	const mistakes, each = 12_000, 1_000
	errs := make([]string, mistakes)
	for k := range errs {
		errs[k] = fmt.Sprintf(`{"index":0,"pointer":"/events/0/props/%s","code":"duplicate_member","detail":"d"}`, strings.Repeat("x", each))
	}
	answer := `{"accepted":0,"duplicates":0,"rejected":1,"errors":[` + strings.Join(errs, ",") + `]}`
	var why error
	x, _ := nimbustest.Tracker(t, func(c *nimbus.Config) {
		c.MaxAttempts, c.Logger = 1, slog.New(slog.DiscardHandler)
		c.OnDrop = func(_ nimbus.Event, err error) { why = err }
		c.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
		})}
	})
	if err := x.Track(t.Context(), "e", nil); err != nil {
		t.Fatal(err)
	}
	if err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var rejected *nimbus.RejectedError
	if !errors.As(why, &rejected) || len(rejected.Fields) != mistakes {
		t.Errorf("%.200v", why)
	}
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
