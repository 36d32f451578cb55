package app_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// post sends a body to a path, with headers in pairs.
func (s *sender) post(t *testing.T, path, body string, headers ...string) vendorReply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.app.URL+s.with(path), strings.NewReader(s.with(body)))
	if err != nil {
		t.Fatal(err)
	}
	for k := 0; k+1 < len(headers); k += 2 {
		req.Header.Set(headers[k], s.with(headers[k+1]))
	}
	return sendVendor(t, req)
}

func (s *sender) names(t *testing.T) string {
	t.Helper()
	var names []string
	for _, e := range s.stored(t).Events {
		names = append(names, e.Name)
	}
	return strings.Join(names, ",")
}

// oneEvent is a good request to each operation that stores, and the start of the answer.
var oneEvent = []struct{ operation, path, body, answer string }{
	{"segmentBatch", "/v1/batch", `{"writeKey":"WRITEKEY","batch":[{"type":"track","event":"e","userId":"u","messageId":"ID"}]}`, "{\n  \"success\": true\n}"},
	{"segmentTrack", "/v1/track", `{"writeKey":"WRITEKEY","event":"e","userId":"u","messageId":"ID"}`, "{\n"},
	{"segmentIdentify", "/v1/identify", `{"writeKey":"WRITEKEY","userId":"u","messageId":"ID","traits":{"a":1}}`, "{\n"},
	{"segmentPage", "/v1/page", `{"writeKey":"WRITEKEY","userId":"u","messageId":"ID"}`, "{\n"},
	{"segmentScreen", "/v1/screen", `{"writeKey":"WRITEKEY","userId":"u","messageId":"ID"}`, "{\n"},
	{"segmentGroup", "/v1/group", `{"writeKey":"WRITEKEY","userId":"u","groupId":"g","messageId":"ID"}`, "{\n"},
	{"segmentAlias", "/v1/alias", `{"writeKey":"WRITEKEY","userId":"u","previousId":"p","messageId":"ID"}`, "{\n"},
	{"mixpanelTrack", "/track", `{"event":"e","properties":{"token":"WRITEKEY","distinct_id":"u","$insert_id":"ID"}}`, "1"},
	{"mixpanelImport", "/import?strict=1&verbose=1", `[{"event":"e","properties":{"token":"WRITEKEY","distinct_id":"u","$insert_id":"ID","time":1700000000}}]`, `{"code":200,"num_records_imported":1,"status":"OK"}`},
	{"mixpanelEngage", "/engage", `[{"$token":"WRITEKEY","$distinct_id":"u","$set":{"a":1},"$insert_id":"ID"}]`, "1"},
	{"mixpanelGroups", "/groups", `[{"$token":"WRITEKEY","$group_key":"company","$group_id":"g","$set":{"a":1},"$insert_id":"ID"}]`, "1"},
	{"posthogBatch", "/batch", `{"api_key":"WRITEKEY","batch":[{"event":"e","distinct_id":"u","uuid":"ID"}]}`, `{"status":1}`},
	{"posthogEvents", "/i/v1/analytics/events", `{"api_key":"WRITEKEY","batch":[{"event":"e","distinct_id":"u","uuid":"ID"}]}`, `{"results":{"ID":{"result":"ok"}}}`},
	{"umamiSend", "/api/send", `{"type":"event","payload":{"website":"WRITEKEY","name":"e","hostname":"h","url":"/a"}}`, `{"cache":"`},
	{"umamiBatch", "/api/batch", `[{"type":"event","payload":{"website":"WRITEKEY","name":"e"}}]`, `{"size":1,"processed":1,"errors":0,`},
	{"plausibleEvent", "/api/event", `{"n":"e","d":"WRITEKEY","u":"https://x.example/a"}`, "ok"},
}

