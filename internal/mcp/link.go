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
var drawn = []string{"metrics", "trends", "funnel", "retention", "lifecycle", "stickiness", "paths", "sessions"}

// shown are the members of a question that the page has a place for. A question with any other would be another one there.
var shown = []string{"kind", "from", "to", "tz", "filter", "people", "bucket", "limit", "names", "measure", "prop", "breakdown",
	"breakdown_prop", "top", "event", "steps", "window_seconds", "order", "attempt", "count", "exclude", "hold", "histogram",
	"start", "return", "cohort", "mode", "interval", "periods", "end", "depth", "collapse", "node_prop", "series", "formulas", "count_groups"}

// unshown are members within a question that the page has no place for.
var unshown = []string{`"custom_event`, `"cohorts"`, `"edges"`}

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
	if question == nil || slices.ContainsFunc(unshown, func(member string) bool { return strings.Contains(string(question), member) }) {
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
	var breakdown []json.RawMessage // of trends, of which the page has one; of other kinds it is no list
	if !slices.Contains(drawn, kind) || json.Unmarshal(args["breakdown"], &breakdown) == nil && len(breakdown) > 1 {
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
