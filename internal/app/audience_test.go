package app_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// did is an event of a stream.
type did struct {
	who  string // the user, or a: and the anonymous id
	via  string // the anonymous id by which a user did it; empty: as himself
	name string
	at   time.Time
}

// stream is random events of some people, who partly did them before it was known who they are.
type stream struct {
	random *rand.Rand
	events []did
	end    time.Time
}

func newStream(seed uint64, end time.Time) *stream {
	s := &stream{random: rand.New(rand.NewPCG(seed, 1)), end: end.Truncate(time.Hour)}
	for i := range 60 + s.random.IntN(60) { // no two at once: their order would be that of their ids
		e := did{name: string("abcd"[s.random.IntN(4)]), at: s.end.Add(time.Duration(i)*time.Second - time.Duration(1+s.random.IntN(8*24))*time.Hour)}
		if n := s.random.IntN(10); n < 7 {
			if e.who = fmt.Sprint("user_", n); s.random.IntN(3) == 0 {
				e.via = fmt.Sprint("phone_", n)
			}
		} else {
			e.who = fmt.Sprint("a:anon_", n)
		}
		s.events = append(s.events, e)
	}
	return s
}

// of are the events of some people, as they are sent. That a phone is a user's is said by an event of its own.
func (s *stream) of(people map[string]bool) []apptest.Event {
	var out []apptest.Event
	linked := map[string]bool{}
	for _, e := range s.events {
		if !people[e.who] {
			continue
		}
		sent := apptest.Event{"name": e.name, "ts": e.at.Format(time.RFC3339), "props": map[string]any{"day": e.at.Weekday().String()}}
		switch anonymous, isAnonymous := strings.CutPrefix(e.who, "a:"); {
		case isAnonymous:
			sent["anonymous_id"] = anonymous
		case e.via != "":
			sent["anonymous_id"] = e.via
			if !linked[e.via] { // the first of them says whose it is, the others are told apart by nothing else
				sent["user_id"], linked[e.via] = e.who, true
			}
		default:
			sent["user_id"] = e.who
		}
		out = append(out, sent)
	}
	return out
}

// everybody who did something.
func (s *stream) everybody() map[string]bool {
	out := map[string]bool{}
	for _, e := range s.events {
		out[e.who] = true
	}
	return out
}

// clause is a random clause, and who it holds of by its words.
func (s *stream) clause(depth int) (map[string]any, map[string]bool) {
	kinds := 2
	if depth > 0 {
		kinds = 5
	}
	name := string("abcd"[s.random.IntN(4)])
	out := map[string]bool{}
	switch s.random.IntN(kinds) {
	case 0: // did it so often
		least, days := 1+s.random.IntN(3), 1+s.random.IntN(8)
		for who := range s.everybody() {
			n := 0
			for _, e := range s.events {
				if e.who == who && e.name == name && !e.at.Before(s.end.AddDate(0, 0, -days)) {
					n++
				}
			}
			out[who] = n >= least
		}
		return map[string]any{"op": "did", "event": name, "times": map[string]any{"gte": least},
			"within": map[string]any{"from": s.end.AddDate(0, 0, -days).Format(time.RFC3339)}}, out
	case 1: // did it at most once
		for who := range s.everybody() {
			n := 0
			for _, e := range s.events {
				if e.who == who && e.name == name {
					n++
				}
			}
			out[who] = n <= 1
		}
		return map[string]any{"op": "did", "event": name, "times": map[string]any{"lte": 1}}, out
	case 2:
		under, holds := s.clause(depth - 1)
		for who := range s.everybody() {
			out[who] = !holds[who]
		}
		return map[string]any{"op": "not", "clause": under}, out
	default:
		one, x := s.clause(depth - 1)
		two, y := s.clause(depth - 1)
		and := s.random.IntN(2) == 0
		for who := range s.everybody() {
			if out[who] = x[who] || y[who]; and {
				out[who] = x[who] && y[who]
			}
		}
		return map[string]any{"op": map[bool]string{true: "and", false: "or"}[and], "clauses": []any{one, two}}, out
	}
}

func both(x, y map[string]bool) map[string]bool {
	out := maps.Clone(x)
	for who := range out {
		out[who] = out[who] && y[who]
	}
	return out
}

// kindsOf are a question of each kind, by its kind.
func (s *stream) kindsOf() map[string]map[string]any {
	step := func(name string) map[string]any { return map[string]any{"event": name} }
	all := map[string]map[string]any{
		"funnel":     {"steps": []any{step("a"), step("b"), step("c")}, "bucket": "1d"},
		"retention":  {"start": step("a"), "return": map[string]any{}, "periods": 4},
		"lifecycle":  {},
		"stickiness": {"event": "a"},
		"uniques":    {"bucket": "1d"},
		"paths":      {"depth": 3},
		"sessions":   {"bucket": "1d"},
	}
	for _, q := range all {
		q["from"], q["to"] = s.end.AddDate(0, 0, -6).Format(time.RFC3339), s.end.Format(time.RFC3339)
	}
	return all
}

