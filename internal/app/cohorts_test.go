package app_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/test/apptest"
)

// didE is the clause that holds of those who did e.
var didE = map[string]any{"op": "did", "event": "e"}

func inCohort(ref string) map[string]any { return map[string]any{"op": "in", "cohort": ref} }

// cohort saves one and returns its id.
func cohort(x *apptest.Tenant, body map[string]any) string {
	var made struct{ ID uuid.UUID }
	x.Do("POST", cohortsOf(x), body).Want(201).JSON(&made)
	return made.ID.String()
}

func cohortsOf(x *apptest.Tenant) string { return "/v1/projects/" + x.ProjectID.String() + "/cohorts" }

func liveCohort(x *apptest.Tenant, name string, where any) string {
	return cohort(x, map[string]any{"name": name, "kind": "live", "where": where})
}

func fixedCohort(x *apptest.Tenant, name string) string {
	return cohort(x, map[string]any{"name": name, "kind": "fixed"})
}

// change is what became of a list.
type change struct {
	Changed, Listed int
	Unknown         []string
	UnknownCount    int `json:"unknown_count"`
	Version         int
}

// people changes the list of a fixed cohort.
func changeList(x *apptest.Tenant, id string, body map[string]any) (c change) {
	x.Do("POST", cohortsOf(x)+"/"+id+"/people", body).Want(200).JSON(&c)
	return c
}

// inIt asks who fits a clause.
func inIt(x *apptest.Tenant, where any) string {
	var answer struct{ People []string }
	x.Do("POST", "/v1/insights/cohort", map[string]any{"project_id": x.ProjectID, "where": where, "limit": 1000}).Want(200).JSON(&answer)
	slices.Sort(answer.People)
	return strings.Join(answer.People, " ")
}

// wrong is the pointers and details of a 422.
func wrong(r *apptest.Reply) (pointers, details string) {
	var p struct {
		Errors []struct{ Pointer, Detail string }
	}
	r.WantCode(422, "validation_failed").JSON(&p)
	for _, e := range p.Errors {
		pointers, details = pointers+" "+e.Pointer, details+" "+e.Detail
	}
	return strings.TrimSpace(pointers), strings.TrimSpace(details)
}

func TestACohortIsKeptChangedAndDeleted(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	x.Ingest(apptest.Event{"name": "e", "user_id": "ann"}, apptest.Event{"name": "f", "user_id": "bob"})
	id := liveCohort(x, "Did e", didE)
	one := cohortsOf(x) + "/" + id
	var got map[string]any
	x.Do("GET", one, nil).Want(200).JSON(&got)
	if got["name"] != "Did e" || got["kind"] != "live" || got["version"] != 1.0 || got["where"].(map[string]any)["event"] != "e" || got["used_by"] != nil {
		t.Errorf("kept as %v", got)
	}
	if got := inIt(x, inCohort(id)); got != "ann" {
		t.Errorf("%q are in it by its id", got)
	}
	if got := inIt(x, map[string]any{"op": "not", "clause": inCohort("Did e")}); got != "bob" {
		t.Errorf("%q are not in it by its name", got)
	}
	x.With("If-Match", `"1"`).Do("PATCH", one, map[string]any{"name": "Did f", "where": map[string]any{"op": "did", "event": "f"}}).Want(200).JSON(&got)
	if got["version"] != 2.0 || got["updated_by"] == nil {
		t.Errorf("changed to %v", got)
	}
	if got := inIt(x, inCohort(id)); got != "bob" {
		t.Errorf("%q are in it after the change", got)
	}
	x.With("If-Match", `"1"`).Do("PATCH", one, map[string]any{"name": "late"}).WantCode(412, "version_conflict")
	var list struct{ Items []map[string]any }
	x.Do("GET", cohortsOf(x), nil).Want(200).JSON(&list)
	if len(list.Items) != 1 || list.Items[0]["name"] != "Did f" {
		t.Errorf("listed: %v", list.Items)
	}
	x.Do("DELETE", one, nil).Want(204)
	x.Do("GET", one, nil).WantCode(404, "not_found")
	x.Do("GET", one+"/size", nil).WantCode(404, "not_found")
	var log struct{ Items []struct{ Action string } }
	x.Do("GET", "/v1/projects/"+x.ProjectID.String()+"/audit?limit=3", nil).Want(200).JSON(&log)
	if fmt.Sprint(log.Items) != "[{cohort.delete} {cohort.update} {cohort.create}]" {
		t.Errorf("the audit log has %v", log.Items)
	}
}

