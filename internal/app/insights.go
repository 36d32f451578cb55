package app

import (
	"github.com/bahagh/nimbus/internal/insights/saved"
	"github.com/bahagh/nimbus/internal/insights/trends"
)

// insightsGroup is the wired slices of internal/insights.
type insightsGroup struct {
	trends *trends.API
	saved  *saved.API
}

func (a *App) wireInsights() *insightsGroup {
	limits := trends.Limits{Timeout: a.cfg.QueryTimeout, MaxEvents: a.cfg.QueryMaxEvents}
	g := &insightsGroup{trends: trends.NewAPI(a.reads, limits, a.now)}
	g.saved = saved.NewAPI(saved.New(a.db.Pool), g.trends.CheckQuestion)
	return g
}
