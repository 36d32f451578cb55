package answers

import (
	"context"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/insights/sessions"
)

type sessionsAsk struct {
	*resolver
	scope    scope
	question sessions.Question
	values   *scan.Dictionary
	events   *scan.Dictionary
}

// shownEnds is how many of the events that sessions begin and end with are named.
const shownEnds = 10

func (a *API) sessions(at string, v *api.SessionsInsight) (*sessionsAsk, error) {
	r := a.resolver(at)
	s := &sessionsAsk{resolver: r}
	s.scope = r.scope(r.framed(v.From, v.To, v.Tz, v.WeekStart, v.AsOf, v.Filter, v.IncludeBots), a.now)
	r.countGroups(v.CountGroups)
	column, names := r.names()
	s.events = names
	s.question = sessions.Question{Range: s.scope.Range, AsOf: s.scope.asOf,
		Ends: &sessions.Ends{Column: column, Top: shownEnds, Compare: compareValues(names), Label: "event"}}
	var groups []string
	if b := v.Breakdown; b != nil {
		g := r.by(b.Prop, b.Profile, b.Cohorts)
		if groups = g.cohorts; g.by {
			s.values = g.values
			s.question.Breakdown = g.breakdown(b.Top)
		}
	}
	r.audience(a, &s.scope, v.People, "breakdown/cohorts", groups, v.IncludeBots)
	if v.Bucket != nil {
		if c := s.scope.calendar(string(*v.Bucket), ""); r.periods(c, s.scope.Range, 1) {
			s.question.Bounds = c.Bounds(s.scope.Range)
		}
	}
	r.sessions()
	within(&r.query, s.question.Reads())
	return s, r.err()
}

// AskSessions serves POST /v1/insights/sessions.
func (a *API) AskSessions(ctx context.Context, request api.AskSessionsRequestObject) (api.AskSessionsResponseObject, error) {
	a, begun, err := a.begin(ctx, request.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	var v api.SessionsInsight
	if err := recast(request.Body, &v); err != nil {
		return nil, err
	}
	s, err := a.sessions("", &v)
	if err != nil {
		return nil, err
	}
	var out api.AskSessions200JSONResponse
	begun.scope, begun.of = s.scope, s.resolver
	begun.outcome, err = run(ctx, a.s, begun.project, s.resolver, func() *sessions.Sessions { return sessions.New(s.question) },
		func(_ *behaviour.View, all *sessions.Sessions, groups *groups[*sessions.Sessions]) error {
			answer := all.Answer()
			out = api.AskSessions200JSONResponse(s.answer(&answer))
			for i, g := range groups.list {
				answer := g.Answer()
				group := sessionGroup(&answer.Result)
				group.Value, group.Cohort = s.who.group(i)
				out.Groups = append(out.Groups, group)
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	out.Meta = begun.meta(a.s.o.Now(), s.scope.Range, sessions.Definition(&s.question), s.scope.incomplete(s.question.Bounds))
	return out, nil
}

func sessionGroup(in *sessions.Result) api.SessionGroup {
	return api.SessionGroup{Sessions: int64(in.Sessions), People: int64(in.People), Events: int64(in.Events), Bounces: int64(in.Bounces),
		Incomplete: int64(in.Incomplete), Length: timesOf(in.Length)}
}

func (s *sessionsAsk) answer(in *sessions.Answer) api.SessionsAnswer {
	out := api.SessionsAnswer{Sessions: int64(in.Sessions), People: int64(in.People), Events: int64(in.Events), Bounces: int64(in.Bounces),
		Incomplete: int64(in.Incomplete), Length: timesOf(in.Length), Entries: s.ends(in.Entry), Exits: s.ends(in.Exit)}
	for i := range in.Groups {
		g := &in.Groups[i]
		group := sessionGroup(&g.Result)
		group.Value = jsonOf(s.values.Value(g.Value))
		out.Groups = append(out.Groups, group)
	}
	if o := in.Other; o != nil {
		out.Other = &api.SessionOther{Values: int64(o.Values), Sessions: int64(o.Sessions), Events: int64(o.Events), Bounces: int64(o.Bounces),
			Incomplete: int64(o.Incomplete), Length: timesOf(o.Length)}
	}
	for _, p := range in.Series {
		out.Series = append(out.Series, api.SessionPoint{Start: s.scope.time(p.Start), Sessions: int64(p.Sessions), People: int64(p.People)})
	}
	return out
}

func (s *sessionsAsk) ends(in *sessions.EndsAnswer) api.SessionEnds {
	out := api.SessionEnds{Top: []api.SessionEnd{}}
	if in == nil {
		return out
	}
	for _, e := range in.Top {
		out.Top = append(out.Top, api.SessionEnd{Event: s.events.Value(e.Value).Text, Sessions: int64(e.Sessions)})
	}
	out.Other = int64(in.Other)
	return out
}
