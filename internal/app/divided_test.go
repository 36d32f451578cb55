package app_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/apptest"
)

// plans gives some of the people of a history a plan, and sends it. Those who have none are in the group of nil.
func (s *history) plans(x *apptest.Tenant, values []any) map[string]any {
	plans := map[string]any{}
	var sent []operation
	for _, who := range slices.Sorted(maps.Keys(s.everybody())) {
		plans[who] = nil
		if s.random.IntN(5) == 0 {
			continue
		}
		plans[who] = values[s.random.IntN(len(values))]
		o := operation{"op": "set", "props": operation{"plan": plans[who]}}
		if anonymous, ok := strings.CutPrefix(who, "a:"); ok {
			o["anonymous_id"] = anonymous
		} else if o["user_id"] = who; s.random.IntN(2) == 0 { // said of the phone, it is known of the user whose it is
			for _, e := range s.events {
				if e.who == who && e.via != "" {
					delete(o, "user_id")
					o["anonymous_id"] = e.via
				}
			}
		}
		sent = append(sent, o)
	}
	x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", operationsOf(x, sent...)).Want(200)
	return plans
}

// size is by which a division ranks: the people who did something that the question considers, in the range.
func (s *history) size(kind string, who map[string]bool) int {
	in := map[string]bool{}
	for _, e := range s.events {
		if who[e.who] && !e.at.Before(s.end.AddDate(0, 0, -6)) && e.at.Before(s.end) && (kind != "stickiness" || e.name == "a") {
			in[e.who] = true
		}
	}
	return len(in)
}

// Each group of a breakdown by a property of profiles is the answer of a project in which only its people are, and the rest is that
// of a project of all others.
func TestAGroupByAProfileIsAProjectOfItsPeople(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	for seed := range uint64(4) {
		s := newHistory(200+seed, a.Clock.Now().UTC())
		x := a.Tenant(t)
		x.Ingest(s.of(s.everybody())...)
		plans := s.plans(x, []any{"pro", "free", 1.0, true})
		alone := func(holds func(plan any) bool) (*apptest.Tenant, map[string]bool) {
			who := map[string]bool{}
			for name, plan := range plans {
				who[name] = holds(plan)
			}
			only := a.Tenant(t)
			if events := s.of(who); len(events) > 0 {
				only.Ingest(events...)
			}
			return only, who
		}
		for kind, q := range s.kindsOf() {
			whole := answered(x, kind, q)
			top := 2 + int(seed)%2
			q["breakdown"] = map[string]any{"profile": "plan", "top": top}
			got := answered(x, kind, q)
			groups, other := got["groups"].([]any), got["other"]
			delete(got, "groups")
			delete(got, "other")
			delete(whole, "other")
			if !reflect.DeepEqual(got, whole) || len(groups) > top {
				t.Errorf("seed %d: %s in %d groups\ngot  %v\nwant %v", seed, kind, len(groups), got, whole)
			}
			delete(q, "breakdown")
			compare := func(name string, group any, only *apptest.Tenant) {
				want := answered(only, kind, q)
				for field, v := range group.(map[string]any) {
					if field != "value" && field != "values" && !reflect.DeepEqual(v, want[field]) {
						t.Errorf("seed %d: %s, %s of %s: %v, want %v", seed, kind, field, name, v, want[field])
					}
				}
			}
			var shown []any
			least := 1 << 30
			for _, g := range groups {
				value := g.(map[string]any)["value"]
				shown = append(shown, value)
				only, who := alone(func(plan any) bool { return plan == value })
				compare(fmt.Sprint(value), g, only)
				if n := s.size(kind, who); kind != "funnel" && kind != "retention" && kind != "sessions" {
					if n > least {
						t.Errorf("seed %d: %s shows %v with %d people behind one with %d", seed, kind, value, n, least)
					}
					least = n
				}
			}
			if other != nil {
				only, _ := alone(func(plan any) bool { return !slices.Contains(shown, plan) })
				compare("the rest", other, only)
			}
			s.behindDivided(t, x, kind, q, top, plans, shown)
		}
	}
}

