package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// unsaid are the parameters that the library sets itself, or that only browsers send.
var unsaid = []string{"Content-Encoding", "X-Sent-At", "nimbus_oidc"}

// class has the operations of a tag.
func (g *generator) class(tag string) string {
	var b strings.Builder
	b.WriteString(doc("", g.doc.Tags.Get(tag).Description))
	fmt.Fprintf(&b, "public class %sApi internal constructor(private val caller: Caller) {\n", tag)
	for k, o := range g.ops[tag] {
		if k > 0 {
			b.WriteString("\n")
		}
		b.WriteString(g.method(tag, o))
	}
	return b.String() + "}\n"
}

// method is an operation.
func (g *generator) method(tag string, o operation) string {
	id := o.op.OperationID
	type param struct{ text, in, json, name string }
	var required, optional []param
	add := func(name, typ, in, json string, needed bool) {
		if needed {
			required = append(required, param{name + ": " + typ, in, json, name})
		} else {
			optional = append(optional, param{name + ": " + typ + "? = null", in, json, name})
		}
	}
	for _, ref := range append(slices.Clone(o.item.Parameters), o.op.Parameters...) {
		p := ref.Value
		if slices.Contains(unsaid, p.Name) {
			continue
		}
		g.mark(p.Schema, tag, true)
		add(camel(p.Name), g.typeOf(id, pascal(id)+pascal(p.Name), p.Schema).name, p.In, p.Name, p.Required)
		g.ownedBy(id, tag)
	}
	body := ""
	if o.op.RequestBody != nil {
		media := o.op.RequestBody.Value.Content["application/json"]
		if media == nil || media.Schema.Ref == "" {
			g.Add(id, "has a body that is no JSON of a schema with a name")
			return ""
		}
		g.mark(media.Schema, tag, true)
		required = append(required, param{text: "body: " + refName(media.Schema)})
		body = "body = body"
	}
	if takesRefreshToken(o.op) {
		add("refreshToken", "String", "token", "", false)
	}
	path, token := o.path, ""
	var query, headers []string
	for _, p := range append(required, optional...) {
		switch p.in {
		case "path":
			path = strings.ReplaceAll(path, "{"+p.json+"}", "${segment("+p.name+")}")
		case "query":
			query = append(query, quoted(p.json)+", "+p.name)
		case "header":
			headers = append(headers, quoted(p.json)+", "+p.name)
		case "token":
			token = "token = " + p.name
		}
	}
	call := []string{fmt.Sprintf("%q", o.method), `"` + path + `"`, params("query", query), params("headers", headers), body, token}
	var declared []string
	for _, p := range append(required, optional...) {
		declared = append(declared, p.text)
	}
	var b strings.Builder
	summary := o.op.Summary
	if !strings.HasSuffix(summary, "?") {
		summary += "."
	}
	b.WriteString(doc("    ", strings.TrimSpace(summary+"\n\n"+o.op.Description)))
	if len(optional) > 0 {
		b.WriteString("    @JvmOverloads\n")
	}
	result, begin, end, more := g.answer(tag, o)
	call = slices.DeleteFunc(append(call, more), func(argument string) bool { return argument == "" })
	fmt.Fprintf(&b, "    public fun %s(%s)%s {\n%s    }\n", camel(id), strings.Join(declared, ", "), result, statement(begin, call, end))
	return wrapped(b.String())
}

const columns = 120 // of a line

// params are names and values in turn. Pairs would be prettier, but the compiler infers their types for seconds.
func params(name string, pairs []string) string {
	if len(pairs) == 0 {
		return ""
	}
	return name + " = params(" + strings.Join(pairs, ", ") + ")"
}

// statement is a call on one line, or with a line for each argument.
func statement(begin string, arguments []string, end string) string {
	if one := "        " + begin + strings.Join(arguments, ", ") + end + "\n"; len(one) <= columns {
		return one
	}
	var b strings.Builder
	b.WriteString("        " + begin + "\n")
	for _, a := range arguments {
		if open := strings.Index(a, "params("); open >= 0 && len(a) > columns-13 {
			pairs := strings.ReplaceAll(a[open+len("params("):len(a)-1], ", \"", ",\n                \"")
			a = a[:open] + "params(\n                " + pairs + ",\n            )"
		}
		b.WriteString("            " + a + ",\n")
	}
	return b.String() + "        " + end + "\n"
}

// ownedBy gives the enums of an operation's own parameters to its tag.
func (g *generator) ownedBy(id, tag string) {
	g.used[id] = map[string]bool{tag: true}
}

// wrapped breaks the line of a method's parameters where it is too long.
func wrapped(method string) string {
	lines := strings.Split(method, "\n")
	for k, line := range lines {
		if !strings.HasPrefix(line, "    public fun ") || len(line) <= columns {
			continue
		}
		open, end := strings.Index(line, "("), strings.LastIndex(line, ")")
		parts := strings.Split(line[open+1:end], ", ")
		lines[k] = line[:open+1] + "\n        " + strings.Join(parts, ",\n        ") + ",\n    " + line[end:]
		lines[k] = strings.ReplaceAll(lines[k], "Map<String,\n        Any?>", "Map<String, Any?>")
	}
	return strings.Join(lines, "\n")
}

// answer returns the type of a method, what is around the arguments of the call that it returns, and a further argument.
func (g *generator) answer(tag string, o operation) (result, begin, end, more string) {
	id := o.op.OperationID
	var types []string
	for _, code := range slices.Sorted(maps.Keys(o.op.Responses.Map())) {
		r := o.op.Responses.Value(code).Value
		for _, kind := range slices.Sorted(maps.Keys(r.Content)) {
			switch schema := r.Content[kind].Schema; {
			case kind == "application/problem+json":
			case kind == "application/json":
				g.mark(schema, tag, false)
				if schema.Ref == "" {
					g.Add(id, "answers JSON without a name")
				}
				types = append(types, refName(schema))
				if code[0] != '2' { // such as that of a server that is not ready
					more = "also = " + code
				}
			case kind == "text/event-stream":
				g.mark(schema, tag, false)
				types = append(types, "events")
			case strings.HasPrefix(code, "2"):
				types = append(types, "stream")
			default:
				g.Add(id, "answers %s with %s", code, kind)
			}
		}
		if strings.HasPrefix(code, "3") {
			types = append(types, "location")
		}
	}
	types = slices.Compact(slices.Sorted(slices.Values(types)))
	switch {
	case len(types) == 0:
		return "", "caller.send(", ")", ""
	case len(types) > 1:
		g.Add(id, "answers with several types: %s", strings.Join(types, ", "))
		return "", "", "", ""
	case types[0] == "stream":
		return ": java.io.InputStream", "return caller.stream(", ")", ""
	case types[0] == "events":
		return ": LiveStream", "return LiveStream(caller.stream(", "))", `accept = "text/event-stream"`
	case types[0] == "location":
		return ": String", "return caller.location(", ")", ""
	}
	return ": " + types[0], "return " + types[0] + ".fromJson(caller.json(", "))", more
}

func takesRefreshToken(op *openapi3.Operation) bool {
	if op.Security == nil {
		return false
	}
	return slices.ContainsFunc(*op.Security, func(r openapi3.SecurityRequirement) bool { _, ok := r["refreshToken"]; return ok })
}
