package app

import (
	"context"
	"time"

	"github.com/bahagh/nimbus/internal/events/history"
	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/internal/events/native"
	"github.com/bahagh/nimbus/internal/platform/clock"
	"github.com/bahagh/nimbus/internal/platform/jobs"
)

// eventsGroup is the wired slices of internal/events.
type eventsGroup struct {
	batcher  *ingest.Batcher
	ingester *ingest.Ingester // behind every endpoint that takes events
	native   *native.API
	history  *history.API
	writes   *ingest.Store  // on the pool of ingestion
	upkeep   *history.Store // on the main pool: maintenance must not take connections of ingestion
	now      func() time.Time
}

func (a *App) wireEvents(ctx context.Context) (*eventsGroup, error) {
	g := &eventsGroup{writes: ingest.NewStore(a.db.Writes), upkeep: history.NewStore(a.db.Pool), now: a.now}
	if err := g.writes.EnsurePartitions(ctx, a.now()); err != nil {
		return nil, err
	}
	a.ingestion.Publisher = history.JSONPublisher{To: a.hub}
	g.batcher = ingest.NewBatcher(g.writes, a.ingestion, ingest.NewMetrics(a.reg), time.Now, a.log)
	g.ingester = ingest.NewIngester(g.batcher, a.now)
	g.native = native.NewAPI(g.ingester, a.now)
	g.history = history.NewAPI(history.NewReader(a.reads, a.cfg.QueryTimeout), a.access.rules)
	return g, nil
}

func (g *eventsGroup) jobs(clocks *clock.Clocks) []jobs.Job {
	return []jobs.Job{
		{Name: "make event partitions ahead", Every: time.Hour, Limit: time.Minute,
			Run: func(ctx context.Context) error { return g.writes.EnsurePartitions(ctx, g.now()) }},
		{Name: "prune expired events", Every: time.Hour, Limit: 50 * time.Minute,
			Run: clocks.Deleting(g.upkeep.Prune)},
		{Name: "index events by person", Every: 10 * time.Minute, Limit: 50 * time.Minute,
			Run: func(ctx context.Context) error { return g.upkeep.IndexPeople(ctx, g.now()) }},
		{Name: "summarise recent events by person", Every: time.Minute, Limit: time.Minute, Run: g.upkeep.SummarisePeople},
	}
}
