package app

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/saved"
	"github.com/bahagh/nimbus/internal/insights/trends"
)

// insightsGroup is the questions about events.
type insightsGroup struct {
	trends *trends.API
	saved  *saved.API
}

func (a *App) wireInsights() *insightsGroup {
	limits := query.Limits{Timeout: a.cfg.QueryTimeout, MaxEvents: a.cfg.QueryMaxEvents}
	g := &insightsGroup{trends: trends.NewAPI(trends.New(a.reads, limits, a.homeOf, a.now))}
	g.saved = saved.NewAPI(saved.New(a.db.Pool), g.trends.CheckQuestion)
	return g
}

// homeOf reads the calendar of a project where its questions are answered.
func (a *App) homeOf(ctx context.Context, projectID uuid.UUID) (home query.Home, err error) {
	err = a.reads.Ask(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		c, err := projects.CalendarOf(ctx, pool, projectID)
		home = query.Home{TZ: c.TimeZone, WeekStart: query.WeekStart(c.WeekStart)}
		return err
	})
	return home, err
}
