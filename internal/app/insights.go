package app

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/insights/answers"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/saved"
	"github.com/bahagh/nimbus/internal/insights/trends"
)

// insightsGroup is the wired slices of internal/insights.
type insightsGroup struct {
	trends  *trends.API
	saved   *saved.API
	answers *answers.API
	cohorts *saved.CohortAPI
}

func (a *App) wireInsights() *insightsGroup {
	limits := query.Limits{Timeout: a.cfg.QueryTimeout, MaxEvents: a.cfg.QueryMaxEvents}
	unproven := a.unproven()
	g := &insightsGroup{trends: trends.NewAPI(trends.New(trends.Options{Reads: a.reads, Limits: limits, Home: a.homeOf, Now: a.now, Unproven: unproven}))}
	kept := saved.New(a.db.Pool, saved.Limits{Insights: a.cfg.MaxInsightsPerProject, Boards: a.cfg.MaxBoardsPerProject,
		Annotations: a.cfg.MaxAnnotationsPerProject, CustomEvents: a.cfg.MaxCustomEventsPerProject})
	cohorts := saved.NewCohorts(a.db.Pool, a.behaviour.store, saved.CohortLimits{Cohorts: a.cfg.MaxCohortsPerProject, People: a.cfg.MaxCohortPeople})
	g.answers = answers.NewAPI(answers.New(answers.Options{
		Store: a.behaviour.store, Timeout: a.cfg.QueryTimeout, Now: a.now, Home: a.homeOf, Cohorts: cohorts.ForQuestions, CustomEvents: customEventsOf(kept),
		Unproven: unproven,
	}))
	g.saved = saved.NewAPI(kept, saved.Checks{Question: g.check, CustomEvent: answers.CheckCustomEvent})
	g.cohorts = saved.NewCohortAPI(cohorts, g.answers)
	return g
}

// check asks the slice that answers a question whether it would.
func (g *insightsGroup) check(ctx context.Context, projectID uuid.UUID, question *api.SavedQuestion) error {
	variant, err := question.ValueByDiscriminator()
	if err != nil {
		return answers.NoQuestion()
	}
	if metrics, ok := variant.(api.MetricsInsight); ok {
		return g.trends.CheckQuestion(ctx, projectID, &metrics)
	}
	return g.answers.Check(ctx, projectID, variant)
}

// customEventsOf reads the custom events of a project where they are written: a question sees one that was saved just before.
func customEventsOf(kept *saved.Service) func(context.Context, uuid.UUID) ([]answers.CustomEvent, error) {
	return func(ctx context.Context, projectID uuid.UUID) ([]answers.CustomEvent, error) {
		list, err := kept.CustomEvents(ctx, projectID)
		if err != nil {
			return nil, err
		}
		out := make([]answers.CustomEvent, len(list))
		for i := range list {
			out[i] = answers.CustomEvent{ID: list[i].ID, Name: list[i].Name}
			if err := json.Unmarshal(list[i].Events, &out[i].Events); err != nil {
				return nil, fmt.Errorf("read custom event %s: %w", list[i].ID, err)
			}
		}
		return out, nil
	}
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

// unproven counts the days that an answer read from the events because their parts were not what event_counts says, and has them
// built anew.
func (a *App) unproven() func(ctx context.Context, project uuid.UUID, days []int32) {
	count := prometheus.NewCounter(prometheus.CounterOpts{Name: "nimbus_parts_unproven_days_total",
		Help: "Days of questions that were read from the events, because their parts were not what the counts say."})
	a.reg.MustRegister(count)
	return func(ctx context.Context, project uuid.UUID, days []int32) {
		count.Add(float64(len(days)))
		if err := a.behaviour.store.MarkDirty(context.WithoutCancel(ctx), project, days); err != nil {
			a.log.WarnContext(ctx, "days whose parts are wrong could not be marked", "project", project, "error", err)
		}
	}
}
