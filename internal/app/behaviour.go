package app

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/build"
	"github.com/bahagh/nimbus/internal/behaviour/catalogue"
	"github.com/bahagh/nimbus/internal/people"
	"github.com/bahagh/nimbus/internal/platform/clock"
	"github.com/bahagh/nimbus/internal/platform/jobs"
)

// behaviourGroup is the store that questions about people are answered from.
type behaviourGroup struct {
	store     *behaviour.Store
	builder   *build.Builder
	profiles  *people.Folder
	eraser    *people.Eraser
	catalogue *catalogue.API
}

func (a *App) wireBehaviour() *behaviourGroup {
	store := behaviour.NewStore(a.db.Pool)
	g := &behaviourGroup{store: store, builder: build.New(store, build.Options{Now: time.Now, Logger: a.log, Busy: a.events.batcher.Busy()}),
		profiles: people.NewFolder(store), catalogue: catalogue.NewAPI(catalogue.New(store, a.cfg.QueryTimeout, a.now))}
	g.eraser = people.NewEraser(store, people.EraseOptions{Now: a.now, Rebuild: g.builder.Rebuild,
		Also: []people.Also{a.events.quarantine.Erase, a.forgetLive}})
	a.access.projects.OnPurge(g.forget)
	a.events.upkeep.OnPrune(g.builder.RemoveBefore)
	a.reg.MustRegister(partsCollector{store.Behind}, countCollector{pendingDesc, store.Pending}, countCollector{erasingDesc, store.Erasing})
	return g
}

// forget removes what the store knows of a project whose events are gone.
func (g *behaviourGroup) forget(ctx context.Context, project uuid.UUID) error {
	return g.store.Work(ctx, project, func(w *behaviour.Work) error { return w.RemoveProject(ctx) })
}

// forgetLive drops what the live stream keeps of a project in memory, somebody's events among it.
func (a *App) forgetLive(_ context.Context, project uuid.UUID, _ []string) (int64, error) {
	a.hub.Forget(project)
	return 0, nil
}

func (g *behaviourGroup) jobs(clocks *clock.Clocks) []jobs.Job {
	return []jobs.Job{
		{Name: "build parts", Every: 10 * time.Second, Limit: 50 * time.Minute, Run: g.builder.Round},
		{Name: "apply profile operations", Every: 10 * time.Second, Limit: 10 * time.Minute, Run: g.profiles.Round},
		{Name: "erase people", Every: 10 * time.Second, Limit: 50 * time.Minute, Run: g.eraser.Round},
		{Name: "prune arrivals", Every: time.Hour, Limit: 5 * time.Minute, Run: clocks.Deleting(g.builder.PruneArrivals)},
	}
}
