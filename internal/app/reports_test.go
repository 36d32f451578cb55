package app_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/test/apptest"
)

// report is the body of one.
func report(name string) map[string]any {
	return map[string]any{"name": name, "question": map[string]any{"measure": "users", "bucket": "1d", "limit": 30, "top": 10, "names": []string{"purchase"},
		"filter": map[string]any{"op": "and", "filters": []any{map[string]any{"op": "gte", "prop": "amount", "value": 50}, map[string]any{"op": "exists", "prop": "plan"}}}},
		"view": map[string]any{"chart": "area", "compare": true}}
}

// savedReport makes a report and returns its id.
func savedReport(x *apptest.Tenant) string {
	var made struct{ ID uuid.UUID }
	x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/reports", report("r")).Want(201).JSON(&made)
	return made.ID.String()
}

// savedBoard makes a board of the reports and returns its id.
func savedBoard(x *apptest.Tenant, reports ...string) string {
	tiles := []map[string]any{}
	for _, id := range reports {
		tiles = append(tiles, map[string]any{"report_id": id, "width": "half"})
	}
	var made struct{ ID uuid.UUID }
	x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/boards", map[string]any{"name": "b", "tiles": tiles}).Want(201).JSON(&made)
	return made.ID.String()
}

func TestAReportIsKeptAsItWasSavedAndCanBeAsked(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/reports"
	var made, got map[string]any
	x.Do("POST", path, report("Buyers")).Want(201).JSON(&made)
	want, err := json.Marshal(report("Buyers")["question"])
	if err != nil {
		t.Fatal(err)
	}
	var question map[string]any
	if err := json.Unmarshal(want, &question); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(made["question"], question) || made["name"] != "Buyers" || made["created_by"] == nil {
		t.Errorf("saved as %v", made)
	}
	one := path + "/" + made["id"].(string)
	x.Do("GET", one, nil).Want(200).JSON(&got)
	if !reflect.DeepEqual(got, made) {
		t.Errorf("%v is not %v", got, made)
	}
	question["project_id"] = x.ProjectID
	x.Do("POST", "/v1/metrics/query", question).Want(200)

	x.Do("PATCH", one, map[string]any{"name": "Payers", "view": map[string]any{"chart": "number"}}).Want(200).JSON(&got)
	if got["name"] != "Payers" || got["view"].(map[string]any)["chart"] != "number" || !reflect.DeepEqual(got["question"], made["question"]) {
		t.Errorf("changed to %v", got)
	}
	x.Do("PATCH", one, map[string]any{}).WantCode(422, "validation_failed")
	x.Do("POST", path, map[string]any{"name": "x", "question": map[string]any{"measure": "guess"}, "view": map[string]any{"chart": "pie"}}).WantCode(422, "validation_failed")
	x.Do("DELETE", one, nil).Want(204)
	x.Do("DELETE", one, nil).WantCode(404, "not_found")
	x.Do("GET", one, nil).WantCode(404, "not_found")
	var log struct{ Items []struct{ Action string } }
	x.Do("GET", strings.TrimSuffix(path, "reports")+"audit?limit=3", nil).Want(200).JSON(&log)
	if fmt.Sprint(log.Items) != "[{report.delete} {report.update} {report.create}]" {
		t.Errorf("the audit log has %v", log.Items)
	}
}

