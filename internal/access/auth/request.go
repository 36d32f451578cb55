package auth

import "context"

// Request is from where a request came: what limits, the audit log and the list of sessions go by.
type Request struct {
	ID        string
	IP        string
	Network   string // what counts as one sender: the address, or a prefix of IPv6; empty where nobody has found out
	UserAgent string // at most MaxUserAgent bytes of it
}

// MaxUserAgent is how many bytes of a user agent are kept: a caller must not fill the database with it.
const MaxUserAgent = 300

type (
	requestKey   struct{}
	requestIDKey struct{}
)

// requestIDContext is context.WithValue with one allocation in place of two: every request has one.
type requestIDContext struct {
	context.Context

	id string
}

// Value implements context.Context.
func (c *requestIDContext) Value(key any) any {
	if key == (requestIDKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// WithRequestID returns a context that carries the id of its request.
func WithRequestID(ctx context.Context, id string) context.Context {
	return &requestIDContext{ctx, id}
}

// RequestID returns the id of the request of ctx; it is empty outside of one.
func RequestID(ctx context.Context) string {
	if c, ok := ctx.Value(requestIDKey{}).(*requestIDContext); ok {
		return c.id
	}
	return ""
}

// WithRequest returns a context that carries where its request came from.
func WithRequest(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestOf returns where the request of ctx came from; it is zero outside of one.
func RequestOf(ctx context.Context) Request {
	r, _ := ctx.Value(requestKey{}).(Request)
	return r
}

// Caller returns the principal of ctx, and false where there is none: in a public operation or outside of a request.
func Caller(ctx context.Context) (*Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(*Principal)
	return p, ok
}
