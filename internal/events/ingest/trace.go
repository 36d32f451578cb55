package ingest

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/bahagh/nimbus/internal/platform/tracing"
)

// traceFlush begins the span of a flush and records, in the trace of each request, how long it waited for that. A
// flush belongs to many requests, and a span has one parent: that is the first request that is traced. The flush
// links the others, and the wait of each of them links the flush, so that the way is found from both ends. The
// context is free of everything else of the requests: one that is cancelled must not end what it shares. Without a
// traced request nothing is done.
func traceFlush(batches []*batch, start time.Time) (context.Context, trace.Span) {
	ctx := context.Background()
	var first trace.Span
	var links []trace.Link
	rows := 0
	for _, x := range batches {
		rows += x.size()
		switch {
		case x.span == nil:
		case first == nil:
			first = x.span
		default:
			links = append(links, trace.Link{SpanContext: x.span.SpanContext()})
		}
	}
	if first == nil {
		return ctx, trace.SpanFromContext(ctx)
	}
	tracer := tracing.From(first)
	ctx, flush := tracer.Start(trace.ContextWithSpan(ctx, first), "flush", trace.WithTimestamp(start), trace.WithLinks(links...),
		trace.WithAttributes(attribute.Int("nimbus.flush.requests", len(batches)), attribute.Int("nimbus.flush.rows", rows)))
	for _, x := range batches {
		if x.span == nil {
			continue
		}
		_, wait := tracer.Start(trace.ContextWithSpan(context.Background(), x.span), "queue wait", trace.WithTimestamp(x.enqueued))
		if x.span != first {
			wait.AddLink(trace.Link{SpanContext: flush.SpanContext()})
		}
		wait.End(trace.WithTimestamp(start))
	}
	return ctx, flush
}
