package insightcases

import (
	"math"
	"slices"
	"time"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/activity"
	"github.com/bahagh/nimbus/internal/insights/cohorts"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/paths"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/retention"
	"github.com/bahagh/nimbus/internal/platform/zone"
)

func (q *Question) within() query.Range { return query.Range{From: int64(q.From), To: int64(q.To)} }

func (q *Question) calendar() query.Calendar {
	loc := time.UTC
	if q.TZ != "" {
		var ok bool
		if loc, ok = zone.Load(q.TZ); !ok {
			panic("no zone is called " + q.TZ)
		}
	}
	c := query.Calendar{Bucket: query.Bucket(q.Bucket), Loc: loc, Week: time.Monday}
	if q.WeekStart == "sunday" {
		c.Week = time.Sunday
	}
	return c
}

func (q *Question) window(usual int64) int64 {
	if q.WindowSeconds == nil {
		return usual
	}
	return *q.WindowSeconds * query.Second
}

func (b *Breakdown) top() int {
	if b.Top == nil {
		return 10
	}
	return *b.Top
}

// Funnel resolves a funnel.
func (s *Source) Funnel() funnel.Question {
	q := &s.c.Question
	f := funnel.Question{Range: q.within(), Window: q.window(7 * query.Day), AsOf: q.asOf()}
	for _, step := range q.Steps {
		f.Steps = append(f.Steps, funnel.Step{Marks: s.Step(step)})
	}
	f.Order = map[string]funnel.Order{"": funnel.Ordered, "ordered": funnel.Ordered, "strict": funnel.Strict, "any": funnel.Any}[q.Order]
	f.Choice = map[string]funnel.Choice{"": funnel.Optimized, "optimized": funnel.Optimized, "first": funnel.First}[q.Attempt]
	f.Count = map[string]funnel.Count{"": funnel.Users, "users": funnel.Users, "totals": funnel.Totals, "sessions": funnel.Sessions}[q.Count]
	if q.Exclude != nil {
		var exclusions []Exclusion
		must(unmarshal(q.Exclude, &exclusions))
		for _, x := range exclusions {
			e := funnel.Exclusion{Marks: s.Step(x.Step), From: 0, To: len(q.Steps) - 1}
			if x.From != nil {
				e.From = *x.From - 1
			}
			if x.To != nil {
				e.To = *x.To - 1
			}
			f.Exclude = append(f.Exclude, e)
		}
	}
	for _, prop := range q.Hold {
		f.Hold = append(f.Hold, s.Prop(prop))
	}
	if b := q.Breakdown; b != nil {
		f.Breakdown = &funnel.Breakdown{Breakdown: query.Breakdown{Column: s.Prop(b.Prop), Top: b.top(), Compare: s.Compare}, Step: b.Step - 1}
		f.Breakdown.Attribution = map[string]funnel.Attribution{
			"": funnel.FirstValue, "first": funnel.FirstValue, "last": funnel.LastValue, "step": funnel.StepValue,
		}[b.Attribution]
	}
	if q.Histogram != nil {
		for _, edge := range q.Histogram.Edges {
			f.Edges = append(f.Edges, int64(edge*float64(query.Second)))
		}
	}
	if q.Bucket != "" {
		f.Bounds = q.calendar().Bounds(q.within())
	}
	return f
}

// Retention resolves a retention.
func (s *Source) Retention() retention.Question {
	q := &s.c.Question
	r := retention.Question{Periods: q.Periods, AsOf: q.asOf()}
	r.Start.Marks, r.Return.Marks = s.Step(q.Start.Step), s.Step(*q.Return)
	if q.Cohort == "recurring" {
		r.Cohort = retention.Recurring
	}
	r.Mode = map[string]retention.Mode{"": retention.On, "on": retention.On, "on_or_after": retention.OnOrAfter, "streak": retention.Streak}[q.Mode]
	if q.Interval == "rolling" {
		r.Interval = retention.Rolling
	}
	if b := q.Breakdown; b != nil {
		r.Breakdown = &query.Breakdown{Column: s.Prop(b.Prop), Top: b.top(), Compare: s.Compare}
	}
	r.Cut(q.calendar(), q.within())
	return r
}

func (s *Source) active() activity.Step {
	return activity.Step{Marks: s.Step(Step{Event: s.c.Question.Event})}
}

// Lifecycle resolves a lifecycle.
func (s *Source) Lifecycle() activity.LifecycleQuestion {
	l := activity.LifecycleQuestion{Active: s.active(), AsOf: s.c.Question.asOf()}
	l.Cut(s.c.Question.calendar(), s.c.Question.within())
	return l
}

// Stickiness resolves a stickiness.
func (s *Source) Stickiness() activity.StickinessQuestion {
	k := activity.StickinessQuestion{Active: s.active()}
	k.Cut(s.c.Question.calendar(), s.c.Question.within())
	return k
}

