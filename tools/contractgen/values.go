package main

import (
	"fmt"
	"go/ast"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// value is one place to read JSON into.
type value struct {
	lhs  string // the Go expression assigned to
	typ  ast.Expr
	ref  *openapi3.SchemaRef
	at   string
	rule string // suffix of the names of its rules
}

// value writes the statements that read v.
func (d *decoders) value(b *strings.Builder, v value) {
	d.plainRef(v.at, v.ref)
	if v.ref.Value.Nullable {
		zero := d.zero(v.typ)
		fmt.Fprintf(b, "if r.Null() {\n%s = %s\n} else {\n", v.lhs, zero)
		defer b.WriteString("}\n")
	}
	if star, ok := v.typ.(*ast.StarExpr); ok {
		fmt.Fprintf(b, "%s = new(%s)\n", v.lhs, d.goType(star.X))
		v.typ = star.X
		v.lhs = "(*" + v.lhs + ")"
	}
	s := v.ref.Value
	under := d.shapes.print(d.shapes.under(v.typ))
	switch {
	case under == "json.RawMessage":
		d.rawJSON(b, v)
	case len(s.OneOf) > 0, typeOf(s) == "object" && d.isStruct(v.typ):
		d.nested(b, v)
	case typeOf(s) == "object":
		d.mapping(b, v)
	case typeOf(s) == "array":
		d.array(b, v)
	case typeOf(s) == "string":
		d.text(b, v, under)
	case typeOf(s) == "integer":
		d.integer(b, v)
	case typeOf(s) == "number":
		d.number(b, v)
	case typeOf(s) == "boolean":
		d.onlyKeywords(v.at, s, "default", "nullable")
		d.assign(b, v, "bool", "r.Bool()")
	default:
		d.onlyKeywords(v.at, s)
		d.Add(v.at, "a schema without a single type is not supported")
	}
}

func (d *decoders) nested(b *strings.Builder, v value) {
	at := v.at
	if name, ok := componentName(v.ref); ok {
		at = "schema " + name
	}
	if d.want(at, v.typ, v.ref.Value) != nil {
		fmt.Fprintf(b, "%s.decode(r)\n", strings.TrimPrefix(v.lhs, "*")) // a method call takes the address itself
	}
}

func (d *decoders) rawJSON(b *strings.Builder, v value) {
	s := v.ref.Value
	d.onlyKeywords(v.at, s, "additionalProperties", "minProperties", "maxProperties", "nullable", "x-max-bytes", "x-max-depth")
	if has := s.AdditionalProperties.Has; s.AdditionalProperties.Schema != nil || has != nil && !*has {
		d.Add(v.at, "a raw JSON object takes any member; say additionalProperties: true")
	}
	anyValue := s.Type == nil
	if !anyValue && typeOf(s) != "object" {
		d.Add(v.at, "a raw JSON value must be type: object, or have no type at all")
	}
	size, depth := d.intExt(v.at, s.Extensions, "x-max-bytes"), d.intExt(v.at, s.Extensions, "x-max-depth")
	if size == 0 || depth == 0 {
		d.Add(v.at, "a raw JSON value must be limited: say x-max-bytes and x-max-depth")
	}
	var parts []string
	parts = append(parts, fmt.Sprintf("MaxBytes: %d, MaxDepth: %d", size, depth))
	if s.MinProps > 0 {
		parts = append(parts, fmt.Sprintf("MinProps: %d", s.MinProps))
	}
	if s.MaxProps != nil {
		parts = append(parts, fmt.Sprintf("MaxProps: %d", *s.MaxProps))
	}
	if anyValue {
		parts = append(parts, "Any: true")
	}
	set(b, v.lhs, "r.Raw(&%s)", d.newRule(v, "RawRule", parts))
}

// counted writes the rule of an array or map. A maximum is required: it bounds the memory of one request.
func (d *decoders) counted(v value, least uint64, most *uint64, keyword string) string {
	if most == nil || *most == 0 || *most > 1<<31 {
		d.Add(v.at, "must have a positive %q, which bounds the memory a request can claim", keyword)
		return "_"
	}
	return d.newRule(v, "CountRule", []string{fmt.Sprintf("Min: %d, Max: %d", least, *most)})
}

func (d *decoders) mapping(b *strings.Builder, v value) {
	s := v.ref.Value
	d.onlyKeywords(v.at, s, "additionalProperties", "minProperties", "maxProperties", "nullable")
	m, ok := d.shapes.under(v.typ).(*ast.MapType)
	if !ok || s.AdditionalProperties.Schema == nil || d.shapes.print(m.Key) != "string" {
		d.Add(v.at, "the Go type %s cannot hold it; name the object under components, say additionalProperties with a schema, "+
			"or keep it raw with x-go-type: json.RawMessage", d.shapes.print(v.typ))
		return
	}
	rule := d.counted(v, s.MinProps, s.MaxProps, "maxProperties")
	set(b, v.lhs, "contract.ReadMap(r, &%s, %s)", rule, d.element(v, m.Value, s.AdditionalProperties.Schema, "Value"))
}

func (d *decoders) array(b *strings.Builder, v value) {
	s := v.ref.Value
	d.onlyKeywords(v.at, s, "items", "minItems", "maxItems", "uniqueItems", "nullable")
	a, ok := d.shapes.under(v.typ).(*ast.ArrayType)
	if !ok || a.Len != nil || s.Items == nil {
		d.Add(v.at, "the Go type %s is not a slice", d.shapes.print(v.typ))
		return
	}
	read := "ReadSlice"
	if s.UniqueItems {
		read = "ReadSet"
		if t := typeOf(s.Items.Value); t != "string" && t != "integer" {
			d.Add(v.at, "keyword \"uniqueItems\" is only supported for strings and integers")
		}
	}
	rule := d.counted(v, s.MinItems, s.MaxItems, "maxItems")
	set(b, v.lhs, "contract.%s(r, %s, &%s, %s)", read, v.lhs, rule, d.element(v, a.Elt, s.Items, "Item"))
}

// element writes the function that reads one element.
func (d *decoders) element(v value, typ ast.Expr, ref *openapi3.SchemaRef, suffix string) string {
	var b strings.Builder
	at := v.at + "[]"
	if d.isStruct(typ) && d.shapes.named(typ) != "" && !ref.Value.Nullable {
		d.plainRef(at, ref)
		if name, ok := componentName(ref); ok {
			at = "schema " + name
		}
		d.want(at, typ, ref.Value)
		return fmt.Sprintf("(*%s).decode", d.shapes.named(typ))
	}
	d.value(&b, value{lhs: "*x", typ: typ, ref: ref, at: at, rule: v.rule + suffix})
	return fmt.Sprintf("func(x *%s, r *contract.Reader) {\n%s}", d.goType(typ), b.String())
}

func (d *decoders) text(b *strings.Builder, v value, under string) {
	s := v.ref.Value
	switch s.Format {
	case "uuid":
		d.onlyKeywords(v.at, s, "format", "nullable")
		d.special(b, v, under, "openapi_types.UUID", "r.UUID()")
	case "date-time":
		d.onlyKeywords(v.at, s, "format", "nullable")
		d.special(b, v, under, "time.Time", "r.Time()")
	case "date":
		d.onlyKeywords(v.at, s, "format", "nullable")
		d.special(b, v, under, "openapi_types.Date", "openapi_types.Date{Time: r.Date()}")
	default:
		parts := d.stringRule(v.at, s)
		if under != "string" && under != "openapi_types.Email" {
			d.Add(v.at, "the Go type %s is not a string", d.shapes.print(v.typ))
			return
		}
		call := "r.String(&" + d.newRule(v, "StringRule", parts) + ")"
		if goType := d.shapes.print(v.typ); goType != "string" {
			call = d.goType(v.typ) + "(" + call + ")"
		}
		set(b, v.lhs, "%s", call)
	}
}

// special assigns a format that has its own Go type.
func (d *decoders) special(b *strings.Builder, v value, under, want, call string) {
	if under != want {
		d.Add(v.at, "format %q needs the Go type %s, not %s", v.ref.Value.Format, want, d.shapes.print(v.typ))
		return
	}
	if strings.Contains(call, "openapi_types.") {
		d.imports[d.shapes.imports["openapi_types"]] = true
	}
	set(b, v.lhs, "%s", call)
}

// stringRule writes the fields of a contract.StringRule.
func (d *decoders) stringRule(at string, s *openapi3.Schema) []string {
	d.onlyKeywords(at, s, "format", "minLength", "maxLength", "pattern", "enum", "default", "nullable", "x-no-control", "x-must-be")
	var parts []string
	if s.MinLength > 0 {
		parts = append(parts, fmt.Sprintf("Min: %d", s.MinLength))
	}
	if s.MaxLength != nil {
		if *s.MaxLength == 0 {
			d.Add(at, "maxLength: 0 is not supported")
		}
		parts = append(parts, fmt.Sprintf("Max: %d", *s.MaxLength))
	}
	if s.Pattern != "" {
		d.pattern(at, s.Pattern)
		d.imports[`"regexp"`] = true
		parts = append(parts, "Pattern: regexp.MustCompile("+quoteGo(s.Pattern)+")")
	}
	if says := d.mustBe(at, s); says != "" {
		parts = append(parts, "MustBe: "+quoteGo(says))
	}
	if values := d.enum(at, s); len(values) > 0 {
		parts = append(parts, fmt.Sprintf("Enum: %#v", values))
	}
	switch s.Format {
	case "", "password": // password only asks clients to hide the input
	case "email":
		parts = append(parts, "Format: contract.FormatEmail")
	case "uri":
		parts = append(parts, "Format: contract.FormatURI")
	default:
		d.Add(at, "format %q is not supported for a string", s.Format)
	}
	if d.boolExt(at, s.Extensions, "x-no-control") {
		parts = append(parts, "NoControl: true")
	}
	return parts
}

func (p *problems) pattern(at, source string) {
	if _, err := regexp.Compile(source); err != nil {
		p.Add(at, "keyword \"pattern\": %v", err)
	}
}

// mustBe reads the words that say to people what a pattern says to programs.
func (p *problems) mustBe(at string, s *openapi3.Schema) string {
	v, ok := s.Extensions["x-must-be"]
	says, isText := v.(string)
	if ok && (!isText || says == "" || s.Pattern == "") {
		p.Add(at, "extension \"x-must-be\" must be text beside a pattern")
	}
	return says
}

func (d *decoders) integer(b *strings.Builder, v value) {
	s := v.ref.Value
	d.onlyKeywords(v.at, s, "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "default", "nullable")
	width := map[string]int{"int": 64, "int64": 64, "int32": 32, "int16": 16, "int8": 8}[d.shapes.print(d.shapes.under(v.typ))]
	if width == 0 {
		d.Add(v.at, "the Go type %s is not a signed integer", d.shapes.print(v.typ))
		return
	}
	switch s.Format {
	case "", "int64":
	case "int32":
		width = min(width, 32)
	default:
		d.Add(v.at, "format %q is not supported for an integer", s.Format)
	}
	low, high := int64(-1)<<(width-1), int64(1)<<(width-1)-1
	if s.Min != nil {
		low = max(low, d.intBound(v.at, "minimum", *s.Min))
		if deref(s.ExclusiveMin.Bool) {
			low++
		}
	}
	if s.Max != nil {
		high = min(high, d.intBound(v.at, "maximum", *s.Max))
		if deref(s.ExclusiveMax.Bool) {
			high--
		}
	}
	rule := d.newRule(v, "IntRule", []string{fmt.Sprintf("Min: %d, Max: %d", low, high)})
	d.assign(b, v, "int64", "r.Int(&"+rule+")")
}

func (p *problems) intBound(at, keyword string, v float64) int64 {
	if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
		p.Add(at, "keyword %q must be an integer of at most 53 bits here", keyword)
		return 0
	}
	return int64(v)
}

func (d *decoders) number(b *strings.Builder, v value) {
	s := v.ref.Value
	d.onlyKeywords(v.at, s, "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "default", "nullable")
	if s.Format != "" && s.Format != "double" {
		d.Add(v.at, "format %q is not supported for a number; use double", s.Format)
	}
	if !d.isBasic(v.typ, "float64") {
		d.Add(v.at, "the Go type %s is not float64", d.shapes.print(v.typ))
		return
	}
	low, high := "-math.MaxFloat64", "math.MaxFloat64"
	if s.Min != nil {
		low = strconv.FormatFloat(*s.Min, 'g', -1, 64)
	}
	if s.Max != nil {
		high = strconv.FormatFloat(*s.Max, 'g', -1, 64)
	}
	if s.Min == nil || s.Max == nil {
		d.imports[`"math"`] = true
	}
	parts := []string{"Min: " + low + ", Max: " + high}
	if deref(s.ExclusiveMin.Bool) {
		parts = append(parts, "Above: true")
	}
	if deref(s.ExclusiveMax.Bool) {
		parts = append(parts, "Below: true")
	}
	d.assign(b, v, "float64", "r.Float(&"+d.newRule(v, "FloatRule", parts)+")")
}

// set writes an assignment.
func set(b *strings.Builder, lhs, format string, args ...any) {
	if inner, ok := strings.CutPrefix(lhs, "(*"); ok {
		lhs = "*" + strings.TrimSuffix(inner, ")")
	}
	fmt.Fprintf(b, lhs+" = "+format+"\n", args...)
}

// assign converts where the Go type is not the one the reader returns.
func (d *decoders) assign(b *strings.Builder, v value, have, call string) {
	if have == "bool" && !d.isBasic(v.typ, "bool") {
		d.Add(v.at, "the Go type %s is not a bool", d.shapes.print(v.typ))
		return
	}
	if goType := d.shapes.print(v.typ); goType != have {
		call = d.goType(v.typ) + "(" + call + ")"
	}
	set(b, v.lhs, "%s", call)
}

// newRule declares a package-level rule and returns its name.
func (d *decoders) newRule(v value, kind string, parts []string) string {
	name := "rule" + v.rule
	d.rules[name] = "contract." + kind + "{" + strings.Join(parts, ", ") + "}"
	return name
}

// goType spells a type and imports what it names.
func (d *decoders) goType(e ast.Expr) string {
	ast.Inspect(e, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok {
				d.imports[d.shapes.imports[pkg.Name]] = true
			}
		}
		return true
	})
	return d.shapes.print(e)
}

func (d *decoders) isStruct(e ast.Expr) bool {
	_, ok := d.shapes.under(e).(*ast.StructType)
	return ok
}

func (d *decoders) isBasic(e ast.Expr, names ...string) bool {
	id, ok := d.shapes.under(e).(*ast.Ident)
	return ok && slices.Contains(names, id.Name)
}

// zero spells what a null becomes.
func (d *decoders) zero(e ast.Expr) string {
	switch u := d.shapes.under(e).(type) {
	case *ast.StarExpr, *ast.ArrayType, *ast.MapType:
		return "nil"
	case *ast.Ident:
		switch u.Name {
		case "string":
			return `""`
		case "bool":
			return "false"
		default:
			return "0"
		}
	case *ast.SelectorExpr:
		switch d.shapes.print(u) {
		case "json.RawMessage":
			return "nil"
		case "openapi_types.Email":
			return `""`
		}
	}
	return d.goType(e) + "{}"
}

// quoteGo prefers a raw string, in which a pattern is readable.
func quoteGo(s string) string {
	if strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}
