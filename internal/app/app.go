package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"

	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/internal/httpapi"
	"github.com/bahagh/nimbus/internal/live"
	"github.com/bahagh/nimbus/internal/platform/bus"
	"github.com/bahagh/nimbus/internal/platform/clock"
	"github.com/bahagh/nimbus/internal/platform/config"
	"github.com/bahagh/nimbus/internal/platform/jobs"
	"github.com/bahagh/nimbus/internal/platform/memory"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/internal/platform/ratelimit"
	"github.com/bahagh/nimbus/internal/platform/redis"
	"github.com/bahagh/nimbus/internal/platform/replica"
	"github.com/bahagh/nimbus/internal/platform/tracing"
)

// App is a Nimbus that is ready to serve.
type App struct {
	cfg     *config.Config
	log     *slog.Logger
	now     func() time.Time
	reg     *prometheus.Registry
	handler http.Handler
	admin   http.Handler
	health  *health

	// The platform below the groups.
	db     *Database
	reads  *replica.Reads
	redis  *redis.Client     // nil without one
	state  *ratelimit.State  // limits, failed logins and the bus, of all nodes or of this one
	bus    bus.Bus           // between nodes
	clocks *clock.Clocks     // this node's and the database's
	traces *tracing.Provider // nil without an endpoint

	// The groups, each wired by the file of its name.
	access    *accessGroup
	events    *eventsGroup
	behaviour *behaviourGroup
	insights  *insightsGroup
	hub       *live.Hub
	jobs      *jobs.Runner

	ingestion  ingest.BatcherConfig
	streaming  live.Config
	bulkMemory int64 // of request bodies with events
}

// Option overrides settings of New.
type Option func(*App)

// WithIngestion changes the bounds of ingestion, so that a test reaches a bound quickly.
func WithIngestion(change func(*ingest.BatcherConfig)) Option {
	return func(a *App) { change(&a.ingestion) }
}

// WithStreaming changes the bounds of the live streams.
func WithStreaming(change func(*live.Config)) Option {
	return func(a *App) { change(&a.streaming) }
}

// leastQueue holds the largest request, leastRings the rings of some projects with subscribers.
const (
	leastQueue = 16 << 20
	leastRings = 16 << 20
)

// WithMemory scales the memory that callers can make the node hold to a limit in bytes; 0 is no limit. It must
// precede the options that change single bounds.
func WithMemory(limit int64) Option {
	return func(a *App) {
		a.bulkMemory = memory.Bound(limit, httpapi.BulkMemory, httpapi.LeastBulkMemory)
		a.ingestion.QueueBytes = int(memory.Bound(limit, int64(a.ingestion.QueueBytes), leastQueue))
		a.streaming.TotalBytes = int(memory.Bound(limit, int64(a.streaming.TotalBytes), leastRings))
	}
}

// WithBus sends live events over this bus to the other nodes that share it.
func WithBus(b bus.Bus) Option { return func(a *App) { a.bus = b } }

// giveUpTime is how long a failed start may take to clean up, because the next start waits for that. A PostgreSQL
// that is asked to stop while it recovers can take 30 s; when it is killed it recovers again, and nothing is lost.
const giveUpTime = 2 * time.Second

// New opens the database and wires the slices. now is the wall clock; durations and waits are measured with the
// monotonic clock, which cannot be set. Close must be called when Run is not.
func New(ctx context.Context, cfg *config.Config, now func() time.Time, log *slog.Logger, options ...Option) (_ *App, err error) {
	log = httpapi.Logger(log)
	a := &App{cfg: cfg, log: log, now: now, reg: prometheus.NewRegistry(), ingestion: ingest.DefaultBatcherConfig(), streaming: live.DefaultConfig()}
	a.streaming.MaxStreams, a.streaming.PerProject = cfg.LiveMaxStreams, cfg.LiveMaxPerProject
	for _, option := range options {
		option(a)
	}
	defer func() {
		if err != nil {
			hurry, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveUpTime)
			defer cancel()
			a.Close(hurry)
		}
	}()
	var statements []postgres.Option
	if cfg.OTLPEndpoint != "" {
		if a.traces, err = tracing.Open(ctx, cfg.OTLPEndpoint, cfg.TraceSampleRatio, a.reg, log); err != nil {
			return nil, fmt.Errorf("NIMBUS_OTLP_ENDPOINT: %w", err)
		}
		statements = append(statements, postgres.WithTracing())
	}
	if a.db, err = OpenDatabase(ctx, cfg, log, statements...); err != nil {
		return nil, err
	}
	// After the embedded database holds the lock of the data directory: two processes must not both generate secrets.
	if err := cfg.EnsureSecrets(); err != nil {
		return nil, err
	}
	if err := Prepare(ctx, a.db.Pool, cfg.AutoMigrate, log); err != nil {
		return nil, err
	}
	if err := a.wire(ctx, statements); err != nil {
		return nil, err
	}
	return a, nil
}

// wire creates the groups in the order of their dependencies, and passes each only the values that it needs.
func (a *App) wire(ctx context.Context, statements []postgres.Option) (err error) {
	a.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		poolCollector{"main": a.db.Pool, "ingestion": a.db.Writes})
	a.clocks = clock.New(a.db.Pool, a.now, a.reg, a.log)
	if a.reads, err = a.openReads(ctx, statements); err != nil {
		return err
	}
	if a.state, err = a.openSharedState(ctx); err != nil {
		return err
	}
	if a.access, err = a.wireAccess(ctx); err != nil {
		return err
	}
	if a.hub, err = a.wireLive(); err != nil {
		return err
	}
	if a.events, err = a.wireEvents(ctx); err != nil {
		return err
	}
	a.behaviour = a.wireBehaviour()
	a.insights = a.wireInsights()
	a.startJobs()
	return a.wireEdge()
}

// openReads returns the database for questions: the standby, when there is one.
func (a *App) openReads(ctx context.Context, statements []postgres.Option) (*replica.Reads, error) {
	if a.cfg.AnalyticsDatabaseURL == "" {
		return replica.Without(a.db.Pool), nil
	}
	standby := replica.Config{URL: a.cfg.AnalyticsDatabaseURL, PoolSize: a.cfg.DBPoolSize,
		MaxLag: time.Duration(a.cfg.ReplicaMaxLag) * time.Second, Options: statements}
	reads, err := replica.Open(ctx, a.db.Pool, standby, a.reg, a.log)
	if err != nil {
		return nil, fmt.Errorf("NIMBUS_ANALYTICS_DATABASE_URL: %w", err)
	}
	return reads, nil
}

// openSharedState connects to Redis, if there is one. A start succeeds while Redis is unavailable.
func (a *App) openSharedState(ctx context.Context) (*ratelimit.State, error) {
	if a.cfg.RedisURL == "" {
		return ratelimit.New(nil, monotonic(), a.reg, a.log), nil
	}
	client, err := redis.Open(ctx, a.cfg.RedisURL, a.cfg.RedisTimeout, a.reg, a.log)
	if err != nil {
		return nil, fmt.Errorf("NIMBUS_REDIS_URL: %w", err)
	}
	a.redis = client
	return ratelimit.New(client, monotonic(), a.reg, a.log), nil
}

// monotonic is a monotonic clock, which cannot be set: the time at which it was made, plus the elapsed time.
func monotonic() func() time.Time {
	begun := time.Now()
	return func() time.Time { return begun.Add(time.Since(begun)) }
}

// tracer is nil, and not a no-op tracer, without tracing: then no middleware is installed.
func (a *App) tracer() trace.Tracer {
	if a.traces == nil {
		return nil
	}
	return a.traces.Tracer()
}
