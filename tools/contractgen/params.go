package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// params writes a contract.Param for each parameter of the operation and its path, sorted by place and name. Cookies
// are left out: a browser sends the ones that it has, and the caller could not correct them. The code that reads a
// cookie checks it.
func (o *operations) params(at string, item *openapi3.PathItem, op *openapi3.Operation) []string {
	all := slices.Clone(op.Parameters)
	for _, ref := range item.Parameters {
		if op.Parameters.GetByInAndName(ref.Value.In, ref.Value.Name) == nil {
			all = append(all, ref)
		}
	}
	all = slices.DeleteFunc(all, func(ref *openapi3.ParameterRef) bool { return ref.Value.In == openapi3.ParameterInCookie })
	order := []string{"path", "query", "header"}
	slices.SortFunc(all, func(a, b *openapi3.ParameterRef) int {
		return cmp.Or(slices.Index(order, a.Value.In)-slices.Index(order, b.Value.In), strings.Compare(a.Value.Name, b.Value.Name))
	})
	out := make([]string, len(all))
	for i, ref := range all {
		out[i] = o.param(at+" parameter "+ref.Value.Name, ref.Value)
	}
	return out
}

func (o *operations) param(at string, p *openapi3.Parameter) string {
	style := map[string]string{"path": "simple", "query": "form", "header": "simple"}[p.In]
	switch {
	case style == "":
		o.Add(at, "parameters in %q are not supported", p.In)
	case p.Style != "" && p.Style != style:
		o.Add(at, "style %q is not supported", p.Style)
	case p.AllowReserved || len(p.Content) > 0:
		o.Add(at, "allowReserved and content are not supported")
	}
	if p.Schema == nil || p.Schema.Value == nil {
		o.Add(at, "has no schema")
		return ""
	}
	o.plainRef(at, p.Schema)
	var b strings.Builder
	fmt.Fprintf(&b, "{Name: %q, In: %q", p.Name, p.In)
	if p.Required {
		b.WriteString(", Required: true")
	}
	s := p.Schema.Value
	if typeOf(s) == "array" {
		s = o.repeated(&b, at, p, s)
		if s == nil {
			return ""
		}
	}
	o.scalar(&b, at, p, s)
	b.WriteString("},\n")
	return b.String()
}

// repeated writes the rules of an array parameter and returns the schema of one value.
func (o *operations) repeated(b *strings.Builder, at string, p *openapi3.Parameter, s *openapi3.Schema) *openapi3.Schema {
	o.onlyKeywords(at, s, "items", "minItems", "maxItems", "default")
	if p.In != "query" || p.Explode != nil && !*p.Explode {
		o.Add(at, "arrays are only supported in the query, exploded (?name=a&name=b)")
	}
	if s.MaxItems == nil || *s.MaxItems == 0 {
		o.Add(at, "must have a positive maxItems")
	}
	if s.Items == nil {
		o.Add(at, "must have items")
		return nil
	}
	o.plainRef(at, s.Items)
	b.WriteString(", Repeat: true")
	if s.MinItems > 0 {
		fmt.Fprintf(b, ", MinItems: %d", s.MinItems)
	}
	fmt.Fprintf(b, ", MaxItems: %d", deref(s.MaxItems))
	return s.Items.Value
}

func (o *operations) scalar(b *strings.Builder, at string, p *openapi3.Parameter, s *openapi3.Schema) {
	if o.boolExt(at, p.Extensions, "x-json-object") {
		o.jsonObject(b, at, p, s)
		return
	}
	switch typeOf(s) {
	case "integer":
		o.onlyKeywords(at, s, "format", "minimum", "maximum", "default")
		if s.Format != "" && s.Format != "int32" && s.Format != "int64" {
			o.Add(at, "format %q is not supported for an integer", s.Format)
		}
		least, most := s.Min, s.Max
		if s.Format == "int32" { // the Go type is an int32, so its range is part of the contract
			least, most = narrow(least, -1<<31, true), narrow(most, 1<<31-1, false)
		}
		b.WriteString(", Kind: contract.KindInteger")
		bounds(b, least, most)
	case "number":
		o.onlyKeywords(at, s, "format", "minimum", "maximum", "default")
		if s.Format != "" && s.Format != "double" {
			o.Add(at, "format %q is not supported for a number; use double", s.Format)
		}
		b.WriteString(", Kind: contract.KindNumber")
		bounds(b, s.Min, s.Max)
	case "boolean":
		o.onlyKeywords(at, s, "default")
		b.WriteString(", Kind: contract.KindBoolean")
	case "string":
		o.text(b, at, s)
	default:
		o.onlyKeywords(at, s)
		o.Add(at, "a parameter must be a string, a number, a boolean or an array of them")
	}
}

func narrow(have *float64, bound float64, low bool) *float64 {
	if have == nil || low && *have < bound || !low && *have > bound {
		return &bound
	}
	return have
}

func bounds(b *strings.Builder, least, most *float64) {
	if least != nil {
		fmt.Fprintf(b, ", Min: contract.Bound(%v)", *least)
	}
	if most != nil {
		fmt.Fprintf(b, ", Max: contract.Bound(%v)", *most)
	}
}

func (o *operations) text(b *strings.Builder, at string, s *openapi3.Schema) {
	kind := map[string]string{"uuid": "KindUUID", "date-time": "KindDateTime", "date": "KindDate"}[s.Format]
	switch {
	case kind != "":
		o.onlyKeywords(at, s, "format", "default")
		b.WriteString(", Kind: contract." + kind)
	case s.Format != "":
		o.Add(at, "format %q is not supported for a parameter", s.Format)
	default:
		o.onlyKeywords(at, s, "minLength", "maxLength", "pattern", "enum", "default", "x-no-control", "x-must-be")
		values := o.enum(at, s)
		if len(values) == 0 {
			b.WriteString(", Kind: contract.KindString")
		} else {
			fmt.Fprintf(b, ", Kind: contract.KindEnum, Enum: %#v", values)
		}
		lengths(b, s)
		if s.Pattern != "" {
			o.pattern(at, s.Pattern)
			b.WriteString(", Pattern: regexp.MustCompile(" + quoteGo(s.Pattern) + ")")
		}
		if says := o.mustBe(at, s); says != "" {
			b.WriteString(", MustBe: " + quoteGo(says))
		}
		if o.boolExt(at, s.Extensions, "x-no-control") {
			b.WriteString(", NoControl: true")
		}
	}
}

// jsonObject writes a string parameter whose text is a JSON object. Its depth is that of a raw member.
func (o *operations) jsonObject(b *strings.Builder, at string, p *openapi3.Parameter, s *openapi3.Schema) {
	o.onlyKeywords(at, s, "minLength", "maxLength", "default")
	if typeOf(s) != "string" {
		o.Add(at, "extension \"x-json-object\" needs type: string")
	}
	b.WriteString(", Kind: contract.KindString, JSON: true")
	lengths(b, s)
	for _, ext := range []struct{ name, field string }{{"x-max-bytes", "MaxBytes"}, {"x-max-depth", "MaxDepth"}} {
		if n := o.intExt(at, p.Extensions, ext.name); n > 0 {
			fmt.Fprintf(b, ", %s: %d", ext.field, n)
		}
	}
}

func lengths(b *strings.Builder, s *openapi3.Schema) {
	if s.MinLength > 0 {
		fmt.Fprintf(b, ", MinLen: %d", s.MinLength)
	}
	if s.MaxLength != nil {
		fmt.Fprintf(b, ", MaxLen: %d", *s.MaxLength)
	}
}
