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

// The SDKs refuse changes of profiles by the same file, and must never refuse what is accepted here.
func TestOperationsAreJudgedAsTheSharedVectorsSay(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../testvectors/operations.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name       string
		Operations []json.RawMessage
		Verdicts   [][]struct{ Pointer, Code string }
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	x := apptest.Boot(t).Tenant(t)
	for _, v := range vectors {
		var got, want []string
		bad := 0
		for k, faults := range v.Verdicts {
			if len(faults) > 0 {
				bad++
			}
			for _, f := range faults {
				want = append(want, fmt.Sprintf("%d %s %s", k, f.Code, f.Pointer))
			}
		}
		reply := x.With("X-API-Key", x.Secret).Do("POST", "/v1/people/operations", map[string]any{"project_id": x.ProjectID, "operations": v.Operations})
		var answer apptest.Ingested
		reply.JSON(&answer)
		for _, e := range answer.Errors {
			got = append(got, fmt.Sprintf("%d %s %s", e.Index, e.Code, e.Pointer[len(fmt.Sprintf("/operations/%d", e.Index)):]))
		}
		status := http.StatusOK
		if bad == len(v.Operations) {
			status = http.StatusUnprocessableEntity
		}
		if slices.Sort(got); reply.Status != status || !slices.Equal(got, slices.Sorted(slices.Values(want))) || status == http.StatusOK && answer.Rejected != bad {
			t.Errorf("%s: %d %s\n got %q\nwant %q", v.Name, reply.Status, reply.Body, got, want)
		}
	}
}
