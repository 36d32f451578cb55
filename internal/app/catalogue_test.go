package app_test

import (
	"net/url"
	"reflect"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
)

// What was sent a moment ago is known by name, by property and by value, before and after it is in parts.
func TestNothingThatWasSentHasToBeTyped(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	now := a.Clock.Now()
	for i, plan := range []any{"Pro", "free", "Pro", nil} {
		x.Ingest(apptest.Event{"name": "Café ouvert", "user_id": "u", "ts": now.AddDate(0, 0, -i), "idempotency_key": string(rune('a' + i)),
			"props": map[string]any{"plan": plan, "amount": i, "http.status": true}})
	}
	x.Ingest(apptest.Event{"name": "purchase", "ts": now.AddDate(0, 0, -40)})
	ask := func(what string, q url.Values, into any) {
		q.Set("project_id", x.ProjectID.String())
		x.Do("GET", "/v1/catalogue/"+what+"?"+q.Encode(), nil).Want(200).JSON(into)
	}
	compare := func(when string) {
		t.Helper()
		var events struct {
			Items []struct {
				Name   string
				Events int
				Days   []int
			}
			More bool
		}
		ask("events", url.Values{"days": {"4"}}, &events)
		if len(events.Items) != 2 || events.Items[0].Name != "Café ouvert" || events.Items[0].Events != 4 ||
			!reflect.DeepEqual(events.Items[0].Days, []int{1, 1, 1, 1}) || !reflect.DeepEqual(events.Items[1].Days, []int{0, 0, 0, 0}) {
			t.Errorf("%s the events are %+v", when, events)
		}
		if ask("events", url.Values{"q": {"CAFE"}, "limit": {"1"}}, &events); len(events.Items) != 1 || events.More {
			t.Errorf("%s CAFE finds %+v", when, events)
		}
		if ask("events", url.Values{"limit": {"1"}}, &events); len(events.Items) != 1 || !events.More {
			t.Errorf("%s one of two is %+v", when, events)
		}
		var props struct {
			Items []struct {
				Name, Prop string
				Events     int
				Share      float64
				Types      []map[string]any
				Range      *struct{ Min, Max float64 }
			}
			Events int
		}
		ask("props", url.Values{"event": {"Café ouvert"}}, &props)
		found := map[string]string{}
		for _, p := range props.Items {
			found[p.Name] = p.Prop
			if p.Name == "plan" && (p.Share != 0.75 || len(p.Types) != 2 || p.Range != nil) || p.Name == "amount" && (p.Range == nil || p.Range.Max != 3) {
				t.Errorf("%s a property is %+v", when, p)
			}
		}
		if want := map[string]string{"plan": "plan", "amount": "amount", "http.status": `http\.status`}; !reflect.DeepEqual(found, want) || props.Events != 4 {
			t.Errorf("%s the properties are %+v", when, props)
		}
		if ask("props", url.Values{}, &props); len(props.Items) != 3 || props.Events != 5 {
			t.Errorf("%s the properties of all are %+v", when, props)
		}
		var values struct {
			Items []struct {
				Value  any
				Events int
			}
			Unlisted int
		}
		ask("values", url.Values{"event": {"Café ouvert"}, "prop": {"plan"}}, &values)
		if len(values.Items) != 2 || values.Items[0].Value != "Pro" || values.Items[0].Events != 2 || values.Unlisted != 0 {
			t.Errorf("%s the plans are %+v", when, values)
		}
		if ask("values", url.Values{"prop": {`http\.status`}, "q": {"TRU"}}, &values); len(values.Items) != 1 || values.Items[0].Value != true {
			t.Errorf("%s the statuses are %+v", when, values)
		}
	}
	compare("before anything is built")
	a.RunJob(t, "build parts")
	compare("when parts are built")
	x.Do("PATCH", "/v1/projects/"+x.ProjectID.String(), map[string]any{"data_retention_days": 30}).Want(200)
	a.RunJob(t, pruneJob)
	var events struct{ Items []struct{ Name string } }
	if ask("events", url.Values{}, &events); len(events.Items) != 1 {
		t.Errorf("after pruning the events are %+v", events)
	}
	x.Do("GET", "/v1/catalogue/values?prop=a.b&project_id="+x.ProjectID.String(), nil).Want(422)
}