// Uniques resolves uniques.
func (s *Source) Uniques() activity.UniquesQuestion {
	u := activity.UniquesQuestion{Active: s.active(), Range: s.c.Question.within()}
	if s.c.Question.Bucket != "" {
		u.Bounds = s.c.Question.calendar().Bounds(u.Range)
	}
	return u
}

// Paths resolves paths. Nodes left out, and events that are not listed, have no name here.
func (s *Source) Paths() paths.Question {
	q := &s.c.Question
	var leftOut []string
	if q.Exclude != nil {
		must(unmarshal(q.Exclude, &leftOut))
	}
	name := func(e *Event) any {
		var name any = e.Name
		if q.NodeProp != "" {
			name = e.Props[q.NodeProp]
		}
		text, _ := name.(string)
		if slices.Contains(leftOut, text) || q.Events != nil && !slices.Contains(q.Events, e.Name) {
			return nil
		}
		return name
	}
	p := paths.Question{
		Range: q.within(), Window: q.window(30 * query.Day), Depth: q.Depth, Top: q.Top, Node: s.Column(name),
		Collapse: q.Collapse == nil || *q.Collapse, Compare: s.Compare,
	}
	anchor := func(a *Anchor) *paths.Anchor {
		if a == nil {
			return nil
		}
		if a.Node != nil {
			return &paths.Anchor{Marks: s.Match(func(e *Event) bool { return name(e) == *a.Node })}
		}
		return &paths.Anchor{Marks: s.Step(a.Step)}
	}
	p.Start, p.End = anchor(q.Start), anchor(q.End)
	p.Count = map[string]paths.Count{"": paths.Users, "users": paths.Users, "totals": paths.Totals, "sessions": paths.Sessions}[q.Count]
	return p
}

// Cohort resolves a cohort.
func (s *Source) Cohort() cohorts.Question {
	q := cohorts.Question{Where: s.clause(s.c.Question.Where), Profiles: behaviour.NewSet()}
	for person := range s.profiles {
		q.Profiles.Add(person)
	}
	return q
}

func (s *Source) clause(c *Clause) cohorts.Clause {
	asOf := s.c.Question.asOf()
	out := cohorts.Clause{Within: query.Range{From: int64(c.Within.From), To: int64(c.Within.To)}}
	if days := c.Within.LastDays; days != nil {
		out.Within = query.Range{From: asOf - *days*query.Day, To: asOf}
	}
	for i := range c.Clauses {
		out.Clauses = append(out.Clauses, s.clause(&c.Clauses[i]))
	}
	switch c.Op {
	case "and":
		out.Op = cohorts.And
	case "or":
		out.Op = cohorts.Or
	case "not":
		out.Op, out.Clauses = cohorts.Not, []cohorts.Clause{s.clause(c.Clause)}
	case "did":
		out.Op, out.Marks, out.Times = cohorts.Did, s.Step(c.Step), times(c.Times)
	case "first":
		out.Op, out.Marks = cohorts.First, s.Step(c.Step)
	case "sequence":
		out.Op, out.Window = cohorts.Sequence, *c.WindowSeconds*query.Second
		for _, step := range c.Steps {
			out.Steps = append(out.Steps, funnel.Step{Marks: s.Step(step)})
		}
	case "profile":
		out.Op, out.Set = cohorts.In, behaviour.NewSet()
		for person := range s.everybody() {
			props := map[string]any{}
			for name, v := range s.profiles[person] {
				props[name] = plain(v)
			}
			if c.Filter.Fits(props) {
				out.Set.Add(person)
			}
		}
	case "in":
		out.Op, out.Set = cohorts.In, behaviour.NewSet()
		for _, id := range s.c.Question.Static[c.Cohort] {
			out.Set.Add(s.canon.Of(s.user(id)))
		}
	default:
		panic("no clause is called " + c.Op)
	}
	return out
}

// everybody yields the people with an event or a profile.
func (s *Source) everybody() func(func(uint32) bool) {
	all := behaviour.NewSet()
	for person := range s.events {
		all.Add(person)
	}
	for person := range s.profiles {
		all.Add(person)
	}
	return all.All()
}

func times(bounds map[string]int) cohorts.Times {
	t := cohorts.Times{Min: 0, Max: math.MaxInt}
	if len(bounds) == 0 {
		t.Min = 1
	}
	for op, n := range bounds {
		switch op {
		case "eq":
			t.Min, t.Max = max(t.Min, n), min(t.Max, n)
		case "gt":
			t.Min = max(t.Min, n+1)
		case "gte":
			t.Min = max(t.Min, n)
		case "lt":
			t.Max = min(t.Max, n-1)
		case "lte":
			t.Max = min(t.Max, n)
		}
	}
	return t
}