func TestAQuestionThatCannotBeAskedIsNotKept(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/reports"
	saved := path + "/" + savedReport(x)
	in := func(values ...any) any { return map[string]any{"op": "in", "prop": "a", "values": values} }
	or := func(n int, filter any) any {
		return map[string]any{"op": "or", "filters": slices.Repeat([]any{filter}, n)}
	}
	for name, tt := range map[string]struct {
		question map[string]any
		fields   string
	}{
		"sum of nothing":       {map[string]any{"measure": "sum"}, "/question/prop required"},
		"no zone":              {map[string]any{"tz": "Europe/Atlantis"}, "/question/tz time_zone"},
		"a number and a range": {map[string]any{"limit": 3, "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}, "/question/limit conflict"},
		"back to front":        {map[string]any{"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "/question/from order"},
		"too many nodes":       {map[string]any{"filter": or(10, or(10, in(1)))}, "/question/filter too_large"},
		"two mistakes":         {map[string]any{"measure": "sum", "breakdown": "prop"}, "/question/prop required /question/breakdown_prop required"},
		"larger than 32 KiB":   {map[string]any{"filter": or(9, in(strings.Repeat("x", 4000)))}, "/question too_large"},
		"larger written out":   {map[string]any{"filter": or(12, in(slices.Repeat([]any{1e300}, 10)...))}, "/question too_large"},
	} {
		for _, refused := range []*apptest.Reply{
			x.Do("POST", path, map[string]any{"name": "r", "question": tt.question, "view": map[string]any{"chart": "line"}}),
			x.Do("PATCH", saved, map[string]any{"question": tt.question}),
		} {
			var p struct {
				Errors []struct{ Pointer, Code string }
			}
			refused.WantCode(422, "validation_failed").JSON(&p)
			var fields []string
			for _, e := range p.Errors {
				fields = append(fields, e.Pointer, e.Code)
			}
			if got := strings.Join(fields, " "); got != tt.fields {
				t.Errorf("%s: %s, want %s", name, got, tt.fields)
			}
		}
	}
	var list struct {
		Items []struct{ Question map[string]any }
	}
	x.Do("GET", path, nil).Want(200).JSON(&list)
	if len(list.Items) != 1 || list.Items[0].Question["measure"] != "users" {
		t.Errorf("kept: %v", list.Items)
	}
}

func TestABoardShowsOnlyReportsThatAreThere(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, y := a.Tenant(t), a.Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/boards"
	first, second, theirs := savedReport(x), savedReport(x), savedReport(y)
	board := path + "/" + savedBoard(x, first, second)
	reports := func(r *apptest.Reply) (ids []string) {
		var b struct {
			Tiles []struct {
				ReportID string `json:"report_id"`
			}
		}
		r.Want(200).JSON(&b)
		for _, tile := range b.Tiles {
			ids = append(ids, tile.ReportID)
		}
		return ids
	}
	if got := reports(x.Do("GET", board, nil)); !reflect.DeepEqual(got, []string{first, second}) {
		t.Errorf("the board shows %v", got)
	}
	tile := func(id string) map[string]any { return map[string]any{"report_id": id, "width": "full"} }
	// Somebody else's report is as little there as none.
	refused := x.Do("PATCH", board, map[string]any{"name": "renamed", "tiles": []any{tile(first), tile(theirs), tile(uuid.NewString())}}).WantCode(422, "validation_failed")
	for _, pointer := range []string{"/tiles/1/report_id", "/tiles/2/report_id"} {
		if !strings.Contains(string(refused.Body), pointer) {
			t.Errorf("%s is not named: %s", pointer, refused.Body)
		}
	}
	if got := reports(x.Do("PATCH", board, map[string]any{"tiles": []any{tile(second), tile(first)}})); !reflect.DeepEqual(got, []string{second, first}) {
		t.Errorf("the board shows %v", got)
	}
	x.Do("DELETE", "/v1/projects/"+x.ProjectID.String()+"/reports/"+first, nil).Want(204)
	if got := reports(x.Do("GET", board, nil)); !reflect.DeepEqual(got, []string{second}) {
		t.Errorf("the board shows %v", got)
	}
	var list struct {
		Items []struct {
			Name  string
			Tiles []any
		}
	}
	x.Do("GET", path, nil).Want(200).JSON(&list)
	if len(list.Items) != 1 || list.Items[0].Name != "b" || len(list.Items[0].Tiles) != 1 {
		t.Errorf("the boards are %+v", list.Items)
	}
	x.Do("DELETE", board, nil).Want(204)
	x.Do("GET", "/v1/projects/"+x.ProjectID.String()+"/reports/"+second, nil).Want(200)
}

func TestAChangeOfAnotherVersionIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	project := "/v1/projects/" + x.ProjectID.String()
	type saved struct {
		Name      string
		Version   int64
		UpdatedBy *string `json:"updated_by"`
	}
	first := savedReport(x)
	board := project + "/boards/" + savedBoard(x, first)
	for _, path := range []string{project + "/reports/" + first, board} {
		var got saved
		if x.Do("GET", path, nil).Want(200).JSON(&got); got.Version != 1 || got.UpdatedBy != nil {
			t.Errorf("%s is made as %+v", path, got)
		}
		x.With("If-Match", `"1"`).Do("PATCH", path, map[string]any{"name": "Ben's"}).Want(200).JSON(&got)
		if got.Name != "Ben's" || got.Version != 2 || got.UpdatedBy == nil {
			t.Errorf("%s is changed to %+v", path, got)
		}
		x.With("If-Match", `"1"`).Do("PATCH", path, map[string]any{"name": "Ada's"}).WantCode(412, "version_conflict")
		if x.Do("GET", path, nil).Want(200).JSON(&got); got.Name != "Ben's" || got.Version != 2 {
			t.Errorf("%s after a refused change: %+v", path, got)
		}
		// Who does not name a version overwrites what is there.
		if x.Do("PATCH", path, map[string]any{"name": "Ada's"}).Want(200).JSON(&got); got.Name != "Ada's" || got.Version != 3 {
			t.Errorf("%s is overwritten with %+v", path, got)
		}
		for _, bad := range []string{"3", `"x"`, `W/"3"`, "*"} {
			x.With("If-Match", bad).Do("PATCH", path, map[string]any{"name": "n"}).WantCode(422, "validation_failed")
		}
	}
	// A report that goes takes its tile with it: who has the board open learns of that.
	x.Do("DELETE", project+"/reports/"+first, nil).Want(204)
	x.With("If-Match", `"3"`).Do("PATCH", board, map[string]any{"name": "n"}).WantCode(412, "version_conflict")
}