// Each path of each operation, with and without a slash at its end, answers as its vendor does, stores, is never
// redirected, and takes a page's requests with credentials.
func TestEveryPathOfVendorsStores(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	s := vendorSender(t, a)
	sent, before := 0, 0
	for _, c := range oneEvent {
		op := api.VendorOperations[c.operation]
		_, query, _ := strings.Cut(c.path, "?")
		for _, route := range op.Routes {
			for _, path := range []string{route, route + "/"} {
				sent++
				body := strings.ReplaceAll(c.body, "ID", "id-"+strconv.Itoa(sent))
				got := s.post(t, path+"?"+query, body, "Content-Type", "text/plain", "Origin", "https://page.example", "User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")
				seen(c.operation, got.status)
				if got.status != op.Statuses[0] || !strings.HasPrefix(got.body, strings.ReplaceAll(c.answer, "ID", "id-"+strconv.Itoa(sent))) {
					t.Errorf("%s: %d %s", path, got.status, got.body)
				}
				for name, want := range map[string]string{"Access-Control-Allow-Origin": "https://page.example", "Access-Control-Allow-Credentials": "true", "Vary": "Origin"} {
					if got.header.Get(name) != want {
						t.Errorf("%s: %s is %q", path, name, got.header.Get(name))
					}
				}
				if !strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "Retry-After") {
					t.Errorf("%s: Retry-After is not exposed", path)
				}
				all := s.stored(t)
				if n := len(all.Events) + len(all.Operations); n <= before && !strings.HasPrefix(c.operation, "segmentGroup") {
					t.Errorf("%s: nothing was stored", path)
				} else {
					before = n
				}
			}
		}
	}
	for _, path := range []string{"/v1/t", "/v1/t/", "/e/", "/track/"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodOptions, a.URL+path, nil)
		req.Header.Set("Origin", "https://page.example")
		req.Header.Set("Access-Control-Request-Method", "POST")
		req.Header.Set("Access-Control-Request-Headers", "authorization,x-custom")
		got := sendVendor(t, req)
		if got.status != 204 || got.header.Get("Access-Control-Allow-Headers") != "authorization,x-custom" || got.header.Get("Access-Control-Allow-Origin") != "https://page.example" {
			t.Errorf("preflight of %s: %d %v", path, got.status, got.header)
		}
	}
}

func seen(operation string, status int) { apptest.Seen.Add(operation, status) }

