package answers

import (
	"context"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/activity"
	"github.com/bahagh/nimbus/internal/insights/query"
)

type lifecycleAsk struct {
	*resolver
	scope    scope
	question activity.LifecycleQuestion
}

func (a *API) lifecycle(at string, v *api.LifecycleInsight) (*lifecycleAsk, error) {
	r := a.resolver(at)
	l := &lifecycleAsk{resolver: r}
	l.scope = r.scope(r.framed(v.From, v.To, v.Tz, v.WeekStart, v.AsOf, v.Filter, v.IncludeBots), a.now)
	r.countGroups(v.CountGroups)
	r.audience(a, &l.scope, v.People, "breakdown/cohorts", r.division(v.Breakdown, l.scope.Range), v.IncludeBots)
	l.question = activity.LifecycleQuestion{Active: r.active(v.Event, v.CustomEvent), AsOf: l.scope.asOf}
	if c := l.scope.calendar(string(value(v.Bucket)), "1d"); r.periods(c, l.scope.Range, r.lines()) {
		l.question.Cut(c, l.scope.Range)
		within(&r.query, l.question.Reads())
	}
	r.marked()
	return l, r.err()
}

// active is the condition of being active: the event or custom event, or any.
func (r *resolver) active(event *string, custom *api.CustomEventID) activity.Step {
	marks, label := r.step("", event, custom, nil)
	return activity.Step{Marks: marks, Label: label}
}

