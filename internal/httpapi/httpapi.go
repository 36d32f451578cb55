package httpapi

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/httpapi/goproxy"
	"github.com/bahagh/nimbus/internal/platform/turns"
	"github.com/bahagh/nimbus/sdk"
)

// Options are the dependencies and settings of the HTTP layer.
type Options struct {
	AppName        string
	Log            *slog.Logger
	Registry       prometheus.Registerer
	Tracer         trace.Tracer // nil: requests are not traced
	AllowedOrigins []string     // of CORS; ingestion is open to all origins and guarded by its write keys
	TrustedProxies []netip.Prefix
	BasePath       string // where browsers find the server below its host, such as /analytics; empty: at its root
	Limits         Limits
	Connections    int   // of the database; questions may use a part of them
	BulkMemory     int64 // bytes that all bodies of events together may hold; 0: BulkMemory
	Credentials    Credentials
	Access         Access
	Replies        Replies
	Operations     map[string]*contract.Operation // the contract's table
	Vendors        Vendors                        // the operations in the wire formats of other vendors
	Assistants     Assistants                     // what answers the messages of /mcp
	Spec           []byte                         // the contract itself, as YAML
	Ready          http.HandlerFunc               // the readiness answer, for its names outside /v1
	Dashboard      fs.FS                          // the built dashboard; empty when it was not built
}

// New returns the server's routes: the contract's operations, the documentation, the tracker, the SDKs, the
// dashboard, and the health checks. It fails when an operation requires credentials that nothing checks.
func New(h api.ServerInterface, o Options) (*echo.Echo, error) {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard) // everything is logged with slog
	e.HTTPErrorHandler = errorHandler(o.Log, o.BasePath)
	e.Binder = binder{}

	if o.BasePath != "" {
		e.Pre(below(o.BasePath))
	}
	// From the outside in: the request id; the trace; the log, the metrics and the answer to errors; headers.
	e.Use(identify)
	if o.Tracer != nil {
		e.Use(traced(o.Tracer))
	}
	e.Use(observe(o.Log, newHTTPMetrics(o.Registry), proxies(o.TrustedProxies)), secure)
	e.Use(cors(o.AllowedOrigins, o.Operations, o.Vendors.routes())...)
	pages, err := dashboard(o.Dashboard, o.BasePath)
	if err != nil {
		return nil, err
	}
	e.Use(pages)

	shared := newEdge(o)
	perOperation, err := operationMiddleware(shared, o.Operations)
	if err != nil {
		return nil, err
	}
	api.RegisterHandlersWithOptions(e, h, api.RegisterHandlersOptions{OperationMiddlewares: perOperation})
	registerVendors(e, o.Vendors, shared)
	if err := registerAssistants(e, o, shared); err != nil {
		return nil, err
	}

	if err := registerDocs(e, o); err != nil {
		return nil, err
	}
	if err := registerTracker(e); err != nil {
		return nil, err
	}
	e.GET("/sdk/go/*", echo.WrapHandler(http.StripPrefix("/sdk/go", goproxy.Handler())))
	if err := registerSDKs(e, sdk.Dist); err != nil {
		return nil, err
	}
	e.GET("/health", func(c echo.Context) error { return c.JSON(http.StatusOK, map[string]string{"status": "alive"}) })
	e.GET("/healthz", echo.WrapHandler(o.Ready))
	e.GET("/readiness", echo.WrapHandler(o.Ready))
	return e, nil
}

// operationMiddleware builds the middleware of each operation from its row in the contract. It fails when the
// contract requires something that no code here enforces.
func operationMiddleware(e *edge, operations map[string]*contract.Operation) (map[string][]echo.MiddlewareFunc, error) {
	out := make(map[string][]echo.MiddlewareFunc, len(operations))
	var problems []error
	for id, op := range operations {
		chain, err := e.chain(op)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		out[id] = chain
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("the contract cannot be served: %w", errors.Join(problems...))
	}
	return out, nil
}

// edge is the state that the chains of all operations share.
type edge struct {
	credentials Credentials
	schemes     map[string]scheme
	access      Access
	replies     Replies
	limited     bool
	limits      *limiter
	questions   *turns.Lanes
	clients     proxies
	bodies      map[string]*bodies // by x-body: each size has memory of its own
}

func newEdge(o Options) *edge {
	clients := proxies(o.TrustedProxies)
	return &edge{
		credentials: o.Credentials, schemes: o.Credentials.schemes(), access: o.Access, replies: o.Replies,
		limited: o.Limits.Allow != nil, limits: newLimiter(&o.Limits, o.Registry), questions: newQuestions(o.Connections), clients: clients,
		bodies: newBodyMemory(o.BulkMemory, clients),
	}
}

// chain is the middleware of an operation: the limit of the body, the credentials, the rate limit, the check of the
// parameters, and the caller's access to the project that they name. Credentials come before parameters: without them
// a caller learns nothing about parameters.
func (e *edge) chain(op *contract.Operation) ([]echo.MiddlewareFunc, error) {
	limit := e.limited && limited(op)
	refused := func(_ echo.Context, err error) error { return err }
	if limit {
		refused = e.limits.strangers(e.clients)
	}
	var more []scheme
	if op.Answer == contract.AnswerStream {
		more = e.credentials.ofStreams()
	}
	authenticated, err := guard(op, e.schemes, e.access, refused, more...)
	if err != nil {
		return nil, err
	}
	chain := append(e.transport(op), authenticated)
	switch {
	case limit && op.Public:
		chain = append(chain, e.limits.perAddress)
	case limit:
		chain = append(chain, e.limits.perCaller(op))
	}
	chain = append(chain, checkParams(op), authorize(op, e.access))
	if op.Cost == contract.CostQuestion {
		chain = append(chain, question(e.questions))
	}
	return append(chain, once(op, e.replies)), nil
}

// transport bounds the body and the time of an operation.
func (e *edge) transport(op *contract.Operation) []echo.MiddlewareFunc {
	chain := []echo.MiddlewareFunc{named(op)}
	switch op.Answer {
	case contract.AnswerStream:
		return append(chain, refuseHead, e.clients.describe)
	case contract.AnswerExport:
		return append(chain, unhurried, e.clients.describe)
	}
	chain = append(chain, e.bodies[op.BodySize].limited)
	if op.BodySize != contract.BodyBulk { // whose time is bounded by the connection's limits and by the transaction's
		chain = append(chain, deadline)
	}
	return append(chain, e.clients.describe)
}

const operationKey = "nimbus.operation"

// named puts the operation into the context, for the middleware around it.
func named(op *contract.Operation) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Set(operationKey, op)
			return next(c)
		}
	}
}

// operationOf is the operation of a request; nil for pages and health checks.
func operationOf(c echo.Context) *contract.Operation {
	op, _ := c.Get(operationKey).(*contract.Operation)
	return op
}

// LongHeaderBytes is MaxHeaderBytes of a server that mixpanel-node sends to: it puts the whole event, of up to a megabyte,
// into the address. What a connection holds is what it has sent, within ReadHeaderTimeout.
const LongHeaderBytes = 2 << 20

// NewServer returns an HTTP server with limits against slow and hostile peers.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           headAsGet(h),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      90 * time.Second,
		// Longer than any load balancer keeps a connection (Google's: 600 s): when it writes to one that is being
		// closed here, the request is lost, and it may not send it again.
		IdleTimeout:    620 * time.Second,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
