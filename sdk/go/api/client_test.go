package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/api"
)

var project = uuid.MustParse("3fa85f64-5717-4562-b3fc-2c963f66afa6")

// connect starts a server for one test and returns a client of it.
func connect(t *testing.T, handler http.HandlerFunc) *api.ClientWithResponses {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client, err := api.NewClientWithResponses(server.URL, api.WithRequestEditorFn(nimbus.SigningEditor("nk_1", "s", nil)))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func reply(t *testing.T, w http.ResponseWriter, status int, mediaType, body string) {
	t.Helper()
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	if _, err := w.Write([]byte(body)); err != nil {
		t.Error(err)
	}
}

func TestIngestSendsWhatTheContractNames(t *testing.T) {
	t.Parallel()
	client := connect(t, func(w http.ResponseWriter, r *http.Request) {
		var got map[string]any
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		events, _ := got["events"].([]any)
		if r.Method != http.MethodPost || r.URL.Path != "/v1/events" || got["project_id"] != project.String() || len(events) != 2 {
			t.Errorf("%s %s %v", r.Method, r.URL, got)
		}
		if first, _ := events[0].(map[string]any); len(first) != 1 || first["name"] != "signed_up" {
			t.Errorf("members that were not set must be absent, got %v", first)
		}
		if second, _ := events[1].(map[string]any); second["ts"] != "2026-01-15T10:30:00Z" || second["props"] == nil {
			t.Errorf("got %v", second)
		}
		reply(t, w, http.StatusOK, "application/json", `{"accepted":1,"duplicates":1,"rejected":0,"errors":[]}`)
	})
	got, err := client.IngestEventsWithResponse(t.Context(), nil, api.IngestRequest{ProjectID: project, Events: []api.Event{
		{Name: "signed_up"},
		{Name: "page_view", TS: time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC), Props: json.RawMessage(`{"page":"/home"}`)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got.JSON200 == nil || got.JSON200.Accepted != 1 || got.JSON200.Duplicates != 1 {
		t.Errorf("reply %d %s", got.StatusCode(), got.Body)
	}
}

func TestAnErrorIsTheProblemOfItsStatus(t *testing.T) {
	t.Parallel()
	client := connect(t, func(w http.ResponseWriter, _ *http.Request) {
		reply(t, w, http.StatusUnprocessableEntity, "application/problem+json", `{"type":"/docs/errors#validation_failed","title":"Validation failed","status":422,
			"detail":"1 field is wrong","code":"validation_failed","request_id":"r","errors":[{"in":"query","pointer":"/limit","code":"maximum","detail":"must be <= 1000"}]}`)
	})
	limit := int32(1001)
	got, err := client.ListEventsWithResponse(t.Context(), &api.ListEventsParams{ProjectID: project, Limit: &limit})
	if err != nil {
		t.Fatal(err)
	}
	problem := got.ApplicationProblemJSON422
	if problem == nil || problem.Code != "validation_failed" || len(problem.Errors) != 1 || problem.Errors[0].Pointer != "/limit" {
		t.Errorf("reply %d %s", got.StatusCode(), got.Body)
	}
}

func TestQueryParametersAreWrittenAsTheServerReadsThem(t *testing.T) {
	t.Parallel()
	client := connect(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if names := q["name"]; len(names) != 2 || names[0] != "a" || names[1] != "b&c" {
			t.Errorf("names %q in %s", names, r.URL.RawQuery)
		}
		if since := q.Get("since"); since != "2026-01-15T10:30:00.000001Z" {
			t.Errorf("since %q: microseconds must survive", since)
		}
		if props := q.Get("props"); props != `{"plan":"pro"}` {
			t.Errorf("props %q", props)
		}
		reply(t, w, http.StatusOK, "application/json", `{"items":[],"next_cursor":null}`)
	})
	since, props, names := time.Date(2026, 1, 15, 10, 30, 0, 1000, time.UTC), `{"plan":"pro"}`, api.Names{"a", "b&c"}
	got, err := client.ListEventsWithResponse(t.Context(), &api.ListEventsParams{ProjectID: project, Name: names, Since: &since, Props: &props})
	if err != nil {
		t.Fatal(err)
	}
	if got.JSON200 == nil || got.JSON200.NextCursor != nil || len(got.JSON200.Items) != 0 {
		t.Errorf("reply %d %s", got.StatusCode(), got.Body)
	}
}

func TestAServerUnderAPathKeepsIt(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/nimbus/v1/health" {
			t.Errorf("path %s", r.URL.Path)
		}
		reply(t, w, http.StatusServiceUnavailable, "application/json", `{"status":"unavailable","checks":{
			"database":{"status":"failing","detail":"away"},"redis":{"status":"not_configured"},"ingest":{"status":"ok"}}}`)
	}))
	t.Cleanup(server.Close)
	client, err := api.NewClientWithResponses(server.URL + "/nimbus")
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetHealthWithResponse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.JSON503 == nil || got.JSON503.Checks.Database.Status != api.CheckFailing {
		t.Errorf("reply %d %s", got.StatusCode(), got.Body)
	}
}

func TestAnExportGoesOnUntilThereIsNoMoreForNow(t *testing.T) {
	t.Parallel()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, q.Get("order")+" "+q.Get("cursor"))
		next := `"b"`
		if q.Get("cursor") == "b" {
			next = "null"
		}
		reply(t, w, http.StatusOK, "application/json", `{"items":[],"next_cursor":`+next+`,"resume_cursor":"b"}`)
	}))
	defer server.Close()
	client, err := api.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	from := "a"
	export := client.Received(t.Context(), api.ListEventsParams{ProjectID: project, Cursor: &from})
	for range 2 { // each range begins where it was told to
		asked = nil
		kept := ""
		for page, err := range export {
			if err != nil {
				t.Fatal(err)
			}
			kept = *page.ResumeCursor
		}
		if kept != "b" || len(asked) != 2 || asked[0] != "received a" || asked[1] != "received b" {
			t.Errorf("asked %q, kept %q", asked, kept)
		}
	}
}
