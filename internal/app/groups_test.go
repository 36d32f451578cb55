package app_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// inCompanies says of each event of a history in which company it was done, in one of the ways in which events say so, and returns
// the same events as they would be had the companies done them themselves.
func (s *history) inCompanies(random *rand.Rand, who map[string]bool) (events, alone []apptest.Event) {
	for _, e := range s.of(s.everybody()) {
		props := e["props"].(map[string]any)
		key := []string{"acme", "globex", "initech", "7", ""}[random.IntN(5)]
		switch {
		case key == "":
			for name, v := range []map[string]any{{}, {"company": nil}, {"company": "null"}, {"company": true}, {"$groups": map[string]any{"team": "a"}}}[random.IntN(5)] {
				props[name] = v
			}
		case key == "7":
			props["company"] = 7
		case random.IntN(3) == 0:
			props["$groups"] = map[string]any{"company": key, "team": "b"}
		default:
			props["company"] = key
		}
		if random.IntN(3) == 0 { // that is one person's, and cuts no session of a company
			props["session_id"] = fmt.Sprint("s", random.IntN(3))
		}
		events = append(events, e)
		if key != "" && who[doer(s, e)] {
			alone = append(alone, apptest.Event{"name": e["name"], "ts": e["ts"], "user_id": key, "props": map[string]any{"day": props["day"]}})
		}
	}
	return events, alone
}

// doer is who did an event that is sent.
func doer(s *history, e apptest.Event) string {
	if user, ok := e["user_id"].(string); ok {
		return user
	}
	anonymous := e["anonymous_id"].(string)
	if n, ok := strings.CutPrefix(anonymous, "phone_"); ok {
		return "user_" + n
	}
	return "a:" + anonymous
}

// groupKinds are the questions of a history about every kind, with trends.
func (s *history) groupKinds() map[string]map[string]any {
	all := s.kindsOf()
	from, to := all["uniques"]["from"], all["uniques"]["to"]
	all["trends"] = map[string]any{"from": from, "to": to, "bucket": "1d", "breakdown": []any{map[string]any{"by": "name"}, map[string]any{"prop": "day"}}, "series": []any{
		map[string]any{"measure": "users"}, map[string]any{}, map[string]any{"measure": "users", "rolling_days": 3},
		map[string]any{"measure": "users", "cumulative": true}, map[string]any{"event": "a", "first_time": true}, map[string]any{"measure": "per_person_avg"}}}
	all["funnel"]["breakdown"] = map[string]any{"prop": "day", "top": 3}
	all["sessions"]["breakdown"] = map[string]any{"prop": "day", "top": 2}
	all["retention"]["breakdown"] = map[string]any{"prop": "day", "top": 2}
	return all
}

// A question that counts companies has the answer of a project in which each company did what was done in it.
func TestCompaniesAreCountedAsIfTheyHadDoneIt(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	const seeds = 5
	for seed := range uint64(seeds) {
		s := newHistory(300+seed, a.Clock.Now().UTC())
		random := rand.New(rand.NewPCG(300+seed, 2))
		x, alone, some := a.Tenant(t), a.Tenant(t), a.Tenant(t)
		people, asked := s.clause(1)
		events, theirs := s.inCompanies(rand.New(rand.NewPCG(seed, 2)), s.everybody())
		_, ofSome := s.inCompanies(rand.New(rand.NewPCG(seed, 2)), asked)
		x.Ingest(events...)
		alone.Ingest(theirs...)
		if len(ofSome) > 0 {
			some.Ingest(ofSome...)
		}
		id := liveCohort(x, "c", people)
		profilesOfCompanies(x, alone)
		if seed == 0 {
			buildParts(t, a)
			a.RunJob(t, "apply profile operations")
			sayOfCompany(x, alone, "acme", "team") // stored, and not applied yet
		}
		for kind, q := range s.groupKinds() {
			want, wantSome := answered(alone, kind, q), answered(some, kind, q)
			q["count_groups"] = "company"
			if got := answered(x, kind, q); !reflect.DeepEqual(got, want) {
				t.Errorf("seed %d: %s\ngot  %v\nwant %v", seed, kind, got, want)
			}
			behindCompanies(t, random, x, alone, kind, q)
			q["people"] = people
			if got := answered(x, kind, q); !reflect.DeepEqual(got, wantSome) {
				t.Errorf("seed %d: %s of those who %v\ngot  %v\nwant %v", seed, kind, people, got, wantSome)
			}
			delete(q, "people")
			q["breakdown"] = map[string]any{"profile": "plan", "top": 2}
			if kind == "trends" {
				q["breakdown"] = []any{map[string]any{"by": "profile", "prop": "plan"}}
			}
			of, people := answered(x, kind, q), answered(alone, kind, without(q, "count_groups"))
			if !reflect.DeepEqual(of, people) {
				t.Errorf("seed %d: %s by what is known of companies\ngot  %v\nwant %v", seed, kind, of, people)
			}
			if kind == "trends" {
				continue
			}
			q["breakdown"] = map[string]any{"cohorts": []string{id}}
			group := answered(x, kind, q)["groups"].([]any)[0].(map[string]any)
			for field, v := range group {
				if field != "value" && field != "cohort" && !reflect.DeepEqual(v, wantSome[field]) {
					t.Errorf("seed %d: %s, %s of the cohort: %v, want %v", seed, kind, field, v, wantSome[field])
				}
			}
		}
	}
}