func TestAFixedCohortIsItsList(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_MAX_COHORT_PEOPLE=5")
	x := a.Tenant(t)
	x.Ingest(apptest.Event{"name": "e", "user_id": "ann"}, apptest.Event{"name": "e", "user_id": "bob"}, apptest.Event{"name": "e", "user_id": "eve"},
		apptest.Event{"name": "e", "anonymous_id": "z"}, apptest.Event{"name": "e", "anonymous_id": "b-phone", "user_id": "bob"})
	id := fixedCohort(x, "Guests")
	got := changeList(x, id, map[string]any{"csv": "\ufeffname,user_id,anonymous_id\nAnn,ann,\nZ,,z\nnobody,ghost,\nnull,null,\n"})
	if want := (change{3, 3, []string{"null", "ghost"}, 2, 2}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the import: %+v, want %+v", got, want)
	}
	if got := inIt(x, inCohort(id)); got != "a:z ann" {
		t.Errorf("%q are in it", got)
	}
	// The anonymous id of a user is that user, and somebody unknown is in it from his first event on.
	changeList(x, id, map[string]any{"anonymous_ids": []string{"b-phone"}})
	x.Ingest(apptest.Event{"name": "e", "user_id": "ghost"})
	if got := inIt(x, inCohort(id)); got != "a:z ann bob ghost" {
		t.Errorf("%q are in it", got)
	}
	if got := changeList(x, id, map[string]any{"mode": "remove", "user_ids": []string{"ann", "eve"}}); got.Changed != 1 || got.Listed != 3 {
		t.Errorf("two taken out, of whom one was in it: %+v", got)
	}
	export := x.Do("GET", cohortsOf(x)+"/"+id+"/people", nil).Want(200)
	if want := "user_id,anonymous_id\nghost,\n,b-phone\n,z\n"; string(export.Body) != want || export.Header.Get("Content-Type") != "text/csv" {
		t.Errorf("exported as %s\n%s", export.Header.Get("Content-Type"), export.Body)
	}
	again := fixedCohort(x, "Again")
	if got := changeList(x, again, map[string]any{"csv": string(export.Body)}); got.Listed != 3 || got.UnknownCount != 0 {
		t.Errorf("imported again: %+v", got)
	}
	if got := changeList(x, id, map[string]any{"mode": "replace", "user_ids": []string{"eve", "ghost"}}); got.Changed != 3 || got.Listed != 2 {
		t.Errorf("replaced: %+v", got)
	}
	if got := inIt(x, inCohort(id)); got != "eve ghost" {
		t.Errorf("%q are in it", got)
	}
	path := cohortsOf(x) + "/" + id + "/people"
	x.Do("POST", path, map[string]any{"user_ids": []string{"a1", "a2", "a3", "a4"}}).WantCode(422, "limit_reached")
	x.With("If-Match", `"1"`).Do("POST", path, map[string]any{"user_ids": []string{"a1"}}).WantCode(412, "version_conflict")
	for csv, field := range map[string]string{"name\nann\n": "/csv", "user_id\n\"ann\n": "/csv", "user_id\n" + strings.Repeat("x", 201): "/csv"} {
		if got, _ := wrong(x.Do("POST", path, map[string]any{"csv": csv})); got != field {
			t.Errorf("%.20q: %s is named", csv, got)
		}
	}
	live := liveCohort(x, "Live", didE)
	if got, _ := wrong(x.Do("POST", cohortsOf(x)+"/"+live+"/people", map[string]any{"user_ids": []string{"ann"}})); got != "/cohort_id" {
		t.Errorf("a list of a live cohort: %s", got)
	}
	if got, _ := wrong(x.Do("PATCH", cohortsOf(x)+"/"+id, map[string]any{"where": didE})); got != "/where" {
		t.Errorf("a clause of a fixed cohort: %s", got)
	}
	rows, err := csv.NewReader(strings.NewReader(string(x.Do("GET", cohortsOf(x)+"/"+live+"/people", nil).Want(200).Body))).ReadAll()
	if err != nil || len(rows) != 6 {
		t.Errorf("a live cohort exported: %v, %v", rows, err)
	}
}

