package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/apptest"
)

// Where a session of somebody who never rests is cut depends on where his first one began, however long ago.
func TestSessionsAreCutAsIfEverythingHadBeenRead(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	first := a.Clock.Now().Add(-10 * 24 * time.Hour).UTC().Truncate(time.Hour)
	var events []apptest.Event
	for at := first; at.Before(first.Add(5 * 24 * time.Hour)); at = at.Add(20 * time.Minute) {
		events = append(events, apptest.Event{"name": "e", "user_id": "u", "ts": at.Format(time.RFC3339)})
	}
	x.Ingest(events...)
	// A session ends with the event 24 h after its start, so they begin at 0 h, 24:20 h, 48:40 h, 73 h and 97:20 h.
	for _, c := range []struct {
		from, to time.Duration
		want     int
	}{
		{0, 120 * time.Hour, 5},
		{73*time.Hour + 30*time.Minute, 97 * time.Hour, 0},
		{73 * time.Hour, 97 * time.Hour, 1},
		{97 * time.Hour, 98 * time.Hour, 1},
	} {
		var answer struct{ Sessions int }
		x.Do("POST", "/v1/insights/sessions", map[string]any{"project_id": x.ProjectID,
			"from": first.Add(c.from).Format(time.RFC3339), "to": first.Add(c.to).Format(time.RFC3339)}).Want(200).JSON(&answer)
		if answer.Sessions != c.want {
			t.Errorf("from %s to %s: %d sessions, want %d", c.from, c.to, answer.Sessions, c.want)
		}
	}
}