// What the vendors' operations document: a body that cannot be decoded, a key that does not work, a body that is too large,
// stubs, and 503 with Retry-After while the database is away.
func TestVendorsAreToldWhatIsWrong(t *testing.T) {
	t.Parallel()
	srv := nimbustest.PrivateServer(t, false)
	a := apptest.BootOn(t, srv.DSN(embedded.Database))
	s := vendorSender(t, a)
	large := strings.Repeat(" ", 11<<20)
	for _, c := range oneEvent {
		for body, want := range map[string]int{"{": 400, strings.ReplaceAll(c.body, "WRITEKEY", "nw_000000000000000000000000"): 401, large: 413} {
			if want == 401 && strings.HasPrefix(c.operation, "umami") {
				want = 400 // as Umami has it
			}
			got := s.post(t, c.path, body)
			seen(c.operation, got.status)
			if got.status != want {
				t.Errorf("%s: %d, want %d: %s", c.operation, got.status, want, got.body)
			}
		}
	}
	get := func(path string) vendorReply {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL+s.with(path), nil)
		return sendVendor(t, req)
	}
	for operation, path := range map[string]string{"segmentSettings": "/v1/projects/WRITEKEY/settings", "rudderSourceConfig": "/sourceConfig/?p=npm",
		"rudderClusterInfo": "/cluster-info", "posthogConfig": "/array/WRITEKEY/config", "posthogConfigScript": "/array/WRITEKEY/config.js",
		"posthogFlagDefinitions": "/api/feature_flag/local_evaluation?token=x", "posthogSurveys": "/api/surveys/"} {
		got := get(path)
		seen(operation, got.status)
		if got.status != 200 || operation != "posthogConfigScript" && !json.Valid([]byte(got.body)) {
			t.Errorf("%s: %d %s", operation, got.status, got.body)
		}
	}
	for operation, path := range map[string]string{"segmentMetrics": "/v1/m", "posthogFlags": "/decide/?v=3", "posthogRecordings": "/s/"} {
		got := s.post(t, path, "{}")
		seen(operation, got.status)
		if got.status != 200 || !json.Valid([]byte(got.body)) {
			t.Errorf("%s: %d %s", operation, got.status, got.body)
		}
	}
	gets := map[string]string{"mixpanelTrackGet": "/track", "mixpanelEngageGet": "/engage", "mixpanelGroupsGet": "/groups", "mixpanelImportGet": "/import"}
	good := map[string]string{"mixpanelTrackGet": `{"event":"e","properties":{"token":"WRITEKEY","distinct_id":"u"}}`,
		"mixpanelImportGet": `{"event":"e","properties":{"token":"WRITEKEY","distinct_id":"u","time":1700000000}}`,
		"mixpanelEngageGet": `{"$token":"WRITEKEY","$distinct_id":"u","$set":{"a":1}}`,
		"mixpanelGroupsGet": `{"$token":"WRITEKEY","$group_key":"k","$group_id":"g","$set":{"a":1}}`}
	data := func(s *sender, text string) string {
		return "?data=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s.with(text))))
	}
	for operation, path := range gets {
		for query, want := range map[string]int{data(s, good[operation]): 200, "?data=%7B": 400, data(s, strings.ReplaceAll(good[operation], "WRITEKEY", "x")): 401} {
			got := get(path + query)
			seen(operation, got.status)
			if got.status != want {
				t.Errorf("%s: %d, want %d: %s", operation, got.status, want, got.body)
			}
		}
	}
	if err := srv.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	away := func(operation string, got vendorReply) {
		seen(operation, got.status)
		if n, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != 503 || err != nil || n < 1 || n > 300 {
			t.Errorf("%s: %d with Retry-After %q: %s", operation, got.status, got.header.Get("Retry-After"), got.body)
		}
	}
	for _, c := range oneEvent {
		away(c.operation, s.post(t, c.path, c.body))
	}
	for operation, path := range gets {
		away(operation, get(path+data(s, good[operation])))
	}
}

