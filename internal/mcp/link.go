package mcp

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// maxLink is how long a link may be, in bytes: proxies and browsers refuse longer addresses.
const maxLink = 4 << 10

// pages are the dashboard's pages below a project for what is no question, by the path of the operation.
var pages = map[string]string{
	"/v1/people/query":                                "/people",
	"/v1/people/{person}":                             "/people/{person}",
	"/v1/people/{person}/sessions":                    "/people/{person}",
	"/v1/projects/{project_id}/insights":              "/reports",
	"/v1/projects/{project_id}/insights/{insight_id}": "/reports/{insight_id}",
}

// drawn are the kinds of questions that the dashboard's page for insights draws.
var drawn = []string{"metrics", "funnel", "retention", "lifecycle", "stickiness", "paths", "sessions"}

// shown are the members of a question that the page has a place for. A question with any other would be another one there.
var shown = []string{"kind", "from", "to", "tz", "filter", "people", "bucket", "limit", "names", "measure", "prop", "breakdown",
	"breakdown_prop", "top", "event", "steps", "window_seconds", "order", "attempt", "count", "exclude", "hold", "histogram",
	"start", "return", "cohort", "mode", "interval", "periods", "end", "depth", "collapse", "node_prop"}

// link is the address at which the dashboard below site shows what a call asks; empty where it has no page for it. The state of a
// page is its address, and that of the page for insights takes a question as it is asked.
func (t *tool) link(site string, args arguments) string {
	if args[projectID] == nil {
		return ""
	}
	at := site + "/projects/" + url.PathEscape(plain(args[projectID]))
	if page, ok := pages[t.op.Path]; ok {
		for name, value := range args {
			page = strings.ReplaceAll(page, "{"+name+"}", url.PathEscape(plain(value)))
		}
		return at + page
	}
	question, coordinate := t.question(args)
	if question == nil || strings.Contains(string(question), `"custom_event`) {
		return ""
	}
	query := url.Values{"question": {string(question)}}
	if coordinate != nil {
		query.Set("at", string(coordinate))
	}
	if at += "/insights?" + query.Encode(); len(at) > maxLink {
		return ""
	}
	return at
}

// question is what a call asks, with its kind and without its project, and the number of it whose people are asked for; nil
// where the page for insights does not show it.
func (t *tool) question(args arguments) (question, coordinate json.RawMessage) {
	asked := arguments{}
	kind, ok := strings.CutPrefix(t.op.Path, "/v1/insights/")
	switch {
	case t.op.Path == "/v1/metrics/query":
		kind = "metrics"
	case !ok:
		return nil, nil
	case kind == "people":
		if json.Unmarshal(args["question"], &asked) != nil {
			return nil, nil
		}
		coordinate, args = args["at"], asked
		kind = plain(asked["kind"])
	}
	if kind == "trends" {
		kind, args = "metrics", asMetrics(args)
	}
	if !slices.Contains(drawn, kind) || args == nil {
		return nil, nil
	}
	for name, value := range args {
		if name != projectID {
			asked[name] = value
		}
	}
	asked["kind"] = json.RawMessage(`"` + kind + `"`)
	if !only(asked, shown...) || !plainPeople(asked["people"]) {
		return nil, nil
	}
	question, err := json.Marshal(asked)
	if err != nil {
		return nil, nil
	}
	return question, coordinate
}

// only says that the object has no other members than these.
func only(o arguments, names ...string) bool {
	for name := range o {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

// plainPeople says that a question asks everybody, or the people of one saved cohort.
func plainPeople(clause json.RawMessage) bool {
	var in struct{ Op, Cohort string }
	return clause == nil || json.Unmarshal(clause, &in) == nil && in.Op == "in" && in.Cohort != ""
}

// asMetrics is a question of trends as the page draws it, which knows one series and one property to group it by; nil for any
// other.
func asMetrics(args arguments) arguments {
	var series, breakdown []arguments
	if json.Unmarshal(args["series"], &series) != nil || len(series) != 1 || !only(series[0], "event", "measure", "prop", "filter") ||
		!only(args, projectID, "kind", "from", "to", "tz", "bucket", "filter", "series", "breakdown", "top") ||
		strings.Contains(plain(series[0]["measure"]), "per_person") || series[0]["filter"] != nil && args["filter"] != nil {
		return nil
	}
	asked := arguments{}
	for _, name := range []string{"from", "to", "tz", "bucket", "filter", "top"} {
		if value := args[name]; value != nil {
			asked[name] = value
		}
	}
	for _, name := range []string{"measure", "prop", "filter"} {
		if value := series[0][name]; value != nil {
			asked[name] = value
		}
	}
	if event := series[0]["event"]; event != nil {
		asked["names"] = json.RawMessage("[" + string(event) + "]")
	}
	if args["breakdown"] == nil {
		return asked
	}
	if json.Unmarshal(args["breakdown"], &breakdown) != nil || len(breakdown) != 1 || !only(breakdown[0], "prop") || breakdown[0]["prop"] == nil {
		return nil
	}
	asked["breakdown"], asked["breakdown_prop"] = json.RawMessage(`"prop"`), breakdown[0]["prop"]
	return asked
}
