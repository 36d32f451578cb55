package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/test/apptest"
)

func TestAnnotationsOfARangeAreThoseThatTouchIt(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/annotations"
	at := func(hour int) string { return fmt.Sprintf("2026-03-02T%02d:00:00Z", hour) }
	for _, a := range []map[string]any{
		{"text": "late", "ts": at(20)}, {"text": "moment", "ts": at(10)}, {"text": "outage", "ts": at(8), "until": at(12)}, {"text": "early", "ts": at(1), "until": at(2)},
	} {
		savedThing(x, "annotations", a)
	}
	for query, want := range map[string]string{
		"":                                  "early outage moment late",
		"?from=" + at(10) + "&to=" + at(11): "outage moment", // a moment is in the range that it begins
		"?from=" + at(9) + "&to=" + at(10):  "outage",
		"?from=" + at(12):                   "late", // what ends there is over
		"?to=" + at(8):                      "early",
		"?from=" + at(3) + "&to=" + at(4):   "",
	} {
		var list struct{ Items []struct{ Text string } }
		x.Do("GET", path+query, nil).Want(200).JSON(&list)
		var texts []string
		for _, a := range list.Items {
			texts = append(texts, a.Text)
		}
		if got := strings.Join(texts, " "); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if got := badFields(x.Do("GET", path+"?from="+at(4)+"&to="+at(4), nil)); got != "/from order" {
		t.Errorf("an empty range: %s", got)
	}
}

func TestAnAnnotationOfAMomentStaysOneUntilItIsGivenAnEnd(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/annotations/" + savedThing(x, "annotations", annotation)
	for _, c := range []struct {
		change    map[string]any
		ts, until string
	}{
		{map[string]any{"text": "moved"}, "2026-03-02T12:00:00Z", "2026-03-02T12:00:00Z"},
		{map[string]any{"ts": "2026-03-03T12:00:00+01:00"}, "2026-03-03T11:00:00Z", "2026-03-03T11:00:00Z"},
		{map[string]any{"until": "2026-03-03T15:00:00Z"}, "2026-03-03T11:00:00Z", "2026-03-03T15:00:00Z"},
		{map[string]any{"ts": "2026-03-03T14:00:00Z"}, "2026-03-03T14:00:00Z", "2026-03-03T15:00:00Z"},
	} {
		var got struct{ TS, Until string }
		x.Do("PATCH", path, c.change).Want(200).JSON(&got)
		if got.TS != c.ts || got.Until != c.until {
			t.Errorf("after %v: %+v", c.change, got)
		}
	}
	for _, bad := range []map[string]any{{"ts": "2026-03-04T00:00:00Z"}, {"until": "2026-03-03T13:59:59Z"}} {
		if got := badFields(x.Do("PATCH", path, bad)); got != "/until order" {
			t.Errorf("%v: %s", bad, got)
		}
	}
}

// visits sends three people: ann buys for 5 and for 50, ben invites, and cid only looks. Only ann's second purchase and ben's
// invitation are the custom event.
func visits(x *apptest.Tenant) {
	event := func(name, who string, minute int, props map[string]any) apptest.Event {
		if props == nil {
			props = map[string]any{}
		}
		return apptest.Event{"name": name, "user_id": who, "ts": fmt.Sprintf("2026-03-02T12:%02d:00Z", minute), "props": props}
	}
	x.Ingest(
		event("view", "ann", 0, nil), event("purchase", "ann", 1, map[string]any{"amount": 5}), event("purchase", "ann", 2, map[string]any{"amount": 50, "plan": "pro"}),
		event("view", "ben", 3, nil), event("invite", "ben", 4, map[string]any{"plan": "free"}),
		event("view", "cid", 5, nil), event("purchase", "cid", 6, map[string]any{"amount": 9}))
}

func TestACustomEventCountsWhereverAnEventDoes(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	visits(x)
	id := savedThing(x, "custom-events", customEvent)
	type object = map[string]any
	view, custom := object{"event": "view"}, object{"custom_event": id}
	pro := object{"custom_event": id, "filter": object{"op": "eq", "prop": "plan", "value": "pro"}}
	for _, c := range []struct {
		kind     string
		question object
		member   string // of the answer
		want     string
	}{
		{"uniques", object{"custom_event": id}, "total", "2"},
		{"funnel", object{"steps": []any{view, custom}}, "counts", "[3 2]"},
		{"funnel", object{"steps": []any{view, pro}}, "counts", "[3 1]"},
		{"funnel", object{"steps": []any{view, object{"any_of": []any{custom, object{"event": "nothing"}}}}}, "counts", "[3 2]"},
		{"funnel", object{"steps": []any{view, object{"event": "purchase"}}, "exclude": []any{custom}}, "counts", "[3 2]"},
		{"funnel", object{"steps": []any{view, object{"event": "purchase", "filter": object{"op": "gt", "prop": "amount", "value": 10}}}, "exclude": []any{custom}}, "counts", "[3 1]"},
		{"stickiness", object{"custom_event": id}, "people", "2"},
		{"lifecycle", object{"custom_event": id, "bucket": "1mo"}, "rows", "[map[complete:true dormant:0 new:2 resurrecting:0 returning:0 start:2026-03-01T00:00:00Z]]"},
		{"retention", object{"start": custom, "return": view, "bucket": "1mo", "periods": 1}, "average", "[map[retained:2 size:2]]"},
		{"paths", object{"start": custom, "depth": 2, "collapse": false}, "paths", "2"},
		{"paths", object{"custom_events": []string{id}, "start": object{"node": "purchase"}, "depth": 2}, "paths", "1"},
		{"paths", object{"custom_events": []string{id}, "events": []string{"view"}, "start": object{"node": "view"}, "depth": 2}, "paths", "3"},
	} {
		c.question["project_id"], c.question["from"], c.question["to"] = x.ProjectID, "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"
		var answer map[string]any
		x.Do("POST", "/v1/insights/"+c.kind, c.question).Want(200).JSON(&answer)
		if got := fmt.Sprint(answer[c.member]); got != c.want {
			t.Errorf("%s of %v: %s, want %s", c.kind, c.question, got, c.want)
		}
		meta := answer["meta"].(object)
		if said := meta["definition"].(string); c.kind != "paths" && !strings.Contains(said, "Activated") {
			t.Errorf("%s does not name the custom event: %s", c.kind, said)
		}
	}
	for _, where := range []object{
		{"op": "did", "custom_event": id}, {"op": "first", "custom_event": id, "within": object{"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}},
		{"op": "sequence", "steps": []any{view, custom}},
	} {
		var cohort struct{ People []string }
		x.Do("POST", "/v1/insights/cohort", object{"project_id": x.ProjectID, "where": where}).Want(200).JSON(&cohort)
		if got := fmt.Sprint(cohort.People); got != "[ann ben]" {
			t.Errorf("%v: %s", where, got)
		}
	}
	var behind struct{ Total int }
	x.Do("POST", "/v1/insights/people", object{"project_id": x.ProjectID, "at": object{"step": 2, "lost": false},
		"question": object{"kind": "funnel", "from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z", "steps": []any{view, custom}}}).Want(200).JSON(&behind)
	if behind.Total != 2 {
		t.Errorf("%d people are behind the number 2", behind.Total)
	}
	// A question asks about the events that the custom event has when it is asked.
	x.Do("PATCH", "/v1/projects/"+x.ProjectID.String()+"/custom-events/"+id, object{"events": []any{object{"event": "invite"}}}).Want(200)
	var uniques struct{ Total int }
	x.Do("POST", "/v1/insights/uniques", object{"project_id": x.ProjectID, "custom_event": id, "from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}).Want(200).JSON(&uniques)
	if uniques.Total != 1 {
		t.Errorf("%d people invited", uniques.Total)
	}
}

func TestAQuestionAboutACustomEventThatIsNotThereNamesTheField(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, y := a.Tenant(t), a.Tenant(t)
	id, theirs, gone := savedThing(x, "custom-events", customEvent), savedThing(y, "custom-events", customEvent), savedThing(x, "custom-events", customEvent)
	x.Do("DELETE", "/v1/projects/"+x.ProjectID.String()+"/custom-events/"+gone, nil).Want(204)
	type object = map[string]any
	ask := func(kind string, q object) string {
		q["project_id"], q["from"], q["to"] = x.ProjectID, "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"
		return badFields(x.Do("POST", "/v1/insights/"+kind, q))
	}
	for _, missing := range []string{theirs, gone, uuid.NewString()} {
		got := ask("funnel", object{"steps": []any{object{"custom_event": id}, object{"custom_event": missing}}, "exclude": []any{object{"custom_event": missing}}})
		if want := "/steps/1/custom_event unknown_custom_event /exclude/0/custom_event unknown_custom_event"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := ask("uniques", object{"custom_event": gone}); got != "/custom_event unknown_custom_event" {
		t.Errorf("%s", got)
	}
	if got := ask("paths", object{"custom_events": []string{id, gone}}); got != "/custom_events/1 unknown_custom_event" {
		t.Errorf("%s", got)
	}
	if got := ask("retention", object{"start": object{"event": "a", "custom_event": id}, "return": object{}}); got != "/start/custom_event conflict" {
		t.Errorf("%s", got)
	}
}

func TestACustomEventThatAnInsightAsksAboutIsNotDeleted(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	project := "/v1/projects/" + x.ProjectID.String()
	id := savedThing(x, "custom-events", customEvent)
	type object = map[string]any
	asks := func(name string, question object) string {
		question["from"], question["to"] = "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"
		return project + "/insights/" + savedThing(x, "insights", object{"name": name, "question": question})
	}
	insights := []string{
		asks("Activation", object{"kind": "funnel", "steps": []any{object{"event": "view"}, object{"any_of": []any{object{"custom_event": id}}}}}),
		asks("Ways", object{"kind": "paths", "custom_events": []string{strings.ToUpper(id)}}),
	}
	asks("Others", object{"kind": "uniques", "event": id})
	var refused struct{ Detail string }
	x.Do("DELETE", project+"/custom-events/"+id, nil).WantCode(409, "in_use").JSON(&refused)
	if refused.Detail != `Insights ask about it: "Activation", "Ways".` {
		t.Errorf("the refusal says %q", refused.Detail)
	}
	for _, path := range insights {
		x.Do("DELETE", project+"/custom-events/"+id, nil).WantCode(409, "in_use")
		x.Do("DELETE", path, nil).Want(204)
	}
	x.Do("DELETE", project+"/custom-events/"+id, nil).Want(204)
}

func TestTheEventsOfACustomEventAreOnesThatQuestionsCanAskAbout(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/custom-events"
	type object = map[string]any
	exists := func(prop string) object {
		return object{"event": "e", "filter": object{"op": "exists", "prop": prop}}
	}
	if got := badFields(x.Do("POST", path, object{"name": "c", "events": []any{exists("a"), exists("a.b"), exists("a[]")}})); got !=
		"/events/1/filter/prop conflict /events/2/filter/prop conflict" {
		t.Errorf("%s", got)
	}
	if got := badFields(x.Do("POST", path, object{"name": "c", "events": []any{}})); got != "/events min_items" {
		t.Errorf("%s", got)
	}
}

func TestTheCurrencyOfAProjectIsOneThatThereIs(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String()
	var project struct{ Currency string }
	if x.Do("GET", path, nil).Want(200).JSON(&project); project.Currency != "USD" {
		t.Errorf("a new project has %q", project.Currency)
	}
	if x.Do("PATCH", path, map[string]any{"currency": "JPY"}).Want(200).JSON(&project); project.Currency != "JPY" {
		t.Errorf("changed to %q", project.Currency)
	}
	// What the contract cannot say is named with everything else that it cannot say.
	if got := badFields(x.Do("PATCH", path, map[string]any{"currency": "QQQ", "time_zone": "Europe/Atlantis"})); got != "/time_zone time_zone /currency currency" {
		t.Errorf("bad fields: %s", got)
	}
	if got := badFields(x.Do("PATCH", path, map[string]any{"currency": "eur"})); got != "/currency pattern" {
		t.Errorf("bad fields: %s", got)
	}
	var made struct{ Project struct{ Currency string } }
	if x.Do("POST", "/v1/projects", map[string]any{"name": "x", "currency": "EUR"}).Want(201).JSON(&made); made.Project.Currency != "EUR" {
		t.Errorf("made with %q", made.Project.Currency)
	}
}