// An event with its vendor's id is stored once, whatever its corrected time is when it is sent again.
func TestAResendOfAVendorStoresNothingTwice(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	s := vendorSender(t, a)
	a.Clock.Freeze()
	now := a.Clock.Now().UTC()
	stamp := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339Nano) }
	segment := func(id, timestamp, sentAt string) string {
		return fmt.Sprintf(`{"writeKey":"WRITEKEY","sentAt":%q,"batch":[{"type":"track","event":%q,"userId":"u","messageId":%q,"timestamp":%q}]}`, sentAt, id, id, timestamp)
	}
	posthog := func(id, timestamp, sentAt string) string {
		return fmt.Sprintf(`{"api_key":"WRITEKEY","sent_at":%q,"batch":[{"event":%q,"distinct_id":"u","uuid":%q,"timestamp":%q}]}`, sentAt, id, id, timestamp)
	}
	for _, d := range []struct {
		path, again, count string
		body               func(id, timestamp, sentAt string) string
	}{{"/v1/batch", "X-Retry-Count", "1", segment}, {"/i/v1/analytics/events", "PostHog-Attempt", "2", posthog}, {"/batch/", "X-None", "", posthog}} {
		prefix := strings.Trim(d.path, "/") + " "
		// The right clock, and the same sentAt again after a wait that looks like a wrong clock.
		body := d.body(prefix+"waited", stamp(-time.Second), stamp(0))
		s.post(t, d.path, body)
		a.Clock.Add(20 * time.Minute)
		s.post(t, d.path, body)
		a.Clock.Add(-20 * time.Minute)
		// An hour behind: moved, and moved by another difference when it is sent again with a new sentAt.
		s.post(t, d.path, d.body(prefix+"behind", stamp(-time.Hour-time.Second), stamp(-time.Hour)))
		a.Clock.Add(time.Minute)
		s.post(t, d.path, d.body(prefix+"behind", stamp(-time.Hour-time.Second), stamp(-time.Hour+time.Minute+70*time.Millisecond)))
		// The same, where the second attempt says what it is and so is not moved.
		s.post(t, d.path, d.body(prefix+"behind", stamp(-time.Hour-time.Second), stamp(-time.Hour+time.Minute)), d.again, d.count)
		a.Clock.Add(-time.Minute)
		// No time at all.
		for range 2 {
			s.post(t, d.path, strings.Replace(d.body(prefix+"timeless", "x", stamp(0)), `,"timestamp":"x"`, "", 1))
			a.Clock.Add(time.Second)
		}
		a.Clock.Add(-2 * time.Second)
	}
	byName := map[string][]time.Time{}
	for _, e := range s.stored(t).Events {
		byName[e.Name] = append(byName[e.Name], e.TS)
	}
	if len(byName) != 9 {
		t.Errorf("%d names: %v", len(byName), byName)
	}
	for name, times := range byName {
		want := now.Truncate(time.Microsecond)
		if strings.HasSuffix(name, "waited") || strings.HasSuffix(name, "behind") {
			want = now.Add(-time.Second).Truncate(time.Microsecond)
		}
		if len(times) != 1 || !times[0].Equal(want) {
			t.Errorf("%s at %v, want once at %v", name, times, want)
		}
	}
}

