package app_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/apptest"
)

type operation map[string]any

type operationsResult struct {
	Accepted, Duplicates, Rejected int
	Errors                         []struct {
		Index         int
		Pointer, Code string
	}
}

func operationsOf(x *apptest.Tenant, operations ...operation) map[string]any {
	return map[string]any{"project_id": x.ProjectID, "operations": operations}
}

func TestOperationsThatAreBadDoNotHarmTheirNeighbours(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	group := func(kind, key string) operation { return operation{"type": kind, "key": key} }
	some := operation{"plan": "pro"}
	bad := []struct {
		operation operation
		want      []string
	}{
		{operation{"op": "set", "props": some}, []string{" required"}},
		{operation{"op": "set", "user_id": "u"}, []string{"/props required"}},
		{operation{"op": "change", "user_id": "u", "props": some}, []string{"/op enum"}},
		{operation{"op": "set", "user_id": "null", "anonymous_id": "undefined", "props": some}, []string{"/user_id nobody", "/anonymous_id nobody"}},
		{operation{"op": "set", "user_id": "u", "group": group("company", "acme"), "props": some}, []string{"/group conflict"}},
		{operation{"op": "set", "group": group("company", "0"), "props": some}, []string{"/group/key nobody"}},
		{operation{"op": "add", "user_id": "u", "props": operation{"n": "1"}}, []string{"/props type"}},
		{operation{"op": "unset", "user_id": "u"}, []string{"/names required"}},
		{operation{"op": "unset", "user_id": "u", "props": some}, []string{"/names required", "/props conflict"}},
		{operation{"op": "delete", "user_id": "u", "props": some, "names": []string{"plan"}}, []string{"/props conflict", "/names conflict"}},
		{operation{"op": "set", "user_id": "u", "props": some, "names": []string{"plan"}, "ts": time.Now().AddDate(0, 0, 2)},
			[]string{"/names conflict", "/ts maximum"}},
		{operation{"op": "delete", "user_id": "u", "else": 1, "ts": "yesterday"}, []string{"/else unknown_member", "/ts format"}},
	}
	good := []operation{
		{"op": "set", "user_id": "u", "anonymous_id": "a", "props": operation{}},
		{"op": "add", "group": group("company", "acme"), "props": operation{"seats": 1.5, "less": -2}},
		{"op": "unset", "anonymous_id": "a", "names": []string{"plan"}},
		{"op": "delete", "user_id": "null", "anonymous_id": "b"},
	}
	var sent []operation
	var want []string
	for i, c := range bad {
		sent = append(sent, c.operation)
		for _, w := range c.want {
			want = append(want, "/operations/"+strconv.Itoa(i)+w)
		}
	}
	var got operationsResult
	change := func(operations ...operation) *apptest.Reply {
		return x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", operationsOf(x, operations...))
	}
	change(slices.Concat(sent, good)...).Want(200).JSON(&got)
	if got.Accepted != len(good) || got.Duplicates != 0 || got.Rejected != len(bad) {
		t.Errorf("%+v", got)
	}
	var errs []string
	for _, e := range got.Errors {
		errs = append(errs, e.Pointer+" "+e.Code)
	}
	slices.Sort(errs)
	slices.Sort(want)
	if !slices.Equal(errs, want) {
		t.Errorf("got  %q\nwant %q", errs, want)
	}
	change(sent...).WantCode(422, "all_operations_rejected")
	change().WantCode(422, "validation_failed")
	change(slices.Repeat([]operation{good[0]}, 1001)...).WantCode(422, "validation_failed")
}