// Every bad field of a question is named at once, by its place in the body.
func TestBadQuestionsAboutBehaviourNameEveryBadField(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	many := func(n int, item func(i int) any) []any {
		out := make([]any, n)
		for i := range out {
			out[i] = item(i)
		}
		return out
	}
	step := func(i int) any { return map[string]any{"event": fmt.Sprint("e", i)} }
	deep := func(n int) any {
		f := any(map[string]any{"op": "exists", "prop": "p"})
		for range n {
			f = map[string]any{"op": "not", "filter": f}
		}
		return f
	}

	did := object{"op": "did", "event": "e"}
	for _, c := range []struct {
		kind string
		body object
		want string // the pointers, in any order
	}{
		{"funnel", object{"steps": []any{}}, "/steps"},
		{"funnel", object{"steps": many(21, step)}, "/steps"},
		{"funnel", object{"steps": many(1, step), "window_seconds": 0}, "/window_seconds"},
		{"funnel", object{"steps": many(1, step), "window_seconds": 367 * 86400}, "/window_seconds"},
		{"funnel", object{"steps": many(1, step), "tz": "Mars/Olympus"}, "/tz"},
		{"funnel", object{"steps": many(1, step), "from": "2026-03-08T00:00:00Z", "tz": "Local", "bucket": "1h"}, "/from /tz"},
		{"funnel", object{"steps": many(1, step), "from": "1066-10-14T00:00:00Z"}, "/from"},
		{"funnel", object{"steps": many(1, step), "from": "yesterday"}, "/from"},
		{"funnel", object{"steps": many(1, step), "bucket": "1h", "from": "2020-01-01T00:00:00Z"}, "/bucket"},
		{"funnel", object{"steps": []any{object{"event": "a", "optional": true}, object{"event": "b", "optional": true}}},
			"/steps/0/optional /steps/1/optional"},
		{"funnel", object{"order": "any", "steps": []any{step(0), object{"event": "b", "optional": true}, step(2)}}, "/steps/1/optional"},
		{"funnel", object{"steps": []any{object{"event": "a", "any_of": many(1, step)}}}, "/steps/0/any_of"},
		{"funnel", object{"steps": []any{object{"event": ""}}}, "/steps/0/event"},
		{"funnel", object{"steps": many(2, step), "exclude": []any{object{"event": "x", "from": 2, "to": 2}, object{"event": "x", "to": 3}}},
			"/exclude/0/from /exclude/1/to"},
		{"funnel", object{"steps": many(3, step), "order": "any", "exclude": []any{object{"event": "x", "from": 2}}}, "/exclude/0"},
		{"funnel", object{"steps": many(20, step), "exclude": many(32, func(i int) any { return object{"event": fmt.Sprint("x", i)} })}, ""},
		{"funnel", object{"exclude": many(32, func(i int) any { return object{"event": fmt.Sprint("x", i)} }),
			"steps": many(4, func(i int) any {
				return object{"any_of": many(10, func(k int) any { return step(10*i + k) })}
			})}, "/exclude/24 /exclude/25 /exclude/26 /exclude/27 /exclude/28 /exclude/29 /exclude/30 /exclude/31"},
		{"funnel", object{"steps": many(1, step), "hold": []any{"a", "b", "c", "d"}}, "/hold"},
		{"funnel", object{"steps": many(1, step), "breakdown": object{"prop": "p", "attribution": "step"}}, "/breakdown/step"},
		{"funnel", object{"steps": many(1, step), "breakdown": object{"prop": "p", "step": 1}}, "/breakdown/step"},
		{"funnel", object{"steps": many(1, step), "breakdown": object{"prop": "p", "attribution": "step", "step": 2}}, "/breakdown/step"},
		{"funnel", object{"steps": many(1, step), "order": "any", "breakdown": object{"prop": "p", "attribution": "step", "step": 1}},
			"/breakdown/attribution"},
		{"funnel", object{"steps": many(1, step), "histogram": object{"edges": []any{0, 5, 5}}}, "/histogram/edges/2"},
		{"funnel", object{"steps": many(1, step), "filter": deep(8)}, "/filter/filter/filter/filter/filter/filter/filter/filter/filter"},
		{"funnel", object{"steps": many(1, step), "order": "sorted", "count": "clicks", "attempt": "best"}, "/attempt /count /order"},
		{"retention", object{}, "/return /start"},
		{"retention", object{"start": step(0), "return": step(1), "periods": 0}, "/periods"},
		{"retention", object{"start": step(0), "return": step(1), "periods": 101}, "/periods"},
		{"retention", object{"start": step(0), "return": step(1), "periods": 100, "bucket": "1h", "from": "2026-01-01T00:00:00Z"}, "/bucket"},
		{"retention", object{"start": step(0), "return": step(1), "bucket": "1y"}, "/bucket"},
		{"lifecycle", object{"bucket": "1h", "from": "2020-01-01T00:00:00Z"}, "/bucket"},
		{"stickiness", object{"tz": "EST5EDT6"}, "/tz"},
		{"uniques", object{"week_start": "friday"}, "/week_start"},
		{"trends", object{}, "/series"},
		{"trends", object{"series": []any{}}, "/series"},
		{"trends", object{"series": many(11, step)}, "/series"},
		{"trends", object{"series": []any{object{"event": "a", "any_of": many(1, step)}}}, "/series/0/any_of"},
		{"trends", object{"series": []any{object{"measure": "sum"}, object{"prop": "p"}, object{"measure": "mode"}}}, "/series/2/measure"},
		{"trends", object{"series": []any{object{"measure": "sum"}, object{"prop": "p"}}}, "/series/0/prop /series/1/prop"},
		{"trends", object{"series": []any{object{"measure": "sum", "prop": "a.b"}}}, "/series/0/prop"},
		{"trends", object{"series": []any{object{"measure": "per_person_p50", "first_time": true}, object{"measure": "avg", "prop": "p", "cumulative": true}}},
			"/series/0/first_time /series/1/cumulative"},
		{"trends", object{"bucket": "1d", "series": []any{object{"rolling_days": 7}, object{"measure": "users", "rolling_days": 7, "cumulative": true}}},
			"/series/0/rolling_days /series/1/rolling_days"},
		{"trends", object{"series": []any{object{"measure": "users", "rolling_days": 7}}}, "/series/0/rolling_days"},
		{"trends", object{"series": []any{object{"measure": "users", "rolling_days": 367}}}, "/series/0/rolling_days"},
		{"trends", object{"series": many(1, step), "formulas": []any{object{"expression": "A +"}, object{"expression": "A / B"}, object{"expression": ""}}},
			"/formulas/2/expression"},
		{"trends", object{"series": many(1, step), "formulas": []any{object{"expression": "A +"}, object{"expression": "A / B"}}},
			"/formulas/0/expression /formulas/1/expression"},
		{"trends", object{"series": many(1, step), "breakdown": []any{object{}, object{"by": "name", "prop": "p"}, object{"prop": "p", "edges": []any{1, 1}}}},
			"/breakdown/0/prop /breakdown/1/prop /breakdown/2/edges/1"},
		{"trends", object{"series": many(1, step), "breakdown": many(4, func(int) any { return object{"prop": "p"} })}, "/breakdown"},
		{"trends", object{"series": many(1, step), "breakdown": []any{object{"by": "name", "edges": []any{1}}, object{"prop": "a[]"}}},
			"/breakdown/0/edges /breakdown/1/prop"},
		{"trends", object{"series": many(10, step), "bucket": "1h", "from": "2026-01-01T00:00:00Z", "top": 100, "breakdown": []any{object{"prop": "p"}}}, "/bucket"},
		{"trends", object{"series": []any{object{"filter": deep(8)}}, "tz": "Moon", "filter": deep(8)},
			"/filter/filter/filter/filter/filter/filter/filter/filter/filter /series/0/filter/filter/filter/filter/filter/filter/filter/filter/filter /tz"},
		{"trends", object{"series": many(10, func(i int) any {
			return object{"any_of": many(10, func(k int) any { return step(10*i + k) })}
		})}, ""},
		{"trends", object{"series": many(1, step), "breakdown": []any{object{"by": "cohorts"}}}, "/breakdown/0/cohorts"},
		{"trends", object{"series": many(1, step), "breakdown": []any{object{"by": "cohorts", "cohorts": []any{"nowhere"}}}}, "/breakdown/0/cohorts/0"},
		{"trends", object{"series": many(1, step), "breakdown": []any{object{"by": "name", "cohorts": []any{"x"}}, object{"by": "cohorts", "cohorts": []any{"x"}}}},
			"/breakdown/0/cohorts /breakdown/1/by"},
		{"trends", object{"series": many(1, step), "people": object{"op": "in", "cohort": "nowhere"}}, "/people/cohort"},
		{"paths", object{"depth": 1, "top": 0}, "/depth /top"},
		{"paths", object{"depth": 11, "window_seconds": 367 * 86400}, "/depth /window_seconds"},
		{"paths", object{"start": object{"node": "n", "event": "e"}}, "/start/node"},
		{"sessions", object{"breakdown": object{"prop": "p", "top": 101}}, "/breakdown/top"},
		{"cohort", object{"where": object{"op": "did", "event": "e", "times": object{}}}, "/where/times"},
		{"cohort", object{"where": object{"op": "did", "event": "e", "within": object{"last_days": 1, "from": "2026-03-01T00:00:00Z"}}},
			"/where/within/last_days"},
		{"cohort", object{"where": object{"op": "did", "within": object{"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}}},
			"/where/within/from"},
		{"cohort", object{"where": object{"op": "and", "clauses": many(21, func(int) any { return did })}}, "/where/clauses"},
		{"cohort", object{"where": object{"op": "or", "clauses": many(3, func(int) any {
			return object{"op": "and", "clauses": many(20, func(int) any { return did })}
		})}}, "/where/clauses/2/clauses/6"},
		{"people", object{"question": object{"kind": "uniques", "from": "2026-03-08T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "at": object{}},
			"/question/from"},
		{"people", object{"question": object{"kind": "stickiness", "from": "2026-03-01T00:00:00Z", "to": "2026-03-08T00:00:00Z"},
			"at": object{"period": 8}}, "/at/period"},
		{"people", object{"question": object{"kind": "lifecycle", "from": "2026-03-01T00:00:00Z", "to": "2026-03-08T00:00:00Z"},
			"at": object{}}, "/at/row /at/state"},
		{"people", object{"question": object{"kind": "trends", "from": "2026-03-01T00:00:00Z", "to": "2026-03-08T00:00:00Z", "bucket": "1d",
			"series": many(1, step)}, "at": object{"row": 7, "groups": []any{object{}}, "group": "a"}}, "/at/group /at/groups /at/row /at/series"},
		{"people", object{"question": object{"kind": "trends", "from": "2026-03-01T00:00:00Z", "to": "2026-03-08T00:00:00Z", "bucket": "1d",
			"series": many(1, step), "breakdown": []any{object{"prop": "p", "edges": []any{1, 2}}, object{"by": "name"}}},
			"at": object{"series": 1, "groups": []any{object{"gte": 3}, object{"lt": 1}}}}, "/at/groups/0 /at/groups/1 /at/series"},
	} {
		c.body["project_id"] = x.ProjectID
		if c.kind != "cohort" && c.kind != "people" {
			for name, at := range map[string]string{"from": "2026-03-01T00:00:00Z", "to": "2026-03-08T00:00:00Z"} {
				if c.body[name] == nil {
					c.body[name] = at
				}
			}
		}
		r := x.Do("POST", "/v1/insights/"+c.kind, c.body)
		status := 422
		if c.want == "" {
			status = 200
		}
		var problem struct{ Errors []struct{ Pointer string } }
		r.JSON(&problem)
		var got []string
		for _, e := range problem.Errors {
			got = append(got, e.Pointer)
		}
		slices.Sort(got)
		if r.Status != status || strings.Join(got, " ") != c.want {
			text, _ := json.Marshal(c.body)
			t.Errorf("%s %.300s\n%d, bad are %q, want %q\n%.500s", c.kind, text, r.Status, got, c.want, r.Body)
		}
	}
}
