package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// projectID is the name by which a parameter or a member of a body names the project that an operation is about.
const projectID = "project_id"

// access writes the role that an operation requires in the project that it names. Every operation that is not public
// states it: an operation under a project without a role would be open to every account.
func (o *operations) access(b *strings.Builder, at string, item *openapi3.PathItem, op *openapi3.Operation) {
	if op.Security == nil || len(*op.Security) == 0 {
		return
	}
	role := o.oneOf(at, op, "x-role", "account", "viewer", "admin", "owner", "operator")
	about := o.oneOf(at, op, "x-project", "", "caller", "deleted")
	named := o.named(at, item, op)
	switch {
	case role == "":
	case role == "operator" && about != "":
		o.Add(at, "is about the whole instance, so x-project has no effect")
	case role == "operator":
		named = "" // whichever project it names, no membership is asked for
	case role == "account" && (named != "" || about != ""):
		o.Add(at, "is about a project, so x-role must be viewer, admin or owner")
	case role != "account" && named == "" && about != "caller":
		o.Add(at, "names no %s, so x-role must be account, or x-project caller", projectID)
	case about == "caller" && named != "":
		o.Add(at, "names its project in the %s, so x-project: caller has no effect", named)
	case about == "caller" && role != "viewer":
		o.Add(at, "is about every project of the caller, so x-role must be viewer")
	case about == "deleted" && named != "path":
		o.Add(at, "must name the deleted project in its path")
	}
	fmt.Fprintf(b, "Role: %q,\n", role)
	if about == "caller" {
		named = about
	}
	if named != "" {
		fmt.Fprintf(b, "Project: %q,\n", named)
	}
	if about == "deleted" {
		b.WriteString("Deleted: true,\n")
	}
	o.self(b, at, item, op, named)
}

func (o *operations) self(b *strings.Builder, at string, item *openapi3.PathItem, op *openapi3.Operation, named string) {
	value, ok := op.Extensions["x-self"]
	if !ok {
		return
	}
	self, _ := value.(string)
	p := parameter(item, op, "path", self)
	if p == nil || p.Schema == nil || p.Schema.Value == nil || p.Schema.Value.Format != "uuid" || named != "path" {
		o.Add(at, "x-self must name a path parameter that is a UUID, of an operation with its project in the path")
	}
	fmt.Fprintf(b, "Self: %q,\n", self)
}

// serving writes the traits by which the edge serves the operation: the size of its body, the kind of its answer, its
// cost.
func (o *operations) serving(b *strings.Builder, at string, op *openapi3.Operation) {
	body := o.oneOf(at, op, "x-body", "", "small", "bulk")
	answer := o.oneOf(at, op, "x-answer", "", "stream", "export")
	cost := o.oneOf(at, op, "x-cost", "", "question", "ingestion")
	if body != "" && op.RequestBody == nil {
		o.Add(at, "has no body, so x-body has no effect")
	}
	if answer != "" && op.RequestBody != nil {
		o.Add(at, "has a body; an operation with x-answer: %s is served without reading one", answer)
	}
	public := op.Security != nil && len(*op.Security) == 0
	if cost != "" && public {
		o.Add(at, "is public, and x-cost is counted by caller")
	}
	if body != "" {
		fmt.Fprintf(b, "BodySize: %q,\n", body)
	}
	if answer != "" {
		fmt.Fprintf(b, "Answer: %q,\n", answer)
	}
	if cost != "" {
		fmt.Fprintf(b, "Cost: %q,\n", cost)
	}
}

// tool writes that the operation is a tool of /mcp. An assistant calls what it likes, so nothing that writes may be one: no key
// has a scope that would let it.
func (o *operations) tool(b *strings.Builder, at string, op *openapi3.Operation) {
	if !o.boolExt(at, op.Extensions, "x-tool") {
		return
	}
	scope, _ := op.Extensions["x-scope"].(string)
	reply := op.Responses.Status(http.StatusOK)
	switch {
	case !strings.HasSuffix(scope, ":read"):
		o.Add(at, "has x-tool, so its x-scope must end in :read")
	case op.Extensions["x-answer"] != nil || reply == nil || reply.Value.Content["application/json"] == nil:
		o.Add(at, "has x-tool, so it must answer 200 with application/json")
	case op.Summary == "":
		o.Add(at, "has x-tool, so it needs a summary, which is the title of the tool")
	}
	b.WriteString("Tool: true,\n")
}

// oneOf reads an extension that has one of these values; the first is what it is when absent.
func (o *operations) oneOf(at string, op *openapi3.Operation, name string, allowed ...string) string {
	value, ok := op.Extensions[name]
	if !ok {
		if allowed[0] == "" {
			return ""
		}
		o.Add(at, "has security but no %s", name)
		return ""
	}
	if text, _ := value.(string); text != "" && slices.Contains(allowed, text) {
		return text
	}
	o.Add(at, "%s must be one of %s", name, strings.TrimSpace(strings.Join(allowed, " ")))
	return ""
}

// named says where the operation names its project.
func (o *operations) named(at string, item *openapi3.PathItem, op *openapi3.Operation) string {
	var places []string
	for _, in := range []string{"path", "query"} {
		if p := parameter(item, op, in, projectID); p != nil {
			places = append(places, in)
			if p.Schema == nil || p.Schema.Value == nil || p.Schema.Value.Format != "uuid" || !p.Required {
				o.Add(at, "%s in the %s must be a required UUID", projectID, in)
			}
		}
	}
	if s := jsonBody(op); s != nil && s.Properties[projectID] != nil {
		places = append(places, "body")
		if !namesProject(s) || !op.RequestBody.Value.Required {
			o.Add(at, "%s in the body must be a required UUID, of a body that is required", projectID)
		}
	}
	if len(places) > 1 {
		o.Add(at, "names its project in the %s; one place is enough", strings.Join(places, " and the "))
	}
	return strings.Join(places[:min(len(places), 1)], "")
}

func parameter(item *openapi3.PathItem, op *openapi3.Operation, in, name string) *openapi3.Parameter {
	if p := op.Parameters.GetByInAndName(in, name); p != nil {
		return p
	}
	return item.Parameters.GetByInAndName(in, name)
}

func jsonBody(op *openapi3.Operation) *openapi3.Schema {
	if op.RequestBody == nil || op.RequestBody.Value == nil {
		return nil
	}
	media := op.RequestBody.Value.Content["application/json"]
	if media == nil || media.Schema == nil {
		return nil
	}
	return media.Schema.Value
}

// namesProject says that a body of this schema always names a project.
func namesProject(s *openapi3.Schema) bool {
	ref := s.Properties[projectID]
	return ref != nil && ref.Value.Format == "uuid" && slices.Contains(s.Required, projectID)
}