// behindDivided checks that behind a number of each group are exactly those of the whole who are in it.
func (s *history) behindDivided(t *testing.T, x *apptest.Tenant, kind string, q map[string]any, top int, plans map[string]any, shown []any) {
	t.Helper()
	at := map[string]map[string]any{
		"funnel": {"step": 1}, "retention": {"row": 2, "period": 0}, "lifecycle": {"row": 3, "state": "new"}, "stickiness": {"period": 1, "at_least": true},
		"uniques": {}, "sessions": {}, "paths": {"step": 1, "other": false, "node": "b"},
	}[kind]
	ask := func(breakdown, at map[string]any) []string {
		q := maps.Clone(q)
		q["kind"] = kind
		if breakdown != nil {
			q["breakdown"] = breakdown
		}
		var p page
		x.Do("POST", "/v1/insights/people", map[string]any{"project_id": x.ProjectID, "question": q, "at": at, "limit": 1000}).Want(200).JSON(&p)
		people := []string{}
		for _, i := range p.Items {
			people = append(people, i.Person+" "+i.TS)
		}
		slices.Sort(people)
		return people
	}
	all := ask(nil, at)
	groups := map[string]func(plan any) bool{}
	for _, value := range append(slices.Clone(shown), "nobody's") {
		in := maps.Clone(at)
		if in["group"] = value; value == nil {
			delete(in, "group")
			in["no_value"] = true
		}
		want := s.among(all, plans, func(plan any) bool { return plan == value })
		if got := ask(map[string]any{"profile": "plan", "top": top}, in); !slices.Equal(got, want) {
			t.Errorf("%s: behind %v of %v are %q, want %q", kind, in, value, got, want)
		}
		groups[fmt.Sprint(value)] = nil
	}
	if kind == "paths" { // other is of nodes there
		return
	}
	rest := maps.Clone(at)
	rest["other"] = true
	want := s.among(all, plans, func(plan any) bool { return !slices.Contains(shown, plan) })
	if got := ask(map[string]any{"profile": "plan", "top": top}, rest); !slices.Equal(got, want) {
		t.Errorf("%s: behind the rest are %q, want %q", kind, got, want)
	}
}

// among are those of some people behind a number who have a plan.
func (s *history) among(all []string, plans map[string]any, holds func(plan any) bool) []string {
	out := []string{}
	for _, item := range all {
		name, _, _ := strings.Cut(item, " ")
		if holds(plans[name]) {
			out = append(out, item)
		}
	}
	return out
}

// A property with more values than are kept apart at once is answered in two passes, with the same groups.
func TestAProfileWithVeryManyValuesHasARest(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	const people, twins = 300, 5
	start := a.Clock.Now().Add(-5 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)
	var events []apptest.Event
	var sent []operation
	for i := range people {
		user := fmt.Sprintf("u%03d", i)
		events = append(events, apptest.Event{"name": "e", "user_id": user, "ts": start.Add(time.Duration(i) * time.Minute).Format(time.RFC3339)})
		sent = append(sent, operation{"op": "set", "user_id": user, "props": operation{"team": fmt.Sprint("t", max(i, twins))}})
	}
	x.Ingest(events...)
	x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", operationsOf(x, sent...)).Want(200)
	q := map[string]any{"from": start.Format(time.RFC3339), "to": start.AddDate(0, 0, 2).Format(time.RFC3339), "breakdown": map[string]any{"profile": "team", "top": 3}}
	got := answered(x, "uniques", q)
	groups, other := got["groups"].([]any), got["other"].(map[string]any)
	if len(groups) != 3 || groups[0].(map[string]any)["value"] != fmt.Sprint("t", twins) || groups[0].(map[string]any)["total"] != float64(twins+1) {
		t.Errorf("groups %v", groups)
	}
	if other["values"] != float64(people-twins-3) || other["total"] != float64(people-twins-1-2) {
		t.Errorf("the rest is %v", other)
	}
	lifecycle := answered(x, "lifecycle", q)
	if len(lifecycle["groups"].([]any)) != 3 || lifecycle["other"].(map[string]any)["values"] != other["values"] {
		t.Errorf("lifecycle %v", lifecycle)
	}
}

func TestADivisionNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	for _, tt := range []struct {
		operation, kind string
		breakdown       any
		want            string
	}{
		{"askUniques", "uniques", map[string]any{}, "/breakdown"},
		{"askUniques", "uniques", map[string]any{"profile": "plan", "cohorts": []string{"c"}}, "/breakdown/cohorts"},
		{"askFunnel", "funnel", map[string]any{"profile": "plan", "prop": "plan"}, "/breakdown/profile"},
		{"askFunnel", "funnel", map[string]any{"profile": "plan", "attribution": "last"}, "/breakdown/attribution"},
		{"askFunnel", "funnel", map[string]any{"profile": "plan", "step": 1}, "/breakdown/step"},
		{"askRetention", "retention", map[string]any{"profile": "plan.name"}, "/breakdown/profile"},
		{"askTrends", "trends", []any{map[string]any{"by": "profile"}}, "/breakdown/0/prop"},
		{"askTrends", "trends", []any{map[string]any{"by": "profile", "prop": "plan", "cohorts": []string{"c"}}}, "/breakdown/0/cohorts"},
	} {
		q := question(tt.operation, x.ProjectID.String())
		q["breakdown"] = tt.breakdown
		if got, _ := wrong(x.Do("POST", "/v1/insights/"+tt.kind, q)); got != tt.want {
			t.Errorf("%s by %v: %s, want %s", tt.kind, tt.breakdown, got, tt.want)
		}
	}
	q := question("askUniques", x.ProjectID.String())
	q["breakdown"] = map[string]any{"profile": "plan"}
	var answer struct{ Meta struct{ Definition string } }
	x.Do("POST", "/v1/insights/uniques", q).Want(200).JSON(&answer)
	if !strings.Contains(answer.Meta.Definition, " The groups are by plan of people's profiles, ") {
		t.Errorf("the definition is %s", answer.Meta.Definition)
	}
}
