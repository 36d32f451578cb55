package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/access/idempotency"
	"github.com/bahagh/nimbus/internal/contract"
)

const headerIdempotencyKey = "Idempotency-Key"

// Replies stores the answers to requests with an Idempotency-Key.
type Replies interface {
	Once(ctx context.Context, r idempotency.Request, do func(context.Context) (idempotency.Reply, error)) (idempotency.Reply, error)
}

// once runs a request with an Idempotency-Key once, and repeats its answer to retries, where the contract has the
// header. It runs after authorization: a caller who has lost access does not get a stored answer either.
func once(op *contract.Operation, replies Replies) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if !slices.ContainsFunc(op.Params, func(p contract.Param) bool { return p.In == contract.InHeader && p.Name == headerIdempotencyKey }) {
			return next
		}
		return func(c echo.Context) error {
			r := c.Request()
			key := r.Header.Get(headerIdempotencyKey)
			if key == "" {
				return next(c)
			}
			body, err := JSONBody(c)
			if err != nil {
				return err
			}
			hash := sha256.Sum256(slices.Concat([]byte(r.URL.Path), []byte{'\n'}, body))
			reply, err := replies.Once(r.Context(), idempotency.Request{
				Account: auth.From(r.Context()).AccountID, Operation: op.ID, Key: key, Hash: hash[:],
			}, func(ctx context.Context) (idempotency.Reply, error) { return record(ctx, c, next) })
			if err != nil {
				return err
			}
			return c.Blob(reply.Status, echo.MIMEApplicationJSON, reply.Body)
		}
	}
}

// record runs the handler and holds its answer back: it must not be sent before the change is committed.
func record(ctx context.Context, c echo.Context, next echo.HandlerFunc) (idempotency.Reply, error) {
	out := c.Response()
	held := &heldReply{header: out.Header()}
	c.SetResponse(echo.NewResponse(held, c.Echo()))
	request := c.Request()
	c.SetRequest(request.WithContext(ctx))
	defer func() {
		c.SetResponse(out)
		c.SetRequest(request)
	}()
	if err := next(c); err != nil {
		return idempotency.Reply{}, err
	}
	return idempotency.Reply{Status: held.status, Body: held.body.Bytes()}, nil
}

// heldReply is an answer that is held back.
type heldReply struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldReply) Header() http.Header         { return h.header }
func (h *heldReply) WriteHeader(status int)      { h.status = status }
func (h *heldReply) Write(b []byte) (int, error) { return h.body.Write(b) }
