package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/test/apptest"
)

type eventPage struct {
	Items []struct {
		ID   uuid.UUID
		Name string
		TS   time.Time
	}
	NextCursor *string `json:"next_cursor"`
}

// list reads every page and returns the names in order.
func list(t *testing.T, x *apptest.Tenant, query string) []string {
	t.Helper()
	var out []string
	path := "/v1/events?project_id=" + x.ProjectID.String() + query
	for next := path; ; {
		var page eventPage
		x.Do("GET", next, nil).Want(200).JSON(&page)
		for _, e := range page.Items {
			out = append(out, e.Name)
		}
		if page.NextCursor == nil {
			return out
		}
		next = path + "&cursor=" + url.QueryEscape(*page.NextCursor)
	}
}

func TestListFiltersAndPages(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	day := time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)
	var batch []apptest.Event
	for k := range 25 {
		batch = append(batch, apptest.Event{"name": fmt.Sprintf("e%02d", k), "ts": day.Add(time.Duration(k) * time.Hour).Format(time.RFC3339),
			"user_id": fmt.Sprintf("u%d", k%2), "props": map[string]any{"n": k % 3, "nested": map[string]any{"a": []int{k % 5}}}})
	}
	x.Ingest(batch...)
	names := func(keep func(k int) bool) []string {
		var out []string
		for k := range 25 {
			if keep(k) {
				out = append(out, fmt.Sprintf("e%02d", k))
			}
		}
		return out
	}
	all := names(func(int) bool { return true })
	newest := slices.Clone(all)
	slices.Reverse(newest)
	tests := []struct {
		query string
		want  []string
	}{
		{"", newest},
		{"&limit=7", newest},
		{"&limit=1&order=desc", newest},
		{"&limit=7&order=asc", all},
		{"&order=asc&name=e03&name=e07", []string{"e03", "e07"}},
		{"&order=asc&limit=3&user_id=u1", names(func(k int) bool { return k%2 == 1 })},
		{"&order=asc&since=2026-01-15T03:00:00Z&until=2026-01-15T05:00:00Z", []string{"e03", "e04"}},
		{"&order=asc&until=2026-01-15T00:00:00.000001Z", []string{"e00"}},
		{"&order=asc&since=2026-01-15T00:00:00.000001Z&until=2026-01-15T02:00:00Z", []string{"e01"}},
		{"&order=asc&limit=2&props=" + url.QueryEscape(`{"n":1}`), names(func(k int) bool { return k%3 == 1 })},
		{"&props=" + url.QueryEscape(`{"n":1e308}`), nil},
		{"&order=asc&props=" + url.QueryEscape(`{"nested":{"a":[4]},"n":0}`), names(func(k int) bool { return k%5 == 4 && k%3 == 0 })},
		{"&name=nothing", nil},
	}
	for _, tt := range tests {
		if got := list(t, x, tt.query); !slices.Equal(got, tt.want) {
			t.Errorf("%s\n got %v\nwant %v", tt.query, got, tt.want)
		}
	}
	reader := a.Client(t).With("X-API-Key", x.Secret)
	reader.Do("GET", "/v1/events?project_id="+x.ProjectID.String(), nil).Want(200)
}

func TestListRefusesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, other := a.Tenant(t), a.Tenant(t)
	x.Ingest(events(3)...)
	path := "/v1/events?project_id=" + x.ProjectID.String()
	var page eventPage
	x.Do("GET", path+"&limit=1", nil).Want(200).JSON(&page)
	for _, query := range []string{
		"&cursor=%21", "&cursor=AAAA", "&name=other&cursor=" + *page.NextCursor, // another filter
		"&limit=0", "&limit=1001", "&limit=x", "&order=up", "&since=yesterday", "&since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
		"&props=1", "&props=" + url.QueryEscape(`{"a":"\u0000"}`), "&props=" + url.QueryEscape(`{"a":`), "&user_id=", "&user_id=%00", "&limit=1&limit=2",
	} {
		x.Do("GET", path+query, nil).WantCode(422, "validation_failed")
	}
	// Another tenant cannot tell whether the project or the event exists.
	other.Do("GET", path, nil).WantCode(404, "not_found")
	other.Do("GET", "/v1/events/"+page.Items[0].ID.String(), nil).WantCode(404, "not_found")
	other.Do("GET", "/v1/metrics?project_id="+x.ProjectID.String(), nil).WantCode(404, "not_found")
	a.Client(t).With("X-API-Key", other.Secret).Do("GET", path, nil).WantCode(404, "not_found")
	a.Client(t).With("X-API-Key", other.Secret).Do("GET", "/v1/events/"+page.Items[0].ID.String(), nil).WantCode(404, "not_found")
	a.Client(t).With("X-API-Key", x.Secret).Do("GET", "/v1/events/"+page.Items[0].ID.String(), nil).Want(200)
}