func asked(x *apptest.Tenant, kind string, q map[string]any) map[string]any {
	q = maps.Clone(q)
	q["project_id"] = x.ProjectID
	var answer map[string]any
	x.Do("POST", "/v1/insights/"+kind, q).Want(200).JSON(&answer)
	delete(answer, "meta")
	return answer
}

// A question that asks some people is the same question of a project which has no others; so is the group of a cohort.
func TestPeopleAndGroupsAreThoseOfAProjectWithoutOthers(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	const rounds = 8
	for seed := range uint64(rounds) {
		s := newStream(seed, a.Clock.Now().UTC())
		x := a.Tenant(t)
		x.Ingest(s.of(s.everybody())...)
		people, asks := s.clause(2)
		where, inLive := s.clause(2)
		inFixed, listed := map[string]bool{}, map[string][]string{"user_ids": {"nobody"}}
		for who := range s.everybody() {
			if inFixed[who] = s.random.IntN(2) == 0; !inFixed[who] {
				continue
			}
			if anonymous, ok := strings.CutPrefix(who, "a:"); ok {
				listed["anonymous_ids"] = append(listed["anonymous_ids"], anonymous)
			} else {
				listed["user_ids"] = append(listed["user_ids"], who)
			}
		}
		live, fixed := liveCohort(x, "live", where), fixedCohort(x, "fixed")
		x.Do("POST", cohortsOf(x)+"/"+fixed+"/people", listed).Want(200)
		only := map[string]*apptest.Tenant{}
		for name, who := range map[string]map[string]bool{"": asks, live: both(asks, inLive), fixed: both(asks, inFixed)} {
			only[name] = a.Tenant(t)
			if events := s.of(who); len(events) > 0 {
				only[name].Ingest(events...)
			}
		}
		for kind, q := range s.kindsOf() {
			want := asked(only[""], kind, q)
			q["people"], q["breakdown"] = people, map[string]any{"cohorts": []string{"live", fixed}}
			got := asked(x, kind, q)
			groups, _ := got["groups"].([]any)
			delete(got, "groups")
			if !reflect.DeepEqual(got, want) || len(groups) != 2 {
				t.Errorf("seed %d: %s of %v in %d groups\ngot  %v\nwant %v", seed, kind, people, len(groups), got, want)
			}
			delete(q, "people")
			delete(q, "breakdown")
			for i, id := range []string{live, fixed} {
				group, want := groups[i].(map[string]any), asked(only[id], kind, q)
				if group["value"] != id || group["cohort"] != []string{"live", "fixed"}[i] {
					t.Errorf("seed %d: group %d of %s is called %v, %v", seed, i, kind, group["value"], group["cohort"])
				}
				delete(group, "value")
				delete(group, "cohort")
				for field, v := range group {
					if !reflect.DeepEqual(v, want[field]) {
						t.Errorf("seed %d: %s, %s of cohort %d in %v: %v, want %v", seed, kind, field, i, people, v, want[field])
					}
				}
			}
		}
	}
}

func TestADefinitionSaysWhoIsConsidered(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	id := liveCohort(x, "Buyers", didE)
	q := question("askUniques", x.ProjectID.String())
	q["people"] = map[string]any{"op": "and", "clauses": []any{map[string]any{"op": "not", "clause": inCohort(id)},
		map[string]any{"op": "first", "event": "f", "within": map[string]any{"last_days": 7}}}}
	q["breakdown"] = map[string]any{"cohorts": []string{id}}
	var answer struct{ Meta struct{ Definition string } }
	x.Do("POST", "/v1/insights/uniques", q).Want(200).JSON(&answer)
	for _, want := range []string{
		" Only people who (are not among those who are in the cohort Buyers and did f for the first time ever in the last 7 days) are considered.",
		" The groups are the people in the cohorts Buyers: a person may be in several of them or in none, so they do not add up to the whole.",
	} {
		if !strings.Contains(answer.Meta.Definition, want) {
			t.Errorf("the definition is\n%s\nwithout\n%s", answer.Meta.Definition, want)
		}
	}
}

// page is a page of the people behind a number.
type page struct {
	Items      []struct{ Person, TS string }
	Total      int
	NextCursor *string `json:"next_cursor"`
}

