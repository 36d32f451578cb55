package nimbus_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/nimbustest"
)

// Proxies and portals answer as they please. Only a 4xx can be a refusal.
func TestOnlyA4xxIsARefusal(t *testing.T) {
	t.Parallel()
	retries(`{"status": 202}, {"status": 204}, {"status": 300}, {"status": 304}`)(t)
}

// A proxy's 413 is about the size too: halves may pass, and an event that does not must not block all others.
func TestA413OfAProxySplitsAndEnds(t *testing.T) {
	t.Parallel()
	const page = `{"status": 413, "body": "<h1>Request Entity Too Large</h1>"}`
	s := scripted(t, `{"replies": [`+page+`, {}, `+page+`]}`)
	x := s.tracker()
	x.track("a", "b")
	x.flush()
	var why *nimbus.APIError
	if drops := x.dropped(); len(drops) != 1 || drops[0].event.Name != "b" || !errors.As(drops[0].why, &why) || why.Status != 413 || why.Code != "" {
		t.Errorf("dropped %+v", drops)
	}
	if n := len(s.report("").Stored); n != 1 {
		t.Errorf("%d stored", n)
	}
}

// What does not take gzip gets the same events plain, at once, and from then on.
func TestA415ToGzipIsAnsweredWithPlainBodies(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{"of the server": `{"status": 415}`, "of a proxy": `{"status": 415, "body": "<h1>No</h1>"}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scripted(t, `{"replies": [`+answer+`]}`)
			x := s.tracker(func(c *nimbus.Config) { c.CompressAbove, c.MinBackoff, c.MaxBackoff = 1, time.Hour, time.Hour })
			for range 2 {
				x.track("a", "b")
				x.flush()
			}
			var encodings []string
			got := s.report("")
			for _, r := range got.Requests {
				if r.Signature != "valid" {
					t.Errorf("request %+v", r)
				}
				encodings = append(encodings, r.Headers["content-encoding"])
			}
			if strings.Join(encodings, ",") != "gzip,," || len(got.Stored) != 4 || len(x.dropped()) != 0 {
				t.Errorf("encodings %q, %v stored", encodings, got.Stored)
			}
		})
	}
	isFinal(415, "unsupported_media_type")(t) // of plain bodies it is
}

// The pause that is asked for is kept to, in both forms, and up to ten minutes.
func TestRetryAfterInEveryForm(t *testing.T) {
	t.Parallel()
	begin := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of the clock of every bubble
	in := func(d time.Duration) string { return begin.Add(d).Format(http.TimeFormat) }
	const moment = time.Second // the random part of a pause
	for _, c := range []struct {
		retryAfter, date string
		pause            time.Duration
	}{
		{"7", "", 7 * time.Second},
		{"600", "", 10 * time.Minute},
		{"601", "", 10 * time.Minute},
		{"99999999999999999999", "", 10 * time.Minute},
		{in(6 * time.Second), "", 6 * time.Second},
		{in(time.Hour + 6*time.Second), in(time.Hour), 6 * time.Second}, // their clock is ahead
		{in(24 * time.Hour), "", 10 * time.Minute},
		{in(-time.Hour), "", 0},
		{"soon", "", 0},
		{"-5", "", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			recorder, at := &nimbustest.Recorder{}, []time.Time(nil)
			x, _ := nimbustest.Tracker(t, func(config *nimbus.Config) {
				config.MinBackoff, config.MaxBackoff, config.FlushInterval, config.Logger = moment, moment, time.Hour, slog.New(slog.DiscardHandler)
				config.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					res, err := recorder.RoundTrip(r)
					if at = append(at, time.Now()); err == nil && len(at) == 1 {
						res.StatusCode = http.StatusServiceUnavailable
						res.Header.Set("Retry-After", c.retryAfter)
						res.Header.Set("Date", c.date)
					}
					return res, err
				})}
			})
			if err := x.Track(t.Context(), "e", nil); err != nil {
				t.Fatal(err)
			}
			if err := x.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if pause := at[1].Sub(at[0]); pause < c.pause || pause > c.pause+moment {
				t.Errorf("Retry-After %q: a pause of %s", c.retryAfter, pause)
			}
		})
	}
}

// The longest answer of the server is read to its end: a part of it would be no answer, and the batch would be sent
// again without end.
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
