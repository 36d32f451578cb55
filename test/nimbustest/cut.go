package nimbustest

import (
	"context"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// Cut is a tracer of a connection that ends a context after so many statements, as the end of the process, or of its connection, ends
// what it does.
type Cut struct {
	left   atomic.Int64
	cancel context.CancelFunc
}

// NewCut returns a tracer that calls cancel when as many statements begin.
func NewCut(statements int, cancel context.CancelFunc) *Cut {
	c := &Cut{cancel: cancel}
	c.left.Store(int64(statements))
	return c
}

// TraceQueryStart implements pgx.QueryTracer.
func (c *Cut) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if c.left.Add(-1) == 0 {
		c.cancel()
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*Cut) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