func TestAnOperationSentAgainIsStoredOnce(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	send := func(x *apptest.Tenant, want operationsResult, operations ...operation) {
		t.Helper()
		var got operationsResult
		x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", operationsOf(x, operations...)).Want(200).JSON(&got)
		if got.Accepted != want.Accepted || got.Duplicates != want.Duplicates {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	visit := operation{"op": "add", "user_id": "u", "idempotency_key": "k", "props": operation{"visits": 1}}
	dated := func(o operation, change operation) operation {
		o = operation{"op": o["op"], "user_id": o["user_id"], "idempotency_key": o["idempotency_key"], "props": o["props"]}
		for name, v := range change {
			o[name] = v
		}
		return o
	}
	send(x, operationsResult{Accepted: 1}, visit)
	send(x, operationsResult{Duplicates: 1}, visit)
	send(x, operationsResult{Duplicates: 2}, dated(visit, operation{"ts": at}), dated(visit, operation{"ts": at.Add(time.Hour)}))
	send(x, operationsResult{Accepted: 3, Duplicates: 1}, dated(visit, operation{"user_id": "other"}), dated(visit, operation{"op": "append"}),
		dated(visit, operation{"idempotency_key": "k2"}), dated(visit, operation{"idempotency_key": "k2"}))
	send(a.Tenant(t), operationsResult{Accepted: 1}, visit) // of another project

	body, err := json.Marshal(operationsOf(x, operation{"op": "add", "user_id": "u", "props": operation{"visits": 1}},
		operation{"op": "add", "user_id": "u", "props": operation{"visits": 1}}))
	if err != nil {
		t.Fatal(err)
	}
	signed := a.Clock.Now().Unix()
	for _, want := range []operationsResult{{Accepted: 2}, {Duplicates: 2}} {
		var got operationsResult
		x.Send(x.Client.Signed(x.KeyID, x.Secret, "POST", "/v1/people/operations", body, signed)).Want(200).JSON(&got)
		if got.Accepted != want.Accepted || got.Duplicates != want.Duplicates {
			t.Errorf("signed: %+v, want %+v", got, want)
		}
	}
}

// changeProfiles sends operations as a server does.
func changeProfiles(x *apptest.Tenant, operations ...operation) {
	x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", operationsOf(x, operations...)).Want(200)
}

type personRow struct {
	Person    string
	Props     map[string]any
	Events    int
	FirstSeen *time.Time `json:"first_seen"`
	LastSeen  *time.Time `json:"last_seen"`
}

type peoplePage struct {
	Items      []personRow
	NextCursor *string `json:"next_cursor"`
	Total      int
}

func (p *peoplePage) names() []string {
	names := []string{}
	for _, i := range p.Items {
		names = append(names, i.Person)
	}
	slices.Sort(names)
	return names
}

// foldedAndNot runs what is said of people twice: while operations wait, and after they were applied.
func foldedAndNot(t *testing.T, a *apptest.App, fn func(t *testing.T)) {
	t.Helper()
	t.Run("pending", fn)
	a.RunJob(t, "apply profile operations")
	t.Run("applied", fn)
}

func TestPeopleAreFoundByWhoTheyAreAndWhatTheyDid(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	x.Ingest(
		apptest.Event{"name": "visit", "anonymous_id": "anon-1", "ts": "2026-01-02T10:00:00Z"},
		apptest.Event{"name": "buy", "user_id": "U-Zoe", "anonymous_id": "anon-1", "ts": "2026-01-03T10:00:00Z"},
		apptest.Event{"name": "visit", "user_id": "bob", "ts": "2026-01-04T10:00:00Z"},
		apptest.Event{"name": "crawl", "user_id": "bob", "ts": "2026-01-09T10:00:00Z", "props": map[string]any{"$bot": true}},
	)
	changeProfiles(x,
		operation{"op": "set", "user_id": "U-Zoe", "props": operation{"name": "Zoë Müller", "plan": "pro", "tags": []string{"a", "b"}}},
		operation{"op": "set", "user_id": "quiet", "props": operation{"$email": "Quiet@Example.com", "plan": "free", "seats": 3}},
		operation{"op": "set", "anonymous_id": "anon-1", "props": operation{"plan": "free", "colour": "red"}, "ts": "2026-01-01T10:00:00Z"},
		operation{"op": "set", "user_id": "gone", "props": operation{"plan": "pro"}, "ts": "2026-01-01T10:00:00Z"},
		operation{"op": "delete", "user_id": "gone"},
	)
	foldedAndNot(t, a, func(t *testing.T) {
		list := func(query string) peoplePage {
			t.Helper()
			var page peoplePage
			x.Do("GET", "/v1/people?project_id="+x.ProjectID.String()+query, nil).Want(200).JSON(&page)
			return page
		}
		find := func(body map[string]any) peoplePage {
			t.Helper()
			body["project_id"] = x.ProjectID
			var page peoplePage
			x.Do("POST", "/v1/people/query", body).Want(200).JSON(&page)
			return page
		}
		eq := func(prop string, v any) map[string]any {
			return map[string]any{"op": "profile", "filter": map[string]any{"op": "eq", "prop": prop, "value": v}}
		}
		did := map[string]any{"op": "did", "event": "visit"}
		for query, want := range map[string][]string{
			"":                                    {"U-Zoe", "bob", "quiet"},
			"&search=ZOE":                         {"U-Zoe"},
			"&search=m%C3%BCller":                 {"U-Zoe"},
			"&search=muller":                      {"U-Zoe"},
			"&search=non-1":                       {"U-Zoe"},
			"&search=%25":                         {},
			"&search=quiet%40example.":            {"quiet"},
			"&props=%7B%22plan%22%3A%22pro%22%7D": {"U-Zoe"},
			"&props=%7B%22tags%22%3A%5B%22b%22%5D%7D":          {"U-Zoe"},
			"&props=%7B%22seats%22%3A3.0%7D":                   {"quiet"},
			"&props=%7B%22plan%22%3A%22pro%22%7D&search=quiet": {},
		} {
			if got := list(query); !slices.Equal(got.names(), want) || got.Total != len(want) {
				t.Errorf("%s: %q of %d, want %q", query, got.names(), got.Total, want)
			}
		}
		for name, c := range map[string]struct {
			body map[string]any
			want []string
		}{
			"a profile":     {map[string]any{"where": eq("plan", "free")}, []string{"quiet"}},
			"no plan":       {map[string]any{"where": map[string]any{"op": "not", "clause": eq("plan", "pro")}}, []string{"bob", "quiet"}},
			"what they did": {map[string]any{"where": did}, []string{"U-Zoe", "bob"}},
			"both":          {map[string]any{"where": map[string]any{"op": "and", "clauses": []any{did, eq("colour", "red")}}}, []string{"U-Zoe"}},
			"bots":          {map[string]any{"where": map[string]any{"op": "did", "event": "crawl"}}, []string{}},
			"bots count":    {map[string]any{"where": map[string]any{"op": "did", "event": "crawl"}, "include_bots": true}, []string{"bob"}},
		} {
			if got := find(c.body); !slices.Equal(got.names(), c.want) {
				t.Errorf("%s: %q, want %q", name, got.names(), c.want)
			}
		}
		got := find(map[string]any{"search": "zoe", "columns": []string{"plan", "colour", "none"}})
		if p := got.Items[0]; !reflect.DeepEqual(p.Props, map[string]any{"plan": "pro", "colour": "red"}) || p.Events != 2 ||
			p.FirstSeen.Day() != 2 || p.LastSeen.Day() != 3 {
			t.Errorf("%+v", p)
		}
		if p := list("&search=bob").Items[0]; p.Events != 1 || p.LastSeen.Day() != 4 || len(p.Props) != 0 {
			t.Errorf("%+v", p)
		}
		var paged []string
		for cursor := ""; ; {
			page := list("&limit=2" + cursor)
			paged = append(paged, page.names()...)
			if page.NextCursor == nil {
				break
			}
			cursor = "&cursor=" + *page.NextCursor
		}
		if slices.Sort(paged); !slices.Equal(paged, []string{"U-Zoe", "bob", "quiet"}) {
			t.Errorf("pages have %q", paged)
		}
	})
	x.Do("GET", "/v1/people?cursor=x&project_id="+x.ProjectID.String(), nil).WantCode(422, "validation_failed")
	x.Do("POST", "/v1/people/query", map[string]any{"project_id": x.ProjectID, "cursor": "-1"}).WantCode(422, "validation_failed")
}

type touch struct {
	Source, Medium, Campaign, Referrer string
	LandingPage                        string `json:"landing_page"`
}

func TestAPersonIsShownWithAllHisIDs(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	x.Ingest(
		apptest.Event{"name": "page_view", "anonymous_id": "a-1", "ts": "2026-01-02T10:00:00Z",
			"props": map[string]any{"url": "https://shop.example/a", "utm_source": "news", "utm_medium": "mail", "utm_campaign": "spring"}},
		apptest.Event{"name": "sign_up", "anonymous_id": "a-1", "ts": "2026-01-02T10:05:00Z"},
		apptest.Event{"name": "page_view", "user_id": "ada/1", "ts": "2026-01-03T10:00:00Z",
			"props": map[string]any{"$current_url": "https://shop.example/b", "$referrer": "https://search.example"}},
		apptest.Event{"name": "page_view", "user_id": "old-ada", "ts": "2026-01-04T10:00:00Z", "props": map[string]any{"page": "/c"}},
	)
	changeProfiles(x,
		operation{"op": "set", "user_id": "ada/1", "anonymous_id": "a-1", "props": operation{}, "ts": "2026-01-02T11:00:00Z"},
		operation{"op": "set", "user_id": "old-ada", "props": operation{"name": "Old", "since": 2019}, "ts": "2025-01-01T00:00:00Z"},
		operation{"op": "set", "user_id": "ada/1", "props": operation{"name": "Ada"}, "ts": "2025-06-01T00:00:00Z"},
	)
	var merge struct{ ID string }
	pair := map[string]any{"project_id": x.ProjectID, "from": "old-ada", "into": "ada/1"}
	x.Do("POST", "/v1/people-merges", pair).Want(201).JSON(&merge)
	var again struct{ ID string }
	if x.Do("POST", "/v1/people-merges", pair).Want(201).JSON(&again); again != merge {
		t.Errorf("the same merge is %s and %s", merge.ID, again.ID)
	}
	project := "?project_id=" + x.ProjectID.String()
	type person struct {
		Person       string
		UserIDs      []string `json:"user_ids"`
		AnonymousIDs []string `json:"anonymous_ids"`
		Props        map[string]any
		Events       int
		Sessions     int
		FirstTouch   *touch `json:"first_touch"`
		LastTouch    *touch `json:"last_touch"`
	}
	foldedAndNot(t, a, func(t *testing.T) {
		want := person{Person: "ada/1", UserIDs: []string{"ada/1", "old-ada"}, AnonymousIDs: []string{"a-1"},
			Props: map[string]any{"name": "Ada", "since": 2019.}, Events: 4, Sessions: 3,
			FirstTouch: &touch{"news", "mail", "spring", "", "https://shop.example/a"},
			LastTouch:  &touch{Referrer: "https://search.example", LandingPage: "https://shop.example/b"}}
		for _, id := range []string{"ada%2F1", "u:ada%2F1", "old-ada", "a-1", "a:a-1"} {
			var got person
			x.Do("GET", "/v1/people/"+id+project, nil).Want(200).JSON(&got)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v, want %+v", id, got, want)
			}
		}
		var starts []string
		for cursor := ""; ; {
			var page struct {
				Items []struct {
					Start, End time.Time
					Events     int
					Touch      touch
					Timeline   []struct{ Name string }
				}
				NextCursor *string `json:"next_cursor"`
			}
			x.Do("GET", "/v1/people/a-1/sessions"+project+"&limit=2"+cursor, nil).Want(200).JSON(&page)
			for _, s := range page.Items {
				starts = append(starts, s.Start.Format("01-02"))
				if len(s.Timeline) != s.Events || s.Touch.LandingPage == "" || s.Timeline[0].Name != "page_view" {
					t.Errorf("%+v", s)
				}
			}
			if page.NextCursor == nil {
				break
			}
			cursor = "&cursor=" + *page.NextCursor
		}
		if !slices.Equal(starts, []string{"01-04", "01-03", "01-02"}) {
			t.Errorf("sessions %q", starts)
		}
	})
	x.Do("GET", "/v1/people/nobody-here"+project, nil).WantCode(404, "not_found")
	x.Do("GET", "/v1/people/a-1/sessions"+project+"&cursor=1", nil).WantCode(422, "validation_failed")

	x.Do("DELETE", "/v1/people-merges/"+merge.ID+project, nil).Want(204)
	x.Do("DELETE", "/v1/people-merges/"+merge.ID+project, nil).WantCode(404, "not_found")
	var apart person
	x.Do("GET", "/v1/people/old-ada"+project, nil).Want(200).JSON(&apart)
	if apart.Person != "old-ada" || apart.Events != 1 || apart.Props["name"] != "Old" {
		t.Errorf("%+v", apart)
	}
}

func TestAMergeNeedsTwo(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	for body, want := range map[[2]string]string{{"ada", "ada"}: "same_person", {"null", "ada"}: "nobody", {"ada", "0"}: "nobody"} {
		r := x.Do("POST", "/v1/people-merges", map[string]any{"project_id": x.ProjectID, "from": body[0], "into": body[1]})
		if r.WantCode(422, "validation_failed"); !strings.Contains(string(r.Body), want) {
			t.Errorf("%q: %s", body, r.Body)
		}
	}
	merge := func(from, into string) {
		x.Do("POST", "/v1/people-merges", map[string]any{"project_id": x.ProjectID, "from": from, "into": into}).Want(201)
	}
	merge("one", "two")
	merge("two", "three")
	merge("three", "one") // a circle is one person all the same
	var merges struct{ Items []struct{ From, Into string } }
	x.Do("GET", "/v1/people-merges?project_id="+x.ProjectID.String(), nil).Want(200).JSON(&merges)
	if len(merges.Items) != 3 || merges.Items[0].From != "one" || merges.Items[2].Into != "one" {
		t.Errorf("%+v", merges)
	}
	a.Client(t).With("X-Write-Key", "nw_x").Do("POST", "/v1/people-merges", map[string]any{}).Want(401)
}

func TestGroupsHaveProfilesToo(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	of := func(kind, key string) operation { return operation{"type": kind, "key": key} }
	changeProfiles(x,
		operation{"op": "set", "group": of("company", "acme/1"), "props": operation{"name": "Açme", "seats": 3}},
		operation{"op": "add", "group": of("company", "acme/1"), "props": operation{"seats": 2}},
		operation{"op": "set", "group": of("company", "beta"), "props": operation{}},
		operation{"op": "set", "group": of("company", "gone"), "props": operation{}, "ts": "2026-01-01T00:00:00Z"},
		operation{"op": "delete", "group": of("company", "gone")},
		operation{"op": "set", "group": of("team", "acme/1"), "props": operation{"seats": 1}},
	)
	type page struct {
		Items []struct {
			Type, Key string
			Props     map[string]any
		}
		NextCursor *string `json:"next_cursor"`
	}
	project := "?project_id=" + x.ProjectID.String()
	list := func(t *testing.T, query string) (keys []string) {
		t.Helper()
		for cursor := ""; ; {
			var p page
			x.Do("GET", "/v1/groups/company"+project+query+cursor, nil).Want(200).JSON(&p)
			for _, g := range p.Items {
				keys = append(keys, g.Key)
			}
			if p.NextCursor == nil {
				return keys
			}
			cursor = "&cursor=" + *p.NextCursor
		}
	}
	foldedAndNot(t, a, func(t *testing.T) {
		for query, want := range map[string][]string{"": {"acme/1", "beta"}, "&limit=1": {"acme/1", "beta"}, "&search=acme": {"acme/1"},
			"&search=ET": {"beta"}, "&search=x": nil} {
			if got := list(t, query); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		var got struct{ Props map[string]any }
		x.Do("GET", "/v1/groups/company/acme%2F1"+project, nil).Want(200).JSON(&got)
		if !reflect.DeepEqual(got.Props, map[string]any{"name": "Açme", "seats": 5.}) {
			t.Errorf("%+v", got)
		}
	})
	x.Do("GET", "/v1/groups/company/gone"+project, nil).WantCode(404, "not_found")
	x.Do("GET", "/v1/groups/company"+project+"&cursor=*", nil).WantCode(422, "validation_failed")
	var none page
	if x.Do("GET", "/v1/people"+project, nil).Want(200).JSON(&none); len(none.Items) != 0 {
		t.Errorf("groups are people: %+v", none)
	}
}

// The same operations in any order, in one request or in many, applied in between or not, make the same profile.
func TestAProfileDoesNotDependOnWhenOperationsArrive(t *testing.T) {
	t.Parallel()
	const seed = 20261130
	a := apptest.Boot(t)
	r := rand.New(rand.NewPCG(seed, 1))
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var operations []operation
	for i := range 40 {
		o := operation{"user_id": "u", "idempotency_key": strconv.Itoa(i), "ts": at.Add(time.Duration(i) * time.Minute)}
		if r.IntN(3) == 0 {
			o["anonymous_id"] = "a" + strconv.Itoa(r.IntN(2))
		}
		prop := string(rune('p' + r.IntN(3)))
		switch o["op"] = []string{"set", "set_once", "add", "append", "union", "remove", "unset", "delete"}[min(r.IntN(15), 7)/(1+r.IntN(2))]; o["op"] {
		case "unset":
			o["names"] = []string{prop}
		case "delete":
		default:
			o["props"] = operation{prop: 1 + r.IntN(3)}
		}
		operations = append(operations, o)
	}
	var want map[string]any
	for round := range 6 {
		x := a.Tenant(t)
		sent := slices.Clone(operations)
		if round > 0 {
			r.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
		}
		for len(sent) > 0 {
			n := min(len(sent), 1+r.IntN(15))
			changeProfiles(x, sent[:n]...)
			if sent = sent[n:]; r.IntN(2) == 0 {
				a.RunJob(t, "apply profile operations")
			}
		}
		var got map[string]any
		x.Do("GET", "/v1/people/u?project_id="+x.ProjectID.String(), nil).Want(200).JSON(&got)
		if round == 0 {
			want = got
		}
		if !reflect.DeepEqual(got, want) || len(got["props"].(map[string]any)) == 0 {
			t.Errorf("round %d of seed %d: %v, want %v", round, seed, got, want)
		}
	}
}