// profilesOfCompanies says of some companies what plan they have, and the same of the people who stand for them.
func profilesOfCompanies(x, alone *apptest.Tenant) {
	for key, plan := range map[string]string{"acme": "pro", "globex": "free", "initech": "free"} {
		sayOfCompany(x, alone, key, plan)
	}
}

func sayOfCompany(x, alone *apptest.Tenant, key, plan string) {
	props := operation{"plan": plan}
	said := operationsOf(x, operation{"op": "set", "group": operation{"type": "company", "key": key}, "props": props})
	x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", said).Want(200)
	said = operationsOf(alone, operation{"op": "set", "user_id": key, "props": props})
	alone.With("X-API-Key", alone.Secret).Do("POST", "/v1/people/operations", said).Want(200)
}

// What is known of a company breaks down the question that counts companies, as of the moment of the question, and opens.
func TestCompaniesAreBrokenDownByTheirProfiles(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	now := a.Clock.Now().UTC()
	say := func(key, plan string) {
		said := operation{"op": "set", "group": operation{"type": "company", "key": key}, "props": operation{"plan": plan}}
		x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", operationsOf(x, said)).Want(200)
	}
	for i, key := range []string{"acme", "acme", "globex", "initech"} {
		x.Ingest(apptest.Event{"name": "e", "user_id": fmt.Sprint("u", i), "ts": now.Format(time.RFC3339), "props": map[string]any{"company": key}})
	}
	say("acme", "pro")
	say("globex", "pro")
	a.RunJob(t, "apply profile operations")
	a.Clock.Add(time.Second)
	before := a.Clock.Now().UTC()
	a.Clock.Add(time.Second)
	say("acme", "free")
	q := map[string]any{"project_id": x.ProjectID, "from": now.Add(-time.Hour).Format(time.RFC3339), "to": now.Add(time.Hour).Format(time.RFC3339),
		"count_groups": "company", "breakdown": map[string]any{"profile": "plan"}}
	sizes := func() string {
		var answer struct {
			Groups []struct {
				Value any
				Total int
			}
		}
		x.Do("POST", "/v1/insights/uniques", q).Want(200).JSON(&answer)
		return fmt.Sprint(answer.Groups)
	}
	for range 2 { // before that is applied, and after
		if got := sizes(); got != "[{<nil> 1} {free 1} {pro 1}]" {
			t.Errorf("the groups are %s", got)
		}
		q["as_of"] = before.Format(time.RFC3339Nano)
		if got := sizes(); got != "[{pro 2} {<nil> 1}]" {
			t.Errorf("as of a moment before, the groups were %s", got)
		}
		delete(q, "as_of")
		a.RunJob(t, "apply profile operations")
	}
	question := without(q, "project_id")
	question["kind"] = "uniques"
	body := map[string]any{"project_id": x.ProjectID, "question": question, "at": map[string]any{"group": "free"}}
	if text := string(x.Do("POST", "/v1/insights/people/csv", body).Want(200).Body); !strings.HasPrefix(text, "group_key,ts\nacme,") || strings.Count(text, "\n") != 2 {
		t.Errorf("behind the companies with the plan is %q", text)
	}
}

