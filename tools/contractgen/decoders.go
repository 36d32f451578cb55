package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// decoders writes decode.gen.go: one decode method for each Go struct that a request body reaches.
type decoders struct {
	*problems
	doc    *openapi3.T
	shapes *shapes

	methods map[string]*method // by Go type
	queue   []*method
	rules   map[string]string // name of a package-level rule → its literal
	imports map[string]bool   // import specs in use
}

// method is one decode method to write.
type method struct {
	typ    string
	at     string // where the schema stands in the document
	schema *openapi3.Schema
	root   bool // a request body itself, which gets DecodeJSON
	text   string
}

func newDecoders(doc *openapi3.T, s *shapes, p *problems) *decoders {
	return &decoders{problems: p, doc: doc, shapes: s, methods: map[string]*method{},
		rules: map[string]string{}, imports: map[string]bool{}}
}

func (d *decoders) emit() string {
	d.roots()
	for len(d.queue) > 0 {
		m := d.queue[0]
		d.queue = d.queue[1:]
		d.method(m)
	}
	if len(d.methods) == 0 {
		return "" // a contract without JSON bodies needs no decoders
	}
	d.imports[`"`+contractPath+`"`] = true
	var b strings.Builder
	b.WriteString("import (\n")
	specs := slices.SortedFunc(maps.Keys(d.imports), func(x, y string) int {
		return cmp.Or(cmp.Compare(group(x), group(y)), strings.Compare(importPath(x), importPath(y)))
	})
	for i, spec := range specs {
		if i > 0 && group(spec) != group(specs[i-1]) {
			b.WriteByte('\n')
		}
		b.WriteString(spec + "\n")
	}
	b.WriteString(")\n\n")
	if len(d.rules) > 0 {
		b.WriteString("var (\n")
		for _, name := range slices.Sorted(maps.Keys(d.rules)) {
			fmt.Fprintf(&b, "%s = %s\n", name, d.rules[name])
		}
		b.WriteString(")\n")
	}
	for _, typ := range slices.Sorted(maps.Keys(d.methods)) {
		b.WriteString(d.methods[typ].text)
	}
	return b.String()
}

func importPath(spec string) string { return spec[strings.IndexByte(spec, '"'):] }

// group sorts the standard library before everything else.
func group(spec string) int {
	first, _, _ := strings.Cut(importPath(spec), "/")
	if strings.Contains(first, ".") {
		return 1
	}
	return 0
}

// roots finds every JSON request body, in the order of the document's paths.
func (d *decoders) roots() {
	eachOperation(d.doc, func(at string, _ *openapi3.PathItem, _, _ string, op *openapi3.Operation) {
		if op.RequestBody == nil || op.RequestBody.Value == nil {
			return
		}
		for _, mime := range slices.Sorted(maps.Keys(op.RequestBody.Value.Content)) {
			if mime != "application/json" {
				if strings.Contains(mime, "json") && !strings.Contains(mime, "ndjson") {
					d.Add(at, "request body of type %q is not supported; use application/json", mime)
				}
				continue
			}
			ref := op.RequestBody.Value.Content[mime].Schema
			name, ok := componentName(ref)
			if !ok {
				d.Add(at, "the JSON request body must be a $ref to a schema under components")
				continue
			}
			expr, err := d.shapes.component(name, ref.Value.Extensions)
			if err != nil {
				d.Add("schema "+name, "%v", err)
				continue
			}
			if m := d.want("schema "+name, expr, ref.Value); m != nil {
				m.root = true
			}
		}
	})
}

func componentName(ref *openapi3.SchemaRef) (string, bool) {
	if ref == nil {
		return "", false
	}
	return strings.CutPrefix(ref.Ref, "#/components/schemas/")
}

// want asks for the decode method of a Go struct and returns it, or nil after a problem.
func (d *decoders) want(at string, expr ast.Expr, s *openapi3.Schema) *method {
	typ := d.shapes.named(expr)
	if _, ok := d.shapes.under(expr).(*ast.StructType); !ok || typ == "" {
		d.Add(at, "its Go type is %s, not a named struct; name the schema under components", d.shapes.print(expr))
		return nil
	}
	if m := d.methods[typ]; m != nil {
		if m.schema != s {
			d.Add(at, "shares the Go type %s with %s", typ, m.at)
		}
		return m
	}
	m := &method{typ: typ, at: at, schema: s}
	d.methods[typ] = m
	d.queue = append(d.queue, m)
	return m
}