func TestMetricsAgreeWithTheEvents(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	a.Clock.Freeze()
	now := a.Clock.Now().UTC().Truncate(time.Hour)
	var batch []apptest.Event
	want := map[time.Time]float64{}
	for k := range 1000 {
		at := now.Add(-time.Duration(k%24) * time.Hour)
		want[at]++
		batch = append(batch, apptest.Event{"name": []string{"a", "b", "c"}[k%3], "ts": at.Format(time.RFC3339), "idempotency_key": fmt.Sprint(k)})
	}
	x.Ingest(batch...)
	x.Ingest(batch...) // duplicates are not counted
	var m struct {
		Total  float64
		Series []struct {
			TS    time.Time
			Value float64
		}
		Groups []struct {
			Value *string
			Total float64
		}
		Meta struct{ Exact bool }
	}
	x.Do("GET", "/v1/metrics?bucket=1h&limit=24&breakdown=name&top=2&project_id="+x.ProjectID.String(), nil).Want(200).JSON(&m)
	if m.Total != 1000 || len(m.Series) != 24 || !m.Meta.Exact {
		t.Fatalf("%+v", m)
	}
	for _, p := range m.Series {
		if p.Value != want[p.TS.UTC()] {
			t.Errorf("%s: %v, want %v", p.TS, p.Value, want[p.TS.UTC()])
		}
	}
	if len(m.Groups) != 3 || *m.Groups[0].Value != "a" || m.Groups[0].Total != 334 || m.Groups[2].Value != nil || m.Groups[2].Total != 333 {
		t.Errorf("groups: %+v", m.Groups)
	}
}

type metricsReply struct {
	Metric string
	Total  *float64
	Series []struct {
		TS    time.Time
		Value *float64
	}
	Groups []struct {
		Value *string
		Other bool
		Total *float64
	}
	Meta struct {
		Exact  bool
		Source string
	}
}

func TestAQuestionIsTheSameByParametersAndByBody(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	a.Clock.Freeze()
	now := a.Clock.Now().UTC()
	purchase := func(user string, amount any, plan string) apptest.Event {
		return apptest.Event{"name": "purchase", "ts": now.Format(time.RFC3339), "user_id": user, "idempotency_key": uuid.NewString(),
			"props": map[string]any{"amount": amount, "plan": plan}}
	}
	x.Ingest(purchase("a", 10, "pro"), purchase("a", 20.5, "pro"), purchase("b", 1, "pro"), purchase("c", 100, "free"), purchase("d", "many", "pro"))
	for _, c := range []struct {
		query string
		body  map[string]any
		name  string
		total float64
	}{
		{"&measure=users", map[string]any{"measure": "users"}, "events.users", 4},
		{`&props={"plan":"pro"}`, map[string]any{"filter": map[string]any{"op": "eq", "prop": "plan", "value": "pro"}}, "events.count", 4},
		{`&measure=sum&prop=amount&props={"plan":"pro"}`, map[string]any{"measure": "sum", "prop": "amount",
			"filter": map[string]any{"op": "not", "filter": map[string]any{"op": "in", "prop": "plan", "values": []any{"free", 1, true}}}}, "props.amount.sum", 31.5},
		{"&measure=p50&prop=amount", map[string]any{"measure": "p50", "prop": "amount"}, "props.amount.p50", 15.25},
	} {
		var get, post metricsReply
		x.Do("GET", "/v1/metrics?bucket=1d&limit=2&project_id="+x.ProjectID.String()+strings.ReplaceAll(c.query, `"`, "%22"), nil).Want(200).JSON(&get)
		c.body["project_id"], c.body["bucket"], c.body["limit"] = x.ProjectID, "1d", 2
		a.Client(t).With("X-API-Key", x.Secret).Do("POST", "/v1/metrics/query", c.body).Want(200).JSON(&post)
		if get.Total == nil || *get.Total != c.total || get.Metric != c.name || get.Meta.Source != "parts" || !get.Meta.Exact {
			t.Errorf("%s: %+v, want %v", c.query, get, c.total)
		}
		if !reflect.DeepEqual(get, post) {
			t.Errorf("%s: by parameters %+v, by body %+v", c.query, get, post)
		}
	}

	var m metricsReply
	x.Do("POST", "/v1/metrics/query", map[string]any{"project_id": x.ProjectID, "bucket": "1d", "limit": 2, "measure": "avg", "prop": "amount",
		"breakdown": "prop", "breakdown_prop": "plan", "top": 1}).Want(200).JSON(&m)
	if m.Series[0].Value != nil || len(m.Groups) != 2 || *m.Groups[0].Value != "free" || m.Groups[1].Value != nil || !m.Groups[1].Other || *m.Groups[1].Total != 10.5 {
		t.Errorf("%+v", m)
	}
}