// A bad event costs its neighbours nothing, is kept, and can be corrected and stored, or thrown away.
func TestWhatAVendorCannotStoreIsKeptInQuarantine(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	s := vendorSender(t, a)
	long := strings.Repeat("x", 201)
	for range 2 { // sent again, it is kept once
		for _, c := range []struct{ path, body string }{
			{"/v1/batch", `{"writeKey":"WRITEKEY","batch":[{"type":"track","event":"good","userId":"u","messageId":"1"},{"type":"track","userId":"u","messageId":"2"},
				{"type":"track","event":"e","messageId":"3"},7,{"type":"dance","userId":"u"},{"type":"track","event":"` + long + `","userId":"u"},
				{"type":"track","event":"late","userId":"u","messageId":"4","timestamp":"yesterday"},
				{"type":"track","event":"far","userId":"u","messageId":"5","timestamp":"2999-01-01T00:00:00Z"}]}`},
			{"/i/v1/analytics/events", `{"api_key":"WRITEKEY","batch":[{"event":"fine","distinct_id":"u","uuid":"a"},{"event":"","distinct_id":"u","uuid":"b"}]}`},
			{"/track?verbose=1", `[{"event":"ok","properties":{"token":"WRITEKEY","distinct_id":"u","$insert_id":"1"}},{"properties":{"token":"WRITEKEY","distinct_id":"u"}}]`},
			{"/engage", `[{"$token":"WRITEKEY","$distinct_id":"u","$add":{"n":"many"}}]`},
			{"/api/send", `{"type":"identify","payload":{"website":"WRITEKEY"}}`},
			{"/api/event", `{"d":"WRITEKEY"}`},
		} {
			got := s.post(t, c.path, c.body)
			if got.status/100 != 2 {
				t.Errorf("%s: %d %s", c.path, got.status, got.body)
			}
			if c.path == "/i/v1/analytics/events" && !strings.Contains(got.body, `"b":{"result":"warning"`) {
				t.Error(got.body)
			}
		}
	}
	if got := s.names(t); got != "fine,good,ok" && got != "good,fine,ok" {
		t.Errorf("stored: %s", got)
	}
	project := "/v1/projects/" + s.ProjectID.String()
	type item struct{ ID, Dialect, Operation, Reason, Detail, Body string }
	var all []item
	for cursor := ""; ; {
		var page struct {
			Items      []item
			NextCursor *string `json:"next_cursor"`
		}
		s.Do("GET", project+"/quarantine?limit=5"+cursor, nil).Want(200).JSON(&page)
		all = append(all, page.Items...)
		if page.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *page.NextCursor
	}
	byReason := map[string]item{}
	for _, i := range all {
		byReason[i.Dialect+" "+i.Reason] = i
	}
	for _, want := range []string{"segment name_missing", "segment id_missing", "segment type", "segment type_unknown", "segment name_too_long", "segment timestamp",
		"segment maximum", "posthog name_missing", "mixpanel name_missing", "mixpanel type", "umami id_missing", "plausible name_missing"} {
		if _, ok := byReason[want]; !ok {
			t.Errorf("%s is not in quarantine", want)
		}
	}
	if len(all) != 12 {
		t.Errorf("%d items: %v", len(all), byReason)
	}
	far := byReason["segment maximum"]
	var result struct {
		Stored int
		Kept   []struct{ ID, Reason string }
	}
	s.Do("POST", project+"/quarantine/replay", map[string]any{"items": []any{map[string]any{"id": far.ID},
		map[string]any{"id": byReason["segment name_missing"].ID, "body": `{"type":"track","event":"mended","userId":"u","messageId":"2"}`},
		map[string]any{"id": s.ProjectID}}}).Want(200).JSON(&result)
	if result.Stored != 1 || len(result.Kept) != 2 || result.Kept[0].Reason != "maximum" || result.Kept[1].Reason != "not_found" {
		t.Errorf("replayed: %+v", result)
	}
	if !strings.Contains(s.names(t), "mended") {
		t.Error("what was corrected is not stored")
	}
	s.Do("DELETE", project+"/quarantine/"+far.ID, nil).Want(204)
	s.Do("DELETE", project+"/quarantine/"+far.ID, nil).Want(404)
	a.Exec(t, `UPDATE quarantine SET received_at = received_at - interval '31 days'`)
	a.RunJob(t, "prune the quarantine")
	var left int
	if a.Query(t, `SELECT count(*) FROM quarantine`, &left); left != 0 {
		t.Errorf("%d items are left after 31 days", left)
	}
}

// Props that are larger or deeper than ours may be are cut where everybody can see it; what PostgreSQL cannot hold is replaced.
func TestLargePropsOfVendorsAreCutAndNotRefused(t *testing.T) {
	t.Parallel()
	s := vendorSender(t, apptest.Boot(t))
	deep := strings.Repeat(`{"a":`, 12) + "1" + strings.Repeat("}", 12)
	got := s.post(t, "/batch/", `{"api_key":"WRITEKEY","batch":[
		{"event":"large","distinct_id":"u","uuid":"1","properties":{"small":1,"stack":"`+strings.Repeat("frame ", 20_000)+`"}},
		{"event":"deep","distinct_id":"u","uuid":"2","properties":{"x":`+deep+`}},
		{"event":"odd","distinct_id":"u","uuid":"3","properties":{"nul":"a\u0000b","half":"\ud83d","big":1e400,"twice":1,"twice":2}}]}`)
	if got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	props := map[string]map[string]any{}
	for _, e := range s.stored(t).Events {
		var p map[string]any
		if err := json.Unmarshal(e.Props, &p); err != nil {
			t.Fatal(err)
		}
		props[e.Name] = p
	}
	if p := props["large"]; p["small"] != 1.0 || fmt.Sprint(p["$cut"]) != "[stack]" || !strings.HasPrefix(p["stack"].(string), "frame ") {
		t.Errorf("large: %.300v", p)
	}
	if len(props["deep"]) == 0 {
		t.Error("deep: nothing is stored")
	}
	if p := props["odd"]; p["nul"] != "a\uFFFDb" || p["half"] != "\uFFFD" || p["big"] == nil || p["twice"] != 2.0 {
		t.Errorf("odd: %v", p)
	}
	// mixpanel-node puts a whole event into the address.
	text := s.with(`{"event":"long","properties":{"token":"WRITEKEY","distinct_id":"u","v":"` + strings.Repeat("v", 900_000) + `"}}`)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.app.URL+"/track?data="+url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(text))), nil)
	if got := sendVendor(t, req); got.status != 200 || got.body != "1" {
		t.Errorf("a long address: %d %.100s", got.status, got.body)
	}
}

