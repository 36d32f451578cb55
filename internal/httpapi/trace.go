package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// propagator reads and writes W3C traceparent and tracestate.
var propagator propagation.TraceContext

// traced starts a span for each request, within the caller's trace when it sent a traceparent. It answers with the
// request's own traceparent, so that the caller can find the trace.
func traced(t trace.Tracer) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			method := methodName(r.Method)
			ctx, span := t.Start(propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header)), method,
				trace.WithSpanKind(trace.SpanKindServer))
			defer span.End() // also when a panic cuts the connection
			propagator.Inject(ctx, propagation.HeaderCarrier(c.Response().Header()))
			c.SetRequest(r.WithContext(ctx))
			err := next(c)
			if !span.IsRecording() {
				return err
			}
			status, route := c.Response().Status, c.Path()
			if route != "" { // otherwise the caller would choose the name
				span.SetName(method + " " + route)
			}
			span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route),
				attribute.Int("http.response.status_code", status), attribute.Int64("http.response.body.size", c.Response().Size),
				attribute.String("nimbus.request_id", requestID(c)))
			if status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, http.StatusText(status))
			}
			return err
		}
	}
}
