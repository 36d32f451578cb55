package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/bahagh/nimbus/tools/gen"
)

// operationWriter writes operations.py: a class with a method for each operation, and the same for tasks.
type operationWriter struct {
	*gen.Problems
	types *typeWriter
	doc   *openapi3.T
}

// operation is one, as Python calls it.
type operation struct {
	id, name, method, path string
	doc                    string
	positional             []argument // of the path, then the body
	keyword                []argument // of the query and the headers: first the required
	body                   bool
	answer                 string // json, text, stream, location or none
	returns                string
	ok                     []string // the statuses of an answer that is no problem document, unless it is 2xx alone
	item                   string   // of a list that comes in pages: its type
}

type argument struct {
	in, wire, name, typ string
	required            bool
}

func (o *operationWriter) emit() string {
	var all []*operation
	paths := o.doc.Paths.Map()
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		ops := paths[path].Operations()
		for _, method := range slices.Sorted(maps.Keys(ops)) {
			if _, vendor := ops[method].Extensions["x-dialect"]; vendor {
				continue // the wire formats of other vendors: no client of ours speaks them
			}
			all = append(all, o.read(paths[path], path, method, ops[method]))
		}
	}
	var b strings.Builder
	b.WriteString(generated)
	b.WriteString(`"""The operations of the contract: a method for each."""` + "\n\nfrom __future__ import annotations\n\nimport asyncio\n" +
		"from datetime import datetime\nfrom typing import Any, AsyncIterator, Iterator, Literal, Mapping, Sequence, Union\nfrom urllib.parse import quote\n\n" +
		"from . import types\nfrom ._streams import Stream, each\n\n\ndef _part(value: str) -> str:\n    return quote(value, safe=\"\")\n\n\n" +
		"class Operations:\n    \"\"\"Every operation; :class:`nimbus.api.Client` sends them.\"\"\"\n\n" +
		"    def _call(self, operation: str, method: str, path: str, query: Mapping[str, Any], headers: Mapping[str, str | None], body: Any,\n" +
		"              answer: str, ok: Sequence[int] = ()) -> Any:\n        raise NotImplementedError\n")
	for _, op := range all {
		b.WriteString("\n" + op.sync())
	}
	b.WriteString("\n\nclass AsyncOperations:\n    \"\"\"The same for tasks: each call runs in a thread of the event loop's own.\"\"\"\n\n    _client: Operations\n")
	for _, op := range all {
		b.WriteString("\n" + op.async())
	}
	return b.String()
}

func (o *operationWriter) read(item *openapi3.PathItem, path, method string, op *openapi3.Operation) *operation {
	at := method + " " + path
	p := &operation{id: op.OperationID, name: snake(op.OperationID), method: method, path: path, doc: sentence(op.Summary) + "\n\n" + op.Description}
	if op.Deprecated {
		p.doc += "\n\nDeprecated."
	}
	var required, optional []argument
	for _, ref := range slices.Concat(item.Parameters, op.Parameters) {
		a, ok := o.argument(at, ref.Value)
		switch {
		case !ok:
		case a.in == "path":
			p.positional = append(p.positional, a)
		case a.required:
			required = append(required, a)
		default:
			optional = append(optional, a)
		}
	}
	// In the order of the path, which the document need not keep.
	slices.SortStableFunc(p.positional, func(a, b argument) int {
		return strings.Index(path, "{"+a.wire+"}") - strings.Index(path, "{"+b.wire+"}")
	})
	p.keyword = slices.Concat(required, optional)
	if op.RequestBody != nil {
		o.requestBody(at, p, op.RequestBody.Value)
	}
	o.responses(at, p, op)
	return p
}

func sentence(s string) string {
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".?!") {
		return s
	}
	return s + "."
}

