package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/bahagh/nimbus/tools/gen"
)

// typeWriter writes types.py. An object is a TypedDict, so an answer is what the server sent, with every member that a later version of
// it adds; nothing is converted.
type typeWriter struct {
	*gen.Problems
	doc     *openapi3.T
	classes []string // in the order of the file
	inside  bool     // a reference is from types.py itself
}

func (t *typeWriter) emit() string {
	t.inside = true
	for _, name := range slices.Sorted(maps.Keys(t.doc.Components.Schemas)) {
		t.component(name, t.doc.Components.Schemas[name])
	}
	t.inside = false
	var b strings.Builder
	b.WriteString(generated)
	b.WriteString(`"""The types of the contract: what its operations take and answer. Times and UUIDs are texts, as they are sent."""` + "\n\n")
	b.WriteString("from __future__ import annotations\n\nfrom typing import Any, Dict, List, Literal, Optional, TypedDict, Union\n\n\n")
	b.WriteString(strings.Join(t.classes, "\n\n"))
	return b.String()
}

func (t *typeWriter) component(name string, ref *openapi3.SchemaRef) {
	if !isName(name) {
		t.Add("components.schemas."+name, "is no name of a Python class")
		return
	}
	s := ref.Value
	if ref.Ref == "" && isClass(s) {
		t.class(name, s)
		return
	}
	t.classes = append(t.classes, fmt.Sprintf("%s = %s\n%s", name, t.expr("components.schemas."+name, name, ref, true), docstring("", s.Description)))
}

// isClass reports whether a schema is an object with members of its own.
func isClass(s *openapi3.Schema) bool { return len(s.Properties) > 0 && len(s.OneOf) == 0 }

// class writes a TypedDict. Members that may be missing are in a class of their own with total=False, below one of those that are
// required: Python 3.9 has no NotRequired.
func (t *typeWriter) class(name string, s *openapi3.Schema) {
	at := "components.schemas." + name
	if len(s.OneOf)+len(s.AnyOf)+len(s.AllOf) > 0 {
		t.Add(at, "has members and is a composition, which is not supported")
	}
	var required, optional []string
	plain := true
	for _, member := range slices.Sorted(maps.Keys(s.Properties)) {
		plain = plain && isName(member)
		if slices.Contains(s.Required, member) {
			required = append(required, member)
		} else {
			optional = append(optional, member)
		}
	}
	base := "TypedDict"
	text := ""
	if len(required) > 0 && len(optional) > 0 {
		text = t.body("_"+name, base, "", required, s, plain, true) + "\n\n"
		base = "_" + name
		required = nil
	}
	text += t.body(name, base, s.Description, append(required, optional...), s, plain, len(optional) == 0)
	t.classes = append(t.classes, text)
}

// body writes one class. A member whose name is a keyword, such as from, is only possible in the functional syntax.
func (t *typeWriter) body(name, base, doc string, members []string, s *openapi3.Schema, plain, total bool) string {
	var b strings.Builder
	owner := strings.TrimPrefix(name, "_")
	if !plain {
		functional := name
		if base != "TypedDict" {
			functional += "Optional"
		}
		fmt.Fprintf(&b, "%s = TypedDict(%q, {\n", functional, functional)
		for _, member := range members {
			expr := t.expr("components.schemas."+owner+"."+member, owner+camel(member), s.Properties[member], false)
			fmt.Fprintf(&b, "    %q: %s,\n", member, quoted(expr))
		}
		b.WriteString("}")
		if !total {
			b.WriteString(", total=False")
		}
		b.WriteString(")\n")
		if base != "TypedDict" {
			fmt.Fprintf(&b, "\n\nclass %s(%s, %s):\n%s", name, base, functional, orPass(docstring("    ", doc)))
		}
		return b.String()
	}
	fmt.Fprintf(&b, "class %s(%s", name, base)
	if !total {
		b.WriteString(", total=False")
	}
	b.WriteString("):\n")
	if d := docstring("    ", doc); d != "" {
		b.WriteString(d + "\n")
	}
	for _, member := range members {
		p := s.Properties[member]
		fmt.Fprintf(&b, "    %s: %s\n", member, t.expr("components.schemas."+owner+"."+member, owner+camel(member), p, false))
		if p.Ref == "" {
			b.WriteString(docstring("    ", p.Value.Description))
		}
	}
	return b.String()
}

func orPass(doc string) string {
	if doc == "" {
		return "    pass\n"
	}
	return doc
}

// quoted makes a type a forward reference, for where Python evaluates it.
func quoted(expr string) string { return strconv.Quote(expr) }

// expr is the type of a schema. name is that of a class that it may need. In an alias references are quoted, because Python evaluates it
// where it stands.
func (t *typeWriter) expr(at, name string, ref *openapi3.SchemaRef, alias bool) string {
	if ref == nil || ref.Value == nil {
		return "Any"
	}
	if ref.Ref != "" {
		return t.reference(ref, alias)
	}
	s := ref.Value
	expr := t.plain(at, name, s, alias)
	if s.Nullable && expr != "Any" {
		return "Optional[" + expr + "]"
	}
	return expr
}

func (t *typeWriter) reference(ref *openapi3.SchemaRef, alias bool) string {
	name := ref.Ref[strings.LastIndexByte(ref.Ref, '/')+1:]
	switch {
	case !t.inside:
		name = "types." + name
	case alias:
		name = quoted(name)
	}
	return name // a nullable component says so in its own alias
}

func (t *typeWriter) plain(at, name string, s *openapi3.Schema, alias bool) string {
	switch {
	case len(s.OneOf) > 0:
		var of []string
		for _, one := range s.OneOf {
			of = append(of, t.expr(at, name, one, alias))
		}
		return "Union[" + strings.Join(of, ", ") + "]"
	case len(s.AllOf) == 1 && len(s.Properties) == 0: // a $ref with a description beside it
		return t.expr(at, name, s.AllOf[0], alias)
	case len(s.AllOf)+len(s.AnyOf) > 0:
		t.Add(at, "allOf and anyOf are not supported")
		return "Any"
	case len(s.Enum) > 0:
		return t.literal(at, s)
	case isClass(s):
		t.class(name, s)
		return t.reference(&openapi3.SchemaRef{Ref: "#/" + name}, alias)
	case s.Type == nil:
		return "Any"
	case s.Type.Is("array"):
		return "List[" + t.expr(at+"[]", name+"Item", s.Items, alias) + "]"
	case s.Type.Is("object"):
		if s.AdditionalProperties.Schema != nil {
			return "Dict[str, " + t.expr(at+"{}", name+"Value", s.AdditionalProperties.Schema, alias) + "]"
		}
		return "Dict[str, Any]"
	}
	simple, ok := map[string]string{"string": "str", "integer": "int", "number": "float", "boolean": "bool"}[(*s.Type)[0]]
	if !ok || len(*s.Type) != 1 {
		t.Add(at, "type %v is not supported", *s.Type)
	}
	return simple
}

func (t *typeWriter) literal(at string, s *openapi3.Schema) string {
	var values []string
	for _, v := range s.Enum {
		switch v := v.(type) {
		case string:
			values = append(values, quoted(v))
		case float64, int, uint64:
			values = append(values, fmt.Sprint(v))
		case nil: // nullable says it too
		default:
			t.Add(at, "enum value %v is not a string or a number", v)
		}
	}
	return "Literal[" + strings.Join(values, ", ") + "]"
}
