package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
)

// crowdOf stores somebody with several ids, and somebody else.
func crowdOf(x *apptest.Tenant) {
	x.Ingest(
		apptest.Event{"name": "page_view", "anonymous_id": "a-1", "ts": "2026-01-02T10:00:00Z", "props": map[string]any{"email": "ada@example.com"}},
		apptest.Event{"name": "page_view", "user_id": "ada", "ts": "2026-01-03T10:00:00Z", "props": map[string]any{"$bot": true}},
		apptest.Event{"name": "order", "user_id": "old-ada", "ts": "2026-01-04T10:00:00Z"},
		apptest.Event{"name": "page_view", "user_id": "bob", "ts": "2026-01-03T10:00:00Z"},
	)
	changeProfiles(x,
		operation{"op": "set", "user_id": "ada", "anonymous_id": "a-1", "props": operation{"name": "Ada"}, "ts": "2026-01-02T11:00:00Z"},
		operation{"op": "set", "user_id": "bob", "props": operation{"name": "Bob"}, "ts": "2026-01-02T11:00:00Z"},
	)
	x.Do("POST", "/v1/people-merges", map[string]any{"project_id": x.ProjectID, "from": "old-ada", "into": "ada"}).Want(201)
}

// The list of events filters by the user_id that was sent; the person's own timeline has those of all ids, but for bots.
func TestUserIDFindsWhatWasSentWithItAndThePersonFindsAll(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	crowdOf(x)
	project := "?project_id=" + x.ProjectID.String()
	var list struct {
		Items []struct {
			Name   string
			UserID string `json:"user_id"`
		}
	}
	x.Do("GET", "/v1/events"+project+"&user_id=ada", nil).Want(200).JSON(&list)
	if got := fmt.Sprint(list.Items); got != "[{page_view ada}]" {
		t.Errorf("user_id=ada lists %s", got)
	}
	for _, id := range []string{"ada", "old-ada", "a-1"} {
		var sessions struct {
			Items []struct{ Timeline []struct{ Name, TS string } }
		}
		x.Do("GET", "/v1/people/"+id+"/sessions"+project, nil).Want(200).JSON(&sessions)
		if got := fmt.Sprint(sessions.Items); got != "[{[{order 2026-01-04T10:00:00Z}]} {[{page_view 2026-01-02T10:00:00Z}]}]" {
			t.Errorf("the sessions of %s are %s", id, got)
		}
	}
}

