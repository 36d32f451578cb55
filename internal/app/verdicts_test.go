package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
)

// The SDKs refuse events by the same file, and must never refuse what is accepted here.
func TestEventsAreJudgedAsTheSharedVectorsSay(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../testvectors/verdicts.json")
	if err != nil {
		t.Fatal(err)
	}
	type fault struct{ Pointer, Code string }
	var vectors []struct {
		Name     string
		Events   []json.RawMessage
		Verdicts [][]fault
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	x := apptest.Boot(t).Tenant(t)
	accepted, refused := 0, 0
	for _, v := range vectors {
		var want []string
		bad := 0
		for k, faults := range v.Verdicts {
			if len(faults) > 0 {
				bad++
			}
			for _, f := range faults {
				want = append(want, fmt.Sprintf("%d %s %s", k, f.Code, f.Pointer))
			}
		}
		accepted, refused = accepted+len(v.Events)-bad, refused+bad
		body, err := json.Marshal(map[string]any{"project_id": x.ProjectID, "events": v.Events})
		if err != nil {
			t.Fatal(err)
		}
		reply := x.Send(x.Signed(body))
		status := http.StatusOK
		if bad == len(v.Events) {
			status = http.StatusUnprocessableEntity
		}
		var answer apptest.Ingested
		reply.JSON(&answer)
		var got []string
		for _, e := range answer.Errors {
			pointer := e.Pointer[len(fmt.Sprintf("/events/%d", e.Index)):]
			got = append(got, fmt.Sprintf("%d %s %s", e.Index, e.Code, pointer))
		}
		if reply.Status != status || !slices.Equal(got, want) || answer.Rejected != bad || answer.Accepted+answer.Duplicates != len(v.Events)-bad {
			t.Errorf("%s: %d %s\n got %q\nwant %q", v.Name, reply.Status, reply.Body, got, want)
		}
	}
	if accepted == 0 || refused == 0 {
		t.Errorf("the file has %d good and %d bad events; it needs both", accepted, refused)
	}
}
