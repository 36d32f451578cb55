package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
)

// requestID returns the id of the request: the caller's own, or a generated one.
func requestID(c echo.Context) string { return auth.RequestID(c.Request().Context()) }

// identify gives the request an id: the caller's, if it can be logged safely. It is in the context, where Logger
// finds it.
func identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		id := r.Header.Get(echo.HeaderXRequestID)
		if !loggable(id) {
			id = newRequestID()
		}
		c.SetRequest(r.WithContext(auth.WithRequestID(r.Context(), id)))
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		return next(c)
	}
}

func loggable(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	return strings.IndexFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_' && r != '.'
	}) < 0
}

var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

func newRequestID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	var text [16]byte
	crockford.Encode(text[:], b[:])
	return string(text[:])
}

// httpMetrics are the metrics of every request. The route is the contract's path, never the caller's: a scanner must
// not be able to create a time series for each path it tries.
type httpMetrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newHTTPMetrics(reg prometheus.Registerer) *httpMetrics {
	m := &httpMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total", Help: "Requests answered."},
			[]string{"method", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "http_request_duration_seconds",
			Help: "Time from the request's header to the answer's last byte; of a live stream, to its begin; without exports, which take as long as their reader.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 15)},
			[]string{"method", "route"}),
	}
	reg.MustRegister(m.requests, m.duration)
	return m
}

// observe writes the answer to an error itself, so that the status it logs and counts is the one that was sent; and
// it turns a panic into a 500 that names the request.
func observe(log *slog.Logger, m *httpMetrics, clients proxies) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			start := time.Now()
			// The caller's own context: the one with the deadline, further in, is always done by now.
			caller := c.Request().Context()
			defer func() {
				if r := recover(); r != nil {
					if err, ok := r.(error); ok && errors.Is(err, http.ErrAbortHandler) {
						panic(r)
					}
					log.ErrorContext(caller, "panic", "panic", r, "stack", string(debug.Stack()))
					c.Error(internalError(fmt.Errorf("panic: %v", r)))
				}
				took := time.Since(start)
				method, route := sentMethod(c.Request()), c.Path()
				if route == "" || c.Response().Status == http.StatusNotFound && !strings.Contains(route, "/v1/") {
					route = "other"
				}
				method = methodName(method)
				m.requests.WithLabelValues(method, route, strconv.Itoa(c.Response().Status)).Inc()
				if !streamed(c) {
					m.duration.WithLabelValues(method, route).Observe(took.Seconds())
				}
				logRequest(log, c, took, clients)
			}()
			if err := next(c); err != nil {
				if errors.Is(err, context.Canceled) && caller.Err() != nil {
					// The client disconnected; nobody reads an answer. 499 is the status that proxies log for this.
					c.Response().Status = 499
					return nil
				}
				c.Error(err)
			}
			return nil
		}
	}
}

// streamKey marks the request of an operation whose answer lasts as long as its reader.
const streamKey = "nimbus.stream"

// streamed reports whether the answer was a stream. How long one was read says nothing about how fast the server
// answers; one that was refused was answered like any other request.
func streamed(c echo.Context) bool {
	return c.Get(streamKey) != nil && c.Response().Status < http.StatusBadRequest
}

// methodName is the method, for names that must not be the caller's choice.
func methodName(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// logRequest logs each request; frequent ones that succeeded only at level debug.
func logRequest(log *slog.Logger, c echo.Context, took time.Duration, clients proxies) {
	level := slog.LevelInfo
	r, status := c.Request(), c.Response().Status
	op := operationOf(c)
	routine := op != nil && op.Cost == contract.CostIngestion || strings.Contains(c.Path(), "health") || c.Path() == "/readiness" ||
		c.Path() == dashboardRoute
	if status < 400 && routine {
		level = slog.LevelDebug
	}
	if !log.Enabled(r.Context(), level) {
		return
	}
	log.LogAttrs(r.Context(), level, "request", slog.String("method", sentMethod(r)),
		slog.String("route", c.Path()), slog.Int("status", status), slog.Float64("ms", float64(took.Microseconds())/1000),
		slog.Int64("bytes_out", c.Response().Size), slog.String("remote", clients.address(r).String()))
}

// The values are shared by all answers: setting a header allocates its value, and ingestion sends many answers.
var (
	nosniff   = []string{"nosniff"}
	noStore   = []string{"no-store"}
	noFrame   = []string{"DENY"}
	noReferer = []string{"no-referrer"}
	sameSite  = []string{"same-origin"}
	noContent = []string{"default-src 'none'; frame-ancestors 'none'"}
)

// secure sets the headers that keep a browser from doing more with an answer than it should. Answers of the API need
// few; pages set a Content-Security-Policy of their own.
func secure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h["X-Content-Type-Options"] = nosniff
		h["Content-Security-Policy"] = noContent
		if strings.HasPrefix(c.Request().URL.Path, "/v1/") {
			h["Cache-Control"] = noStore
			if strings.HasPrefix(c.Request().URL.Path, "/v1/auth/") && overTLS(c.Request()) {
				believeHostCookies(c.Request())
				c.Response().Before(func() { overHTTPS(h) })
			}
		} else {
			h["X-Frame-Options"] = noFrame
			h["Referrer-Policy"] = noReferer
			h["Cross-Origin-Opener-Policy"] = sameSite
		}
		return next(c)
	}
}