// AskLifecycle serves POST /v1/insights/lifecycle.
func (a *API) AskLifecycle(ctx context.Context, request api.AskLifecycleRequestObject) (api.AskLifecycleResponseObject, error) {
	a, begun, err := a.begin(ctx, request.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	var v api.LifecycleInsight
	if err := recast(request.Body, &v); err != nil {
		return nil, err
	}
	l, err := a.lifecycle("", &v)
	if err != nil {
		return nil, err
	}
	var out api.AskLifecycle200JSONResponse
	begun.scope, begun.of = l.scope, l.resolver
	begun.outcome, err = run(ctx, a.s, begun.project, l.resolver, func() *activity.Lifecycle { return activity.NewLifecycle(l.question) },
		func(_ *behaviour.View, all *activity.Lifecycle, groups *groups[*activity.Lifecycle]) error {
			out.Rows = l.rows(all.Answer())
			for i, g := range groups.list {
				value, cohort := l.group(groups.values, i)
				out.Groups = append(out.Groups, api.LifecycleGroup{Value: value, Cohort: cohort, Rows: l.rows(g.Answer())})
			}
			if groups.others > 0 {
				out.Other = &api.LifecycleOther{Values: int64(groups.others), Rows: l.rows(groups.rest.Answer())}
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	out.Meta = begun.meta(a.s.o.Now(), whole(l.question.Bounds), activity.LifecycleDefinition(&l.question), l.scope.incomplete(l.question.Bounds))
	return out, nil
}

func (l *lifecycleAsk) rows(in []activity.LifecycleRow) []api.LifecycleRow {
	out := make([]api.LifecycleRow, len(in))
	for i, row := range in {
		out[i] = api.LifecycleRow{Start: l.scope.time(row.Start), New: int64(row.New), Returning: int64(row.Returning),
			Resurrecting: int64(row.Resurrecting), Dormant: int64(row.Dormant), Complete: row.Complete}
	}
	return out
}

// whole is the range of the periods between bounds.
func whole(bounds []int64) query.Range {
	return query.Range{From: bounds[0], To: bounds[len(bounds)-1]}
}

type stickinessAsk struct {
	*resolver
	scope    scope
	question activity.StickinessQuestion
}

func (a *API) stickiness(at string, v *api.StickinessInsight) (*stickinessAsk, error) {
	r := a.resolver(at)
	s := &stickinessAsk{resolver: r}
	s.scope = r.scope(r.framed(v.From, v.To, v.Tz, v.WeekStart, v.AsOf, v.Filter, v.IncludeBots), a.now)
	r.countGroups(v.CountGroups)
	r.audience(a, &s.scope, v.People, "breakdown/cohorts", r.division(v.Breakdown, s.scope.Range), v.IncludeBots)
	s.question = activity.StickinessQuestion{Active: r.active(v.Event, v.CustomEvent)}
	if c := s.scope.calendar(string(value(v.Bucket)), "1d"); r.periods(c, s.scope.Range, r.lines()) {
		s.question.Cut(c, s.scope.Range)
		within(&r.query, s.question.Reads())
	}
	r.marked()
	return s, r.err()
}

// AskStickiness serves POST /v1/insights/stickiness.
func (a *API) AskStickiness(ctx context.Context, request api.AskStickinessRequestObject) (api.AskStickinessResponseObject, error) {
	a, begun, err := a.begin(ctx, request.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	var v api.StickinessInsight
	if err := recast(request.Body, &v); err != nil {
		return nil, err
	}
	s, err := a.stickiness("", &v)
	if err != nil {
		return nil, err
	}
	var out api.AskStickiness200JSONResponse
	begun.scope, begun.of = s.scope, s.resolver
	begun.outcome, err = run(ctx, a.s, begun.project, s.resolver, func() *activity.Stickiness { return activity.NewStickiness(s.question) },
		func(_ *behaviour.View, all *activity.Stickiness, groups *groups[*activity.Stickiness]) error {
			answer := all.Answer()
			out.Periods, out.People = int32(answer.Periods), int64(answer.People)
			out.Exactly, out.AtLeast = int64s(answer.Exactly), int64s(answer.AtLeast)
			for i, g := range groups.list {
				answer := g.Answer()
				value, cohort := s.group(groups.values, i)
				out.Groups = append(out.Groups, api.StickinessGroup{Value: value, Cohort: cohort, People: int64(answer.People),
					Exactly: int64s(answer.Exactly), AtLeast: int64s(answer.AtLeast)})
			}
			if groups.others > 0 {
				answer := groups.rest.Answer()
				out.Other = &api.StickinessOther{Values: int64(groups.others), People: int64(answer.People),
					Exactly: int64s(answer.Exactly), AtLeast: int64s(answer.AtLeast)}
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	out.Meta = begun.meta(a.s.o.Now(), whole(s.question.Bounds), activity.StickinessDefinition(&s.question), s.scope.incomplete(s.question.Bounds))
	return out, nil
}

type uniquesAsk struct {
	*resolver
	scope    scope
	question activity.UniquesQuestion
}

func (a *API) uniques(at string, v *api.UniquesInsight) (*uniquesAsk, error) {
	r := a.resolver(at)
	u := &uniquesAsk{resolver: r}
	u.scope = r.scope(r.framed(v.From, v.To, v.Tz, v.WeekStart, v.AsOf, v.Filter, v.IncludeBots), a.now)
	r.countGroups(v.CountGroups)
	r.audience(a, &u.scope, v.People, "breakdown/cohorts", r.division(v.Breakdown, u.scope.Range), v.IncludeBots)
	u.question = activity.UniquesQuestion{Active: r.active(v.Event, v.CustomEvent), Range: u.scope.Range}
	if v.Bucket != nil {
		if c := u.scope.calendar(string(*v.Bucket), ""); r.periods(c, u.scope.Range, r.lines()) {
			u.question.Bounds = c.Bounds(u.scope.Range)
		}
	}
	within(&r.query, u.scope.Range)
	r.marked()
	return u, r.err()
}

// AskUniques serves POST /v1/insights/uniques.
func (a *API) AskUniques(ctx context.Context, request api.AskUniquesRequestObject) (api.AskUniquesResponseObject, error) {
	a, begun, err := a.begin(ctx, request.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	var v api.UniquesInsight
	if err := recast(request.Body, &v); err != nil {
		return nil, err
	}
	u, err := a.uniques("", &v)
	if err != nil {
		return nil, err
	}
	var out api.AskUniques200JSONResponse
	begun.scope, begun.of = u.scope, u.resolver
	begun.outcome, err = run(ctx, a.s, begun.project, u.resolver, func() *activity.Uniques { return activity.NewUniques(u.question) },
		func(_ *behaviour.View, all *activity.Uniques, groups *groups[*activity.Uniques]) error {
			out.Total, out.Series = u.series(all)
			for i, g := range groups.list {
				value, cohort := u.group(groups.values, i)
				group := api.UniquesGroup{Value: value, Cohort: cohort}
				group.Total, group.Series = u.series(g)
				out.Groups = append(out.Groups, group)
			}
			if groups.others > 0 {
				out.Other = &api.UniquesOther{Values: int64(groups.others)}
				out.Other.Total, out.Other.Series = u.series(groups.rest)
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	out.Meta = begun.meta(a.s.o.Now(), u.scope.Range, activity.UniquesDefinition(&u.question), u.scope.incomplete(u.question.Bounds))
	return out, nil
}

func (u *uniquesAsk) series(op *activity.Uniques) (total int64, series []api.UniquesPoint) {
	answer := op.Answer()
	for i, n := range answer.Series {
		series = append(series, api.UniquesPoint{Start: u.scope.time(answer.Starts[i]), People: int64(n)})
	}
	return int64(answer.Total), series
}
