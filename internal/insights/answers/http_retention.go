package answers

import (
	"context"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/retention"
)

type retentionAsk struct {
	*resolver
	scope    scope
	question retention.Question
	values   *scan.Dictionary
}

func (a *API) retention(at string, v *api.RetentionInsight) (*retentionAsk, error) {
	r := a.resolver(at)
	t := &retentionAsk{resolver: r}
	t.scope = r.scope(r.framed(v.From, v.To, v.Tz, v.WeekStart, v.AsOf, v.Filter, v.IncludeBots), a.now)
	r.countGroups(v.CountGroups)
	q := &t.question
	q.Periods, q.AsOf = int(or(v.Periods, 11)), t.scope.asOf
	q.Start.Marks, q.Start.Label = r.step("start", v.Start.Event, v.Start.CustomEvent, v.Start.Filter)
	q.Return.Marks, q.Return.Label = r.step("return", v.Return.Event, v.Return.CustomEvent, v.Return.Filter)
	q.Cohort = map[string]retention.Cohort{"recurring": retention.Recurring}[string(value(v.Cohort))]
	q.Mode = map[string]retention.Mode{"on_or_after": retention.OnOrAfter, "streak": retention.Streak}[string(value(v.Mode))]
	q.Interval = map[string]retention.Interval{"rolling": retention.Rolling}[string(value(v.Interval))]
	var groups []string
	if b := v.Breakdown; b != nil {
		g := r.by(b.Prop, b.Profile, b.Cohorts)
		if groups = g.cohorts; g.by {
			t.values = g.values
			q.Breakdown = g.breakdown(b.Top)
		}
	}
	r.audience(a, &t.scope, v.People, "breakdown/cohorts", groups, v.IncludeBots)
	if c := t.scope.calendar(string(value(v.Bucket)), "1d"); r.periods(c, t.scope.Range, q.Periods) {
		q.Cut(c, t.scope.Range)
		within(&r.query, q.Reads())
	}
	r.marked()
	return t, r.err()
}

// AskRetention serves POST /v1/insights/retention.
func (a *API) AskRetention(ctx context.Context, request api.AskRetentionRequestObject) (api.AskRetentionResponseObject, error) {
	a, begun, err := a.begin(ctx, request.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	var v api.RetentionInsight
	if err := recast(request.Body, &v); err != nil {
		return nil, err
	}
	t, err := a.retention("", &v)
	if err != nil {
		return nil, err
	}
	var out api.AskRetention200JSONResponse
	begun.scope, begun.of = t.scope, t.resolver
	begun.outcome, err = run(ctx, a.s, begun.project, t.resolver, func() *retention.Retention { return retention.New(t.question) },
		func(_ *behaviour.View, all *retention.Retention, groups *groups[*retention.Retention]) error {
			answer := all.Answer()
			out = api.AskRetention200JSONResponse(t.answer(&answer))
			for i, g := range groups.list {
				answer := g.Answer()
				value, cohort := t.who.group(i)
				out.Groups = append(out.Groups, api.RetentionGroup{Value: value, Cohort: cohort, Rows: t.rows(&answer.Result), Average: averages(&answer.Result)})
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	q := &t.question
	out.Meta = begun.meta(a.s.o.Now(), query.Range{From: q.Bounds[0], To: q.Bounds[q.Rows]}, retention.Definition(q), t.scope.incomplete(q.Bounds))
	return out, nil
}

func (t *retentionAsk) answer(in *retention.Answer) api.RetentionAnswer {
	out := api.RetentionAnswer{Rows: t.rows(&in.Result), Average: averages(&in.Result)}
	for i := range in.Groups {
		g := &in.Groups[i]
		out.Groups = append(out.Groups, api.RetentionGroup{Value: jsonOf(t.values.Value(g.Value)), Rows: t.rows(&g.Result), Average: averages(&g.Result)})
	}
	if o := in.Other; o != nil {
		out.Other = &api.RetentionOther{Values: int64(o.Values), Rows: t.rows(&o.Result), Average: averages(&o.Result)}
	}
	return out
}

func (t *retentionAsk) rows(in *retention.Result) []api.RetentionRow {
	out := make([]api.RetentionRow, len(in.Rows))
	for i, row := range in.Rows {
		out[i] = api.RetentionRow{Start: t.scope.time(row.Start), Size: int64(row.Size), Values: int64s(row.Values), Complete: int32(row.Complete)}
	}
	return out
}

func averages(in *retention.Result) []api.RetentionAverage {
	out := make([]api.RetentionAverage, len(in.Average))
	for i, m := range in.Average {
		out[i] = api.RetentionAverage{Retained: int64(m.Retained), Size: int64(m.Size)}
	}
	return out
}