func TestAPersonIsExportedAndErasedEverywhere(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	crowdOf(x)
	project := "?project_id=" + x.ProjectID.String()

	var lines []map[string]json.RawMessage
	in := bufio.NewScanner(bytes.NewReader(x.Do("GET", "/v1/people/a-1/export"+project, nil).Want(200).Body))
	for in.Scan() {
		var line map[string]json.RawMessage
		if err := json.Unmarshal(in.Bytes(), &line); err != nil || len(line) != 1 {
			t.Fatalf("%s: %v", in.Bytes(), err)
		}
		lines = append(lines, line)
	}
	var names []string
	for _, line := range lines {
		for member := range line {
			names = append(names, member)
		}
	}
	if got := strings.Join(names, " "); got != "person operation event event event" {
		t.Errorf("an export has the lines %s", got)
	}
	var bots struct{ Props map[string]any }
	if err := json.Unmarshal(lines[3]["event"], &bots); err != nil || bots.Props["$bot"] != true {
		t.Errorf("the second event is %s, %v", lines[3]["event"], err)
	}
	x.Do("GET", "/v1/people/nobody-here/export"+project, nil).WantCode(404, "not_found")

	var erased struct {
		ID     string
		Events int
	}
	x.Do("DELETE", "/v1/people/a-1"+project, nil).Want(200).JSON(&erased)
	if erased.Events != 3 {
		t.Errorf("%d events were erased", erased.Events)
	}
	for _, id := range []string{"ada", "a-1", "old-ada"} {
		x.Do("GET", "/v1/people/"+id+project, nil).WantCode(404, "not_found")
		x.Do("GET", "/v1/people/"+id+"/sessions"+project, nil).WantCode(404, "not_found")
		x.Do("GET", "/v1/people/"+id+"/export"+project, nil).WantCode(404, "not_found")
		x.Do("DELETE", "/v1/people/"+id+project, nil).WantCode(404, "not_found")
	}
	for _, path := range []string{
		"/v1/people" + project, "/v1/people-merges" + project, "/v1/events" + project, "/v1/events" + project + "&order=received",
		"/v1/events" + project + "&user_id=ada", "/v1/catalogue/events" + project,
		"/v1/catalogue/values" + project + "&prop=email",
		"/v1/metrics" + project + "&from=2026-01-01T00:00:00Z&to=2026-01-06T00:00:00Z&bucket=1d",
		"/v1/projects/" + x.ProjectID.String() + "/audit",
	} {
		reply := x.Do("GET", path, nil)
		if reply.Status == 404 || reply.Status == 422 {
			t.Errorf("%s is no question: %s", path, reply.Body)
		}
		for _, his := range []string{"ada", "a-1", "order"} {
			if bytes.Contains(reply.Body, []byte(`"`+his)) {
				t.Errorf("%s has %s: %s", path, his, reply.Body)
			}
		}
	}
	var everybody struct {
		Total int
		Items []struct {
			Person string
			Events int
		}
	}
	x.Do("GET", "/v1/people"+project, nil).Want(200).JSON(&everybody)
	if everybody.Total != 1 || everybody.Items[0].Person != "bob" || everybody.Items[0].Events != 1 {
		t.Errorf("everybody is %+v", everybody)
	}
	var log struct {
		Items []struct{ Action, Target string }
	}
	x.Do("GET", "/v1/projects/"+x.ProjectID.String()+"/audit?action=person.erase", nil).Want(200).JSON(&log)
	if len(log.Items) != 1 || log.Items[0].Target != erased.ID {
		t.Errorf("the audit log has %+v, want the erasure %s", log.Items, erased.ID)
	}
}

func TestOneWithManyEventsIsErasedInSteps(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	for n := range 6 {
		events := make([]apptest.Event, 1_000)
		for i := range events {
			events[i] = apptest.Event{"name": "e", "user_id": "ada", "ts": fmt.Sprintf("2026-01-02T0%d:%02d:%02dZ", n, i/60, i%60)}
		}
		x.Ingest(events...)
	}
	project := "?project_id=" + x.ProjectID.String()
	var first, then struct {
		ID     string
		Events int
	}
	x.Do("DELETE", "/v1/people/ada"+project, nil).Want(202).JSON(&first)
	reply := x.Do("DELETE", "/v1/people/ada"+project, nil)
	if reply.Status != 404 { // the job was faster
		if reply.JSON(&then); then.ID != first.ID || then.Events != 6_000 {
			t.Errorf("%d: %+v after %+v", reply.Status, then, first)
		}
	}
	if first.Events != 5_000 {
		t.Errorf("%d events were erased at once", first.Events)
	}
}

func TestWhatQuarantineHasOfAPersonIsErased(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	s := vendorSender(t, a)
	long := strings.Repeat("x", 201)
	s.post(t, "/v1/batch", `{"writeKey":"WRITEKEY","batch":[{"type":"track","event":"`+long+`","userId":"ada"},
		{"type":"track","event":"`+long+`","userId":"bob","properties":{"friend":"ada"}},{"type":"track","event":"`+long+`","anonymousId":"ada"}]}`)
	project := "?project_id=" + s.ProjectID.String()
	s.Do("DELETE", "/v1/people/ada"+project, nil).Want(200)
	var left struct{ Items []struct{ Body string } }
	s.Do("GET", "/v1/projects/"+s.ProjectID.String()+"/quarantine", nil).Want(200).JSON(&left)
	if len(left.Items) != 1 || !strings.Contains(left.Items[0].Body, `"bob"`) {
		t.Errorf("quarantine has %+v", left.Items)
	}
	s.Do("DELETE", "/v1/people/ada"+project, nil).WantCode(404, "not_found")
}