func buildParts(t *testing.T, a *apptest.App) {
	t.Helper()
	a.Exec(t, "UPDATE arrivals SET created_at = now() - interval '1 hour'")
	nimbustest.Eventually(t, "the events are in parts", func() bool {
		a.RunJob(t, "build parts")
		var waiting int
		a.Query(t, "SELECT count(*) FROM arrivals", &waiting)
		return waiting == 0
	})
}

// behindCompanies checks that behind a number are the companies that the other project has as people, on pages of two.
func behindCompanies(t *testing.T, random *rand.Rand, x, alone *apptest.Tenant, kind string, q map[string]any) {
	t.Helper()
	at := map[string]map[string]any{
		"funnel": {"step": 1 + random.IntN(2)}, "retention": {"row": random.IntN(5), "period": random.IntN(2)},
		"lifecycle":  {"row": random.IntN(5), "state": []string{"new", "returning", "dormant"}[random.IntN(3)]},
		"stickiness": {"period": 1, "at_least": true}, "uniques": {"row": random.IntN(5)}, "sessions": {}, "paths": {"step": 1, "node": "b"},
		"trends": {"series": random.IntN(6)},
	}[kind]
	ask := func(of *apptest.Tenant, q map[string]any, limit int) []string {
		q = maps.Clone(q)
		q["kind"] = kind
		var people []string
		var cursor *string
		for {
			body := map[string]any{"project_id": of.ProjectID, "question": q, "at": at, "limit": limit}
			if cursor != nil {
				body["cursor"] = *cursor
			}
			var p page
			of.Do("POST", "/v1/insights/people", body).Want(200).JSON(&p)
			for _, i := range p.Items {
				people = append(people, i.Person+" "+i.TS)
			}
			if cursor = p.NextCursor; cursor == nil {
				slices.Sort(people)
				return people
			}
		}
	}
	want := ask(alone, without(q, "count_groups"), 1000)
	if got := ask(x, q, 2); !slices.Equal(got, want) {
		t.Errorf("%s: behind %v are %q, want %q", kind, at, got, want)
	}
}

func TestCountingGroupsSaysSoAndRefusesWhatIsOfPeople(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	now := time.Now().UTC().Add(-time.Hour)
	x.Ingest(apptest.Event{"name": "e", "user_id": "ann", "ts": now.Format(time.RFC3339), "props": map[string]any{"company": "acme"}})
	q := map[string]any{"project_id": x.ProjectID, "from": now.Add(-time.Hour).Format(time.RFC3339), "to": now.Add(time.Hour).Format(time.RFC3339), "count_groups": "company"}
	var answer struct {
		Total int
		Meta  struct{ Definition string }
	}
	x.Do("POST", "/v1/insights/uniques", q).Want(200).JSON(&answer)
	if answer.Total != 1 || !strings.Contains(answer.Meta.Definition, " Groups of the type company are counted in place of people: ") {
		t.Errorf("%+v", answer)
	}
	question := without(q, "project_id")
	question["kind"] = "uniques"
	body := map[string]any{"project_id": x.ProjectID, "question": question, "at": map[string]any{}}
	if text := string(x.Do("POST", "/v1/insights/people/csv", body).Want(200).Body); !strings.HasPrefix(text, "group_key,ts\nacme,") {
		t.Errorf("the export is %q", text)
	}
	behind := map[string]any{"question": question, "at": map[string]any{}}
	got, _ := wrong(x.Do("POST", cohortsOf(x), map[string]any{"name": "c", "kind": "fixed", "behind": behind}))
	if got != "/behind/question/count_groups" {
		t.Errorf("a cohort of groups: %s", got)
	}
}