func (d *decoders) method(m *method) {
	var b strings.Builder
	if strct, ok := d.shapes.under(ast.NewIdent(m.typ)).(*ast.StructType); ok && len(m.schema.OneOf) > 0 {
		d.union(&b, m, strct)
	} else if ok {
		d.object(&b, m, strct)
	}
	m.text = ""
	if m.root {
		m.text = fmt.Sprintf("\n// DecodeJSON reads and checks one %[1]s. Its strings and raw members alias b; slices it\n"+
			"// requires are used again. The error is a *contract.SyntaxError or contract.Errors.\n"+
			"func (v *%[1]s) DecodeJSON(b []byte) error {\nr := contract.NewReader(b)\nv.decode(r)\nreturn r.Finish()\n}\n", m.typ)
		if namesProject(m.schema) {
			d.imports[`"github.com/google/uuid"`] = true
			m.text += fmt.Sprintf("\n// NamedProject returns the project that the request is about.\n"+
				"func (v *%s) NamedProject() uuid.UUID { return v.ProjectID }\n", m.typ)
		}
	}
	m.text += b.String()
}

// object writes the method of a struct with members.
func (d *decoders) object(b *strings.Builder, m *method, strct *ast.StructType) {
	s := m.schema
	d.onlyKeywords(m.at, s, "properties", "required", "additionalProperties", "minProperties", "maxProperties", "nullable")
	if typeOf(s) != "object" {
		d.Add(m.at, "must say type: object")
	}
	if has := s.AdditionalProperties.Has; s.AdditionalProperties.Schema != nil || has == nil || *has {
		d.Add(m.at, "a request object must say additionalProperties: false")
	}
	names := slices.Sorted(maps.Keys(s.Properties))
	if len(names) > 64 {
		d.Add(m.at, "more than 64 properties are not supported")
		return
	}
	for _, name := range s.Required {
		if _, ok := s.Properties[name]; !ok {
			d.Add(m.at, "requires %q, which is not among its properties", name)
		}
	}
	fields := d.shapes.fields(strct)
	var keep []string // slices whose capacity outlives the reset
	var cases, after strings.Builder
	for bit, name := range names {
		ref, at := s.Properties[name], m.at+"."+name
		f, ok := fields[name]
		if !ok || name == "" {
			d.Add(at, "the Go type %s has no field for it", m.typ)
			continue
		}
		if ref.Value.ReadOnly {
			d.Add(at, "readOnly has no place in a request")
		}
		required := slices.Contains(s.Required, name)
		if _, isSlice := d.shapes.under(f.typ).(*ast.ArrayType); isSlice && required && typeOf(ref.Value) == "array" {
			keep = append(keep, fmt.Sprintf("%[1]s: v.%[1]s[:0]", f.name))
		}
		fmt.Fprintf(&cases, "case %q:\nif seen&(1<<%d) != 0 {\nr.Duplicate()\ncontinue\n}\nseen |= 1<<%[2]d\n", name, bit)
		d.value(&cases, value{lhs: "v." + f.name, typ: f.typ, ref: ref, at: at, rule: m.typ + f.name})
		if required {
			fmt.Fprintf(&after, "if seen&(1<<%d) == 0 {\nr.Missing(%q)\n}\n", bit, name)
			continue
		}
		if ref.Value.Default != nil {
			fmt.Fprintf(&after, "if seen&(1<<%d) == 0 {\n%s}\n", bit, d.fallback("v."+f.name, f.typ, ref.Value, at))
		}
	}
	fmt.Fprintf(b, "\nfunc (v *%s) decode(r *contract.Reader) {\n*v = %[1]s{%s}\nif !r.Object() {\nreturn\n}\n", m.typ, strings.Join(keep, ", "))
	if len(names) == 0 {
		b.WriteString("for r.Member() {\nr.Unknown()\n}\n")
	} else {
		fmt.Fprintf(b, "var seen uint64\nfor r.Member() {\nswitch r.Key() {\n%sdefault:\nr.Unknown()\n}\n}\n%s", cases.String(), after.String())
	}
	if s.MinProps > 0 || s.MaxProps != nil {
		d.imports[`"math/bits"`] = true
		fmt.Fprintf(b, "r.Properties(bits.OnesCount64(seen), %d, %d)\n", s.MinProps, deref(s.MaxProps))
	}
	b.WriteString("}\n")
}

