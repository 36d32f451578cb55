package trends

import (
	"context"
	"math"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// API is the metrics part of the contract's server.
type API struct{ trends *Trends }

// NewAPI returns the operations.
func NewAPI(trends *Trends) *API { return &API{trends: trends} }

// QueryMetrics measures events by time.
func (a *API) QueryMetrics(ctx context.Context, request api.QueryMetricsRequestObject) (api.QueryMetricsResponseObject, error) {
	p := &request.Params
	q, err := questionOf(&api.MetricsInsight{From: p.From, To: p.To, Names: p.Name, Bucket: p.Bucket, Tz: p.Tz, WeekStart: p.WeekStart, Limit: p.Limit, Measure: p.Measure,
		Prop: p.Prop, Breakdown: p.Breakdown, BreakdownProp: p.BreakdownProp, Top: p.Top})
	if err == nil && p.Props != nil {
		q.Props = []byte(*p.Props)
	}
	result, err := a.answer(ctx, p.ProjectID, q, err)
	if err != nil {
		return nil, query.Refused(err, contract.InQuery)
	}
	return api.QueryMetrics200JSONResponse(*result), nil
}

// RunMetricsQuery measures filtered events by time.
func (a *API) RunMetricsQuery(ctx context.Context, request api.RunMetricsQueryRequestObject) (api.RunMetricsQueryResponseObject, error) {
	b := request.Body
	q, err := questionOf(&api.MetricsInsight{From: b.From, To: b.To, Names: b.Names, Bucket: b.Bucket, Tz: b.Tz, WeekStart: b.WeekStart, Limit: b.Limit, Measure: b.Measure,
		Prop: b.Prop, Breakdown: b.Breakdown, BreakdownProp: b.BreakdownProp, Top: b.Top, Filter: b.Filter})
	result, err := a.answer(ctx, b.ProjectID, q, err)
	if err != nil {
		return nil, query.Refused(err, contract.InBody)
	}
	return api.RunMetricsQuery200JSONResponse(*result), nil
}

// CheckQuestion refuses a question that would be refused if it was asked now, with the bad fields under /question.
func (a *API) CheckQuestion(ctx context.Context, projectID uuid.UUID, question *api.MetricsInsight) error {
	q, err := questionOf(question)
	if err == nil {
		_, err = a.trends.Resolve(ctx, projectID, q)
	}
	return query.Refused(err, contract.InBody, "question")
}

// questionOf reads the question of a request, wherever in it that stood.
func questionOf(q *api.MetricsInsight) (*Question, error) {
	filter, err := query.FilterOf(q.Filter)
	if err != nil {
		return nil, err
	}
	prop, err := query.PathOf(value(q.Prop))
	if err != nil {
		return nil, err
	}
	by, err := query.PathOf(value(q.BreakdownProp))
	if err != nil {
		return nil, err
	}
	return &Question{
		When: query.When{Bucket: query.Bucket(value(q.Bucket)), TZ: value(q.Tz), WeekStart: query.WeekStart(value(q.WeekStart)),
			From: q.From, To: q.To, Limit: limitOf(q.Limit)},
		Names: q.Names, Filter: filter, Measure: Measure(value(q.Measure)), Prop: prop,
		Breakdown: Breakdown(value(q.Breakdown)), BreakdownProp: by, Top: int(value(q.Top)),
	}, nil
}

// answer asks a question, unless reading it failed.
func (a *API) answer(ctx context.Context, projectID uuid.UUID, q *Question, err error) (*api.MetricsResult, error) {
	if err != nil {
		return nil, err
	}
	start := a.trends.now()
	answer, err := a.trends.Answer(ctx, projectID, q)
	if err != nil {
		return nil, err
	}
	result := resultOf(answer)
	result.Meta.TookMs = float64(a.trends.now().Sub(start).Microseconds()) / 1000
	return result, nil
}

// value is the zero value for what is absent.
func value[T any](v *T) (zero T) {
	if v == nil {
		return zero
	}
	return *v
}

func limitOf(v *int32) *int {
	if v == nil {
		return nil
	}
	limit := int(*v)
	return &limit
}

func resultOf(a *Answer) *api.MetricsResult {
	result := &api.MetricsResult{
		Metric:    a.Measure.metric(a.Prop),
		Bucket:    api.Bucket(a.Bucket),
		Tz:        a.TZ,
		WeekStart: api.WeekStart(a.WeekStart()),
		From:      a.At(0),
		To:        a.At(a.Buckets()),
		Total:     finite(&a.Total),
		Series:    pointsOf(a.Window, a.Series),
		Groups:    make([]api.MetricsGroup, 0, len(a.Groups)),
		Meta: api.MetricsMeta{Exact: true, Source: api.MetricsMetaSource(a.Source), Definition: a.Measure.Definition(a.Prop),
			IncompleteFrom: a.IncompleteFrom},
	}
	for i := range a.Groups {
		g := &a.Groups[i]
		result.Groups = append(result.Groups, api.MetricsGroup{Value: g.Value, Other: g.Other, Total: finite(&g.Total),
			Series: pointsOf(a.Window, g.Series)})
	}
	return result
}

func pointsOf(w *query.Window, series []float64) []api.Point {
	points := make([]api.Point, len(series))
	for i := range series {
		points[i] = api.Point{TS: w.At(i), Value: finite(&series[i])}
	}
	return points
}

// finite is nil for what JSON cannot say.
func finite(v *float64) *float64 {
	if math.IsNaN(*v) || math.IsInf(*v, 0) {
		return nil
	}
	return v
}
