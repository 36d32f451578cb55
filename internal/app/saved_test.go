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

// insight is the body of one.
func insight(name string) map[string]any {
	return map[string]any{"name": name, "question": map[string]any{"kind": "metrics", "measure": "users", "bucket": "1d", "limit": 30, "top": 10, "names": []string{"purchase"},
		"filter": map[string]any{"op": "and", "filters": []any{map[string]any{"op": "gte", "prop": "amount", "value": 50}, map[string]any{"op": "exists", "prop": "plan"}}}},
		"view": map[string]any{"chart": "area", "compare": true}}
}

// The bodies of an annotation and a custom event.
var (
	annotation  = map[string]any{"ts": "2026-03-02T12:00:00Z", "text": "Version 3.2 is out"}
	customEvent = map[string]any{"name": "Activated", "events": []any{
		map[string]any{"event": "purchase", "filter": map[string]any{"op": "gte", "prop": "amount", "value": 10}}, map[string]any{"event": "invite"}}}
)

// savedThing makes a thing of a project and returns its id.
func savedThing(x *apptest.Tenant, path string, body any) string {
	var made struct{ ID uuid.UUID }
	x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/"+path, body).Want(201).JSON(&made)
	return made.ID.String()
}

// savedInsight makes an insight and returns its id.
func savedInsight(x *apptest.Tenant) string { return savedThing(x, "insights", insight("i")) }

// savedBoard makes a board of the insights, one below the other, and returns its id.
func savedBoard(x *apptest.Tenant, insights ...string) string {
	tiles := []any{}
	for i, id := range insights {
		tiles = append(tiles, tile(id, 0, i))
	}
	return savedThing(x, "boards", map[string]any{"name": "b", "tiles": tiles})
}

// tile is an insight on a board, half as wide and a row high.
func tile(insight string, x, y int) map[string]any {
	return map[string]any{"kind": "insight", "insight_id": insight, "x": x, "y": y, "w": 6, "h": 1}
}

func TestAnInsightIsKeptAsItWasSavedAndCanBeAsked(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/insights"
	var made, got map[string]any
	x.Do("POST", path, insight("Buyers")).Want(201).JSON(&made)
	want, err := json.Marshal(insight("Buyers")["question"])
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
	delete(question, "kind")
	question["project_id"] = x.ProjectID
	x.Do("POST", "/v1/metrics/query", question).Want(200)

	x.Do("PATCH", one, map[string]any{"name": "Payers", "view": map[string]any{"chart": "number"}}).Want(200).JSON(&got)
	if got["name"] != "Payers" || got["view"].(map[string]any)["chart"] != "number" || !reflect.DeepEqual(got["question"], made["question"]) {
		t.Errorf("changed to %v", got)
	}
	x.Do("PATCH", one, map[string]any{}).WantCode(422, "validation_failed")
	x.Do("POST", path, map[string]any{"name": "x", "question": map[string]any{"kind": "metrics", "measure": "guess"}, "view": []any{}}).WantCode(422, "validation_failed")
	x.Do("DELETE", one, nil).Want(204)
	x.Do("DELETE", one, nil).WantCode(404, "not_found")
	x.Do("GET", one, nil).WantCode(404, "not_found")
	var log struct{ Items []struct{ Action string } }
	x.Do("GET", strings.TrimSuffix(path, "insights")+"audit?limit=3", nil).Want(200).JSON(&log)
	if fmt.Sprint(log.Items) != "[{insight.delete} {insight.update} {insight.create}]" {
		t.Errorf("the audit log has %v", log.Items)
	}
}