// fallback sets the default of an absent scalar.
func (d *decoders) fallback(lhs string, typ ast.Expr, s *openapi3.Schema, at string) string {
	var set string
	if star, ok := typ.(*ast.StarExpr); ok {
		set = fmt.Sprintf("%s = new(%s)\n", lhs, d.goType(star.X))
		lhs, typ = "*"+lhs, star.X
	}
	literal := ""
	switch v := s.Default.(type) {
	case string:
		if d.isBasic(typ, "string") {
			literal = fmt.Sprintf("%q", v)
		}
	case bool:
		if d.isBasic(typ, "bool") {
			literal = fmt.Sprint(v)
		}
	case float64:
		switch {
		case d.isBasic(typ, "int", "int8", "int16", "int32", "int64"):
			if v == float64(int64(v)) {
				literal = fmt.Sprint(int64(v))
			}
		case d.isBasic(typ, "float32", "float64"):
			literal = fmt.Sprint(v)
		}
	}
	if literal == "" {
		d.Add(at, "keyword \"default\" with %v is not supported for the Go type %s", s.Default, d.shapes.print(typ))
	}
	return set + fmt.Sprintf("%s = %s\n", lhs, literal)
}

// union writes the method of a oneOf with a discriminator: look ahead for it, check the variant, keep its raw text.
func (d *decoders) union(b *strings.Builder, m *method, strct *ast.StructType) {
	s := m.schema
	d.onlyKeywords(m.at, s, "oneOf", "discriminator", "nullable")
	if s.Discriminator == nil || s.Discriminator.PropertyName == "" {
		d.Add(m.at, "keyword \"oneOf\" is only supported with a discriminator")
		return
	}
	if !isUnion(strct) {
		d.Add(m.at, "the Go type %s is not oapi-codegen's union", m.typ)
		return
	}
	variants := map[string]*openapi3.SchemaRef{} // by discriminator value
	for _, ref := range s.OneOf {
		name, ok := componentName(ref)
		if !ok {
			d.Add(m.at, "each variant of oneOf must be a $ref to a schema under components")
			return
		}
		mapped := false
		for value, target := range s.Discriminator.Mapping {
			if target.Ref == ref.Ref || target.Ref == name {
				variants[value], mapped = ref, true
			}
		}
		if !mapped {
			variants[name] = ref
		}
	}
	if len(s.Discriminator.Mapping) > 0 && len(variants) != len(s.Discriminator.Mapping) {
		d.Add(m.at, "the discriminator's mapping must name each variant of oneOf and nothing else")
	}
	property := s.Discriminator.PropertyName
	fmt.Fprintf(b, "\nfunc (v *%s) decode(r *contract.Reader) {\n*v = %[1]s{}\nstart := r.Pos()\nswitch kind, _ := r.Discriminator(%q); kind {\n", m.typ, property)
	values := slices.Sorted(maps.Keys(variants))
	for _, value := range values {
		ref := variants[value]
		name, _ := componentName(ref)
		expr, err := d.shapes.component(name, ref.Value.Extensions)
		if err != nil {
			d.Add("schema "+name, "%v", err)
			continue
		}
		if d.want("schema "+name, expr, ref.Value) == nil {
			continue
		}
		d.discriminated(name, ref.Value, property, value)
		fmt.Fprintf(b, "case %q:\nvar x %s\nx.decode(r)\n", value, d.shapes.print(expr))
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = fmt.Sprintf("%q", v)
	}
	fmt.Fprintf(b, "default:\nr.Variant(%q, %s)\nreturn\n}\nv.union = r.Since(start)\n}\n", property, strings.Join(quoted, ", "))
}

// discriminated makes sure that the value which selects a variant is one the variant itself accepts.
func (d *decoders) discriminated(name string, s *openapi3.Schema, property, value string) {
	ref := s.Properties[property]
	if ref == nil || !slices.Contains(s.Required, property) || !slices.Contains(ref.Value.Enum, any(value)) {
		d.Add("schema "+name, "as a variant it must require %q with an enum that has %q", property, value)
	}
}
