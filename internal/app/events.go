package app

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/events/compat"
	"github.com/bahagh/nimbus/internal/events/history"
	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/internal/events/native"
	"github.com/bahagh/nimbus/internal/events/quota"
	"github.com/bahagh/nimbus/internal/platform/clock"
	"github.com/bahagh/nimbus/internal/platform/config"
	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/internal/platform/jobs"
)

// eventsGroup is the wired slices of internal/events.
type eventsGroup struct {
	batcher    *ingest.Batcher
	ingester   *ingest.Ingester // behind every endpoint that takes events
	native     *native.API
	compat     *compat.Server
	quarantine *compat.Quarantine
	history    *history.API
	writes     *ingest.Store // on the connections of ingestion
	quotas     *quota.Keeper
	usage      *quota.API
	upkeep     *history.Store // on those of everything else: the connections of ingestion are for ingestion
	now        func() time.Time

	counting sync.WaitGroup // of usage
	stop     context.CancelFunc
}

func (a *App) wireEvents(ctx context.Context) (*eventsGroup, error) {
	g := &eventsGroup{writes: ingest.NewStore(a.db.Writes), upkeep: history.NewStore(a.db.Pool), now: a.now}
	if err := g.writes.EnsurePartitions(ctx, a.now()); err != nil {
		return nil, err
	}
	a.ingestion.Publisher = history.JSONPublisher{To: a.hub}
	g.batcher = ingest.NewBatcher(g.writes, a.ingestion, ingest.NewMetrics(a.reg), time.Now, a.log)
	g.quotas = quota.New(a.db.Pool, quotasOf(a.cfg, a.now), a.reg, a.log)
	g.usage = quota.NewAPI(g.quotas)
	a.access.projects.OnLimits(func(ctx context.Context, tx pgx.Tx, project uuid.UUID, own projects.OwnLimits) error {
		_, err := g.quotas.SetLimits(ctx, tx, project, quota.Overrides(own)) // the project is there: it is locked
		return err
	})
	g.ingester = ingest.NewIngester(g.batcher, g.quotas, a.now)
	g.native = native.NewAPI(g.ingester, a.now)
	a.wireCompat(g)
	g.history = history.NewAPI(history.NewReader(a.reads, a.cfg.QueryTimeout), a.access.rules)
	counting, stop := context.WithCancel(context.Background())
	g.stop = stop
	g.counting.Go(func() { g.quotas.Run(counting) })
	return g, nil
}

func quotasOf(cfg *config.Config, now func() time.Time) quota.Config {
	c := quota.Config{Now: now, MinFree: uint64(cfg.MinFreeBytes), Defaults: quota.Limits{EventsPerDay: int64(cfg.QuotaEventsPerDay),
		StoredBytes: int64(cfg.QuotaStoredBytes), EventNames: cfg.QuotaEventNames}}
	if cfg.Embedded() {
		c.Free = func() (uint64, error) {
			free, _, err := embedded.DiskSpace(cfg.DataDir)
			return free, err
		}
	}
	return c
}

// close stores what waits, and writes down what that comes to.
func (g *eventsGroup) close(ctx context.Context) error {
	err := g.batcher.Close(ctx)
	g.stop()
	g.counting.Wait()
	return err
}

func (g *eventsGroup) jobs(clocks *clock.Clocks) []jobs.Job {
	return []jobs.Job{
		{Name: "make event partitions ahead", Every: time.Hour, Limit: time.Minute,
			Run: func(ctx context.Context) error { return g.writes.EnsurePartitions(ctx, g.now()) }},
		{Name: "prune expired events", Every: time.Hour, Limit: 50 * time.Minute,
			Run: clocks.Deleting(g.upkeep.Prune)},
		{Name: "prune the quarantine", Every: time.Hour, Limit: 5 * time.Minute, Run: clocks.Deleting(g.quarantine.Prune)},
		{Name: "measure projects", Every: 10 * time.Minute, Limit: 9 * time.Minute, Run: clocks.Deleting(g.quotas.Measure)},
		{Name: "index events by person", Every: 10 * time.Minute, Limit: 50 * time.Minute,
			Run: func(ctx context.Context) error { return g.upkeep.IndexPeople(ctx, g.now()) }},
		{Name: "summarise recent events by person", Every: time.Minute, Limit: time.Minute, Run: g.upkeep.SummarisePeople},
	}
}