// A write key is a key of every vendor, by its id where a UUID is asked for; a secret is one where the vendor has secrets.
func TestKeysOfVendors(t *testing.T) {
	t.Parallel()
	s := vendorSender(t, apptest.Boot(t))
	basic := func(user string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(user)) }
	event := `{"event":"e","userId":"u"}`
	for k, c := range []struct {
		path, body, name, value string
		want                    int
	}{
		{"/v1/track", event, "Authorization", basic(s.key + ":"), 200}, {"/v1/track?writeKey=WRITEKEY", event, "X", "", 200},
		{"/v1/track", event, "Authorization", basic("x:"), 401}, {"/v1/track", event, "X", "", 401},
		{"/api/send", `{"type":"event","payload":{"website":"` + s.id + `","name":"e"}}`, "X", "", 200},
		{"/api/event", `{"name":"e","domain":"` + s.id + `,WRITEKEY"}`, "X", "", 202},
		{"/import", `[{"event":"e","properties":{"time":1700000000,"distinct_id":"u"}}]`, "Authorization", basic(s.Secret + ":"), 200},
		{"/import?api_key=APISECRET", `[{"event":"e","properties":{"time":1700000000,"distinct_id":"u"}}]`, "X", "", 200},
		{"/import", `[{"event":"e","properties":{"token":"WRITEKEY","time":1700000000,"distinct_id":"u"}}]`, "Authorization", basic("wrong:"), 401},
		{"/import", `data={"event":"$merge","properties":{"$distinct_ids":["anon-9","u"]}}`, "Authorization", basic(s.Secret + ":"), 200},
		{"/e/", `data=` + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(`[{"event":"e","properties":{"distinct_id":"u","token":"`+s.key+`"}}]`))), "X", "", 200},
		{"/i/v1/analytics/events", `{"batch":[{"event":"e","distinct_id":"u","uuid":"1"}]}`, "Authorization", "Bearer WRITEKEY", 200},
	} {
		before := len(s.stored(t).Events) + len(s.stored(t).Operations)
		got := s.post(t, c.path, c.body, c.name, c.value)
		if got.status != c.want {
			t.Errorf("%d %s: %d, want %d: %s", k, c.path, got.status, c.want, got.body)
		}
		if after := len(s.stored(t).Events) + len(s.stored(t).Operations); (after > before) != (c.want < 300) {
			t.Errorf("%d %s: %d things are stored, and were %d", k, c.path, after, before)
		}
	}
	var page struct{ Items []any }
	if s.Do("GET", "/v1/projects/"+s.ProjectID.String()+"/quarantine", nil).Want(200).JSON(&page); len(page.Items) > 0 {
		t.Error(page.Items)
	}
}

// A dialect that is switched off is not there.
func TestDialectsAreSwitchedOff(t *testing.T) {
	t.Parallel()
	s := vendorSender(t, apptest.Boot(t, "NIMBUS_COMPAT=segment"))
	for path, want := range map[string]int{"/v1/track": 200, "/track": 404, "/batch/": 404, "/api/send": 404} {
		if got := s.post(t, path, `{"writeKey":"WRITEKEY","event":"e","userId":"u"}`); got.status != want {
			t.Errorf("%s: %d, want %d", path, got.status, want)
		}
	}
	off := vendorSender(t, apptest.Boot(t, "NIMBUS_COMPAT=off"))
	if got := off.post(t, "/v1/track", `{"writeKey":"WRITEKEY","event":"e","userId":"u"}`); got.status != 404 {
		t.Errorf("all off: %d", got.status)
	}
}