func TestAQuestionThatCannotBeAskedIsNotKept(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/insights"
	saved := path + "/" + savedInsight(x)
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
		"no event of a funnel": {map[string]any{"kind": "funnel", "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "steps": []any{}, "order": "backwards"},
			"/question/order enum /question/steps min_items"},
		"a funnel back to front, a step that is none": {map[string]any{"kind": "funnel", "from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z",
			"steps": []any{map[string]any{"event": "a", "optional": true}}}, "/question/from order /question/steps/0/optional conflict"},
		"paths that look into an object": {map[string]any{"kind": "paths", "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "filter": map[string]any{"op": "exists", "prop": "a.b"}},
			"/question/filter/prop conflict"},
		"retention of nothing": {map[string]any{"kind": "retention", "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}, "/question/return required /question/start required"},
		"a leap second":        {map[string]any{"kind": "uniques", "from": "2016-12-31T23:59:60Z", "to": "2017-02-01T00:00:00Z"}, "/question format"},
		"no such kind":         {map[string]any{"kind": "guess"}, "/question/kind enum"},
	} {
		if tt.question["kind"] == nil {
			tt.question["kind"] = "metrics"
		}
		for _, refused := range []*apptest.Reply{
			x.Do("POST", path, map[string]any{"name": "r", "question": tt.question}),
			x.Do("PATCH", saved, map[string]any{"question": tt.question}),
		} {
			if got := badFields(refused); got != tt.fields {
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

// badFields are the fields of a refusal, each with its code.
func badFields(r *apptest.Reply) string {
	var p struct {
		Errors []struct{ Pointer, Code string }
	}
	r.WantCode(422, "validation_failed").JSON(&p)
	var fields []string
	for _, e := range p.Errors {
		fields = append(fields, e.Pointer, e.Code)
	}
	return strings.Join(fields, " ")
}

func TestABoardShowsOnlyInsightsThatAreThere(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, y := a.Tenant(t), a.Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/boards"
	first, second, theirs := savedInsight(x), savedInsight(x), savedInsight(y)
	board := path + "/" + savedBoard(x, first, second)
	shown := func(r *apptest.Reply) string {
		var b struct {
			Tiles []struct {
				InsightID string `json:"insight_id"`
				Text      string
			}
		}
		r.Want(200).JSON(&b)
		var tiles []string
		for _, t := range b.Tiles {
			tiles = append(tiles, t.InsightID+t.Text)
		}
		return strings.Join(tiles, " ")
	}
	if got := shown(x.Do("GET", board, nil)); got != first+" "+second {
		t.Errorf("the board shows %v", got)
	}
	// Somebody else's insight is as little there as none.
	refused := x.Do("PATCH", board, map[string]any{"name": "renamed", "tiles": []any{tile(first, 0, 0), tile(theirs, 6, 0), tile(uuid.NewString(), 0, 1)}})
	if got := badFields(refused); got != "/tiles/1/insight_id unknown_insight /tiles/2/insight_id unknown_insight" {
		t.Errorf("bad fields: %s", got)
	}
	words := map[string]any{"kind": "text", "text": "# Growth", "x": 6, "y": 0, "w": 6, "h": 2}
	// Row by row, however they were sent.
	if got := shown(x.Do("PATCH", board, map[string]any{"tiles": []any{tile(first, 0, 3), words, tile(second, 0, 0)}})); got != second+" # Growth "+first {
		t.Errorf("the board shows %v", got)
	}
	x.Do("DELETE", "/v1/projects/"+x.ProjectID.String()+"/insights/"+first, nil).Want(204)
	if got := shown(x.Do("GET", board, nil)); got != second+" # Growth" {
		t.Errorf("the board shows %v", got)
	}
	var list struct {
		Items []struct {
			Name  string
			Tiles []any
		}
	}
	x.Do("GET", path, nil).Want(200).JSON(&list)
	if len(list.Items) != 1 || list.Items[0].Name != "b" || len(list.Items[0].Tiles) != 2 {
		t.Errorf("the boards are %+v", list.Items)
	}
	x.Do("DELETE", board, nil).Want(204)
	x.Do("GET", "/v1/projects/"+x.ProjectID.String()+"/insights/"+second, nil).Want(200)
}

func TestTilesLieOnTheGridAndNoneOnAnother(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/boards"
	words := func(x, y, w, h int) map[string]any {
		return map[string]any{"kind": "text", "text": "t", "x": x, "y": y, "w": w, "h": h}
	}
	for _, c := range []struct {
		tiles []any
		bad   string
	}{
		{[]any{words(0, 0, 12, 1), words(0, 1, 4, 50), words(4, 1, 8, 2), words(4, 3, 8, 1), words(11, 10000, 1, 1)}, ""},
		{[]any{words(7, 0, 6, 1), words(12, 0, 1, 1), words(0, 0, 1, 0)}, "/tiles/1/x maximum /tiles/2/h minimum"},
		{[]any{words(7, 0, 6, 1), words(0, 1, 6, 2), words(5, 2, 2, 1), words(6, 0, 7, 1)}, "/tiles/0/w maximum /tiles/2 overlap /tiles/3/w maximum"},
		{[]any{map[string]any{"kind": "text", "insight_id": uuid.New(), "x": 0, "y": 0, "w": 1, "h": 1}}, "/tiles/0/insight_id unknown_member /tiles/0/text required"},
	} {
		reply := x.Do("POST", path, map[string]any{"name": "b", "tiles": c.tiles})
		if c.bad == "" {
			reply.Want(201)
		} else if got := badFields(reply); got != c.bad {
			t.Errorf("%s, want %s", got, c.bad)
		}
	}
}

func TestAChangeOfAnotherVersionIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	x := apptest.Boot(t).Tenant(t)
	project := "/v1/projects/" + x.ProjectID.String()
	type saved struct {
		Name      string
		Text      string
		Version   int64
		UpdatedBy *string `json:"updated_by"`
	}
	first := savedInsight(x)
	board := project + "/boards/" + savedBoard(x, first)
	annotated := project + "/annotations/" + savedThing(x, "annotations", annotation)
	custom := project + "/custom-events/" + savedThing(x, "custom-events", customEvent)
	for _, path := range []string{project + "/insights/" + first, board, annotated, custom} {
		named := "name"
		if path == annotated {
			named = "text"
		}
		var got saved
		if x.Do("GET", path, nil).Want(200).JSON(&got); got.Version != 1 || got.UpdatedBy != nil {
			t.Errorf("%s is made as %+v", path, got)
		}
		x.With("If-Match", `"1"`).Do("PATCH", path, map[string]any{named: "Ben's"}).Want(200).JSON(&got)
		if got.Name+got.Text != "Ben's" || got.Version != 2 || got.UpdatedBy == nil {
			t.Errorf("%s is changed to %+v", path, got)
		}
		x.With("If-Match", `"1"`).Do("PATCH", path, map[string]any{named: "Ada's"}).WantCode(412, "version_conflict").JSON(&got)
		if got.Version != 2 {
			t.Errorf("%s: the refusal says that version %d is there", path, got.Version)
		}
		x.With("If-Match", `"1"`).Do("DELETE", path, nil).WantCode(412, "version_conflict")
		read := x.Do("GET", path, nil).Want(200)
		if tag := read.Header.Get("ETag"); tag != `"2"` {
			t.Errorf("%s: ETag %s", path, tag)
		}
		if read.JSON(&got); got.Name+got.Text != "Ben's" || got.Version != 2 {
			t.Errorf("%s after a refused change: %+v", path, got)
		}
		// Who does not name a version overwrites what is there.
		if x.Do("PATCH", path, map[string]any{named: "Ada's"}).Want(200).JSON(&got); got.Name+got.Text != "Ada's" || got.Version != 3 {
			t.Errorf("%s is overwritten with %+v", path, got)
		}
		for _, bad := range []string{"3", `"x"`, `W/"3"`, "*"} {
			x.With("If-Match", bad).Do("PATCH", path, map[string]any{named: "n"}).WantCode(422, "validation_failed")
		}
	}
	for _, path := range []string{annotated, custom} {
		x.With("If-Match", `"3"`).Do("DELETE", path, nil).Want(204)
		x.Do("GET", path, nil).WantCode(404, "not_found")
	}
	// An insight that goes takes its tile with it: who has the board open learns of that.
	x.Do("DELETE", project+"/insights/"+first, nil).Want(204)
	x.With("If-Match", `"3"`).Do("PATCH", board, map[string]any{"name": "n"}).WantCode(412, "version_conflict")
}
