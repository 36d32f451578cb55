package nimbus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	nimbus "github.com/bahagh/nimbus/sdk/go"
)

// What every SDK does, by the names of testvectors/behaviours.json.
var behaviours = map[string]func(*testing.T){
	"sends_what_was_tracked": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker()
		at := time.Date(2026, 1, 15, 10, 30, 0, 123456000, time.UTC)
		if err := x.Track(t.Context(), "page_view", map[string]any{"page": "/ü", "n": 1.5, "deep": map[string]any{"list": []int{1}}, "none": nil},
			nimbus.WithTS(at), nimbus.WithUserID("u"), nimbus.WithAnonymousID("a"), nimbus.WithSeq(7), nimbus.WithIdempotencyKey("k")); err != nil {
			t.Fatal(err)
		}
		if err := x.Enqueue(t.Context(), nimbus.Event{Name: "plain", TS: at}); err != nil {
			t.Fatal(err)
		}
		x.flush()
		r := s.report("requests=1").Requests[0]
		e := r.Events[0]
		var props map[string]any
		if err := json.Unmarshal(e.Props, &props); err != nil {
			t.Fatal(err)
		}
		if r.ProjectID != project.String() || !strings.HasSuffix(r.Path, "/v1/events") || r.Headers["content-type"] != "application/json" ||
			!strings.HasPrefix(r.Headers["user-agent"], "nimbus-go/") {
			t.Errorf("request %+v", r)
		}
		if e.Name != "page_view" || !e.TS.Equal(at) || e.UserID != "u" || e.AnonymousID != "a" || e.Seq != 7 || e.IdempotencyKey != "k" ||
			fmt.Sprint(props) != "map[deep:map[list:[1]] n:1.5 none:<nil> page:/ü]" {
			t.Errorf("event %+v with %v", e, props)
		}
		if plain := r.Events[1]; plain.Props != nil || plain.UserID != "" || !plain.TS.Equal(at) {
			t.Errorf("event %+v", plain)
		}
	},
	"sends_in_order": func(t *testing.T) {
		s := scripted(t, `{"replies": [{}, {"status": 503}]}`)
		x := s.tracker(func(c *nimbus.Config) { c.FlushEvents = 7 })
		var want []string
		for k := range 30 {
			want = append(want, strconv.Itoa(k))
			if err := x.Track(t.Context(), "e", nil, nimbus.WithIdempotencyKey(want[k])); err != nil {
				t.Fatal(err)
			}
		}
		x.flush()
		if got := s.report("").Stored; !slices.Equal(got, want) {
			t.Errorf("stored in the order %v", got)
		}
	},
	"takes_ts_at_the_call": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"hold": true}]}`)
		x := s.tracker(func(c *nimbus.Config) { c.FlushEvents = 1 })
		x.track("first")
		s.report("waiting=1")
		before := time.Now().Truncate(time.Microsecond)
		x.track("second")
		after := time.Now()
		s.release()
		x.flush()
		second := s.report("requests=2").Requests[1]
		if ts := second.Events[0].TS; ts.Before(before) || ts.After(after) || !ts.Before(second.ReceivedAt) {
			t.Errorf("ts %s of a call between %s and %s", ts, before, after)
		}
	},
	"gives_each_event_an_idempotency_key": func(t *testing.T) {
		s := scripted(t, `{}`)
		x, other := s.tracker(), s.tracker()
		x.track("a", "a", "a")
		other.track("a", "a", "a")
		if err := x.Track(t.Context(), "b", nil, nimbus.WithIdempotencyKey("mine")); err != nil {
			t.Fatal(err)
		}
		x.flush()
		other.flush()
		stored := s.report("requests=2").Stored
		slices.Sort(stored)
		if len(slices.Compact(stored)) != 7 || !slices.Contains(stored, "mine") {
			t.Errorf("stored %v", stored)
		}
	},
	"props_are_taken_at_the_call": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker()
		props, raw := map[string]any{"n": 1}, json.RawMessage(`{"n": 1}`)
		for _, p := range []any{props, raw} {
			if err := x.Track(t.Context(), "e", p); err != nil {
				t.Fatal(err)
			}
		}
		props["n"], raw[6] = 2, '2'
		x.flush()
		for _, e := range s.report("requests=1").Requests[0].Events {
			if string(e.Props) != `{"n":1}` {
				t.Errorf("props %s", e.Props)
			}
		}
	},
	"flushes_by_count": func(t *testing.T) {
		s := scripted(t, `{}`)
		s.tracker(func(c *nimbus.Config) { c.FlushEvents = 3 }).track("a", "b", "c", "d", "e", "f", "g")
		r := s.report("requests=2").Requests
		if r[0].names() != "a b c" || r[1].names() != "d e f" {
			t.Errorf("batches %q, %q", r[0].names(), r[1].names())
		}
	},
	"flushes_by_bytes": func(t *testing.T) {
		s := scripted(t, `{}`)
		const limit = 64 << 10
		x := s.tracker(func(c *nimbus.Config) { c.FlushBytes, c.CompressAbove = limit, -1 })
		for range 5 {
			if err := x.Track(t.Context(), "e", map[string]any{"text": strings.Repeat("x", 30_000)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range s.report("requests=2").Requests {
			if len(r.Events) != 2 || r.BodyBytes > limit {
				t.Errorf("a batch of %d events, %d bytes", len(r.Events), r.BodyBytes)
			}
		}
	},
	"flushes_by_time": func(t *testing.T) {
		s := scripted(t, `{}`)
		begun := time.Now()
		s.tracker(func(c *nimbus.Config) { c.FlushInterval = 50 * time.Millisecond }).track("alone")
		if r := s.report("requests=1").Requests[0]; r.names() != "alone" || r.ReceivedAt.Sub(begun) < 50*time.Millisecond {
			t.Errorf("%q after %s", r.names(), r.ReceivedAt.Sub(begun))
		}
	},
	"flush_with_no_events_sends_nothing": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker()
		x.flush()
		if err := x.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(s.report("").Requests); n != 0 {
			t.Errorf("%d requests", n)
		}
	},
	"flush_waits_for_the_answer": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 503}, {"hold": true}]}`)
		x := s.tracker()
		x.track("a")
		done := make(chan error)
		go func() { done <- x.Flush(t.Context()) }()
		s.report("requests=1&waiting=1")
		select {
		case err := <-done:
			t.Fatalf("it returned %v before the answer", err)
		default:
		}
		s.release()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := x.Stats(); got.Delivered != 1 || got.Retries != 1 || got.Requests != 2 || got.Waiting != 0 {
			t.Errorf("stats %+v", got)
		}
	},
	"flush_gives_up_with_its_caller": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"hold": true}]}`)
		x := s.tracker()
		x.track("a", "b")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- x.Flush(ctx) }()
		s.report("waiting=1")
		cancel()
		var left *nimbus.UndeliveredError
		if err := <-done; !errors.As(err, &left) || left.Count != 2 || !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if got := x.Stats(); got.Waiting != 2 || got.Dropped != 0 {
			t.Errorf("stats %+v", got)
		}
		s.release()
		x.flush()
		if n := len(s.report("").Stored); n != 2 {
			t.Errorf("%d stored", n)
		}
	},
	"close_flushes": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 503}]}`)
		x := s.tracker()
		x.track("a", "b")
		for range 2 {
			if err := x.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(s.report("").Stored); n != 2 {
			t.Errorf("%d stored", n)
		}
	},
	"close_says_how_many_were_not_delivered": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"hold": true}]}`)
		x := s.tracker(func(c *nimbus.Config) { c.FlushEvents = 2 })
		x.track("a", "b", "c")
		s.report("waiting=1")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var left *nimbus.UndeliveredError
		if err := x.Close(ctx); !errors.As(err, &left) || left.Count != 3 || left.Spooled {
			t.Errorf("error %v", err)
		}
		drops := x.dropped()
		if len(drops) != 3 || drops[2].event.Name != "c" || !errors.Is(drops[2].why, nimbus.ErrNotDelivered) {
			t.Errorf("dropped %+v", drops)
		}
		if got := x.Stats(); got.Dropped != 3 || got.Waiting != 0 {
			t.Errorf("stats %+v", got)
		}
	},
	"track_after_close_is_refused": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker()
		if err := x.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := x.Track(t.Context(), "late", nil); !errors.Is(err, nimbus.ErrClosed) {
			t.Errorf("error %v", err)
		}
		if got := x.Stats(); got.Tracked != 0 || got.Refused != 1 || len(s.report("").Requests) != 0 {
			t.Errorf("stats %+v", got)
		}
	},
	"retries_on_503":           retries(`{"status": 503}`),
	"retries_on_500":           retries(`{"status": 500}, {"status": 502}, {"status": 504}`),
	"retries_on_429":           retries(`{"status": 429}`),
	"retries_on_408":           retries(`{"status": 408}`),
	"retries_on_network_error": retries(`{"drop": "before", "times": 2}`),
	"a_lost_answer_doubles_nothing": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"drop": "after", "times": 2}]}`)
		x := s.tracker()
		x.track("a", "b")
		x.flush()
		if got := s.report(""); len(got.Requests) != 3 || len(got.Stored) != 2 {
			t.Errorf("%d requests, %v stored", len(got.Requests), got.Stored)
		}
		if got := x.Stats(); got.Delivered != 2 || got.Duplicates != 2 {
			t.Errorf("stats %+v", got)
		}
	},
	"does_not_retry_on_400":       isFinal(400, "malformed_json"),
	"does_not_retry_on_401":       isFinal(401, "invalid_key"),
	"does_not_retry_on_403":       isFinal(403, "insufficient_scope"),
	"final_on_a_problem_json_404": isFinal(404, "not_found"),
	"does_not_retry_on_422":       isFinal(422, "validation_failed"),
	"retries_a_404_that_nimbus_did_not_write": func(t *testing.T) {
		const page, json = `"headers": {"Content-Type": "text/html"}, "body": "<h1>default backend - 404</h1>"`, `"headers": {"Content-Type": "application/json"}`
		retries(`{"status": 404, ` + page + `}, {"status": 400, ` + page + `}, {"status": 401, ` + page + `}, {"status": 403, ` + page + `}, {"status": 415, ` + page + `},
			{"status": 404, ` + json + `, "body": {"code": "not_found", "status": 404}}, {"status": 404, "body": {"type": "about:blank", "title": "Not found", "status": 404}}`)(t)
	},
	"goes_on_after_a_final_error": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 400}]}`)
		x := s.tracker()
		x.track("a")
		x.flush()
		x.track("b")
		x.flush()
		if got := s.report(""); len(got.Stored) != 1 || got.Requests[1].names() != "b" {
			t.Errorf("report %+v", got)
		}
	},
	"respects_retry_after": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 503, "headers": {"Retry-After": "1"}}, {"status": 429, "headers": {"Retry-After": "1"}}]}`)
		x := s.tracker()
		x.track("a")
		x.flush()
		r := s.report("requests=3").Requests
		for k := range 2 {
			if pause := r[k+1].ReceivedAt.Sub(r[k].ReceivedAt); pause < time.Second {
				t.Errorf("attempt %d came after %s", k+2, pause)
			}
		}
	},
	"gives_up_after_max_attempts": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 503, "times": 3}]}`)
		x := s.tracker(func(c *nimbus.Config) { c.MaxAttempts = 3 })
		x.track("a", "b")
		x.flush()
		drops := x.dropped()
		var why *nimbus.APIError
		if len(drops) != 2 || !errors.As(drops[0].why, &why) || why.Status != 503 || len(s.report("").Requests) != 3 {
			t.Errorf("dropped %+v", drops)
		}
		if got := x.Stats(); got.Dropped != 2 || got.Retries != 2 {
			t.Errorf("stats %+v", got)
		}
	},
	"preserves_id_on_retry": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 503}, {"drop": "before"}]}`)
		x := s.tracker()
		x.track("a", "b")
		x.flush()
		r := s.report("requests=2").Requests
		if len(r) != 3 || r[0].Text != r[1].Text || r[1].Text != r[2].Text || r[0].Events[0].IdempotencyKey == "" {
			t.Errorf("requests %+v", r)
		}
	},
	"survives_an_answer_that_is_no_problem": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 502, "body": "<h1>Bad gateway</h1>"}, {"status": 200, "body": "<h1>Welcome</h1>"}, {"status": 200, "body": {}}, {"status": 403, "body": "<h1>No</h1>"}]}`)
		x := s.tracker()
		x.track("a")
		x.flush()
		if got := s.report(""); len(got.Requests) != 5 || len(got.Stored) != 1 || len(x.dropped()) != 0 {
			t.Errorf("%d requests, %v stored", len(got.Requests), got.Stored)
		}
		if !strings.Contains(x.log.String(), "nimbus: 403 Forbidden: <h1>No</h1>") {
			t.Errorf("the log does not say why:\n%s", x.log)
		}
	},
	"splits_on_413": func(t *testing.T) {
		s := scripted(t, `{"max_body_bytes": 80000}`)
		x := s.tracker(func(c *nimbus.Config) { c.CompressAbove = -1 })
		var want []string
		for k := range 8 {
			want = append(want, strconv.Itoa(k))
			if err := x.Track(t.Context(), "e", map[string]any{"text": strings.Repeat("x", 30_000)}, nimbus.WithIdempotencyKey(want[k])); err != nil {
				t.Fatal(err)
			}
		}
		x.flush()
		got := s.report("")
		if !slices.Equal(got.Stored, want) || len(x.dropped()) != 0 {
			t.Errorf("stored %v", got.Stored)
		}
		var sizes []string
		for _, r := range got.Requests {
			sizes = append(sizes, fmt.Sprint(len(r.Events)))
		}
		if strings.Join(sizes, " ") != "8 4 2 2 4 2 2" {
			t.Errorf("batches of %v", sizes)
		}
	},
	"drops_a_single_event_on_413": func(t *testing.T) {
		s := scripted(t, `{"max_body_bytes": 20000}`)
		x := s.tracker(func(c *nimbus.Config) { c.CompressAbove = -1 })
		x.track("a")
		if err := x.Track(t.Context(), "large", map[string]any{"text": strings.Repeat("x", 30_000)}); err != nil {
			t.Fatal(err)
		}
		x.track("b")
		x.flush()
		var why *nimbus.APIError
		if drops := x.dropped(); len(drops) != 1 || drops[0].event.Name != "large" || !errors.As(drops[0].why, &why) || why.Code != "body_too_large" {
			t.Errorf("dropped %+v", drops)
		}
		if got := x.Stats(); got.Delivered != 2 || got.Dropped != 1 || len(s.report("").Stored) != 2 {
			t.Errorf("stats %+v", got)
		}
	},
	"signs_each_request": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker(func(c *nimbus.Config) { c.URL += "/below/a%20path/" })
		for range 2 {
			x.track("a")
			x.flush()
		}
		for _, r := range s.report("requests=2").Requests {
			if r.Signature != "valid" || r.Headers["x-api-key"] != "" || r.Status != 200 || !strings.HasSuffix(r.Path, "/below/a%20path/v1/events") {
				t.Errorf("request %+v", r)
			}
		}
	},
	"re_signs_each_attempt": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 503, "headers": {"Retry-After": "1"}}]}`)
		x := s.tracker()
		x.track("a")
		x.flush()
		r := s.report("requests=2").Requests
		if r[0].Signature != "valid" || r[1].Signature != "valid" || r[0].Headers["x-api-timestamp"] >= r[1].Headers["x-api-timestamp"] {
			t.Errorf("requests %+v", r)
		}
	},
	"corrects_its_clock_once": func(t *testing.T) {
		s := scripted(t, `{"clock_ahead_seconds": 3600}`)
		x := s.tracker(func(c *nimbus.Config) { c.MinBackoff, c.MaxBackoff = time.Hour, time.Hour })
		for range 2 {
			x.track("a")
			x.flush()
		}
		var verdicts []string
		for _, r := range s.report("").Requests {
			verdicts = append(verdicts, r.Signature)
		}
		if strings.Join(verdicts, " ") != "stale valid valid" {
			t.Errorf("signatures %v", verdicts)
		}
	},
	"does_not_correct_its_clock_forever": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 401, "times": 2, "body": {"type":"t","title":"t","status":401,"detail":"d","request_id":"r","code":"stale_timestamp"}}]}`)
		x := s.tracker()
		x.track("a")
		x.flush()
		var why *nimbus.APIError
		if drops := x.dropped(); len(drops) != 1 || !errors.As(drops[0].why, &why) || why.Code != "stale_timestamp" || len(s.report("").Requests) != 2 {
			t.Errorf("dropped %+v", drops)
		}
	},
	"sends_the_secret": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker(func(c *nimbus.Config) { c.KeyID = "" })
		x.track("a")
		x.flush()
		if r := s.report("requests=1").Requests[0]; r.Headers["x-api-key"] != "ns_test" || r.Signature != "absent" || r.Status != 200 {
			t.Errorf("request %+v", r)
		}
	},
	"sends_the_write_key": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker(func(c *nimbus.Config) { c.KeyID, c.Secret, c.WriteKey = "", "", "nw_test" })
		x.track("a")
		x.flush()
		if r := s.report("requests=1").Requests[0]; r.Headers["x-write-key"] != "nw_test" || r.Signature != "absent" || r.Status != 200 {
			t.Errorf("request %+v", r)
		}
	},
	"compresses_large_bodies":        compresses(true),
	"does_not_compress_small_bodies": compresses(false),
	"gzip_body_is_signed_as_sent": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 503}]}`)
		x := s.tracker(func(c *nimbus.Config) { c.CompressAbove = 1 })
		x.track("a", "b", "c")
		x.flush()
		for _, r := range s.report("requests=2").Requests {
			if r.Signature != "valid" || r.Headers["content-encoding"] != "gzip" || len(r.Events) != 3 {
				t.Errorf("request %+v", r)
			}
		}
	},
	"reports_rejections": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 200, "body": {"accepted": 1, "duplicates": 0, "rejected": 1, "errors": [
			{"index": 1, "pointer": "/events/1/props/a", "code": "too_deep", "detail": "must be nested less"},
			{"index": 1, "pointer": "/events/1/ts", "code": "maximum", "detail": "must not be so far ahead"}]}}]}`)
		x := s.tracker()
		x.track("good", "bad")
		x.flush()
		drops := x.dropped()
		var why *nimbus.RejectedError
		if len(drops) != 1 || drops[0].event.Name != "bad" || !errors.As(drops[0].why, &why) || len(why.Fields) != 2 ||
			why.Fields[0].Code != "too_deep" || why.Fields[0].Pointer != "/props/a" || why.Fields[1].Detail != "must not be so far ahead" {
			t.Errorf("dropped %+v", drops)
		}
		if got := x.Stats(); got.Delivered != 1 || got.Rejected != 1 || got.Dropped != 0 {
			t.Errorf("stats %+v", got)
		}
		if log := x.log.String(); !strings.Contains(log, `error="nimbus: refused: /props/a must be nested less`) {
			t.Errorf("the log does not say why:\n%s", log)
		}
	},
	"reports_rejections_of_a_whole_batch": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 422, "body": {"type":"t","title":"t","status":422,"detail":"d","request_id":"r","code":"all_events_rejected",
			"accepted":0,"duplicates":0,"rejected":2,"errors":[{"index":0,"pointer":"/events/0/name","code":"length","detail":"x"},{"index":1,"pointer":"/events/1/ts","code":"maximum","detail":"y"}]}}]}`)
		x := s.tracker()
		x.track("a", "b")
		x.flush()
		drops := x.dropped()
		var why *nimbus.RejectedError
		if len(drops) != 2 || !errors.As(drops[1].why, &why) || why.Fields[0].Pointer != "/ts" || why.Fields[0].Code != "maximum" {
			t.Errorf("dropped %+v", drops)
		}
		if got := x.Stats(); got.Rejected != 2 || got.Dropped != 0 || got.Requests != 1 {
			t.Errorf("stats %+v", got)
		}
	},
	"reports_duplicates_as_delivered": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker()
		for range 2 {
			if err := x.Track(t.Context(), "a", nil, nimbus.WithIdempotencyKey("once")); err != nil {
				t.Fatal(err)
			}
		}
		x.flush()
		if got := x.Stats(); got.Delivered != 2 || got.Duplicates != 1 || len(s.report("").Stored) != 1 {
			t.Errorf("stats %+v", got)
		}
	},
	"refuses_a_bad_event_at_once": func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker()
		err := x.Track(t.Context(), "", map[string]any{"text": strings.Repeat("x", 40_000)})
		var why *nimbus.RejectedError
		if !errors.As(err, &why) || len(why.Fields) != 2 || why.Fields[0].Pointer != "/name" || why.Fields[1].Code != "too_large" {
			t.Errorf("error %v", err)
		}
		x.flush()
		if got := x.Stats(); got.Tracked != 0 || got.Refused != 1 || len(s.report("").Requests) != 0 {
			t.Errorf("stats %+v", got)
		}
	},
	"drop_oldest_counts": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"hold": true}]}`)
		x := s.tracker(func(c *nimbus.Config) { c.QueueEvents, c.FlushEvents, c.WhenFull = 2, 2, nimbus.DropOldest })
		x.track("a", "b")
		s.report("waiting=1")
		x.track("c", "d", "e", "f")
		drops := x.dropped()
		if len(drops) != 2 || drops[0].event.Name != "c" || drops[1].event.Name != "d" || !errors.Is(drops[0].why, nimbus.ErrQueueFull) {
			t.Errorf("dropped %+v", drops)
		}
		if got := x.Stats(); got.Dropped != 2 || got.Tracked != 6 || got.Waiting != 4 {
			t.Errorf("stats %+v", got)
		}
		s.release()
		x.flush()
		if r := s.report("requests=2").Requests; r[0].names() != "a b" || r[1].names() != "e f" {
			t.Errorf("requests %+v", r)
		}
		if n := strings.Count(x.log.String(), "queue of events is full"); n != 1 {
			t.Errorf("a full queue was logged %d times:\n%s", n, x.log)
		}
	},
	"full_queue_is_an_error": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"hold": true}]}`)
		x := s.tracker(func(c *nimbus.Config) { c.QueueEvents, c.FlushEvents = 1, 1 })
		x.track("a")
		s.report("waiting=1")
		x.track("b")
		if err := x.Track(t.Context(), "c", nil); !errors.Is(err, nimbus.ErrQueueFull) {
			t.Errorf("error %v", err)
		}
		if got := x.Stats(); got.Refused != 1 || got.Tracked != 2 || got.Dropped != 0 {
			t.Errorf("stats %+v", got)
		}
		s.release()
		x.flush()
		x.track("d")
	},
	"full_queue_blocks": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"hold": true}]}`)
		x := s.tracker(func(c *nimbus.Config) { c.QueueEvents, c.FlushEvents, c.WhenFull = 1, 1, nimbus.Block })
		x.track("a")
		s.report("waiting=1")
		x.track("b")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := x.Track(ctx, "c", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		done := make(chan error)
		for range 5 {
			go func() { done <- x.Track(t.Context(), "d", nil) }()
		}
		s.release()
		for range 5 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		x.flush()
		if r := s.report("requests=7").Requests; r[2].names() != "d" {
			t.Errorf("requests %+v", r)
		}
		if got := x.Stats(); got.Delivered != 7 || got.Refused != 1 || got.Dropped != 0 {
			t.Errorf("stats %+v", got)
		}
	},
	"counts_add_up": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"status": 400}, {"status": 503}, {"drop": "after"}, {"hold": true}]}`)
		x := s.tracker(func(c *nimbus.Config) { c.FlushEvents, c.QueueEvents, c.WhenFull = 2, 2, nimbus.DropOldest })
		x.track("a", "b")
		x.flush()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 48 {
				if err := x.Track(t.Context(), "e", nil); err != nil {
					t.Error(err)
				}
			}
		}()
		for finished := false; !finished; {
			select {
			case <-done:
				finished = true
			default:
			}
			if g := x.Stats(); g.Tracked != g.Delivered+g.Rejected+g.Dropped+g.Waiting {
				t.Fatalf("stats %+v", g)
			}
		}
		s.report("waiting=1")
		s.release()
		x.flush()
		if g := x.Stats(); g.Tracked != 50 || g.Waiting != 0 || g.Dropped != uint64(len(x.dropped())) {
			t.Errorf("stats %+v, %d reported", g, len(x.dropped()))
		}
	},
	"survives_a_crash": func(t *testing.T) {
		s := scripted(t, `{"replies": [{"drop": "after"}, {"hold": true}]}`)
		spooled := func(c *nimbus.Config) { c.SpoolDir, c.FlushEvents, c.WhenFull = t.TempDir(), 2, nimbus.Block }
		dir := t.TempDir()
		in := func(c *nimbus.Config) { spooled(c); c.SpoolDir = dir }
		first := s.tracker(in)
		first.track("a", "b", "c", "d", "e")
		s.report("requests=1&waiting=1")
		// What a crash leaves is the directory as it is now; the tracker itself holds the lock for as long as it lives.
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		second := s.tracker(func(c *nimbus.Config) { spooled(c); c.SpoolDir = copied })
		second.flush()
		got := s.report("")
		slices.Sort(got.Stored)
		if len(got.Stored) != 5 || len(slices.Compact(got.Stored)) != 5 {
			t.Errorf("stored %v", got.Stored)
		}
		if stats := second.Stats(); stats.Tracked != 5 || stats.Delivered != 5 || stats.Duplicates != 2 {
			t.Errorf("stats %+v", stats)
		}
	},
}

func retries(replies string) func(*testing.T) {
	return func(t *testing.T) {
		s := scripted(t, `{"replies": [`+replies+`]}`)
		x := s.tracker()
		x.track("a", "b")
		x.flush()
		got := s.report("")
		if len(got.Requests) < 2 || len(got.Stored) != 2 {
			t.Errorf("%d requests, %v stored", len(got.Requests), got.Stored)
		}
		for _, r := range got.Requests {
			if r.names() != "a b" || r.Signature != "valid" {
				t.Errorf("request %+v", r)
			}
		}
		if stats := x.Stats(); stats.Delivered != 2 || stats.Retries != uint64(len(got.Requests)-1) || len(x.dropped()) != 0 {
			t.Errorf("stats %+v", stats)
		}
	}
}

func isFinal(status int, code string) func(*testing.T) {
	return func(t *testing.T) {
		s := scripted(t, fmt.Sprintf(`{"replies": [{"status": %d, "body": {"type":"t","title":"t","status":%[1]d,"detail":"d","request_id":"r","code":%q}}]}`, status, code))
		x := s.tracker()
		x.track("a", "b")
		x.flush()
		drops := x.dropped()
		var problem *nimbus.APIError
		if len(drops) != 2 || drops[1].event.Name != "b" || !errors.As(drops[1].why, &problem) || problem.Code != code || problem.Status != status {
			t.Errorf("dropped %+v", drops)
		}
		if got := x.Stats(); got.Dropped != 2 || len(s.report("").Requests) != 1 {
			t.Errorf("stats %+v", got)
		}
		if !strings.Contains(x.log.String(), code) {
			t.Errorf("the log does not say why:\n%s", x.log)
		}
	}
}

func compresses(large bool) func(*testing.T) {
	return func(t *testing.T) {
		s := scripted(t, `{}`)
		x := s.tracker()
		text, encoding := "short", ""
		if large {
			text, encoding = strings.Repeat("long ", 400), "gzip"
		}
		if err := x.Track(t.Context(), "e", map[string]any{"text": text}); err != nil {
			t.Fatal(err)
		}
		x.flush()
		r := s.report("requests=1").Requests[0]
		if r.Headers["content-encoding"] != encoding || (r.BodyBytes < len(r.Text)) != large || len(r.Events) != 1 {
			t.Errorf("request %+v", r)
		}
	}
}

func TestBehaviours(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../testvectors/behaviours.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Name string
		SDKs []string `json:"sdks"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	maps.Copy(behaviours, ofPeople)
	maps.Copy(behaviours, ofVisitors)
	missing := maps.Clone(behaviours)
	for _, b := range list {
		if len(b.SDKs) > 0 && !slices.Contains(b.SDKs, "go") {
			continue
		}
		behaviour, ok := behaviours[b.Name]
		if !ok {
			t.Errorf("%s has no test", b.Name)
			continue
		}
		delete(missing, b.Name)
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			behaviour(t)
		})
	}
	for name := range missing {
		t.Errorf("%s is not in the list", name)
	}
}
