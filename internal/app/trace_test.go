package app_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// receiver is an OTLP endpoint over HTTP, as the program sees one.
type receiver struct {
	*httptest.Server

	mu       sync.Mutex
	resource []string
	spans    []*tracepb.Span
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var in collector.ExportTraceServiceRequest
		if err != nil || req.URL.Path != "/v1/traces" || proto.Unmarshal(body, &in) != nil {
			t.Errorf("not OTLP: %s %v", req.URL.Path, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, rs := range in.ResourceSpans {
			for _, a := range rs.Resource.Attributes {
				r.resource = append(r.resource, a.Key+"="+a.Value.GetStringValue())
			}
			for _, ss := range rs.ScopeSpans {
				r.spans = append(r.spans, ss.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(r.Close)
	return r
}

// find returns the spans that are so; the test fails when there is none.
func (r *receiver) find(t *testing.T, what string, is func(*tracepb.Span) bool) []*tracepb.Span {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*tracepb.Span
	for _, s := range r.spans {
		if is(s) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		t.Fatalf("no span is %s among %d", what, len(r.spans))
	}
	return out
}

func attribute(s *tracepb.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			if text := a.Value.GetStringValue(); text != "" {
				return text
			}
			return fmt.Sprint(a.Value.GetIntValue())
		}
	}
	return ""
}

const (
	traceID  = "4bf92f3577b34da6a3ce929d0e0e4736"
	callerID = "00f067aa0ba902b7"
)

// A trace leads from the caller's span to the statements, and from every request that shares a flush to that flush.
func TestARequestIsTracedToItsStatements(t *testing.T) {
	t.Parallel()
	otlp := receive(t)
	a := apptest.BootWith(t, nimbustest.DSN(t), patient, "NIMBUS_OTLP_ENDPOINT="+otlp.URL, "NIMBUS_TRACE_SAMPLE_RATIO=1")
	x := a.Tenant(t)

	req := x.Signed(x.Batch(apptest.Event{"name": "alone", "user_id": "a-person"}))
	req.Header.Set("traceparent", "00-"+traceID+"-"+callerID+"-01")
	req.Header.Set("X-Request-Id", "traced-1")
	if got := x.Send(req).Want(200).Header.Get("traceparent"); !strings.HasPrefix(got, "00-"+traceID+"-") || strings.Contains(got, callerID) {
		t.Errorf("the answer has the traceparent %q", got)
	}
	shareAFlush(t, a, x)
	a.Stop() // sends what waits

	root := otlp.find(t, "the traced request", func(s *tracepb.Span) bool { return hex.EncodeToString(s.ParentSpanId) == callerID })[0]
	if hex.EncodeToString(root.TraceId) != traceID || root.Name != "POST /v1/events" || root.Kind != tracepb.Span_SPAN_KIND_SERVER ||
		attribute(root, "nimbus.request_id") != "traced-1" || attribute(root, "http.response.status_code") != "200" {
		t.Errorf("the request: %v", root)
	}
	child := func(of *tracepb.Span, name string) *tracepb.Span {
		t.Helper()
		return otlp.find(t, name+" of "+of.Name, func(s *tracepb.Span) bool {
			return string(s.ParentSpanId) == string(of.SpanId) && string(s.TraceId) == string(of.TraceId) && strings.Contains(s.Name, name)
		})[0]
	}
	wait, flush := child(root, "queue wait"), child(root, "flush")
	if wait.EndTimeUnixNano > flush.EndTimeUnixNano || wait.StartTimeUnixNano < root.StartTimeUnixNano || len(flush.Links) != 0 {
		t.Errorf("a wait from %d to %d, a flush to %d with %d links", wait.StartTimeUnixNano, wait.EndTimeUnixNano, flush.EndTimeUnixNano, len(flush.Links))
	}
	if s := child(flush, "EventsInsertAll"); !strings.Contains(attribute(s, "db.query.text"), "INSERT INTO events") || s.Kind != tracepb.Span_SPAN_KIND_CLIENT {
		t.Errorf("the statement: %v", s)
	}
	otlp.find(t, "the COPY of a large flush", func(s *tracepb.Span) bool { return s.Name == "COPY events" })

	shared := otlp.find(t, "a flush of two requests", func(s *tracepb.Span) bool { return s.Name == "flush" && attribute(s, "nimbus.flush.requests") == "2" })[0]
	if len(shared.Links) != 1 {
		t.Fatalf("a flush of two requests has %d links", len(shared.Links))
	}
	other := otlp.find(t, "linked by the flush", func(s *tracepb.Span) bool { return string(s.SpanId) == string(shared.Links[0].SpanId) })[0]
	if other.Name != "POST /v1/events" || string(other.SpanId) == string(shared.ParentSpanId) || string(other.TraceId) == string(shared.TraceId) {
		t.Errorf("the other request: %v", other)
	}
	if back := child(other, "queue wait"); len(back.Links) != 1 || string(back.Links[0].SpanId) != string(shared.SpanId) {
		t.Errorf("the wait of the other request does not lead to its flush: %v", back.Links)
	}

	otlp.mu.Lock()
	defer otlp.mu.Unlock()
	if !slices.Contains(otlp.resource, "service.name=nimbus") {
		t.Errorf("the resource is %q", otlp.resource)
	}
	for _, s := range otlp.spans {
		if strings.Contains(s.String(), "a-person") {
			t.Errorf("a span has what a person sent: %v", s)
		}
	}
	for line := range strings.Lines(a.Log.String()) {
		if strings.Contains(line, `"request_id":"traced-1"`) && !strings.Contains(line, `"trace_id":"`+traceID+`"`) {
			t.Errorf("a line of the request does not name its trace: %s", line)
		}
	}
	if n := len(otlp.spans); gauge(t, a, "nimbus_trace_spans_total") != float64(n) || gauge(t, a, "nimbus_trace_spans_exported_total") != float64(n) {
		t.Errorf("%d spans arrived, and the metrics tell of others", n)
	}
}

// shareAFlush makes two requests wait behind a third, so that one transaction stores both; the third is a large one.
func shareAFlush(t *testing.T, a *apptest.App, x *apptest.Tenant) {
	t.Helper()
	x.Ingest(keyed("before", 1)...) // makes the partition, which else would be waited for before the flush
	release := lock(t, a.DSN, "events")
	var answers sync.WaitGroup
	send := func(events ...apptest.Event) { answers.Go(func() { x.Ingest(events...) }) }
	send(keyed("large", 200)...)
	nimbustest.Eventually(t, "the first flush to hang", func() bool {
		return gauge(t, a, "nimbus_ingest_oldest_seconds") > 0 && gauge(t, a, "nimbus_ingest_queue_rows") == 0
	})
	send(keyed("second", 1)...)
	send(keyed("third", 1)...)
	nimbustest.Eventually(t, "two requests to wait", func() bool { return gauge(t, a, "nimbus_ingest_queue_rows") == 2 })
	release()
	answers.Wait()
}

// A receiver that accepts a connection and never answers delays no request, and a stop only a little.
func TestAReceiverOfTracesThatHangsHoldsNothingUp(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	asked := make(chan struct{}, 100)
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-hold
	}))
	t.Cleanup(hanging.Close)
	t.Cleanup(func() { close(hold) })
	a := apptest.Boot(t, "NIMBUS_OTLP_ENDPOINT="+hanging.URL+"/custom/path", "NIMBUS_TRACE_SAMPLE_RATIO=1")
	x := a.Tenant(t)
	for k := range 3_000 { // more spans than the queue takes
		x.Do("GET", fmt.Sprintf("/v1/health?n=%d", k), nil)
	}
	nimbustest.Await(t, "the receiver is asked", asked)
	// The receiver answers when the test is over: whatever waited for it would never come to an end.
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		x.Ingest(keyed("e", 1)...)
		a.Stop()
	}()
	nimbustest.Await(t, "a request and a stop while the receiver hangs", stopped)
	if !strings.Contains(a.Log.String(), "the last traces were not sent") {
		t.Error("that traces are lost is not logged")
	}
}

