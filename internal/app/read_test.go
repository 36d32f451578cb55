package app_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/apptest"
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
	// Another tenant learns nothing: not of the project, and not of the event.
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