func TestACohortThatCannotBeAskedIsNotKept(t *testing.T) {
	t.Parallel()
	app := apptest.Boot(t)
	x, y := app.Tenant(t), app.Tenant(t)
	a := liveCohort(x, "A", didE)
	b := liveCohort(x, "B", map[string]any{"op": "not", "clause": inCohort("A")})
	theirs := liveCohort(y, "theirs", didE)
	if got, why := wrong(x.Do("PATCH", cohortsOf(x)+"/"+a, map[string]any{"where": map[string]any{"op": "and", "clauses": []any{didE, inCohort("B")}}})); got !=
		"/where/clauses/1/cohort" || !strings.Contains(why, "A in B in A") {
		t.Errorf("a circle: %s %s", got, why)
	}
	if got, why := wrong(x.Do("PATCH", cohortsOf(x)+"/"+a, map[string]any{"where": inCohort(a)})); got != "/where/cohort" || !strings.Contains(why, "A in A") {
		t.Errorf("a circle of one: %s %s", got, why)
	}
	gone := liveCohort(x, "gone", didE)
	x.Do("DELETE", cohortsOf(x)+"/"+gone, nil).Want(204)
	liveCohort(x, "twice", didE)
	liveCohort(x, "twice", didE)
	for name, tt := range map[string]struct {
		body   map[string]any
		fields string
	}{
		"of another project":     {map[string]any{"kind": "live", "where": inCohort(theirs)}, "/where/cohort"},
		"deleted":                {map[string]any{"kind": "live", "where": map[string]any{"op": "not", "clause": inCohort(gone)}}, "/where/clause/cohort"},
		"a name of two":          {map[string]any{"kind": "live", "where": inCohort("twice")}, "/where/cohort"},
		"live without a clause":  {map[string]any{"kind": "live"}, "/where"},
		"fixed with one":         {map[string]any{"kind": "fixed", "where": didE}, "/where"},
		"two mistakes":           {map[string]any{"kind": "live", "where": map[string]any{"op": "or", "clauses": []any{inCohort("x"), inCohort("y")}}}, "/where/clauses/0/cohort /where/clauses/1/cohort"},
		"more than 32 KiB":       {map[string]any{"kind": "live", "where": map[string]any{"op": "or", "clauses": slices.Repeat([]any{map[string]any{"op": "did", "filter": map[string]any{"op": "in", "prop": "p", "values": []string{strings.Repeat("x", 4000)}}}}, 9)}}, "/where"},
		"behind a bad number":    {map[string]any{"kind": "fixed", "behind": map[string]any{"at": map[string]any{"row": 3}, "question": map[string]any{"kind": "uniques", "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z", "bucket": "1d"}}}, "/behind/at/row"},
		"behind a bad question":  {map[string]any{"kind": "fixed", "behind": map[string]any{"at": map[string]any{}, "question": map[string]any{"kind": "uniques", "from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}}}, "/behind/question/from"},
		"live, behind a number":  {map[string]any{"kind": "live", "where": didE, "behind": map[string]any{"at": map[string]any{}, "question": map[string]any{"kind": "uniques", "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}}}, "/behind"},
		"a clause of too little": {map[string]any{"kind": "live", "where": map[string]any{"op": "did", "times": map[string]any{}}}, "/where/times"},
	} {
		tt.body["name"] = "c"
		if got, why := wrong(x.Do("POST", cohortsOf(x), tt.body)); got != tt.fields {
			t.Errorf("%s: %s (%s), want %s", name, got, why, tt.fields)
		}
	}
	var kept struct {
		Where struct{ Clause struct{ Cohort string } }
	}
	x.Do("GET", cohortsOf(x)+"/"+b, nil).Want(200).JSON(&kept)
	if kept.Where.Clause.Cohort != a {
		t.Errorf("the clause is kept with %q, want the id %s", kept.Where.Clause.Cohort, a)
	}
	// A question names it at its own place.
	q := question("askFunnel", x.ProjectID.String())
	q["people"], q["breakdown"] = map[string]any{"op": "not", "clause": inCohort(theirs)}, map[string]any{"cohorts": []string{"A", gone}}
	if got, _ := wrong(x.Do("POST", "/v1/insights/funnel", q)); got != "/people/clause/cohort /breakdown/cohorts/1" {
		t.Errorf("a question: %s", got)
	}
	for _, bad := range []map[string]any{{}, {"prop": "p", "cohorts": []string{"A"}}} {
		q := question("askSessions", x.ProjectID.String())
		q["breakdown"] = bad
		if got, _ := wrong(x.Do("POST", "/v1/insights/sessions", q)); !strings.HasPrefix(got, "/breakdown") {
			t.Errorf("%v: %s", bad, got)
		}
	}
}

func TestWhatUsesACohortIsToldAndKeepsIt(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	a := liveCohort(x, "A", didE)
	b := liveCohort(x, "B", inCohort(a))
	one := cohortsOf(x) + "/" + a
	var got struct {
		UsedBy []struct{ Kind, Name string } `json:"used_by"`
	}
	x.Do("GET", one, nil).Want(200).JSON(&got)
	if fmt.Sprint(got.UsedBy) != "[{cohort B}]" {
		t.Errorf("used by %v", got.UsedBy)
	}
	r := x.Do("DELETE", one, nil).WantCode(409, "in_use")
	if !strings.Contains(detail(r), `the cohort "B"`) {
		t.Errorf("the detail is %q", detail(r))
	}
	x.Do("DELETE", one+"?force=true", nil).Want(204)
	if got, why := wrong(x.Do("POST", "/v1/insights/cohort", map[string]any{"project_id": x.ProjectID, "where": inCohort(b)})); got != "/where/cohort" ||
		!strings.Contains(why, `"B"`) {
		t.Errorf("a cohort whose own is gone: %s %s", got, why)
	}
	if got, _ := wrong(x.Do("GET", cohortsOf(x)+"/"+b+"/size", nil)); got != "/cohort_id" {
		t.Errorf("its size: %s", got)
	}
	if got, _ := wrong(x.Do("GET", cohortsOf(x)+"/"+b+"/people", nil)); got != "/cohort_id" {
		t.Errorf("its people: %s", got)
	}
}

func TestTheSizeOfACohortOverTime(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	today := a.Clock.Now().UTC().Truncate(24 * time.Hour)
	at := func(days int) string { return today.AddDate(0, 0, days).Add(time.Hour).Format(time.RFC3339) }
	x.Ingest(apptest.Event{"name": "e", "user_id": "ann", "ts": at(-5)}, apptest.Event{"name": "e", "user_id": "bob", "ts": at(-4)},
		apptest.Event{"name": "e", "user_id": "bob", "ts": at(-2)}, apptest.Event{"name": "f", "user_id": "eve", "ts": at(-3)})
	at20 := func(days int) string { return today.AddDate(0, 0, days).Add(20 * time.Hour).Format(time.RFC3339) }
	x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", operationsOf(x, // dan has a profile only, fay before he did something
		operation{"op": "set", "user_id": "dan", "ts": at(-4), "props": operation{"plan": "pro"}},
		operation{"op": "set", "user_id": "gus", "ts": at(-5), "props": operation{"plan": "free"}}, // and none any more on the day -3
		operation{"op": "delete", "user_id": "gus", "ts": at(-3)}, operation{"op": "set", "user_id": "gus", "ts": at(-2), "props": operation{"plan": "free"}},
		operation{"op": "set", "user_id": "fay", "ts": at(-3), "props": operation{"plan": "pro"}})).Want(200)
	x.Ingest(apptest.Event{"name": "f", "user_id": "fay", "ts": at20(-2)})
	recent := map[string]any{"op": "did", "event": "e", "within": map[string]any{"last_days": 2}}
	size := func(where any, query string) (now int, series []int) {
		var got struct {
			Size   int
			Series []struct{ Size int }
		}
		x.Do("GET", cohortsOf(x)+"/"+liveCohort(x, "c", where)+"/size"+query, nil).Want(200).JSON(&got)
		for _, p := range got.Series {
			series = append(series, p.Size)
		}
		return got.Size, series
	}
	days := "?bucket=1d&from=" + today.AddDate(0, 0, -5).Format(time.RFC3339)
	// At the ends of the days -5 … -1; today is not over.
	for name, tt := range map[string]struct {
		where any
		now   int
		then  string
	}{
		"ever":          {didE, 2, "[1 2 2 2 2]"},
		"lately":        {recent, 0, "[1 2 1 1 1]"},
		"not lately":    {map[string]any{"op": "not", "clause": recent}, 6, "[1 2 4 5 5]"},
		"not even once": {map[string]any{"op": "not", "clause": didE}, 4, "[1 2 3 4 4]"},
		"on a plan": {map[string]any{"op": "profile", "filter": map[string]any{"op": "eq", "prop": "plan", "value": "pro"}}, 2,
			"[0 1 2 2 2]"},
		"in a fixed":    {inCohort(fixedCohort(x, "empty")), 0, "[0 0 0 0 0]"},
		"in another":    {inCohort(liveCohort(x, "other", recent)), 0, "[1 2 1 1 1]"},
		"first of them": {map[string]any{"op": "first", "event": "e", "within": map[string]any{"last_days": 1}}, 0, "[1 1 0 0 0]"},
	} {
		now, then := size(tt.where, days)
		if now != tt.now || fmt.Sprint(then) != tt.then {
			t.Errorf("%s: now %d, at the ends of the days %v; want %d and %s", name, now, then, tt.now, tt.then)
		}
	}
	if now, then := size(didE, ""); now != 2 || then != nil {
		t.Errorf("only now: %d %v", now, then)
	}
	one := cohortsOf(x) + "/" + liveCohort(x, "c", didE) + "/size"
	for query, want := range map[string]string{
		"?bucket=1d": "/from", "?from=2026-01-01T00:00:00Z": "/bucket", "?bucket=1d&from=2020-01-01T00:00:00Z": "/bucket",
		"?bucket=1w&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z&tz=Mars/Olympus": "/from /tz",
	} {
		pointers, _ := wrong(x.Do("GET", one+query, nil))
		got := strings.Fields(pointers)
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", query, pointers, want)
		}
	}
}

// What the POST of people finds is what a cohort and a CSV of it have.
func TestANumberBecomesACohortAndAFile(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	var events []apptest.Event
	for i := range 30 {
		events = append(events, apptest.Event{"name": "e", "user_id": fmt.Sprint("u", i)})
		if i%3 == 0 {
			events = append(events, apptest.Event{"name": "f", "user_id": fmt.Sprint("u", i)})
		}
	}
	x.Ingest(append(events, apptest.Event{"name": "e", "anonymous_id": "z"})...)
	from, to := a.Clock.Now().Add(-24*time.Hour).UTC().Format(time.RFC3339), a.Clock.Now().Add(24*time.Hour).UTC().Format(time.RFC3339)
	q := map[string]any{"kind": "funnel", "from": from, "to": to, "steps": []any{map[string]any{"event": "e"}, map[string]any{"event": "f"}}}
	at := map[string]any{"step": 2, "lost": true}
	id := cohort(x, map[string]any{"name": "Lost", "kind": "fixed", "behind": map[string]any{"question": q, "at": at}})
	file := x.Do("POST", "/v1/insights/people/csv", map[string]any{"project_id": x.ProjectID, "question": q, "at": at}).Want(200)
	rows, err := csv.NewReader(strings.NewReader(string(file.Body))).ReadAll()
	if err != nil || len(rows) != 22 || strings.Join(rows[0], ",") != "user_id,anonymous_id,ts" {
		t.Fatalf("%d lines, %v\n%s", len(rows), err, file.Body)
	}
	var ids []string
	for _, r := range rows[1:] {
		if r[0] == "" {
			r[0] = "a:" + r[1]
		}
		ids = append(ids, r[0])
	}
	slices.Sort(ids)
	if got := inIt(x, inCohort(id)); got != strings.Join(ids, " ") {
		t.Errorf("in the cohort are %s\nin the file %s", got, ids)
	}
	var got struct{ Listed int }
	x.Do("GET", cohortsOf(x)+"/"+id, nil).Want(200).JSON(&got)
	if got.Listed != 21 {
		t.Errorf("%d are listed", got.Listed)
	}
	text, _ := json.Marshal(q)
	if inIt(x, map[string]any{"op": "not", "clause": inCohort("Lost")}) == "" {
		t.Errorf("nobody is left of %s", text)
	}
}

// A cohort may ask about a custom event, which then stays.
func TestACohortAsksAboutACustomEvent(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	x.Ingest(apptest.Event{"name": "e", "user_id": "ann"}, apptest.Event{"name": "f", "user_id": "bob"}, apptest.Event{"name": "g", "user_id": "eve"})
	var custom struct{ ID uuid.UUID }
	path := "/v1/projects/" + x.ProjectID.String() + "/custom-events"
	x.Do("POST", path, map[string]any{"name": "any", "events": []any{map[string]any{"event": "e"}, map[string]any{"event": "f"}}}).Want(201).JSON(&custom)
	id := liveCohort(x, "Either", map[string]any{"op": "did", "custom_event": custom.ID})
	if got := inIt(x, inCohort(id)); got != "ann bob" {
		t.Errorf("%q are in it", got)
	}
	q := question("askUniques", x.ProjectID.String())
	q["people"] = map[string]any{"op": "not", "clause": map[string]any{"op": "did", "custom_event": custom.ID}}
	q["from"], q["to"] = "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
	var answer struct{ Total int }
	x.Do("POST", "/v1/insights/uniques", q).Want(200).JSON(&answer)
	if answer.Total != 1 {
		t.Errorf("%d did none of both, want 1", answer.Total)
	}
	x.Do("DELETE", path+"/"+custom.ID.String(), nil).WantCode(409, "in_use")
	if got, _ := wrong(x.Do("POST", cohortsOf(x), map[string]any{"name": "c", "kind": "live",
		"where": map[string]any{"op": "did", "custom_event": uuid.NewString()}})); got != "/where/custom_event" {
		t.Errorf("a custom event that is not there: %s", got)
	}
}