// overTLS reports whether the browser uses https: to this server or, by X-Forwarded-Proto, to the proxy before it. A
// caller who forges the header only keeps his own cookie from being sent back.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get(echo.HeaderXForwardedProto), "https")
}

// cors lets browsers call the API from the configured origins. An operation that takes write keys is open to every origin,
// because the key decides which ones it takes and a preflight carries no key. No answer to another origin depends on cookies:
// browsers send none without Access-Control-Allow-Credentials.
// The routes of other vendors' wire formats have CORS of their own.
func cors(origins []string, operations map[string]*contract.Operation, vendors map[string]bool) []echo.MiddlewareFunc {
	type endpoint struct{ method, path string }
	open := make(map[endpoint]bool)
	for _, op := range operations {
		if op.TakesWriteKeys() {
			open[endpoint{op.Method, op.Path}] = true
		}
	}
	isIngest := func(c echo.Context) bool {
		r := c.Request()
		method := r.Method
		if method == http.MethodOptions {
			method = r.Header.Get("Access-Control-Request-Method")
		}
		return open[endpoint{method, r.URL.Path}]
	}
	expose := []string{echo.HeaderXRequestID, "traceparent", "Retry-After", "RateLimit", "RateLimit-Policy"}
	const maxAgeSeconds = 7200
	ingest := middleware.CORSWithConfig(middleware.CORSConfig{
		// Servers and apps send no Origin, and the answer to those that do does not depend on which it is.
		Skipper: func(c echo.Context) bool {
			return c.Request().Header.Get(echo.HeaderOrigin) == "" || vendors[c.Path()] || !isIngest(c)
		},
		AllowOrigins: []string{"*"}, AllowMethods: []string{http.MethodPost}, ExposeHeaders: expose, MaxAge: maxAgeSeconds,
		// No AllowHeaders: every header that is asked for is allowed. Tracing adds its own to the requests of a page
		// (baggage, sentry-trace, x-datadog-trace-id, …), and one that is refused is a request that is never sent.
	})
	if len(origins) == 0 {
		return []echo.MiddlewareFunc{ingest}
	}
	rest := middleware.CORSWithConfig(middleware.CORSConfig{
		Skipper:      func(c echo.Context) bool { return vendors[c.Path()] || isIngest(c) },
		AllowOrigins: origins, ExposeHeaders: expose, MaxAge: maxAgeSeconds,
		AllowMethods: []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
	})
	return []echo.MiddlewareFunc{ingest, rest}
}

// requestTime bounds the work on one request; the server's own timeouts bound its reading and writing.
const requestTime = 30 * time.Second

func deadline(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), requestTime)
		defer cancel()
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}

// unhurried replaces the deadline of an export, whose answer may be long: each part restarts the time, so that the
// answer may take as long as its reader keeps reading. The handler bounds the work for each part.
func unhurried(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(streamKey, true)
		out := c.Response()
		w := &patientWriter{out.Writer, http.NewResponseController(out.Writer)}
		_ = w.conn.SetReadDeadline(time.Time{}) // it would end the request, although its body has been read
		out.Writer = w
		return next(c)
	}
}

type patientWriter struct {
	http.ResponseWriter
	conn *http.ResponseController
}

func (w *patientWriter) Write(b []byte) (int, error) {
	_ = w.conn.SetWriteDeadline(time.Now().Add(requestTime)) // where there is no connection, there is no deadline either
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the methods of the wrapped writer.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