func TestAQuestionThatCannotBeAskedIsRefused(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, other := a.Tenant(t), a.Tenant(t)
	for _, query := range []string{"&measure=sum", "&prop=x", "&measure=users&prop=x", "&measure=median", "&breakdown=prop", "&breakdown_prop=x",
		"&breakdown=name&breakdown_prop=x", "&props=1", "&measure=sum&prop="} {
		x.Do("GET", "/v1/metrics?project_id="+x.ProjectID.String()+query, nil).WantCode(422, "validation_failed")
	}
	deep := map[string]any{"op": "exists", "prop": "x"}
	for range 8 {
		deep = map[string]any{"op": "not", "filter": deep}
	}
	var leaves, many []any
	for range 20 {
		leaves = append(leaves, map[string]any{"op": "exists", "prop": "x"})
	}
	for range 3 {
		many = append(many, map[string]any{"op": "or", "filters": leaves})
	}
	for _, c := range []struct {
		member  string
		value   any
		pointer string
	}{
		{"measure", "sum", "/prop"},
		{"tz", "Mars/Olympus", "/tz"},
		{"filter", map[string]any{"op": "like", "prop": "x"}, "/filter/op"},
		{"filter", map[string]any{"op": "eq", "prop": "x"}, "/filter/value"},
		{"filter", map[string]any{"op": "eq", "prop": "x", "value": nil}, "/filter/value"},
		{"filter", map[string]any{"op": "eq", "prop": "x", "value": map[string]any{}}, "/filter/value"},
		{"filter", map[string]any{"op": "in", "prop": "x", "values": []any{1, []any{}}}, "/filter/values/1"},
		{"filter", map[string]any{"op": "gt", "prop": "x", "value": "1"}, "/filter/value"},
		{"filter", map[string]any{"op": "and", "filters": []any{}}, "/filter/filters"},
		{"filter", deep, "/filter" + strings.Repeat("/filter", 8)},
		{"filter", map[string]any{"op": "and", "filters": many}, "/filter"},
	} {
		r := x.Do("POST", "/v1/metrics/query", map[string]any{"project_id": x.ProjectID, c.member: c.value}).WantCode(422, "validation_failed")
		var p struct {
			Errors []struct{ In, Pointer string }
		}
		r.JSON(&p)
		if len(p.Errors) != 1 || p.Errors[0].In != "body" || p.Errors[0].Pointer != c.pointer {
			t.Errorf("%s %v: %s, want %s", c.member, c.value, r.Body, c.pointer)
		}
	}
	question := map[string]any{"project_id": x.ProjectID, "measure": "users"}
	other.Do("POST", "/v1/metrics/query", question).WantCode(404, "not_found")
	a.Client(t).With("X-API-Key", other.Secret).Do("POST", "/v1/metrics/query", question).WantCode(404, "not_found")
	a.Client(t).With("X-Write-Key", "nw_x").Do("POST", "/v1/metrics/query", question).Want(401)
}

