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

type object = map[string]any

func instant(us int64) string { return time.UnixMicro(us).UTC().Format(time.RFC3339Nano) }

func summary(t *query.Times) any {
	if t == nil {
		return nil
	}
	return object{"n": t.N, "mean": t.Mean, "median": t.Median, "p90": t.P90, "min": t.Min, "max": t.Max}
}

func list[T any](items []T, render func(T) any) []any {
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = render(item)
	}
	return out
}

// RenderFunnel writes an answer as cases expect it.
func (s *Source) RenderFunnel(q *funnel.Question, a funnel.Answer) object {
	result := func(r funnel.Result) object {
		o := object{"counts": r.Counts, "incomplete": r.Incomplete, "step_times": list(r.StepTimes, summary), "time": summary(r.Time)}
		if len(q.Edges) > 0 {
			o["histogram"] = object{"under": r.Under, "counts": r.Histogram}
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
			return object{"start": instant(p.Start), "counts": p.Counts, "incomplete": p.Incomplete}
		})
	}
	return out
}

// RenderRetention writes an answer as cases expect it.
func (s *Source) RenderRetention(q *retention.Question, a retention.Answer) object {
	result := func(r retention.Result) object {
		return object{
			"rows": list(r.Rows, func(r retention.Row) any {
				return object{"start": instant(r.Start), "size": r.Size, "values": r.Values, "complete": r.Complete}
			}),
			"average": list(r.Average, func(m retention.Mean) any {
				return object{"retained": m.Retained, "size": m.Size}
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
func (s *Source) RenderLifecycle(rows []activity.LifecycleRow) object {
	return object{"rows": list(rows, func(r activity.LifecycleRow) any {
		return object{
			"start": instant(r.Start), "new": r.New, "returning": r.Returning, "resurrecting": r.Resurrecting,
			"dormant": r.Dormant, "complete": r.Complete,
		}
	})}
}

// RenderStickiness writes an answer as cases expect it.
func (s *Source) RenderStickiness(a activity.StickinessAnswer) object {
	return object{"periods": a.Periods, "people": a.People, "exactly": a.Exactly, "at_least": a.AtLeast}
}

// RenderUniques writes an answer as cases expect it.
func (s *Source) RenderUniques(a activity.UniquesAnswer) object {
	out := object{"total": a.Total}
	if len(a.Series) > 0 {
		series := []any{}
		for i, n := range a.Series {
			series = append(series, object{"start": instant(a.Starts[i]), "people": n})
		}
		out["series"] = series
	}
	return out
}

// RenderPaths writes an answer as cases expect it.
func (s *Source) RenderPaths(a paths.Answer) object {
	steps := []any{}
	for i, step := range a.Steps {
		steps = append(steps, object{"step": i + 1, "other": step.Other, "nodes": list(step.Nodes, func(n paths.Node) any {
			return object{"node": s.Value(n.Node), "count": n.Count, "drop_off": n.DropOff}
		})})
	}
	links := list(a.Links, func(l paths.Link) any {
		o := object{"step": l.Step, "from": s.Value(l.From), "to": nil, "count": l.Count}
		if !l.Other {
			o["to"] = s.Value(l.To)
		}
		return o
	})
	return object{"paths": a.Paths, "longer": a.Longer, "backwards": a.Backwards, "steps": steps, "links": links}
}

// RenderCohort writes an answer as cases expect it.
func (s *Source) RenderCohort(set *behaviour.Set) object {
	people := []string{}
	for no := range set.All() {
		people = append(people, s.names[no])
	}
	slices.Sort(people)
	return object{"people": people, "size": set.Len()}
}
