package app_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/bahagh/nimbus/test/apptest"
)

func events(n int) []apptest.Event {
	out := make([]apptest.Event, n)
	for k := range out {
		out[k] = apptest.Event{"name": "page_view", "user_id": fmt.Sprintf("u%d", k%7), "props": map[string]any{"k": k}}
	}
	return out
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestSendingTheSameRequestAgainStoresNothing(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	body := x.Batch(events(1000)...)
	for name, exact := range map[string][]byte{"identity": body, "gzip": gzipped(t, body), "zstd": encoder.EncodeAll(body, nil)} {
		before := x.Count()
		// Without keys the events are identified by the signature and their position: a replay is the same bytes.
		ts := a.Clock.Now().Unix()
		for attempt, want := range []apptest.Ingested{{Accepted: 1000}, {Duplicates: 1000}, {Duplicates: 1000}} {
			req := x.SignedAt(exact, ts)
			req.Header.Set("Content-Encoding", name)
			var got apptest.Ingested
			x.Send(req).Want(200).JSON(&got)
			if got.Accepted != want.Accepted || got.Duplicates != want.Duplicates || got.Rejected != 0 {
				t.Errorf("%s, attempt %d: %+v, want %+v", name, attempt, got, want)
			}
		}
		if got := x.Count() - before; got != 1000 {
			t.Errorf("%s: %d events stored, want 1000", name, got)
		}
	}
}

func TestAnEventIsIdentifiedByItsKey(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	at := "2026-01-15T10:30:00Z"
	steps := []struct {
		name  string
		event apptest.Event
		dup   bool
	}{
		{"first", apptest.Event{"name": "e", "ts": at, "user_id": "u", "idempotency_key": "k"}, false},
		{"again, with other props", apptest.Event{"name": "e", "ts": at, "user_id": "u", "idempotency_key": "k", "props": map[string]any{"a": 1}}, true},
		{"the same instant in another zone", apptest.Event{"name": "e", "ts": "2026-01-15T11:30:00+01:00", "user_id": "u", "idempotency_key": "k"}, true},
		{"another key", apptest.Event{"name": "e", "ts": at, "user_id": "u", "idempotency_key": "k2"}, false},
		{"another user", apptest.Event{"name": "e", "ts": at, "user_id": "v", "idempotency_key": "k"}, false},
		{"another name", apptest.Event{"name": "f", "ts": at, "user_id": "u", "idempotency_key": "k"}, false},
		{"a microsecond later", apptest.Event{"name": "e", "ts": "2026-01-15T10:30:00.000001Z", "user_id": "u", "idempotency_key": "k"}, false},
		{"a nanosecond later is the same microsecond", apptest.Event{"name": "e", "ts": "2026-01-15T10:30:00.000000999Z", "user_id": "u", "idempotency_key": "k"}, true},
		{"anonymous with the id of the user", apptest.Event{"name": "e", "ts": at, "anonymous_id": "u", "idempotency_key": "k"}, false},
		{"without a ts", apptest.Event{"name": "e", "user_id": "u", "idempotency_key": "no-ts"}, false},
		{"without a ts, later", apptest.Event{"name": "e", "user_id": "u", "idempotency_key": "no-ts"}, true},
	}
	for _, s := range steps {
		got := x.Ingest(s.event)
		if (got.Duplicates == 1) != s.dup || got.Accepted+got.Duplicates != 1 {
			t.Errorf("%s: %+v, want duplicate=%v", s.name, got, s.dup)
		}
		a.Clock.Add(10 * time.Second) // a retry is signed anew
	}
}

func TestDuplicatesWithinOneRequestAreFoundAtEveryPlace(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	const n = 9
	for place := 1; place < n; place++ {
		batch := make([]apptest.Event, n)
		for k := range batch {
			batch[k] = apptest.Event{"name": "e", "idempotency_key": fmt.Sprintf("%d-%d", place, k), "ts": "2026-01-15T10:30:00Z"}
		}
		batch[place] = batch[place-1]
		if got := x.Ingest(batch...); got.Accepted != n-1 || got.Duplicates != 1 {
			t.Errorf("duplicate at %d: %+v", place, got)
		}
	}
}

func TestGoodEventsAreStoredBesideBadOnes(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	got := x.Ingest(
		apptest.Event{"name": ""},
		apptest.Event{"name": "good"},
		apptest.Event{"name": "bad", "ts": "2099-01-01T00:00:00Z", "colour": "red"},
	)
	if got.Accepted != 1 || got.Rejected != 2 {
		t.Fatalf("%+v", got)
	}
	want := map[string]string{"/events/0/name": "length", "/events/2/colour": "unknown_member"}
	for _, e := range got.Errors {
		if want[e.Pointer] == e.Code {
			delete(want, e.Pointer)
		}
		if e.Detail == "" || e.Index != 0 && e.Index != 2 {
			t.Errorf("an error without a detail or with a wrong index: %+v", e)
		}
	}
	if len(want) > 0 {
		t.Errorf("not reported: %v in %+v", want, got.Errors)
	}
	if n := x.Count(); n != 1 {
		t.Errorf("%d events stored, want 1", n)
	}
}

// Each of these requests is refused with its own error and stores nothing.
func TestRefusedRequestsStoreNothing(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, other := a.Tenant(t), a.Tenant(t)
	ok := apptest.Event{"name": "e"}
	valid := x.Batch(ok)
	now := a.Clock.Now().Unix()
	signedBy := func(key *apptest.Tenant, body []byte) *http.Request { return key.Signed(body) }
	raw := func(event string) []byte {
		return []byte(fmt.Sprintf(`{"project_id":%q,"events":[%s]}`, x.ProjectID, event))
	}
	edit := func(r *http.Request, header, value string) *http.Request {
		r.Header.Set(header, value)
		return r
	}
	deep := strings.Repeat(`{"a":`, 9) + "1" + strings.Repeat("}", 9)
	tests := []struct {
		name   string
		req    *http.Request
		status int
		code   string // of the problem
		field  string // pointer and code of a field, if one is at fault
	}{
		{"wrong signature", edit(x.Signed(valid), "X-Api-Signature", strings.Repeat("0", 64)), 401, "invalid_signature", ""},
		{"signature of another body", edit(x.Signed(valid), "X-Api-Signature", x.Signed(x.Batch(ok, ok)).Header.Get("X-Api-Signature")), 401, "invalid_signature", ""},
		{"stale timestamp", x.SignedAt(valid, now-301), 401, "stale_timestamp", ""},
		{"future timestamp", x.SignedAt(valid, now+3600), 401, "stale_timestamp", ""},
		{"unknown key", edit(x.Signed(valid), "X-Api-Key-Id", "nk_0000000000000000"), 401, "invalid_key", ""},
		{"key of another project", edit(x.Signed(valid), "X-Api-Key-Id", other.KeyID), 401, "invalid_signature", ""},
		{"another tenant's project", signedBy(other, valid), 404, "not_found", ""},
		{"a project that does not exist", x.Signed([]byte(fmt.Sprintf(`{"project_id":%q,"events":[{"name":"e"}]}`, uuid.NewString()))), 404, "not_found", ""},
		{"half a signature", edit(a.Client(t).Request("POST", "/v1/events", valid), "X-Api-Key-Id", x.KeyID), 401, "unauthenticated", ""},
		{"an access token", edit(a.Client(t).Request("POST", "/v1/events", valid), "Authorization", "Bearer "+x.AccessToken), 401, "wrong_token_type", ""},
		{"wrong secret", edit(a.Client(t).Request("POST", "/v1/events", valid), "X-API-Key", "ns_wrong"), 401, "invalid_key", ""},
		{"wrong write key", edit(a.Client(t).Request("POST", "/v1/events", valid), "X-Write-Key", "nw_wrong"), 401, "invalid_key", ""},
		{"NUL in props", x.Signed(raw(`{"name":"e","props":{"a":"b\u0000c"}}`)), 422, "all_events_rejected", "/events/0/props/a nul_character"},
		{"NUL in a key of props", x.Signed(raw(`{"name":"e","props":{"\u0000":1}}`)), 422, "all_events_rejected", "nul_character"},
		{"NUL in user_id", x.Signed(raw(`{"name":"e","user_id":"\u0000"}`)), 422, "all_events_rejected", "/events/0/user_id nul_character"},
		{"lone surrogate", x.Signed(raw(`{"name":"e","props":{"a":"\ud800"}}`)), 422, "all_events_rejected", "/events/0/props/a invalid_unicode"},
		{"a number jsonb cannot keep", x.Signed(raw(`{"name":"e","props":{"a":1e999999}}`)), 422, "all_events_rejected", "/events/0/props/a number_out_of_range"},
		{"33 KiB of props", x.Signed(raw(`{"name":"e","props":{"a":"` + strings.Repeat("x", 33<<10) + `"}}`)), 422, "all_events_rejected", "/events/0/props too_large"},
		{"props nine levels deep", x.Signed(raw(`{"name":"e","props":` + deep + `}`)), 422, "all_events_rejected", "too_deep"},
		{"props of another type", x.Signed(raw(`{"name":"e","props":[1]}`)), 422, "all_events_rejected", "/events/0/props type"},
		{"control character in the name", x.Signed(raw(`{"name":"a\tb"}`)), 422, "all_events_rejected", "/events/0/name control_character"},
		{"201 characters of name", x.Signed(x.Batch(apptest.Event{"name": strings.Repeat("ä", 201)})), 422, "all_events_rejected", "/events/0/name length"},
		{"ts before 1971", x.Signed(x.Batch(apptest.Event{"name": "e", "ts": "1970-12-31T23:59:59Z"})), 422, "all_events_rejected", "/events/0/ts minimum"},
		{"ts without a zone", x.Signed(x.Batch(apptest.Event{"name": "e", "ts": "2026-01-15T10:30:00"})), 422, "all_events_rejected", "/events/0/ts format"},
		{"ts 25 hours ahead", x.Signed(x.Batch(apptest.Event{"name": "e", "ts": a.Clock.Now().Add(25 * time.Hour)})), 422, "all_events_rejected", "/events/0/ts maximum"},
		{"duplicate member", x.Signed(raw(`{"name":"a","name":"b"}`)), 422, "all_events_rejected", "/events/0/name duplicate_member"},
		{"duplicate member in props", x.Signed(raw(`{"name":"a","props":{"x":1,"x":2}}`)), 422, "all_events_rejected", "/events/0/props/x duplicate_member"},
		{"unknown member of an event", x.Signed(raw(`{"name":"a","colour":1}`)), 422, "all_events_rejected", "/events/0/colour unknown_member"},
		{"unknown member of the request", x.Signed([]byte(fmt.Sprintf(`{"project_id":%q,"events":[{"name":"e"}],"batch":1}`, x.ProjectID))), 422, "validation_failed", "/batch unknown_member"},
		{"no project", x.Signed([]byte(`{"events":[{"name":"e"}]}`)), 422, "validation_failed", "/project_id required"},
		{"no events", x.Signed(x.Batch()), 422, "validation_failed", "/events"},
		{"10,001 events", x.Signed(x.Batch(events(10_001)...)), 422, "validation_failed", "/events max_items"},
		{"11 MiB", x.Signed(raw(`{"name":"` + strings.Repeat("x", 11<<20) + `"}`)), 413, "body_too_large", ""},
		{"truncated JSON", x.Signed(valid[:len(valid)-1]), 400, "malformed_json", ""},
		{"bad UTF-8", x.Signed(raw("{\"name\":\"\xff\"}")), 400, "malformed_json", ""},
		{"two documents", x.Signed(append(append([]byte(nil), valid...), valid...)), 400, "malformed_json", ""},
		{"wrong content type", edit(x.Signed(valid), "Content-Type", "text/plain"), 415, "unsupported_media_type", ""},
		{"other charset", edit(x.Signed(valid), "Content-Type", "application/json; charset=utf-16"), 415, "unsupported_media_type", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := x.Send(tt.req).WantCode(tt.status, tt.code)
			var p struct {
				Detail   string
				Accepted *int
				Rejected *int
				Errors   []struct{ Pointer, Code, Detail string }
			}
			r.JSON(&p)
			if len(p.Detail) < 10 {
				t.Errorf("the detail does not help: %q", p.Detail)
			}
			if tt.code == "all_events_rejected" && (p.Accepted == nil || *p.Accepted != 0 || p.Rejected == nil || *p.Rejected != 1) {
				t.Errorf("accepted and rejected are missing: %s", r.Body)
			}
			if tt.field != "" {
				found := false
				for _, e := range p.Errors {
					found = found || strings.Contains(e.Pointer+" "+e.Code, tt.field)
				}
				if !found {
					t.Errorf("%q is not among the errors: %s", tt.field, r.Body)
				}
			}
		})
	}
	for _, y := range []*apptest.Tenant{x, other} {
		if n := y.Count(); n != 0 {
			t.Errorf("%d events were stored", n)
		}
	}
}

