package app

import (
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
	g := &insightsGroup{trends: trends.NewAPI(trends.New(a.reads, limits, a.now))}
	g.saved = saved.NewAPI(saved.New(a.db.Pool), g.trends.CheckQuestion)
	return g
}
