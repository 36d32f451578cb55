package app

import (
	"context"
	"time"

	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/internal/platform/jobs"
)

// eventsGroup is what happens to events: how they come in, are read back, and go.
type eventsGroup struct {
	batcher *ingest.Batcher
	api     *ingest.API
	writes  *ingest.Store // on the connections of ingestion
	upkeep  *ingest.Store // on those of everything else: the connections of ingestion are for ingestion
	now     func() time.Time
}

func (a *App) wireEvents(ctx context.Context) (*eventsGroup, error) {
	g := &eventsGroup{writes: ingest.NewStore(a.db.Writes), upkeep: ingest.NewStore(a.db.Pool), now: a.now}
	if err := g.writes.EnsurePartitions(ctx, a.now()); err != nil {
		return nil, err
	}
	a.ingestion.Publisher = a.hub
	g.batcher = ingest.NewBatcher(g.writes, a.ingestion, ingest.NewMetrics(a.reg), time.Now, a.log)
	g.api = ingest.NewAPI(ingest.NewIngester(g.batcher, a.now), ingest.NewReader(a.reads, a.cfg.QueryTimeout), a.access.rules)
	return g, nil
}

func (g *eventsGroup) jobs() []jobs.Job {
	return []jobs.Job{
		{Name: "make event partitions ahead", Every: time.Hour, Limit: time.Minute,
			Run: func(ctx context.Context) error { return g.writes.EnsurePartitions(ctx, g.now()) }},
		{Name: "prune expired events", Every: time.Hour, Limit: 50 * time.Minute,
			Run: func(ctx context.Context) error { return g.upkeep.Prune(ctx, g.now()) }},
		{Name: "index events by person", Every: 10 * time.Minute, Limit: 50 * time.Minute,
			Run: func(ctx context.Context) error { return g.upkeep.IndexPeople(ctx, g.now()) }},
		{Name: "summarise recent events by person", Every: time.Minute, Limit: time.Minute, Run: g.upkeep.SummarisePeople},
	}
}
