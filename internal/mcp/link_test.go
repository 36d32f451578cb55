package mcp

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/gen/api"
)

const project = "3fa85f64-5717-4562-b3fc-2c963f66afa6"

// A link must show the question that was asked, and none is better than one that shows another.
func TestALinkShowsWhatWasAsked(t *testing.T) {
	t.Parallel()
	const from, to = `"from":"2026-01-01T00:00:00Z"`, `"to":"2026-02-01T00:00:00Z"`
	const span = from + "," + to
	for _, c := range []struct{ tool, args, want string }{
		{"askFunnel", `{` + span + `,"steps":[{"event":"a"}]}`, `question={` + from + `,"kind":"funnel","steps":[{"event":"a"}],` + to + `}`},
		{"askFunnel", `{` + span + `,"steps":[{"custom_event":"` + project + `"}]}`, ""},
		{"askFunnel", `{` + span + `,"steps":[{"event":"a"}],"include_bots":true}`, ""},
		{"askFunnel", `{` + span + `,"steps":[{"event":"` + strings.Repeat("a", maxLink) + `"}]}`, ""},
		{"askUniques", `{` + span + `}`, ""},
		{"askLifecycle", `{` + span + `,"people":{"op":"in","cohort":"c"}}`, `question={` + from + `,"kind":"lifecycle","people":{"op":"in","cohort":"c"},` + to + `}`},
		{"askLifecycle", `{` + span + `,"people":{"op":"did","event":"a"}}`, ""},
		{"runMetricsQuery", `{"names":["a"]}`, `question={"kind":"metrics","names":["a"]}`},
		{"askFunnel", `{` + span + `,"steps":[{"event":"a"}],"count_groups":"company","breakdown":{"profile":"plan"}}`,
			`question={"breakdown":{"profile":"plan"},"count_groups":"company",` + from + `,"kind":"funnel","steps":[{"event":"a"}],` + to + `}`},
		{"askFunnel", `{` + span + `,"steps":[{"event":"a"}],"breakdown":{"cohorts":["c"]}}`, ""},
		{"askTrends", `{` + span + `,"series":[{"event":"a"},{"event":"b","first_time":true}],"formulas":[{"expression":"A"}],"breakdown":[{"prop":"plan"}]}`,
			`question={"breakdown":[{"prop":"plan"}],"formulas":[{"expression":"A"}],` + from + `,"kind":"trends","series":[{"event":"a"},{"event":"b","first_time":true}],` + to + `}`},
		{"askTrends", `{` + span + `,"series":[{}],"breakdown":[{"prop":"a"},{"prop":"b"}]}`, ""},
		{"askTrends", `{` + span + `,"series":[{}],"breakdown":[{"prop":"a","edges":[1]}]}`, ""},
		{"askPeople", `{"question":{"kind":"funnel","steps":[]},"at":{"step":1}}`, `question={"kind":"funnel","steps":[]}&at={"step":1}`},
		{"askPeople", `{"question":"which"}`, ""},
		{"listInsights", `{}`, "/reports"},
		{"getPerson", `{"person":"a/b?c"}`, "/people/a%2Fb%3Fc"},
		{"listCatalogueEvents", `{}`, ""},
	} {
		args := arguments{projectID: json.RawMessage(`"` + project + `"`)}
		if err := json.Unmarshal([]byte(c.args), &args); err != nil {
			t.Fatal(err)
		}
		got, found := strings.CutPrefix((&tool{op: api.Operations[c.tool]}).link("https://n.example", args), "https://n.example/projects/"+project)
		if query, ok := strings.CutPrefix(got, "/insights?"); ok {
			values, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			if got = "question=" + values.Get("question"); values.Has("at") {
				got += "&at=" + values.Get("at")
			}
		}
		if got != c.want || found != (c.want != "") {
			t.Errorf("%s %.200s: %q, want %q", c.tool, c.args, got, c.want)
		}
	}
}

func TestAnAnswerThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	a := &answer{header: map[string][]string{}}
	for range 2 {
		if _, err := a.Write(make([]byte, maxAnswer*2/3)); err != nil {
			t.Fatal(err)
		}
	}
	if r := a.result(""); !r.IsError || a.body.Len() > maxAnswer {
		t.Errorf("%d bytes are kept, and the result is %+v", a.body.Len(), r)
	}
}

// OpenAPI 3.0 and JSON Schema say some things differently.
func TestSchemasOfTheContractBecomeJSONSchema(t *testing.T) {
	t.Parallel()
	s := &schemas{components: map[string]object{"Tree": {"type": "object", "x-go-type": "T", "properties": object{
		"example": object{"type": "string", "nullable": true}, "of": object{"type": "array", "items": object{"$ref": schemaRef + "Tree"}}}}}, defs: object{}}
	got, err := json.Marshal([]any{s.convert(object{"$ref": schemaRef + "Tree"}), s.convert(object{"minimum": 0, "exclusiveMinimum": true, "example": 1}), s.defs})
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"$ref":"#/$defs/Tree"},{"exclusiveMinimum":0},{"Tree":{"properties":{"example":{"anyOf":[{"type":"string"},{"type":"null"}]},` +
		`"of":{"items":{"$ref":"#/$defs/Tree"},"type":"array"}},"type":"object"}}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
