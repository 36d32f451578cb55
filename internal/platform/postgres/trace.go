package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/bahagh/nimbus/internal/platform/tracing"
)

// WithTracing makes a span of each statement that runs within one. Without it the driver knows no tracer.
func WithTracing() Option {
	return func(c *pgxpool.Config) { c.ConnConfig.Tracer = statements{} }
}

// statements are the spans of statements. They have the text, and never the values: those are people's data.
type statements struct{}

var (
	_ pgx.QueryTracer = statements{}
	_ pgx.BatchTracer = statements{}
)

// TraceQueryStart begins the span of one statement.
func (statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return startStatement(ctx, statementName(data.SQL), data.SQL)
}

// TraceQueryEnd ends it.
func (statements) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	endStatement(ctx, data.CommandTag.RowsAffected(), data.Err)
}

// TraceBatchStart begins one span for statements that are sent together.
func (statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	if tracing.Of(ctx) == nil {
		return ctx
	}
	var names, texts []string
	for _, q := range data.Batch.QueuedQueries {
		names, texts = append(names, statementName(q.SQL)), append(texts, q.SQL)
	}
	return startStatement(ctx, strings.Join(names, "; "), strings.Join(texts, ";\n"))
}

// TraceBatchQuery tells of the one that failed.
func (statements) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	if s := tracing.Of(ctx); s != nil && data.Err != nil {
		s.SetAttributes(attribute.String("nimbus.failed_statement", statementName(data.SQL)))
	}
}

// TraceBatchEnd ends the span of the batch.
func (statements) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	endStatement(ctx, 0, data.Err)
}

// statementKey marks the context of a statement: what began outside of every span must not end someone else's.
type statementKey struct{}

func startStatement(ctx context.Context, name, text string) context.Context {
	parent := tracing.Of(ctx)
	if parent == nil {
		return ctx
	}
	ctx, s := tracing.From(parent).Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("db.system.name", "postgresql"), attribute.String("db.query.text", text)))
	return context.WithValue(ctx, statementKey{}, s)
}

func endStatement(ctx context.Context, rows int64, err error) {
	s, ok := ctx.Value(statementKey{}).(trace.Span)
	if !ok {
		return
	}
	if rows > 0 {
		s.SetAttributes(attribute.Int64("nimbus.rows", rows))
	}
	tracing.End(s, err)
}

// statementName is the one that db/queries gives a statement, else its first word.
func statementName(sql string) string {
	if name, ok := strings.CutPrefix(sql, "-- name: "); ok {
		sql = name
	}
	if i := strings.IndexAny(sql, " \n\t;"); i > 0 {
		return sql[:i]
	}
	return sql
}