func TestWithoutAnEndpointNothingIsTraced(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	req := x.Signed(x.Batch(keyed("e", 1)...))
	req.Header.Set("traceparent", "00-"+traceID+"-"+callerID+"-01")
	if got := x.Send(req).Want(200).Header.Values("traceparent"); got != nil {
		t.Errorf("the answer has the traceparent %q", got)
	}
	if strings.Contains(a.Metrics(t), "nimbus_trace_") || strings.Contains(a.Log.String(), "trace_id") {
		t.Error("metrics or log tell of traces")
	}
}

// The ratio is that of requests which bring no decision; one that brings its own keeps it.
func TestTheCallerDecidesWhetherItsRequestIsTraced(t *testing.T) {
	t.Parallel()
	otlp := receive(t)
	a := apptest.Boot(t, "NIMBUS_OTLP_ENDPOINT="+otlp.URL, "NIMBUS_TRACE_SAMPLE_RATIO=0")
	a.Client(t).Do("GET", "/v1/health", nil).Want(200)
	a.Client(t).With("traceparent", "00-"+traceID+"-"+callerID+"-00").Do("GET", "/v1/health", nil).Want(200)
	a.Client(t).With("traceparent", "00-"+traceID+"-"+callerID+"-01").Do("GET", "/v1/health", nil).Want(200)
	a.Client(t).With("traceparent", "nonsense").Do("GET", "/v1/health", nil).Want(200)
	a.Stop()
	if got := otlp.find(t, "a request", func(s *tracepb.Span) bool { return s.Kind == tracepb.Span_SPAN_KIND_SERVER }); len(got) != 1 {
		t.Errorf("%d requests were traced, want 1", len(got))
	}
}

// What tracing costs a request of one event; without an endpoint it must be nothing.
func BenchmarkIngestTraced(b *testing.B) {
	otlp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer otlp.Close()
	for _, bench := range []struct {
		name     string
		settings []string
	}{
		{"off", nil},
		{"unsampled", []string{"NIMBUS_OTLP_ENDPOINT=" + otlp.URL, "NIMBUS_TRACE_SAMPLE_RATIO=0"}},
		{"sampled", []string{"NIMBUS_OTLP_ENDPOINT=" + otlp.URL, "NIMBUS_TRACE_SAMPLE_RATIO=1"}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			a := apptest.Boot(b, append(bench.settings, "NIMBUS_LOG_LEVEL=info")...)
			x := a.Tenant(b)
			body := x.Batch(apptest.Event{"name": "e", "ts": "2026-01-15T10:30:00Z", "idempotency_key": "k"})
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				req := httptest.NewRequest(http.MethodPost, "/v1/events", strings.NewReader(string(body)))
				req.Header.Set("X-API-Key", x.Secret)
				req.Header.Set("Content-Type", "application/json")
				if a.API.ServeHTTP(w, req); w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
