package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/bahagh/nimbus/frontend"
	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/accounts"
	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/access/idempotency"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/internal/httpapi"
	"github.com/bahagh/nimbus/internal/insights/saved"
	"github.com/bahagh/nimbus/internal/insights/trends"
	"github.com/bahagh/nimbus/internal/live"
	"github.com/bahagh/nimbus/internal/platform/config"
	"github.com/bahagh/nimbus/internal/platform/jobs"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/internal/platform/redis"
	"github.com/bahagh/nimbus/internal/platform/replica"
	"github.com/bahagh/nimbus/internal/platform/secretbox"
	"github.com/bahagh/nimbus/internal/platform/shared"
	"github.com/bahagh/nimbus/internal/platform/tracing"
	"github.com/bahagh/nimbus/openapi"
)

// App is a Nimbus that is ready to serve.
type App struct {
	cfg     *config.Config
	log     *slog.Logger
	db      *Database
	reads   *replica.Reads
	redis   *redis.Client // nil without one
	batcher *ingest.Batcher
	hub     *live.Hub
	bus     live.Bus // between nodes
	jobs    *jobs.Runner
	traces  *tracing.Provider // nil without an endpoint
	reg     *prometheus.Registry
	handler http.Handler
	admin   http.Handler

	ingestion ingest.BatcherConfig
	streaming live.Config

	watching     sync.WaitGroup // of changed keys, and of uses
	stopWatching context.CancelFunc
}

// Option changes what New makes of the settings.
type Option func(*App)

// WithIngestion changes the bounds of ingestion: tests of what happens at a bound should not take as long as it does.
func WithIngestion(change func(*ingest.BatcherConfig)) Option {
	return func(a *App) { change(&a.ingestion) }
}

// WithStreaming changes the bounds of the live streams.
func WithStreaming(change func(*live.Config)) Option {
	return func(a *App) { change(&a.streaming) }
}

// WithBus makes live events travel between the nodes that share the bus.
func WithBus(bus live.Bus) Option { return func(a *App) { a.bus = bus } }

// giveUpTime is how long a start that failed may take to end, because the next one waits for that. A PostgreSQL that was
// asked to stop while it recovers can take 30 s; stopped hard it recovers again, and nothing is lost.
const giveUpTime = 2 * time.Second

// New opens the database and connects the slices. now is the clock of everything but waiting: how long something took
// or has been waiting is measured with one that nobody can set. Close must be called when Run is not.
func New(ctx context.Context, cfg *config.Config, now func() time.Time, log *slog.Logger, options ...Option) (_ *App, err error) {
	log = httpapi.Logger(log)
	a := &App{cfg: cfg, log: log, reg: prometheus.NewRegistry(), ingestion: ingest.DefaultBatcherConfig(), streaming: live.DefaultConfig()}
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
	// After the embedded database has taken the lock of the data directory: two processes must not both make secrets.
	if err := cfg.EnsureSecrets(); err != nil {
		return nil, err
	}
	if err := Prepare(ctx, a.db.Pool, cfg.AutoMigrate, log); err != nil {
		return nil, err
	}
	if err := a.connect(ctx, now, statements); err != nil {
		return nil, err
	}
	return a, nil
}

