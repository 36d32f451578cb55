package trends

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/platform/replica"
)

// API is the metrics part of the contract's server.
type API struct {
	reads  *replica.Reads
	limits Limits
	now    func() time.Time
}

// NewAPI returns the operations.
func NewAPI(reads *replica.Reads, limits Limits, now func() time.Time) *API {
	return &API{reads: reads, limits: limits, now: now}
}

// QueryMetrics measures events by time.
func (a *API) QueryMetrics(ctx context.Context, request api.QueryMetricsRequestObject) (api.QueryMetricsResponseObject, error) {
	p := &request.Params
	result, err := a.answer(ctx, p.ProjectID, func() (*Ask, error) {
		ask := &Ask{From: p.From, To: p.To, Names: p.Name, Bucket: query.Bucket(value(p.Bucket)), TZ: value(p.Tz), Limit: limitOf(p.Limit),
			Measure: Measure(value(p.Measure)), Prop: value(p.Prop), Breakdown: Breakdown(value(p.Breakdown)),
			BreakdownProp: value(p.BreakdownProp), Top: int(value(p.Top))}
		if p.Props != nil {
			ask.Props = []byte(*p.Props)
		}
		return ask, nil
	})
	if err != nil {
		return nil, err
	}
	return api.QueryMetrics200JSONResponse(*result), nil
}

// RunMetricsQuery measures filtered events by time.
func (a *API) RunMetricsQuery(ctx context.Context, request api.RunMetricsQueryRequestObject) (api.RunMetricsQueryResponseObject, error) {
	result, err := a.answer(ctx, request.Body.ProjectID, func() (*Ask, error) { return askOf(request.Body) })
	if err != nil {
		return nil, inBody(err, "")
	}
	return api.RunMetricsQuery200JSONResponse(*result), nil
}

// CheckQuestion refuses a question that would be refused if it was asked now, with the bad fields under /question.
func (a *API) CheckQuestion(q *api.ReportQuestion) error {
	ask, err := askOf(&api.MetricsQuery{From: q.From, To: q.To, Names: q.Names, Bucket: q.Bucket, Tz: q.Tz, Limit: q.Limit, Measure: q.Measure,
		Prop: q.Prop, Breakdown: q.Breakdown, BreakdownProp: q.BreakdownProp, Top: q.Top, Filter: q.Filter})
	if err == nil {
		_, err = Resolve(ask, a.now())
	}
	return inBody(err, "/question")
}

// askOf reads a question; the error names every bad node of its filter.
func askOf(q *api.MetricsQuery) (*Ask, error) {
	filter, err := filterOf(q.Filter)
	if err != nil {
		return nil, err
	}
	return &Ask{From: q.From, To: q.To, Names: q.Names, Bucket: query.Bucket(value(q.Bucket)), TZ: value(q.Tz), Limit: limitOf(q.Limit),
		Measure: Measure(value(q.Measure)), Prop: value(q.Prop), Breakdown: Breakdown(value(q.Breakdown)),
		BreakdownProp: value(q.BreakdownProp), Top: int(value(q.Top)), Filter: filter}, nil
}

// inBody says of bad fields that they are in the body, under a member of it, where the names of the query's parameters are
// members.
func inBody(err error, under string) error {
	var p *problem.Error
	if errors.As(err, &p) {
		for i := range p.Fields {
			p.Fields[i].In, p.Fields[i].Pointer = contract.InBody, under+p.Fields[i].Pointer
		}
	}
	return err
}

func (a *API) answer(ctx context.Context, projectID uuid.UUID, read func() (*Ask, error)) (*api.MetricsResult, error) {
	start := a.now()
	ask, err := read()
	if err != nil {
		return nil, err
	}
	var answer *Answer
	err = a.reads.Ask(ctx, func(ctx context.Context, pool *pgxpool.Pool) (err error) {
		answer, err = newStore(pool, a.limits).Answer(ctx, projectID, ask, start)
		return err
	})
	if err != nil {
		return nil, err
	}
	result := resultOf(answer)
	result.Meta.TookMs = float64(a.now().Sub(start).Microseconds()) / 1000
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

// filterOf reads a filter; the error names every bad node.
func filterOf(f *api.MetricsFilter) (*Filter, error) {
	if f == nil {
		return nil, nil
	}
	check := &filterCheck{}
	out, err := filterAt(f, "/filter", 1, check)
	if err != nil {
		return nil, err
	}
	if len(check.bad) > 0 {
		return nil, problem.Invalid(check.bad...)
	}
	return &out, nil
}

// filterAt reads one node and those under it. They have been checked against the contract already, so an error is ours.
func filterAt(f *api.MetricsFilter, pointer string, depth int, check *filterCheck) (out Filter, err error) {
	if !check.enter(pointer, depth) {
		return out, nil
	}
	variant, err := f.ValueByDiscriminator()
	if err != nil {
		return out, fmt.Errorf("filter at %s: %w", pointer, err)
	}
	switch v := variant.(type) {
	case api.FilterGroup:
		out.Op = Op(v.Op)
		out.Filters = make([]Filter, len(v.Filters))
		for i := range v.Filters {
			if out.Filters[i], err = filterAt(&v.Filters[i], pointer+"/filters/"+strconv.Itoa(i), depth+1, check); err != nil {
				return out, err
			}
		}
	case api.FilterNot:
		out.Op = Not
		under, err := filterAt(&v.Filter, pointer+"/filter", depth+1, check)
		out.Filters = []Filter{under}
		return out, err
	case api.FilterEqual:
		out = Filter{Op: Op(v.Op), Prop: v.Prop, Values: []api.Scalar{v.Value}}
		check.scalar(pointer+"/value", v.Value)
	case api.FilterIn:
		out = Filter{Op: In, Prop: v.Prop, Values: v.Values}
		for i := range v.Values {
			check.scalar(pointer+"/values/"+strconv.Itoa(i), v.Values[i])
		}
	case api.FilterContains:
		out = Filter{Op: Contains, Prop: v.Prop, Text: v.Value}
	case api.FilterCompare:
		out = Filter{Op: Op(v.Op), Prop: v.Prop, Number: v.Value}
	case api.FilterExists:
		out = Filter{Op: Exists, Prop: v.Prop}
	default:
		return out, fmt.Errorf("filter at %s is a %T", pointer, v)
	}
	return out, nil
}

func resultOf(a *Answer) *api.MetricsResult {
	source := api.SourceRollup
	if a.FromEvents {
		source = api.SourceEvents
	}
	result := &api.MetricsResult{
		Metric: a.Measure.metric(a.Prop),
		Bucket: api.Bucket(a.Bucket),
		Tz:     a.TZ,
		From:   a.At(0),
		To:     a.At(a.Buckets()),
		Total:  finite(&a.Total),
		Series: pointsOf(a.Window, a.Series),
		Groups: make([]api.MetricsGroup, 0, len(a.Groups)),
		Meta: api.MetricsMeta{Exact: true, Source: source, Definition: a.Measure.Definition(a.Prop),
			IncompleteFrom: a.IncompleteFrom},
	}
	for i := range a.Groups {
		g := &a.Groups[i]
		result.Groups = append(result.Groups, api.MetricsGroup{Value: g.Value, Other: g.Other, Total: finite(&g.Total),
			Series: pointsOf(a.Window, g.Series)})
	}
	return result
}

func pointsOf(w *Window, series []float64) []api.Point {
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
