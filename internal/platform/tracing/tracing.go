package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scope is the name of the instrumentation, in every span.
const scope = "github.com/bahagh/nimbus"

// flushTime bounds how long a stop waits for an endpoint that does not answer.
const flushTime = 3 * time.Second

// Provider makes spans and sends them.
type Provider struct {
	sdk *sdktrace.TracerProvider
}

// Check returns an error when an endpoint is not valid.
func Check(endpoint string) error {
	_, err := target(endpoint)
	return err
}

// target is the URL that spans are posted to: the path of the specification where the endpoint names none.
func target(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The error of the URL parser may quote a password.
		return "", errors.New("must be http://host:port or https://host, of an OTLP receiver over HTTP")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

// Open returns a provider that samples this ratio of the traces that begin here; for a trace that began elsewhere the
// caller has decided. It does not connect: an unavailable endpoint is retried for as long as there are spans.
//
// The standard variables of OpenTelemetry refine it where the SDK reads them: OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT,
// _COMPRESSION and _CERTIFICATE, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_* and OTEL_SPAN_*.
func Open(ctx context.Context, endpoint string, ratio float64, reg prometheus.Registerer, log *slog.Logger) (*Provider, error) {
	to, err := target(endpoint)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(to))
	if err != nil {
		return nil, fmt.Errorf("make the exporter: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "nimbus")), resource.WithHost(),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	out := newCounted(exporter, reg, log)
	return &Provider{sdk: sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))),
		sdktrace.WithResource(about),
		sdktrace.WithSpanProcessor(out.ended),
		sdktrace.WithBatcher(out), // it drops what does not fit into its queue, and never blocks
	)}, nil
}

// Tracer starts traces.
func (p *Provider) Tracer() trace.Tracer { return p.sdk.Tracer(scope) }

// Close sends the queued spans, until ctx or flushTime ends: a stop must not hang on a receiver of traces.
func (p *Provider) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	if err := p.sdk.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}

// Of returns the recorded span of ctx, or nil.
func Of(ctx context.Context) trace.Span {
	if s := trace.SpanFromContext(ctx); s.IsRecording() {
		return s
	}
	return nil
}

// Start begins a child of the span in ctx. Where that is not recorded, Start and the End of its result do nothing.
func Start(ctx context.Context, name string) (context.Context, trace.Span) {
	parent := Of(ctx)
	if parent == nil {
		return ctx, nothing
	}
	return From(parent).Start(ctx, name)
}

var nothing = trace.SpanFromContext(context.Background())

// From returns a tracer that continues the trace of a span.
func From(s trace.Span) trace.Tracer { return s.TracerProvider().Tracer(scope) }

// End ends a span, with the error that its work ended with.
func End(s trace.Span, err error) {
	fail(s, err)
	s.End()
}

// Fail says in the span of ctx that its work failed, when there is an error.
func Fail(ctx context.Context, err error) { fail(trace.SpanFromContext(ctx), err) }

func fail(s trace.Span, err error) {
	if err != nil && s.IsRecording() {
		s.SetStatus(codes.Error, err.Error())
	}
}

// counted counts the exported spans, and logs when they cannot be sent and when they can again.
type counted struct {
	sdktrace.SpanExporter

	ended  endCounter
	sent   prometheus.Counter
	broken atomic.Bool
	log    *slog.Logger
}

func newCounted(e sdktrace.SpanExporter, reg prometheus.Registerer, log *slog.Logger) *counted {
	c := &counted{SpanExporter: e, log: log,
		ended: endCounter{prometheus.NewCounter(prometheus.CounterOpts{Name: "nimbus_trace_spans_total",
			Help: "Sampled spans that ended. Those not exported are queued or were dropped."})},
		sent: prometheus.NewCounter(prometheus.CounterOpts{Name: "nimbus_trace_spans_exported_total",
			Help: "Spans that the OTLP endpoint has accepted."}),
	}
	reg.MustRegister(c.ended, c.sent)
	return c
}

// ExportSpans never returns an error: the SDK would write it to standard error, past the log.
func (c *counted) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := c.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil && !c.broken.Swap(true):
		c.log.Warn("traces cannot be sent; spans are dropped until they can", "error", err)
	case err == nil:
		c.sent.Add(float64(len(spans)))
		if c.broken.Swap(false) {
			c.log.Info("traces are sent again")
		}
	}
	return nil
}

// endCounter counts every sampled span when it ends, whether or not the queue has room for it.
type endCounter struct{ prometheus.Counter }

func (endCounter) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

func (e endCounter) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		e.Inc()
	}
}

func (endCounter) Shutdown(context.Context) error   { return nil }
func (endCounter) ForceFlush(context.Context) error { return nil }
