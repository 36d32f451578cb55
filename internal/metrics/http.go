package metrics

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/api"
)

// API is the metrics part of the contract's server.
type API struct {
	store  store
	access func(context.Context, uuid.UUID) error
	now    func() time.Time
}

// NewAPI returns the operation. It only reads from the pool, which may be a replica's. access returns an error, the
// 404, when the caller may not see the project; it is asked before anything else is done.
func NewAPI(pool *pgxpool.Pool, access func(context.Context, uuid.UUID) error, now func() time.Time) *API {
	return &API{store: newStore(pool), access: access, now: now}
}

// QueryMetrics counts events by time.
func (a *API) QueryMetrics(ctx context.Context, request api.QueryMetricsRequestObject) (api.QueryMetricsResponseObject, error) {
	p, start := request.Params, a.now()
	if err := a.access(ctx, p.ProjectID); err != nil {
		return nil, err
	}
	answer, err := a.store.Count(ctx, p.ProjectID, askOf(&p), start)
	if err != nil {
		return nil, err
	}
	result := resultOf(answer)
	result.Meta.TookMs = float64(a.now().Sub(start).Microseconds()) / 1000
	return api.QueryMetrics200JSONResponse(result), nil
}

func askOf(p *api.QueryMetricsParams) *Ask {
	ask := &Ask{From: p.From, To: p.To, Names: p.Name}
	if p.Bucket != nil {
		ask.Bucket = Bucket(*p.Bucket)
	}
	if p.Tz != nil {
		ask.TZ = *p.Tz
	}
	if p.Limit != nil {
		limit := int(*p.Limit)
		ask.Limit = &limit
	}
	if p.Breakdown != nil {
		ask.ByName = *p.Breakdown == api.BreakdownName
	}
	if p.Top != nil {
		ask.Top = int(*p.Top)
	}
	return ask
}

func resultOf(a *Answer) api.MetricsResult {
	result := api.MetricsResult{
		Metric: "events.count",
		Bucket: api.Bucket(a.Bucket),
		Tz:     a.TZ,
		From:   a.At(0),
		To:     a.At(a.Buckets()),
		Total:  float64(a.Total),
		Series: pointsOf(a.Window, a.Series),
		Groups: make([]api.MetricsGroup, 0, len(a.Groups)),
		Meta: api.MetricsMeta{Exact: true, Source: api.SourceRollup, Definition: Definition,
			IncompleteFrom: a.IncompleteFrom},
	}
	for _, g := range a.Groups {
		group := api.MetricsGroup{Other: g.Other, Total: float64(g.Total), Series: pointsOf(a.Window, g.Series)}
		if !g.Other {
			group.Value = &g.Name
		}
		result.Groups = append(result.Groups, group)
	}
	return result
}

func pointsOf(w *Window, series []int64) []api.Point {
	points := make([]api.Point, len(series))
	for i, n := range series {
		points[i] = api.Point{TS: w.At(i), Value: float64(n)}
	}
	return points
}