// connect makes every slice and hands each the narrow things it needs.
func (a *App) connect(ctx context.Context, now func() time.Time, statements []postgres.Option) error {
	cfg, pool, reg := a.cfg, a.db.Pool, a.reg
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		poolCollector{"main": pool, "ingestion": a.db.Writes})

	a.reads = replica.Without(pool)
	if cfg.AnalyticsDatabaseURL != "" {
		standby := replica.Config{URL: cfg.AnalyticsDatabaseURL, PoolSize: cfg.DBPoolSize, MaxLag: time.Duration(cfg.ReplicaMaxLag) * time.Second, Options: statements}
		reads, err := replica.Open(ctx, pool, standby, reg, a.log)
		if err != nil {
			return fmt.Errorf("NIMBUS_ANALYTICS_DATABASE_URL: %w", err)
		}
		a.reads = reads
	}
	ring, err := secretbox.New(cfg.SecretKey, cfg.SecretKeyPrevious...)
	if err != nil {
		return fmt.Errorf("NIMBUS_SECRET_KEY: %w", err)
	}
	state, err := a.sharedState(ctx, reg)
	if err != nil {
		return err
	}
	outbox, err := outboxOf(cfg, reg, a.log)
	if err != nil {
		return err
	}
	project := projects.New(pool, ring, projectsConfig(cfg, state, outbox, now))
	account, err := accounts.New(pool, accountsConfig(cfg, project, outbox, state, reg, now, a.log))
	if err != nil {
		return err
	}
	keys := projects.NewKeys(pool, ring, now)
	reg.MustRegister(watchCollectors(keys)...)
	project.OnChange(keys.Forget)
	watch, stopWatching := context.WithCancel(context.Background())
	a.watching.Go(func() { keys.Watch(watch, pool, a.log) })
	a.watching.Go(func() { keys.LastUsed().Run(watch, a.log) })
	a.watching.Go(func() { account.LastSeen().Run(watch, a.log) })
	if outbox != nil {
		a.watching.Go(func() { outbox.Run(watch) })
	}
	a.stopWatching = stopWatching
	if err := announceSetup(ctx, account, cfg, a.log); err != nil {
		return err
	}
	log := audit.NewLog(pool)
	access := auth.NewAccess(pool)
	replies := idempotency.New(pool, ring, now)

	if a.bus == nil {
		a.bus = state.Bus()
	}
	secrets := append([][]byte{cfg.SecretKey}, cfg.SecretKeyPrevious...)
	if a.hub, err = live.New(a.streaming, a.bus, secrets, revive(account, keys), mayStream(access), reg, now, a.log); err != nil {
		return err
	}
	a.ingestion.Publisher = a.hub

	store := ingest.NewStore(a.db.Writes)
	if err := store.EnsurePartitions(ctx, now()); err != nil {
		return err
	}
	a.batcher = ingest.NewBatcher(store, a.ingestion, ingest.NewMetrics(reg), time.Now, a.log)
	event := ingest.NewAPI(ingest.NewIngester(a.batcher, now), ingest.NewReader(a.reads, cfg.QueryTimeout), access)

	kept := ingest.NewStore(pool) // the connections of ingestion are for ingestion
	a.jobs = jobs.New(pool, []jobs.Job{
		{Name: "make event partitions ahead", Every: time.Hour, Limit: time.Minute,
			Run: func(ctx context.Context) error { return store.EnsurePartitions(ctx, now()) }},
		{Name: "prune expired events", Every: time.Hour, Limit: 50 * time.Minute,
			Run: func(ctx context.Context) error { return kept.Prune(ctx, now()) }},
		{Name: "index events by person", Every: 10 * time.Minute, Limit: 50 * time.Minute,
			Run: func(ctx context.Context) error { return kept.IndexPeople(ctx, now()) }},
		{Name: "summarise recent events by person", Every: time.Minute, Limit: time.Minute, Run: kept.SummarisePeople},
		{Name: "purge deleted projects", Every: 30 * time.Second, Limit: 10 * time.Minute, Run: project.Purge},
		{Name: "prune ended sessions", Every: time.Hour, Limit: 5 * time.Minute, Run: account.Prune},
		{Name: "prune expired keys", Every: time.Hour, Limit: 5 * time.Minute, Run: project.PruneKeys},
		{Name: "prune expired invitations", Every: time.Hour, Limit: 5 * time.Minute, Run: project.PruneInvitations},
		{Name: "prune the audit log", Every: time.Hour, Limit: 5 * time.Minute,
			Run: func(ctx context.Context) error { return log.Prune(ctx, now(), cfg.AuditRetention) }},
		{Name: "prune idempotency keys", Every: time.Hour, Limit: 5 * time.Minute, Run: replies.Prune},
	}, reg, time.Now, a.log)
	a.jobs.Start()

	limits := trends.Limits{Timeout: cfg.QueryTimeout, MaxEvents: cfg.QueryMaxEvents}
	h := &health{pool: pool, log: a.log, reads: a.reads, checks: []func() error{a.batcher.Health, a.jobs.Health, keys.Health}}
	if a.redis != nil {
		h.redis = a.redis.Health
	}
	stream := live.NewAPI(a.hub, cfg.AllowedOrigins)
	metric := trends.NewAPI(a.reads, limits, now)
	srv := &server{accounts.NewAPI(account), projects.NewAPI(project), event, stream, metric,
		audit.NewAPI(log), saved.NewAPI(saved.New(pool, saved.Limits{Reports: cfg.MaxReportsPerProject, Boards: cfg.MaxBoardsPerProject}), metric.CheckQuestion), h}
	e, err := httpapi.New(routes{ServerInterface: api.NewStrictHandler(srv, nil), events: event, live: stream}, httpapi.Options{
		AppName: cfg.AppName, Log: a.log, Registry: reg, Tracer: a.tracer(), AllowedOrigins: cfg.AllowedOrigins,
		Operations: api.Operations, Spec: openapi.YAML, Ready: h.serve, Dashboard: frontend.Dist, Access: access, Replies: replies,
		TrustedProxies: cfg.TrustedProxies, Limits: limitsOf(cfg, state), Connections: cfg.DBPoolSize,
		Credentials: httpapi.Credentials{Access: account.VerifyAccess, Refresh: account.VerifyRefresh,
			Secret: keys.VerifySecret, WriteKey: keys.VerifyWriteKey, Signature: keys.VerifySignature, Ticket: a.hub.Ticket},
	})
	if err != nil {
		return err
	}
	reg.MustRegister(&projectCollector{active: project.CountActive, deleted: project.CountDeleted}, healthCollector{h})
	if cfg.Embedded() {
		reg.MustRegister(diskCollector(cfg.DataDir))
	}
	a.handler = e
	a.admin = adminHandler(reg)
	return nil
}

