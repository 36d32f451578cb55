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
	"github.com/bahagh/nimbus/internal/wire"
	"github.com/bahagh/nimbus/sdk"
)

// Options is what the HTTP layer needs to know.
type Options struct {
	AppName        string
	Log            *slog.Logger
	Registry       prometheus.Registerer
	Tracer         trace.Tracer // nil: requests are not traced
	AllowedOrigins []string     // of browsers; ingestion is open to all and guarded by its keys
	TrustedProxies []netip.Prefix
	Limits         Limits
	Connections    int // of the database, which questions may use a part of
	Credentials    Credentials
	Access         Access
	Replies        Replies
	Operations     map[string]*wire.Operation // the contract's table
	Spec           []byte                     // the contract itself, as YAML
	Ready          http.HandlerFunc           // the readiness answer, for its names outside /v1
	Dashboard      fs.FS                      // the built dashboard; empty when it was not built
}

// New returns the server's routes: the contract's operations, the documentation, the tracker, the SDKs, the dashboard, and
// the health checks. It fails when an operation requires credentials that nothing checks.
func New(h api.ServerInterface, o Options) (*echo.Echo, error) {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard) // everything is logged with slog
	e.HTTPErrorHandler = errorHandler(o.Log)
	e.Binder = binder{}

	// From the outside in: an id for everything that follows; the trace; the log, the metrics and the answer to errors; headers.
	e.Use(identify)
	if o.Tracer != nil {
		e.Use(traced(o.Tracer))
	}
	e.Use(observe(o.Log, newHTTPMetrics(o.Registry), origins(o.TrustedProxies)), secure)
	e.Use(cors(o.AllowedOrigins)...)
	pages, err := dashboard(o.Dashboard)
	if err != nil {
		return nil, err
	}
	e.Use(pages)

	perOperation, err := operationMiddleware(o)
	if err != nil {
		return nil, err
	}
	api.RegisterHandlersWithOptions(e, h, api.RegisterHandlersOptions{OperationMiddlewares: perOperation})

	if err := registerDocs(e, o.AppName, o.Spec); err != nil {
		return nil, err
	}
	if err := registerTracker(e); err != nil {
		return nil, err
	}
	if err := registerSDKs(e, sdk.Dist); err != nil {
		return nil, err
	}
	e.GET("/health", func(c echo.Context) error { return c.JSON(http.StatusOK, map[string]string{"status": "alive"}) })
	e.GET("/healthz", echo.WrapHandler(o.Ready))
	e.GET("/readiness", echo.WrapHandler(o.Ready))
	return e, nil
}

// The operations that are served beside the strict handler, and the one whose answer may be of any length.
const (
	ingestOperation = "ingestEvents"
	streamOperation = "streamEvents"
	exportOperation = "exportAudit"
)

// operationMiddleware builds, from the contract, what runs before each operation: the limit of the body, who may call
// it, how often, the check of its parameters, and whether the caller may do it to the project that they name. Credentials
// come first: nobody learns about parameters without them.
func operationMiddleware(o Options) (map[string][]echo.MiddlewareFunc, error) {
	known := o.Credentials.schemes()
	limits, questions, where := newLimiter(&o.Limits, o.Registry), newTurns(o.Connections), origins(o.TrustedProxies)
	ingest, others := newBodies(heldBytes, where), newBodies(heldOtherBytes, where)
	out := make(map[string][]echo.MiddlewareFunc, len(o.Operations))
	var problems []error
	for id, op := range o.Operations {
		limit := o.Limits.Allow != nil && limited(op)
		refused := func(_ echo.Context, err error) error { return err }
		if limit {
			refused = limits.strangers(where)
		}
		var more []scheme
		if id == streamOperation {
			more = o.Credentials.ofStreams()
		}
		g, err := guard(op, known, o.Access, refused, more...)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		var chain []echo.MiddlewareFunc
		switch id {
		case ingestOperation: // no deadline: its body is bounded by the server's timeouts and its transaction by the batcher's
			chain = append(chain, ingest.limited(maxIngestBytes))
		case streamOperation: // no body
			chain = append(chain, where.describe)
		case exportOperation: // as long as its reader takes it
			chain = append(chain, unhurried, where.describe)
		default:
			chain = append(chain, others.limited(maxBodyBytes), deadline, where.describe)
		}
		switch chain = append(chain, g); {
		case limit && op.Public:
			chain = append(chain, limits.perAddress)
		case limit:
			chain = append(chain, limits.perCaller(op))
		}
		chain = append(chain, checkParams(op), authorize(op, o.Access))
		if isQuestion(op) && id != streamOperation {
			chain = append(chain, questions.limited)
		}
		if id != ingestOperation {
			chain = append(chain, once(op, o.Replies))
		}
		out[id] = chain
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("the contract cannot be served: %w", errors.Join(problems...))
	}
	return out, nil
}

// NewServer returns an HTTP server with limits on everything a slow or hostile peer could stretch.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      90 * time.Second,
		// Longer than any load balancer keeps a connection (Google's: 600 s): when it writes to one that is being closed here,
		// the request is lost, and it may not send it again.
		IdleTimeout:    620 * time.Second,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
