package httpapi

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"github.com/bahagh/nimbus/internal/access/auth"
)

// Logger returns a logger whose every line that is written with the context of a request has its request_id, and its
// trace_id when it is traced, whichever package writes it.
func Logger(log *slog.Logger) *slog.Logger { return slog.New(requestLog{log.Handler()}) }

type requestLog struct{ slog.Handler }

// Handle implements slog.Handler.
func (h requestLog) Handle(ctx context.Context, r slog.Record) error {
	if id := auth.RequestID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		r.AddAttrs(slog.String("trace_id", s.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h requestLog) WithAttrs(a []slog.Attr) slog.Handler { return requestLog{h.Handler.WithAttrs(a)} }

// WithGroup implements slog.Handler.
func (h requestLog) WithGroup(name string) slog.Handler {
	return requestLog{h.Handler.WithGroup(name)}
}