// tracer is nil, and not a tracer that does nothing, where requests are not traced: nothing of it is then installed.
func (a *App) tracer() trace.Tracer {
	if a.traces == nil {
		return nil
	}
	return a.traces.Tracer()
}

// sharedState connects to Redis, if there is one. It is not needed for a start.
func (a *App) sharedState(ctx context.Context, reg prometheus.Registerer) (*shared.State, error) {
	if a.cfg.RedisURL == "" {
		return shared.New(nil, steady(), reg, a.log), nil
	}
	client, err := redis.Open(ctx, a.cfg.RedisURL, a.cfg.RedisTimeout, reg, a.log)
	if err != nil {
		return nil, fmt.Errorf("NIMBUS_REDIS_URL: %w", err)
	}
	a.redis = client
	return shared.New(client, steady(), reg, a.log), nil
}

// steady is a clock that nobody can set: it tells the time at which it was made, and what has passed since.
func steady() func() time.Time {
	begun := time.Now()
	return func() time.Time { return begun.Add(time.Since(begun)) }
}

// requestsPerAddress is the limit of requests without credentials: what one person does, many times over, and little
// enough that guessing is slow.
const requestsPerAddress = 120

func limitsOf(cfg *config.Config, state *shared.State) httpapi.Limits {
	l := httpapi.Limits{PerAddress: requestsPerAddress, PerCaller: cfg.RateLimitPerMinute, Ingestion: 2 * cfg.RateLimitPerMinute}
	if cfg.RateLimitEnabled {
		l.Allow = state.Allow
	}
	return l
}

// mayStream says whether the caller in the context may still watch the events of a project.
func mayStream(access *auth.Access) live.Access {
	op := api.Operations["streamEvents"]
	return func(ctx context.Context, project uuid.UUID) error {
		p := auth.From(ctx)
		if err := access.Scope(p, op); err != nil {
			return err
		}
		return access.Project(ctx, p, op, project, false)
	}
}