// A small gzip that hides 1 GiB: refused, and the memory does not follow the bomb.
func TestABombIsRefusedWithoutMemory(t *testing.T) {
	a := apptest.Boot(t)
	x := a.Tenant(t)
	// A gzip file may have many members, so 64 times 16 MiB are 1 GiB.
	bomb := bytes.Repeat(gzipped(t, make([]byte, 16<<20)), 64)
	if len(bomb) > 10<<20 {
		t.Fatalf("the bomb itself has %d bytes", len(bomb))
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	req := x.Signed(bomb)
	req.Header.Set("Content-Encoding", "gzip")
	x.Send(req).WantCode(413, "body_too_large")
	runtime.ReadMemStats(&after)
	// The test's own client copies the bomb a few times; the gigabyte must not be in memory.
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 150<<20 {
		t.Errorf("refusing the bomb allocated %d MiB", grown>>20)
	}
	if n := x.Count(); n != 0 {
		t.Errorf("%d events were stored", n)
	}
}

func TestEveryKindOfKeySends(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	body := x.Batch(apptest.Event{"name": "e", "idempotency_key": "k", "ts": "2026-01-15T10:30:00Z"})
	a.Client(t).With("X-API-Key", x.Secret).Do("POST", "/v1/events", body).Want(200)
	var wk struct{ Key string }
	x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/write-keys", map[string]any{"allowed_origins": []string{"https://shop.example.com"}}).Want(201).JSON(&wk)
	c := a.Client(t).With("X-Write-Key", wk.Key)
	c.Do("POST", "/v1/events", body).WantCode(403, "origin_not_allowed")
	c.With("Origin", "https://evil.example.com").Do("POST", "/v1/events", body).WantCode(403, "origin_not_allowed")
	var got apptest.Ingested
	c.With("Origin", "https://shop.example.com").Do("POST", "/v1/events", body).Want(200).JSON(&got)
	if got.Duplicates != 1 {
		t.Errorf("the same event by another key: %+v", got)
	}
	// A write key sends and does nothing else.
	c.Do("GET", "/v1/events?project_id="+x.ProjectID.String(), nil).Want(401)
}

func TestPropsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	props := `{"a": 1, "b": [true, null, "ä\n\"<>&\u2028"], "c": {"d": 1.5e3}, "": 0}`
	x.Send(x.Signed([]byte(fmt.Sprintf(`{"project_id":%q,"events":[{"name":"e","seq":7,"anonymous_id":"a1","props":%s}]}`, x.ProjectID, props)))).Want(200)
	var page struct {
		Items []struct {
			ID          uuid.UUID
			Seq         int64
			AnonymousID string `json:"anonymous_id"`
			Props       map[string]any
		}
	}
	x.Do("GET", "/v1/events?project_id="+x.ProjectID.String(), nil).Want(200).JSON(&page)
	var want map[string]any
	if err := json.Unmarshal([]byte(props), &want); err != nil {
		t.Fatal(err)
	}
	got := page.Items[0]
	if fmt.Sprint(got.Props) != fmt.Sprint(want) || got.Seq != 7 || got.AnonymousID != "a1" {
		t.Errorf("got %+v, want props %v", got, want)
	}
	x.Do("GET", "/v1/events/"+got.ID.String(), nil).Want(200)
}
