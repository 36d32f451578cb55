package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/apptest"
)

func TestPropsAreNamedByPath(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	x.Ingest(apptest.Event{"name": "buy", "user_id": "u", "props": map[string]any{"http.status": 200, "cart": map[string]any{"total": 12.5},
		"items": []any{map[string]any{"sku": "a", "price": 2}, map[string]any{"sku": "b", "price": 3}}}})
	ask := func(extra map[string]any) map[string]any {
		q := map[string]any{"project_id": x.ProjectID, "limit": 2}
		for name, v := range extra {
			q[name] = v
		}
		return q
	}
	filter := func(op, prop string, v any) map[string]any {
		return ask(map[string]any{"filter": map[string]any{"op": op, "prop": prop, "value": v}})
	}
	for _, c := range []struct {
		q    map[string]any
		want float64
	}{
		{filter("eq", "items[].sku", "b"), 1}, {filter("neq", "items[].sku", "b"), 0}, {filter("neq", "items[].sku", "c"), 1},
		{filter("eq", "items[0].sku", "b"), 0}, {filter("gt", "cart.total", 12), 1}, {filter("starts_with", "items[1].sku", "b"), 1},
		{filter("eq", `http\.status`, 200), 1}, {filter("eq", "http.status", 200), 0}, {filter("eq", "items.sku", "a"), 0},
		{ask(map[string]any{"measure": "sum", "prop": "items[].price"}), 5},
		{ask(map[string]any{"measure": "max", "prop": "cart.total", "breakdown": "prop", "breakdown_prop": "items[0].sku"}), 12.5},
	} {
		var got struct{ Total float64 }
		x.Do("POST", "/v1/metrics/query", c.q).Want(200).JSON(&got)
		if got.Total != c.want {
			t.Errorf("%v: %v, want %v", c.q, got.Total, c.want)
		}
	}
	for _, bad := range []string{"cart.", ".total", "items[", "items[x]", "items[-1]", "a[0]b", `a\`} {
		r := x.Do("POST", "/v1/metrics/query", filter("eq", bad, 1)).WantCode(422, "validation_failed")
		if !strings.Contains(string(r.Body), `"/filter/prop"`) || !strings.Contains(string(r.Body), "must be a path such as cart.total") {
			t.Errorf("%s: %s", bad, r.Body)
		}
	}
	x.Do("GET", "/v1/metrics?measure=sum&prop=cart..total&project_id="+x.ProjectID.String(), nil).WantCode(422, "validation_failed")
	r := x.Do("POST", "/v1/metrics/query", ask(map[string]any{"breakdown": "prop", "breakdown_prop": "items[].sku"})).WantCode(422, "validation_failed")
	if !strings.Contains(string(r.Body), `"/breakdown_prop"`) || !strings.Contains(string(r.Body), "name one element") {
		t.Errorf("a breakdown by every element: %s", r.Body)
	}

	now := a.Clock.Now()
	people := func(prop string) map[string]any {
		return map[string]any{"project_id": x.ProjectID, "bucket": "1d", "from": now.Add(-24 * time.Hour).Format(time.RFC3339), "to": now.Add(time.Hour).Format(time.RFC3339),
			"filter": map[string]any{"op": "eq", "prop": prop, "value": 200}}
	}
	var got struct{ Rows []struct{ New int } }
	x.Do("POST", "/v1/insights/lifecycle", people(`http\.status`)).Want(200).JSON(&got)
	n := 0
	for _, row := range got.Rows {
		n += row.New
	}
	if n != 1 {
		t.Errorf("%d new people with http.status of 200: %+v", n, got)
	}
	r = x.Do("POST", "/v1/insights/lifecycle", people("http.status")).WantCode(422, "validation_failed")
	if !strings.Contains(string(r.Body), `"/filter/prop"`) {
		t.Errorf("a nested prop of people: %s", r.Body)
	}
}