func TestAQuestionThatIsTooHeavyIsRefusedAndSaysWhatToNarrow(t *testing.T) {
	t.Parallel()
	// The same program twice: with time for every question, and with time for none that has to wait.
	a, impatient := twoNodesWith(t, []string{"NIMBUS_QUERY_MAX_EVENTS=10"}, "NIMBUS_QUERY_TIMEOUT_SECONDS=1")
	x := a.Tenant(t)
	now := a.Clock.Now().UTC()
	var batch []apptest.Event
	for k := range 11 {
		batch = append(batch, apptest.Event{"name": []string{"a", "b"}[k%2], "ts": now.Format(time.RFC3339), "user_id": fmt.Sprint(k),
			"props": map[string]any{"cart": map[string]any{"total": k}}})
	}
	x.Ingest(batch...)
	path := "/v1/metrics?limit=2&project_id=" + x.ProjectID.String()
	question := map[string]any{"project_id": x.ProjectID, "measure": "sum", "prop": "cart.total", "limit": 2} // no column of parts
	for _, r := range []*apptest.Reply{x.Do("GET", path+"&measure=sum&prop=cart.total", nil), x.Do("POST", "/v1/metrics/query", question)} {
		r.WantCode(422, "query_too_heavy")
		if !strings.Contains(detail(r), "11 events") || !strings.Contains(detail(r), "at most 10") {
			t.Errorf("detail: %s", detail(r))
		}
	}
	x.Do("GET", path, nil).Want(200)                                       // the rollups need no budget
	x.Do("GET", path+"&measure=users", nil).Want(200)                      // nor do parts
	x.Do("GET", path+"&measure=sum&prop=cart.total&name=a", nil).Want(200) // fewer names are fewer events

	// Whatever keeps the database from answering in time.
	release := lock(t, a.DSN, "events")
	hasty := x.On(impatient)
	for _, r := range []*apptest.Reply{hasty.Do("GET", path+"&measure=sum&prop=cart.total&name=a", nil),
		hasty.Do("GET", "/v1/events?user_id=1&project_id="+x.ProjectID.String(), nil)} {
		r.WantCode(422, "query_too_heavy")
		if !strings.Contains(detail(r), "longer than the 1s") {
			t.Errorf("detail: %s", detail(r))
		}
	}
	release()
	x.Do("GET", path+"&measure=sum&prop=cart.total&name=a", nil).Want(200)
	x.Do("GET", "/v1/events?user_id=1&project_id="+x.ProjectID.String(), nil).Want(200)
}

func TestATimelineIsTheSameBeforeAndAfterItsJobs(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	var events []apptest.Event
	for day := range 90 {
		events = append(events, apptest.Event{"name": "visit", "ts": time.Now().AddDate(0, 0, -day).Format(time.RFC3339), "user_id": "ann",
			"idempotency_key": fmt.Sprint(day)})
	}
	x.Ingest(events...)
	timeline := func() (ids []uuid.UUID) {
		var page eventPage
		x.Do("GET", "/v1/events?limit=1000&user_id=ann&project_id="+x.ProjectID.String(), nil).Want(200).JSON(&page)
		for _, e := range page.Items {
			ids = append(ids, e.ID)
		}
		return ids
	}
	before := timeline()
	for _, job := range []string{"index events by person", "summarise recent events by person"} {
		a.RunJob(t, job)
	}
	if after := timeline(); len(after) != len(events) || !slices.Equal(before, after) {
		t.Errorf("%d events before and %d after, want the same %d", len(before), len(after), len(events))
	}
}

// Uptime monitors send HEAD, and interpret a 405 as a server that is down.
func TestHEADIsAnsweredWhereverGETIs(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	ask := func(method, path string) *http.Response {
		t.Helper()
		req := x.Request(method, path, nil)
		res, err := http.DefaultClient.Do(req) // HEAD is not in the contract, to which the client of the tests holds everything
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res
	}
	for _, path := range []string{"/health", "/healthz", "/readiness", "/v1/health", "/docs", "/redoc", "/openapi.json", "/openapi.yaml",
		"/docs/errors", "/sdk.js", "/", "/v1/projects", "/v1/events?project_id=" + x.ProjectID.String()} {
		head, get := ask("HEAD", path), ask("GET", path)
		if head.StatusCode != get.StatusCode || head.StatusCode != 200 || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") {
			t.Errorf("HEAD %s: %d with %s, GET: %d with %s", path, head.StatusCode, head.Header.Get("Content-Type"), get.StatusCode, get.Header.Get("Content-Type"))
		}
	}
	for _, path := range []string{"/v1/projects/" + x.ProjectID.String() + "/live", "/v1/auth/login"} {
		if got := ask("HEAD", path).StatusCode; got != http.StatusMethodNotAllowed {
			t.Errorf("HEAD %s: %d", path, got)
		}
	}
}

func TestTimesAreReadAsRFC3339HasThem(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	x.Ingest(apptest.Event{"name": "lower", "ts": "2026-01-15t10:30:00z"}, apptest.Event{"name": "leap", "ts": "2016-12-31T23:59:60Z"})
	if got := list(t, x, "&since=2026-01-15t10:30:00z&until=2026-01-15t10:30:00.000001%2B00:00"); !slices.Equal(got, []string{"lower"}) {
		t.Errorf("got %v", got)
	}
	if got := list(t, x, "&since=2016-12-31T23:59:60Z&until=2017-01-01T00:00:01Z"); !slices.Equal(got, []string{"leap"}) {
		t.Errorf("got %v", got)
	}
	x.Do("GET", "/v1/metrics?project_id="+x.ProjectID.String()+"&bucket=1d&from=2026-01-15t00:00:00z&to=2026-01-16t00:00:00z", nil).Want(200)
}