// Where the server is below a path, the SDK that asks where to send to is sent there, too.
func TestVendorsAreSentBelowThePath(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_BASE_PATH=/analytics")
	s := vendorSender(t, a)
	req, err := http.NewRequestWithContext(t.Context(), "GET", a.URL+"/analytics/v1/projects/"+s.key+"/settings", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := sendVendor(t, req)
	if want := `"apiHost":"` + req.URL.Host + `/analytics/v1"`; got.status != 200 || !strings.Contains(got.body, want) {
		t.Errorf("%+v, want %s", got, want)
	}
}

// A dialect that a project has switched off answers its keys, of either kind, as it answers those that there are not; other
// dialects, other projects and Nimbus' own format go on. It is in force with the answer to the change, which is audited.
func TestAProjectSwitchesDialectsOff(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t, "NIMBUS_COMPAT=segment,mixpanel")
	s, other := vendorSender(t, a), vendorSender(t, a)
	path := "/v1/projects/" + s.ProjectID.String()
	type project struct {
		Dialects    []string
		DialectsOff []string `json:"dialects_off"`
	}
	change := func(off []string, want string) {
		t.Helper()
		var p project
		s.Do("PATCH", path, map[string]any{"dialects_off": off}).Want(200).JSON(&p)
		if got := fmt.Sprint(p.Dialects, p.DialectsOff); got != want {
			t.Errorf("dialects %s, want %s", got, want)
		}
	}
	call := `{"writeKey":"WRITEKEY","event":"e","userId":"u"}`
	imported := `[{"event":"e","properties":{"distinct_id":"u","time":1700000000,"$insert_id":"i"}}]`
	basic := []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(s.Secret+":"))}
	statuses := func(want ...int) {
		t.Helper()
		for k, got := range []int{s.post(t, "/v1/track", call).status, s.post(t, "/import", imported, basic...).status,
			other.post(t, "/v1/track", call).status} {
			if got != want[k] {
				t.Errorf("request %d: %d, want %d", k, got, want[k])
			}
		}
	}
	statuses(200, 200, 200)
	change([]string{"segment", "posthog", "segment"}, "[mixpanel] [posthog segment]")
	statuses(401, 200, 200)
	unknown := s.post(t, "/v1/track", `{"writeKey":"nw_000000000000000000000000","event":"e","userId":"u"}`)
	if got := s.post(t, "/v1/track", call); got.status != unknown.status || got.body != unknown.body {
		t.Errorf("switched off: %+v, an unknown key: %+v", got, unknown)
	}
	change([]string{"mixpanel"}, "[segment] [mixpanel]")
	statuses(200, 401, 200)
	s.Ingest(apptest.Event{"name": "own", "idempotency_key": "k"})
	s.Do("PATCH", path, map[string]any{"dialects_off": []string{"matomo"}}).Want(422)
	s.Do("PATCH", path, map[string]any{"name": "Another name"}).Want(200)
	statuses(200, 401, 200)
	change([]string{}, "[segment mixpanel] []")
	statuses(200, 200, 200)
	var log struct {
		Items []struct {
			Action  string
			Changes map[string]any
		}
	}
	s.Do("GET", path+"/audit", nil).Want(200).JSON(&log)
	audited := 0
	for _, entry := range log.Items {
		if entry.Action == "project.update" && entry.Changes["dialects_off"] != nil {
			audited++
		}
	}
	if audited != 3 {
		t.Errorf("%d changes of dialects are audited: %+v", audited, log.Items)
	}
}
