package insightcases

import (
	"slices"
	"time"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/activity"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/paths"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/retention"
)

// Object is an answer, or a part of one, as JSON has it.
type Object = map[string]any

func instant(us int64) string { return time.UnixMicro(us).UTC().Format(time.RFC3339Nano) }

func summary(t *query.Times) any {
	if t == nil {
		return nil
	}
	return Object{"n": t.N, "mean": t.Mean, "median": t.Median, "p90": t.P90, "min": t.Min, "max": t.Max}
}

func list[T any](items []T, render func(T) any) []any {
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = render(item)
	}
	return out
}

// RenderFunnel writes an answer as cases expect it.
func (s *Source) RenderFunnel(q *funnel.Question, a funnel.Answer) Object {
	result := func(r funnel.Result) Object {
		o := Object{"counts": r.Counts, "incomplete": r.Incomplete, "step_times": list(r.StepTimes, summary), "time": summary(r.Time)}
		if len(q.Edges) > 0 {
			o["histogram"] = Object{"under": r.Under, "counts": r.Histogram}
		}
		return o
	}
	out := result(a.Result)
	if q.Breakdown != nil {
		out["groups"] = list(a.Groups, func(g funnel.Group) any {
			o := result(g.Result)
			o["value"] = s.Value(g.Value)
			return o
		})
		out["other"] = nil
		if a.Other != nil {
			o := result(a.Other.Result)
			o["values"] = a.Other.Values
			out["other"] = o
		}
	}
	if len(q.Bounds) > 0 {
		out["series"] = list(a.Series, func(p funnel.Point) any {
			return Object{"start": instant(p.Start), "counts": p.Counts, "incomplete": p.Incomplete}
		})
	}
	return out
}

// RenderRetention writes an answer as cases expect it.
func (s *Source) RenderRetention(q *retention.Question, a retention.Answer) Object {
	result := func(r retention.Result) Object {
		return Object{
			"rows": list(r.Rows, func(r retention.Row) any {
				return Object{"start": instant(r.Start), "size": r.Size, "values": r.Values, "complete": r.Complete}
			}),
			"average": list(r.Average, func(m retention.Mean) any {
				return Object{"retained": m.Retained, "size": m.Size}
			}),
		}
	}
	out := result(a.Result)
	if q.Breakdown != nil {
		out["groups"] = list(a.Groups, func(g retention.Group) any {
			o := result(g.Result)
			o["value"] = s.Value(g.Value)
			return o
		})
		out["other"] = nil
		if a.Other != nil {
			o := result(a.Other.Result)
			o["values"] = a.Other.Values
			out["other"] = o
		}
	}
	return out
}

// RenderLifecycle writes an answer as cases expect it.
func (s *Source) RenderLifecycle(rows []activity.LifecycleRow) Object {
	return Object{"rows": list(rows, func(r activity.LifecycleRow) any {
		return Object{
			"start": instant(r.Start), "new": r.New, "returning": r.Returning, "resurrecting": r.Resurrecting,
			"dormant": r.Dormant, "complete": r.Complete,
		}
	})}
}

// RenderStickiness writes an answer as cases expect it.
func (s *Source) RenderStickiness(a activity.StickinessAnswer) Object {
	return Object{"periods": a.Periods, "people": a.People, "exactly": a.Exactly, "at_least": a.AtLeast}
}

// RenderUniques writes an answer as cases expect it.
func (s *Source) RenderUniques(a activity.UniquesAnswer) Object {
	out := Object{"total": a.Total}
	if len(a.Series) > 0 {
		series := []any{}
		for i, n := range a.Series {
			series = append(series, Object{"start": instant(a.Starts[i]), "people": n})
		}
		out["series"] = series
	}
	return out
}

// RenderPaths writes an answer as cases expect it.
func (s *Source) RenderPaths(a paths.Answer) Object {
	steps := []any{}
	for i, step := range a.Steps {
		steps = append(steps, Object{"step": i + 1, "other": step.Other, "nodes": list(step.Nodes, func(n paths.Node) any {
			return Object{"node": s.Value(n.Node), "count": n.Count, "drop_off": n.DropOff}
		})})
	}
	links := list(a.Links, func(l paths.Link) any {
		o := Object{"step": l.Step, "from": s.Value(l.From), "to": nil, "count": l.Count}
		if !l.Other {
			o["to"] = s.Value(l.To)
		}
		return o
	})
	return Object{"paths": a.Paths, "longer": a.Longer, "backwards": a.Backwards, "steps": steps, "links": links}
}

// RenderCohort writes an answer as cases expect it.
func (s *Source) RenderCohort(set *behaviour.Set) Object {
	people := []string{}
	for no := range set.All() {
		people = append(people, s.names[no])
	}
	slices.Sort(people)
	return Object{"people": people, "size": set.Len()}
}