// revive asks the slice of a principal's credentials whether they still hold.
func revive(account *accounts.Service, keys *projects.Keys) live.Revive {
	return func(ctx context.Context, p *auth.Principal) (*auth.Principal, error) {
		if p.Kind == auth.KindAPIKey {
			return keys.Revive(ctx, p.KeyID)
		}
		return account.Revive(ctx, p.AccountID, p.SessionID)
	}
}

// Handler serves the API.
func (a *App) Handler() http.Handler { return a.handler }

// Admin serves the metrics and profiles.
func (a *App) Admin() http.Handler { return a.admin }

// RunJob runs a background job now instead of at its next turn, and returns its error.
func (a *App) RunJob(ctx context.Context, name string) error { return a.jobs.Run(ctx, name) }

// Run listens and serves until the context ends, then stops in order. ready is called with the address once the
// server accepts connections.
func (a *App) Run(ctx context.Context, ready func(addr string)) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", a.cfg.Addr)
	if err != nil {
		a.Close(context.WithoutCancel(ctx))
		return fmt.Errorf("listen on NIMBUS_ADDR: %w", err)
	}
	servers := []*http.Server{httpapi.NewServer(a.handler, a.log)}
	failed := make(chan error, 2)
	serve := func(s *http.Server, ln net.Listener) {
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}
	if a.cfg.AdminAddr != "" {
		aln, err := lc.Listen(ctx, "tcp", a.cfg.AdminAddr)
		if err != nil {
			_ = ln.Close()
			a.Close(context.WithoutCancel(ctx))
			return fmt.Errorf("listen on NIMBUS_ADMIN_ADDR: %w", err)
		}
		servers = append(servers, httpapi.NewServer(a.admin, a.log))
		go serve(servers[1], aln)
	}
	go serve(servers[0], ln)
	ready(ln.Addr().String())

	select {
	case <-ctx.Done():
	case err = <-failed:
		a.log.Error("the server failed", "error", err)
	}
	return errors.Join(err, a.shutDown(servers))
}

// shutDown answers what has been accepted before anything is closed.
func (a *App) shutDown(servers []*http.Server) error {
	a.log.Info("stopping: answering what waits", "for_at_most", a.cfg.ShutdownTimeout.String())
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.ShutdownTimeout)
	defer cancel()
	// A stream has no end of its own: the servers would wait for it. Its client goes on elsewhere while they finish.
	a.drainStreams(ctx)
	var problems []error
	for _, s := range servers {
		if err := s.Shutdown(ctx); err != nil {
			problems = append(problems, fmt.Errorf("requests were cut off: %w", err), s.Close())
		}
	}
	problems = append(problems, a.Close(ctx))
	return errors.Join(problems...)
}

// streamsEndTime is how long clients may take to say goodbye.
const streamsEndTime = 5 * time.Second

func (a *App) drainStreams(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, streamsEndTime)
	defer cancel()
	a.hub.Drain(ctx)
}

// Close ends the live streams, drains the ingestion queue, stops the jobs and closes the database.
func (a *App) Close(ctx context.Context) error {
	if a.hub != nil {
		a.drainStreams(ctx)
	}
	var err error
	if a.batcher != nil {
		err = a.batcher.Close(ctx)
	}
	if a.hub != nil {
		a.hub.Close(ctx) // after the last event was stored: the other nodes get it too
	}
	if a.jobs != nil {
		a.jobs.Stop()
	}
	if a.stopWatching != nil {
		a.stopWatching()
		a.watching.Wait()
	}
	if a.redis != nil {
		a.redis.Close()
	}
	if a.reads != nil {
		a.reads.Close()
	}
	if a.db != nil {
		a.db.Close(ctx)
	}
	if a.traces != nil { // last: all the others may end spans
		if terr := a.traces.Close(ctx); terr != nil {
			a.log.Warn("the last traces were not sent", "error", terr)
		}
	}
	return err
}

func adminHandler(reg *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