// The people behind a number are as many as it says, each once a moment, on all pages together, whatever happens meanwhile.
func TestTheLastPageEndsWhereTheNumberSays(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	s := newStream(7, a.Clock.Now().UTC())
	x := a.Tenant(t)
	x.Ingest(s.of(s.everybody())...)
	half, _ := s.clause(1)
	id := liveCohort(x, "half", half)
	people, _ := s.clause(0)
	built := false
	// between the pages others come, and those who are there get the numbers that stay
	meanwhile := func(n int) {
		x.Ingest(apptest.Event{"name": "a", "user_id": fmt.Sprint("a-new-one-", n), "ts": s.end.Add(-time.Hour).Format(time.RFC3339)})
		if built {
			return
		}
		a.Exec(t, "UPDATE arrivals SET created_at = now() - interval '1 hour'")
		nimbustest.Eventually(t, "they are in parts", func() bool {
			a.RunJob(t, "build parts")
			var waiting int
			a.Query(t, "SELECT count(*) FROM arrivals", &waiting)
			return waiting == 0
		})
		built = true
	}
	for name, q := range map[string]map[string]any{
		"everybody": {}, "of some": {"people": people}, "in a cohort": {"breakdown": map[string]any{"cohorts": []string{id}}},
		"of some, in a cohort": {"people": people, "breakdown": map[string]any{"cohorts": []string{"half"}}},
	} {
		built = false
		maps.Copy(q, map[string]any{"kind": "uniques", "from": s.end.AddDate(0, 0, -6).Format(time.RFC3339), "to": s.end.Format(time.RFC3339)})
		at := map[string]any{}
		number := asked(x, "uniques", without(q, "kind"))
		want := number["total"].(float64)
		if q["breakdown"] != nil {
			at["group"] = id
			want = number["groups"].([]any)[0].(map[string]any)["total"].(float64)
		}
		seen := map[string]bool{}
		var cursor *string
		for n := 0; ; n++ {
			body := map[string]any{"project_id": x.ProjectID, "question": q, "at": at, "limit": 2}
			if cursor != nil {
				body["cursor"] = *cursor
			}
			var p page
			x.Do("POST", "/v1/insights/people", body).Want(200).JSON(&p)
			if p.Total != int(want) {
				t.Errorf("%s: the total of page %d is %d, want %v", name, n, p.Total, want)
			}
			for _, i := range p.Items {
				if seen[i.Person] {
					t.Errorf("%s: %s is on two pages", name, i.Person)
				}
				seen[i.Person] = true
			}
			if cursor = p.NextCursor; cursor == nil {
				break
			}
			if len(p.Items) != 2 {
				t.Errorf("%s: page %d has %d people", name, n, len(p.Items))
			}
			meanwhile(len(seen))
		}
		if len(seen) != int(want) {
			t.Errorf("%s: %d people are on the pages, want %v", name, len(seen), want)
		}
	}
}

func without(q map[string]any, name string) map[string]any {
	out := maps.Clone(q)
	delete(out, name)
	return out
}

// Every number of a funnel, with people and a cohort: as many as are behind it.
func TestBehindEveryNumberOfAnAudienceAreSoMany(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	for seed := range uint64(3) {
		s := newStream(100+seed, a.Clock.Now().UTC())
		x := a.Tenant(t)
		x.Ingest(s.of(s.everybody())...)
		where, _ := s.clause(2)
		id := liveCohort(x, "c", where)
		people, _ := s.clause(1)
		q := s.kindsOf()["funnel"]
		q["people"], q["breakdown"] = people, map[string]any{"cohorts": []string{id}}
		answer := asked(x, "funnel", q)
		q["kind"] = "funnel"
		groups := []any{answer, answer["groups"].([]any)[0]}
		for i, at := range []map[string]any{{}, {"group": id}} {
			for step, n := range groups[i].(map[string]any)["counts"].([]any) {
				at["step"] = step + 1
				var p page
				x.Do("POST", "/v1/insights/people", map[string]any{"project_id": x.ProjectID, "question": q, "at": at, "limit": 1000}).Want(200).JSON(&p)
				if float64(p.Total) != n || len(p.Items) != p.Total {
					t.Errorf("seed %d: behind step %d of %v are %d people, want %v", seed, step+1, at, p.Total, n)
				}
			}
		}
	}
}

func TestACohortThatIsNotInTheBreakdownHasNobodyBehindIt(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	id, other := liveCohort(x, "c", didE), liveCohort(x, "d", didE)
	q := map[string]any{"kind": "sessions", "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z", "breakdown": map[string]any{"cohorts": []string{id}}}
	for field, at := range map[string]map[string]any{"/at/group": {"group": other}, "/at/other": {"other": true}, "/at/no_value": {"no_value": true}} {
		if got, _ := wrong(x.Do("POST", "/v1/insights/people", map[string]any{"project_id": x.ProjectID, "question": q, "at": at})); got != field {
			t.Errorf("%v: %s", at, got)
		}
	}
	cursors := []string{"x", "AAAA", "e30"}
	for _, cursor := range cursors {
		if got, _ := wrong(x.Do("POST", "/v1/insights/people", map[string]any{"project_id": x.ProjectID, "question": q, "at": map[string]any{"group": id}, "cursor": cursor})); got != "/cursor" {
			t.Errorf("the cursor %q: %s", cursor, got)
		}
	}
}