// argument is a parameter, unless the client itself sees to it.
func (o *operationWriter) argument(at string, p *openapi3.Parameter) (a argument, ok bool) {
	if p.In == "cookie" || p.In == "header" && p.Name == "Content-Encoding" {
		return a, false
	}
	a = argument{in: p.In, wire: p.Name, name: snake(p.Name), required: p.Required}
	if a.name == "body" || a.name == "self" || !isName(a.name) {
		o.Add(at, "parameter %q has no name in Python", p.Name)
	}
	a.typ = o.types.expr(at+" "+p.Name, "", p.Schema, false)
	switch {
	case p.In == "query" && strings.HasPrefix(a.typ, "List["):
		a.typ = "Sequence" + strings.TrimPrefix(a.typ, "List") // a tuple will do
	case p.In == "query" && p.Schema.Value.Format == "date-time":
		a.typ = "Union[str, datetime]"
	}
	return a, true
}

func (o *operationWriter) requestBody(at string, p *operation, body *openapi3.RequestBody) {
	media := body.Content["application/json"]
	if media == nil || len(body.Content) != 1 {
		o.Add(at, "only a JSON body is supported")
		return
	}
	p.body = true
	p.positional = append(p.positional, argument{in: "body", name: "body", typ: o.types.expr(at+" body", "", media.Schema, false), required: body.Required})
}

func (o *operationWriter) responses(at string, p *operation, op *openapi3.Operation) {
	var returns []string
	add := func(answer, typ string) {
		if p.answer != "" && p.answer != answer {
			o.Add(at, "answers with %s and with %s, which is not supported", p.answer, answer)
		}
		p.answer = answer
		if !slices.Contains(returns, typ) {
			returns = append(returns, typ)
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses.Map())) {
		content := op.Responses.Value(status).Value.Content
		success := status[0] == '2'
		switch {
		case status == "101" || content["application/problem+json"] != nil || status[0] == 'd':
		case status == "302":
			add("location", "str")
		case content["application/json"] != nil:
			add("json", o.types.expr(at, "", content["application/json"].Schema, false))
			if !success {
				p.ok = append(p.ok, status)
			}
		case !success: // a problem, whose type is not said again
		case content["text/event-stream"] != nil:
			add("stream", "Stream["+o.types.expr(at, "", content["text/event-stream"].Schema, false)+"]")
		case len(content) == 0:
			add("none", "None")
		default: // text/csv, application/x-ndjson
			add("text", "bytes")
		}
	}
	p.returns = strings.Join(returns, " | ")
	p.item = o.item(p, op)
}

// item is the type of the items of a list that comes in pages, or "".
func (o *operationWriter) item(p *operation, op *openapi3.Operation) string {
	pages := slices.ContainsFunc(p.keyword, func(a argument) bool { return a.wire == "cursor" })
	if p.answer != "json" || !pages || p.body || op.Responses.Value("200") == nil {
		return ""
	}
	schema := op.Responses.Value("200").Value.Content["application/json"].Schema.Value
	items := schema.Properties["items"]
	if items == nil || schema.Properties["next_cursor"] == nil {
		return ""
	}
	return o.types.expr(p.id, "", items.Value.Items, false)
}

// signature is the arguments as they are declared.
func (p *operation) signature(without string) string {
	parts := []string{"self"}
	for _, a := range p.positional {
		parts = append(parts, a.declared())
	}
	first := true
	for _, a := range p.keyword {
		if a.wire == without {
			continue
		}
		if first {
			parts = append(parts, "*")
			first = false
		}
		parts = append(parts, a.declared())
	}
	return strings.Join(parts, ", ")
}

func (a *argument) declared() string {
	if a.required {
		return a.name + ": " + a.typ
	}
	return a.name + ": " + a.typ + " | None = None"
}

// passed is the arguments as they are passed on.
func (p *operation) passed(without string) []string {
	var parts []string
	for _, a := range p.positional {
		parts = append(parts, a.name)
	}
	for _, a := range p.keyword {
		if a.wire != without {
			parts = append(parts, a.name+"="+a.name)
		}
	}
	return parts
}

