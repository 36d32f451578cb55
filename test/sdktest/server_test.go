package sdktest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/test/sdktest"
)

// opened is a session of a server for one test.
type opened struct {
	t   *testing.T
	url string
}

func open(t *testing.T, script string) *opened {
	t.Helper()
	server := httptest.NewServer(sdktest.NewServer())
	t.Cleanup(server.Close)
	status, body := send(t, server.URL+"/__script", script, nil)
	var session struct{ URL string }
	if err := json.Unmarshal(body, &session); err != nil || status != http.StatusCreated {
		t.Fatalf("open a session: %d, %v: %s", status, err, body)
	}
	return &opened{t, session.URL}
}

func send(t *testing.T, url, body string, header http.Header) (int, []byte) {
	t.Helper()
	status, answer, err := try(t, url, body, header)
	if err != nil {
		t.Fatal(err)
	}
	return status, answer
}

func try(t *testing.T, url, body string, header http.Header) (int, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

func (o *opened) report(query string) sdktest.Report {
	o.t.Helper()
	res, err := http.Get(o.url + "/__requests" + query)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	var report sdktest.Report
	if err := json.NewDecoder(res.Body).Decode(&report); err != nil || res.StatusCode != http.StatusOK {
		o.t.Fatalf("report: %d, %v", res.StatusCode, err)
	}
	return report
}

const twoEvents = `{"project_id":"p","events":[{"name":"a","idempotency_key":"1"},{"name":"b","idempotency_key":"2"}]}`

// signed signs as the real server wants it.
func signed(path, body, secret string, at time.Time) http.Header {
	ts := strconv.FormatInt(at.Unix(), 10)
	return http.Header{"X-Api-Key-Id": {"nk_test"}, "X-Api-Timestamp": {ts},
		"X-Api-Signature": {projects.Sign(secret, ts, http.MethodPost, path, []byte(body))}}
}

func TestTheHonestAnswerVerifiesAndDedupes(t *testing.T) {
	t.Parallel()
	o := open(t, `{"clock_ahead_seconds": 1000}`)
	now := time.Now()
	cases := []struct {
		header http.Header
		status int
		has    string
	}{
		{signed("/v1/events", twoEvents, "ns_test", now.Add(1000*time.Second)), 200, `"accepted":2,"duplicates":0`},
		{signed("/v1/events", twoEvents, "ns_test", now.Add(1000*time.Second)), 200, `"accepted":0,"duplicates":2`},
		{signed("/v1/events", twoEvents, "ns_test", now), 401, `"stale_timestamp"`},
		{signed("/v1/events", twoEvents, "ns_wrong", now.Add(1000*time.Second)), 401, `"invalid_signature"`},
		{http.Header{"X-Write-Key": {"nw_test"}}, 200, `"duplicates":2`},
		{http.Header{"X-Api-Key": {"ns_test"}}, 200, `"duplicates":2`},
		{nil, 401, `"unauthenticated"`},
	}
	for k, c := range cases {
		status, answer := send(t, o.url+"/v1/events", twoEvents, c.header)
		if status != c.status || !bytes.Contains(answer, []byte(c.has)) {
			t.Errorf("case %d: %d %s, want %d with %s", k, status, answer, c.status, c.has)
		}
	}
	report := o.report("")
	want := []sdktest.Verdict{"valid", "valid", "stale", "invalid", "absent", "absent", "absent"}
	for k, r := range report.Requests {
		if r.Signature != want[k] || r.Status != cases[k].status || len(r.Events) != 2 {
			t.Errorf("request %d: %+v", k, r)
		}
	}
	if len(report.Requests) != len(want) || len(report.Stored) != 2 || report.Waiting != 0 {
		t.Errorf("report %+v", report)
	}
}

func TestTheScriptIsFollowedInTurn(t *testing.T) {
	t.Parallel()
	o := open(t, `{"max_body_bytes": 200, "replies": [{"status": 503, "headers": {"Retry-After": "7"}, "times": 2}, {"drop": "before"}, {"drop": "after"}, {"status": 502, "body": "a page"}]}`)
	key := http.Header{"X-Api-Key": {"ns_test"}}
	for k := range 7 {
		status, answer, err := try(t, o.url+"/v1/events", twoEvents, key)
		want := []int{503, 503, 0, 0, 502, 200, 200}[k]
		if status != want || (err != nil) != (want == 0) || (k == 4) != (string(answer) == "a page") {
			t.Errorf("request %d: %d, %v: %s", k, status, err, answer)
		}
		if stored := len(o.report("").Stored); stored != map[bool]int{false: 0, true: 2}[k >= 3] {
			t.Errorf("after request %d %d are stored", k, stored)
		}
	}
	if status, _ := send(t, o.url+"/v1/events", twoEvents+string(bytes.Repeat([]byte(" "), 200)), key); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body above the limit: %d", status)
	}
	if status, _ := send(t, o.url+"/__script", `{"replys": []}`, nil); status != http.StatusBadRequest {
		t.Errorf("a misspelt script: %d", status)
	}
}

func TestAHeldRequestWaitsForItsRelease(t *testing.T) {
	t.Parallel()
	o := open(t, `{"replies": [{"hold": true}]}`)
	done := make(chan int)
	go func() {
		status, _, _ := try(t, o.url+"/v1/events", twoEvents, http.Header{"X-Api-Key": {"ns_test"}})
		done <- status
	}()
	if report := o.report("?waiting=1"); report.Requests[0].Status != 0 || len(report.Stored) != 0 {
		t.Errorf("answered while it was held: %+v", report)
	}
	send(t, o.url+"/__release", "", nil)
	if status := <-done; status != http.StatusOK {
		t.Errorf("status %d after the release", status)
	}
	if report := o.report("?requests=1"); report.Waiting != 0 || len(report.Stored) != 2 {
		t.Errorf("report %+v", report)
	}
}

func TestBehavioursAreNamedOnceAndDescribed(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../testvectors/behaviours.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var behaviours []struct {
		Name, Description string
		SDKs              []string `json:"sdks"`
	}
	if err := d.Decode(&behaviours); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, b := range behaviours {
		if !regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(b.Name) || seen[b.Name] || b.Description == "" {
			t.Errorf("%+v", b)
		}
		seen[b.Name] = true
	}
	if len(seen) == 0 {
		t.Error("no behaviours")
	}
}
