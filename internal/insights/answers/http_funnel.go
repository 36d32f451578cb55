package answers

import (
	"context"
	"strconv"
	"strings"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// funnelAsk is a funnel, resolved.
type funnelAsk struct {
	*resolver
	scope    scope
	question funnel.Question
	values   *scan.Dictionary // of the breakdown
}

func (a *API) funnel(at string, v *api.FunnelInsight) (*funnelAsk, error) {
	r := a.resolver(at)
	f := &funnelAsk{resolver: r}
	f.scope = r.scope(r.framed(v.From, v.To, v.Tz, v.WeekStart, v.AsOf, v.Filter, v.IncludeBots), a.now)
	r.countGroups(v.CountGroups)
	var groups []string
	q := &f.question
	q.Range, q.AsOf, q.Window = f.scope.Range, f.scope.asOf, or(v.WindowSeconds, 7*24*3600)*query.Second
	q.Order = map[string]funnel.Order{"strict": funnel.Strict, "any": funnel.Any}[string(value(v.Order))]
	q.Choice = map[string]funnel.Choice{"first": funnel.First}[string(value(v.Attempt))]
	q.Count = map[string]funnel.Count{"totals": funnel.Totals, "sessions": funnel.Sessions}[string(value(v.Count))]
	for i := range v.Steps {
		q.Steps = append(q.Steps, f.step(i, &v.Steps[i], len(v.Steps), q.Order))
	}
	for i := range v.Exclude {
		q.Exclude = append(q.Exclude, f.exclusion(i, &v.Exclude[i], q))
	}
	for i, prop := range v.Hold {
		column, _ := r.column(prop)
		q.Hold, q.HoldLabels = append(q.Hold, column), append(q.HoldLabels, v.Hold[i])
	}
	if v.Breakdown != nil {
		q.Breakdown, groups = f.breakdown(v.Breakdown, q)
	}
	r.audience(a, &f.scope, v.People, "breakdown/cohorts", groups, v.IncludeBots)
	if v.Histogram != nil {
		for i, edge := range v.Histogram.Edges {
			q.Edges = append(q.Edges, int64(edge*float64(query.Second)))
			if i > 0 && q.Edges[i] <= q.Edges[i-1] {
				r.refuse("histogram/edges/"+strconv.Itoa(i), "order", "must be greater than the one before")
			}
		}
	}
	if v.Bucket != nil {
		if c := f.scope.calendar(string(*v.Bucket), ""); r.periods(c, f.scope.Range, 1) {
			q.Bounds = c.Bounds(f.scope.Range)
		}
	}
	if q.Order == funnel.Strict || q.Count == funnel.Sessions {
		r.any = true // events of no step matter, too
	}
	if q.Count == funnel.Sessions {
		r.sessions()
	}
	if q.Order != funnel.Strict {
		r.marked()
	}
	within(&r.query, q.Reads())
	return f, r.err()
}

func (f *funnelAsk) step(i int, v *api.FunnelStep, steps int, order funnel.Order) funnel.Step {
	field := "steps/" + strconv.Itoa(i)
	s := funnel.Step{Optional: value(v.Optional)}
	if len(v.AnyOf) > 0 {
		if v.Event != nil || v.CustomEvent != nil || v.Filter != nil {
			f.refuse(field+"/any_of", "conflict", "cannot be combined with event, custom_event or filter")
		}
		labels := make([]string, len(v.AnyOf))
		for k := range v.AnyOf {
			o := &v.AnyOf[k]
			marks, label := f.resolver.step(field+"/any_of/"+strconv.Itoa(k), o.Event, o.CustomEvent, o.Filter)
			s.Marks, labels[k] = s.Marks|marks, label
		}
		s.Label = strings.Join(labels, " or ")
	} else {
		s.Marks, s.Label = f.resolver.step(field, v.Event, v.CustomEvent, v.Filter)
	}
	if s.Optional && (i == 0 || i == steps-1) {
		f.refuse(field+"/optional", "conflict", "the first and the last step are never optional")
	}
	if s.Optional && order == funnel.Any {
		f.refuse(field+"/optional", "conflict", "steps in any order are not optional")
	}
	return s
}

func (f *funnelAsk) exclusion(i int, v *api.FunnelExclusion, q *funnel.Question) funnel.Exclusion {
	field := "exclude/" + strconv.Itoa(i)
	last := len(q.Steps)
	from, to := int(or(v.From, 1)), int(or(v.To, int32(last)))
	e := funnel.Exclusion{From: from - 1, To: to - 1}
	e.Marks, e.Label = f.resolver.step(field, v.Event, v.CustomEvent, v.Filter)
	switch {
	case to > last:
		f.refuse(field+"/to", contract.CodeMaximum, "is no step: there are "+strconv.Itoa(last))
	case from >= to && last > 1:
		f.refuse(field+"/from", "order", "must be a step before to")
	case from > last:
		f.refuse(field+"/from", contract.CodeMaximum, "is no step: there are "+strconv.Itoa(last))
	case q.Order == funnel.Any && (from != 1 || to != last):
		f.refuse(field, "conflict", "with steps in any order an exclusion is between the first and the last")
	case q.Steps[e.From].Optional || q.Steps[e.To].Optional:
		f.refuse(field, "conflict", "begins and ends at steps that are not optional")
	}
	return e
}

func (f *funnelAsk) breakdown(v *api.FunnelBreakdown, q *funnel.Question) (*funnel.Breakdown, []string) {
	g := f.by(v.Prop, v.Profile, v.Cohorts)
	if v.Prop == nil && v.Step != nil {
		f.refuse("breakdown/step", "conflict", "is only allowed with prop")
	}
	if !g.by {
		return nil, g.cohorts
	}
	f.values = g.values
	attribution := value(v.Attribution)
	b := &funnel.Breakdown{Breakdown: *g.breakdown(v.Top)}
	if g.profile {
		if attribution != "" && attribution != api.AttributionFirst {
			f.refuse("breakdown/attribution", "conflict", "is only allowed with prop: a person has one value at all steps")
		}
		return b, nil
	}
	b.Attribution = map[string]funnel.Attribution{"last": funnel.LastValue, "step": funnel.StepValue}[string(attribution)]
	switch {
	case b.Attribution != funnel.StepValue && v.Step != nil:
		f.refuse("breakdown/step", "conflict", "is only allowed with attribution step")
	case b.Attribution == funnel.StepValue && v.Step == nil:
		f.refuse("breakdown/step", contract.CodeRequired, "is required with attribution step")
	case b.Attribution == funnel.StepValue && q.Order == funnel.Any:
		f.refuse("breakdown/attribution", "conflict", "cannot be step when the steps are in any order")
	case v.Step != nil && int(*v.Step) > len(q.Steps):
		f.refuse("breakdown/step", contract.CodeMaximum, "is no step: there are "+strconv.Itoa(len(q.Steps)))
	case v.Step != nil:
		b.Step = int(*v.Step) - 1
	}
	return b, nil
}

// AskFunnel serves POST /v1/insights/funnel.
func (a *API) AskFunnel(ctx context.Context, request api.AskFunnelRequestObject) (api.AskFunnelResponseObject, error) {
	a, begun, err := a.begin(ctx, request.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	var v api.FunnelInsight
	if err := recast(request.Body, &v); err != nil {
		return nil, err
	}
	f, err := a.funnel("", &v)
	if err != nil {
		return nil, err
	}
	var out api.AskFunnel200JSONResponse
	begun.scope, begun.of = f.scope, f.resolver
	begun.outcome, err = run(ctx, a.s, begun.project, f.resolver, func() *funnel.Funnel { return funnel.New(f.question) },
		func(_ *behaviour.View, all *funnel.Funnel, groups *groups[*funnel.Funnel]) error {
			answer := all.Answer()
			out = api.AskFunnel200JSONResponse(f.answer(&answer))
			for i, g := range groups.list {
				answer := g.Answer()
				group := f.group(&answer.Result)
				group.Value, group.Cohort = f.who.group(i)
				out.Groups = append(out.Groups, group)
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	end := f.scope.incomplete([]int64{max(f.scope.From, f.scope.asOf-f.question.Window), f.scope.To + f.question.Window})
	out.Meta = begun.meta(a.s.o.Now(), f.scope.Range, funnel.Definition(&f.question), end)
	return out, nil
}

func (f *funnelAsk) group(in *funnel.Result) api.FunnelGroup {
	return api.FunnelGroup{Counts: int64s(in.Counts), Incomplete: int64(in.Incomplete), StepTimes: f.times(in), Time: timesOf(in.Time), Histogram: f.histogram(in)}
}

func (f *funnelAsk) answer(in *funnel.Answer) api.FunnelAnswer {
	out := api.FunnelAnswer{Counts: int64s(in.Counts), Incomplete: int64(in.Incomplete), StepTimes: f.times(&in.Result), Time: timesOf(in.Time), Histogram: f.histogram(&in.Result)}
	for i := range in.Groups {
		g := &in.Groups[i]
		group := f.group(&g.Result)
		group.Value = jsonOf(f.values.Value(g.Value))
		out.Groups = append(out.Groups, group)
	}
	if o := in.Other; o != nil {
		out.Other = &api.FunnelOther{Values: int64(o.Values), Counts: int64s(o.Counts), Incomplete: int64(o.Incomplete),
			StepTimes: f.times(&o.Result), Time: timesOf(o.Time), Histogram: f.histogram(&o.Result)}
	}
	for _, p := range in.Series {
		out.Series = append(out.Series, api.FunnelPoint{Start: f.scope.time(p.Start), Counts: int64s(p.Counts), Incomplete: int64(p.Incomplete)})
	}
	return out
}

func (f *funnelAsk) times(in *funnel.Result) []*api.StepTime {
	out := make([]*api.StepTime, len(in.StepTimes))
	for i, t := range in.StepTimes {
		out[i] = timesOf(t)
	}
	return out
}

func (f *funnelAsk) histogram(in *funnel.Result) *api.Histogram {
	if len(f.question.Edges) == 0 {
		return nil
	}
	return &api.Histogram{Under: int64(in.Under), Counts: int64s(in.Histogram)}
}