var pathParameter = regexp.MustCompile(`\{([^{}]+)\}`)

func (p *operation) sync() string {
	var b strings.Builder
	fmt.Fprintf(&b, "    def %s(%s) -> %s:\n%s", p.name, p.signature(""), p.returns, docstring("        ", p.doc))
	path := `"` + p.path + `"`
	if strings.Contains(path, "{") {
		path = "f" + pathParameter.ReplaceAllStringFunc(path, func(s string) string { return "{_part(" + snake(s[1:len(s)-1]) + ")}" })
	}
	body := "None"
	if p.body {
		body = "body"
	}
	call := fmt.Sprintf("self._call(%q, %q, %s, %s, %s, %s, %q", p.id, p.method, path, p.members("query"), p.members("header"), body, p.answer)
	if len(p.ok) > 0 {
		call += ", (" + strings.Join(p.ok, ", ") + ",)"
	}
	if p.returns == "None" {
		fmt.Fprintf(&b, "        %s)\n", call)
	} else {
		fmt.Fprintf(&b, "        answer: %s = %s)\n        return answer\n", p.returns, call)
	}
	if p.item != "" {
		fmt.Fprintf(&b, "\n    def %s(%s) -> Iterator[%s]:\n        \"\"\"Every item of ``%s``, page after page, each fetched when the one before is used up.\"\"\"\n",
			p.all(), p.signature("cursor"), p.item, p.name)
		fmt.Fprintf(&b, "        cursor: str | None = None\n        while True:\n            page = self.%s(%s)\n            yield from page[\"items\"]\n", p.name, strings.Join(append(p.passed("cursor"), "cursor=cursor"), ", "))
		b.WriteString("            cursor = page[\"next_cursor\"]\n            if cursor is None:\n                return\n")
	}
	return b.String()
}

func (p *operation) async() string {
	var b strings.Builder
	call := strings.Join(append([]string{"self._client." + p.name}, p.passed("")...), ", ")
	doc := fmt.Sprintf("        \"\"\"See :meth:`Operations.%s`.\"\"\"\n", p.name)
	if p.answer == "stream" {
		frame := strings.TrimPrefix(p.returns, "Stream")
		fmt.Fprintf(&b, "    async def %s(%s) -> AsyncIterator%s:\n%s        frames = await asyncio.to_thread(%s)\n", p.name, p.signature(""), frame, doc, call)
		b.WriteString("        async for frame in each(frames):\n            yield frame\n")
	} else {
		give := "return "
		if p.returns == "None" {
			give = ""
		}
		fmt.Fprintf(&b, "    async def %s(%s) -> %s:\n%s        %sawait asyncio.to_thread(%s)\n", p.name, p.signature(""), p.returns, doc, give, call)
	}
	if p.item != "" {
		fmt.Fprintf(&b, "\n    async def %s(%s) -> AsyncIterator[%s]:\n        \"\"\"See :meth:`Operations.%[1]s`.\"\"\"\n", p.all(), p.signature("cursor"), p.item)
		fmt.Fprintf(&b, "        cursor: str | None = None\n        while True:\n            page = await self.%s(%s)\n", p.name, strings.Join(append(p.passed("cursor"), "cursor=cursor"), ", "))
		b.WriteString("            for item in page[\"items\"]:\n                yield item\n            cursor = page[\"next_cursor\"]\n            if cursor is None:\n                return\n")
	}
	return b.String()
}

// all is the name of the method for every item of a list: iter_events for list_events.
func (p *operation) all() string { return "iter_" + strings.TrimPrefix(p.name, "list_") }

// members writes the parameters of one kind as a dictionary.
func (p *operation) members(in string) string {
	var parts []string
	for _, a := range p.keyword {
		if a.in == in {
			parts = append(parts, fmt.Sprintf("%q: %s", a.wire, a.name))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
