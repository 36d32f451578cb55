package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// kotlin is the type of a value, and how one is read: read has %s for the JSON.
type kotlin struct {
	name, read string
	nullable   bool // any JSON value, null too
}

// typeOf returns the type of a schema; one that is written in place gets this name, and belongs to owner.
func (g *generator) typeOf(owner, name string, ref *openapi3.SchemaRef) kotlin {
	s := ref.Value
	if component := refName(ref); component != "" {
		if slices.Contains(handwritten, component) {
			return kotlin{name: "FieldError", read: "fieldError(%s)"}
		}
		if g.isClass(s) {
			return kotlin{name: component, read: component + ".fromJson(%s)"}
		}
		if len(s.Enum) > 0 && s.Type.Is("string") {
			return kotlin{name: component, read: component + ".of(text(%s))"}
		}
		return g.typeOf(component, component, &openapi3.SchemaRef{Value: s})
	}
	switch {
	case len(s.AllOf) == 1:
		return g.typeOf(owner, name, s.AllOf[0])
	case len(s.OneOf) > 0 || s.Type == nil:
		return kotlin{name: "Any", read: "%s", nullable: true}
	case g.isClass(s):
		g.define(owner, name, s)
		return kotlin{name: name, read: name + ".fromJson(%s)"}
	case len(s.Enum) > 0 && s.Type.Is("string"):
		g.define(owner, name, s)
		return kotlin{name: name, read: name + ".of(text(%s))"}
	case s.Type.Is("object"):
		return kotlin{name: "Map<String, Any?>", read: "members(%s)"}
	case s.Type.Is("array"):
		item := g.typeOf(owner, name, s.Items)
		optional := ""
		if s.Items.Value.Nullable || item.nullable {
			optional = "?"
		}
		return kotlin{name: "List<" + item.name + optional + ">", read: "list(%s) { " + orNull(item, s.Items.Value.Nullable, "it") + " }"}
	}
	return g.scalar(name, s)
}

func (g *generator) scalar(name string, s *openapi3.Schema) kotlin {
	switch {
	case s.Type.Is("string") && s.Format == "date-time":
		return kotlin{name: "Instant", read: "instant(%s)"}
	case s.Type.Is("string"):
		return kotlin{name: "String", read: "text(%s)"}
	case s.Type.Is("boolean"):
		return kotlin{name: "Boolean", read: "truth(%s)"}
	case s.Type.Is("integer") && s.Format == "int32":
		return kotlin{name: "Int", read: "int(%s)"}
	case s.Type.Is("integer"):
		return kotlin{name: "Long", read: "long(%s)"}
	case s.Type.Is("number"):
		return kotlin{name: "Double", read: "double(%s)"}
	}
	g.Add(name, "has a type that there is no Kotlin for")
	return kotlin{}
}

// plain read what has a function for null, too.
var plain = []string{"text", "truth", "int", "long", "double", "instant", "members"}

// orNull reads what may be null.
func orNull(t kotlin, nullable bool, json string) string {
	if !nullable || t.nullable {
		return fmt.Sprintf(t.read, json)
	}
	if of, ok := strings.CutSuffix(t.read, "(%s)"); ok && slices.Contains(plain, of) {
		return of + "OrNull(" + json + ")" // a let for each of them takes the compiler three times as long
	}
	if json != "it" {
		return json + "?.let { " + orNull(t, false, "it") + " }"
	}
	return "it?.let { v -> " + fmt.Sprintf(t.read, "v") + " }"
}

// isClass reports whether a schema is a Kotlin class or a sum of them.
func (g *generator) isClass(s *openapi3.Schema) bool {
	return s.Discriminator != nil || s.Type.Is("object") && len(s.Properties) > 0
}

// define writes a type, unless it is an alias of one that Kotlin has.
func (g *generator) define(owner, name string, s *openapi3.Schema) {
	var text string
	switch {
	case slices.Contains(handwritten, name):
		return
	case s.Discriminator != nil:
		text = g.sum(name, s)
	case g.isClass(s):
		text = g.data(owner, name, s)
	case len(s.Enum) > 0 && s.Type.Is("string"):
		text = g.enum(name, s)
	case s.Type.Is("array") && s.Items.Ref == "":
		g.typeOf(owner, name, &openapi3.SchemaRef{Value: s})
		return
	default:
		return
	}
	if old, ok := g.text[name]; ok && old != text {
		g.Add(name, "is the name of two types")
	}
	g.text[name], g.owner[name] = text, owner
}

func (g *generator) enum(name string, s *openapi3.Schema) string {
	var b strings.Builder
	b.WriteString(doc("", s.Description))
	fmt.Fprintf(&b, "public enum class %s(override val value: String) : Coded {\n", name)
	seen := map[string]bool{}
	for _, v := range s.Enum {
		value, ok := v.(string)
		c := constant(value)
		if !ok || c == "" || seen[c] {
			g.Add(name, "has the value %v, which cannot be named", v)
		}
		seen[c] = true
		fmt.Fprintf(&b, "    %s(%s),\n", c, quoted(value))
	}
	b.WriteString("\n    /** A value that this version does not know. */\n    UNRECOGNIZED(\"\");\n\n    public companion object {\n")
	fmt.Fprintf(&b, "        @JvmStatic\n        public fun of(value: String): %s =\n            values().find { it.value == value } ?: UNRECOGNIZED\n    }\n}\n", name)
	return b.String()
}

// sum is a oneOf that a member tells apart.
func (g *generator) sum(name string, s *openapi3.Schema) string {
	var b strings.Builder
	b.WriteString(doc("", s.Description))
	fmt.Fprintf(&b, "public sealed interface %s : Model {\n    /** A case that this version does not know. */\n", name)
	fmt.Fprintf(&b, "    public data class Unknown(val json: Map<String, Any?>) : %s {\n        override fun toJson(): Map<String, Any?> = json\n    }\n\n", name)
	fmt.Fprintf(&b, "    public companion object {\n        @JvmStatic public fun fromJson(json: Any?): %s = when (Members(json, %[2]s)[%[3]s]) {\n",
		name, quoted(name), quoted(s.Discriminator.PropertyName))
	byCase := map[string][]string{}
	for value, to := range s.Discriminator.Mapping {
		c := strings.TrimPrefix(to.Ref, schemas)
		byCase[c] = append(byCase[c], quoted(value))
	}
	for _, c := range slices.Sorted(maps.Keys(byCase)) {
		slices.Sort(byCase[c])
		fmt.Fprintf(&b, "            %s -> %s.fromJson(json)\n", strings.Join(byCase[c], ", "), c)
	}
	b.WriteString("            else -> Unknown(members(json))\n        }\n    }\n}\n")
	return b.String()
}

// member is one of a data class.
type member struct {
	json, name, doc string
	typ             kotlin
	optional        bool
	constant        string // its only value
}

func (g *generator) members(owner, name string, s *openapi3.Schema) []member {
	names := slices.Clone(s.Required)
	for _, p := range slices.Sorted(maps.Keys(s.Properties)) {
		if !slices.Contains(names, p) {
			names = append(names, p)
		}
	}
	var all []member
	for _, p := range names {
		ref := s.Properties[p]
		if ref == nil {
			g.Add(name, "requires %s, which it has not", p)
			continue
		}
		v := ref.Value
		m := member{json: p, name: camel(p), doc: v.Description}
		if ref.Ref != "" {
			m.doc = ""
		}
		if ref.Ref == "" && len(v.Enum) == 1 && v.Type.Is("string") && slices.Contains(s.Required, p) {
			m.constant = fmt.Sprint(v.Enum[0])
		} else {
			m.typ = g.typeOf(owner, name+pascal(p), ref)
		}
		m.optional = !slices.Contains(s.Required, p) || v.Nullable || m.typ.nullable
		all = append(all, m)
	}
	slices.SortStableFunc(all, func(a, b member) int { return rank(a) - rank(b) })
	return all
}

func rank(m member) int {
	if m.optional {
		return 1
	}
	return 0
}

// data is a schema with members. Those of a request can be set one by one, as Java does.
func (g *generator) data(owner, name string, s *openapi3.Schema) string {
	var b, write, read strings.Builder
	access, optional, any := "val", false, false
	if g.sent[owner] {
		access = "var"
	}
	var params strings.Builder
	for _, m := range g.members(owner, name, s) {
		if m.constant != "" {
			fmt.Fprintf(&write, "        %s, %s,\n", quoted(m.json), quoted(m.constant))
			continue
		}
		any = true
		params.WriteString(doc("    ", m.doc))
		zero := ""
		if m.optional {
			zero, optional = "? = null", true
		}
		fmt.Fprintf(&params, "    %s %s: %s%s,\n", access, m.name, m.typ.name, zero)
		fmt.Fprintf(&write, "        %s, %s,\n", quoted(m.json), m.name)
		from := fmt.Sprintf("m.need(%s)", quoted(m.json))
		if m.optional {
			from = fmt.Sprintf("m[%s]", quoted(m.json))
		}
		fmt.Fprintf(&read, "                %s,\n", orNull(m.typ, m.optional, from))
	}
	b.WriteString(doc("", s.Description))
	sums := slices.Clone(g.sums[name])
	slices.Sort(sums)
	if len(sums) == 0 {
		sums = []string{"Model"}
	}
	if !any {
		g.Add(name, "has no members")
	}
	b.WriteString("public data class " + name)
	if g.sent[owner] && optional {
		b.WriteString(" @JvmOverloads constructor")
	}
	fmt.Fprintf(&b, "(\n%s) : %s {\n    override fun toJson(): Map<String, Any?> = json(\n%s    )\n\n", params.String(), strings.Join(sums, ", "), write.String())
	fmt.Fprintf(&b, "    public companion object {\n        @JvmStatic public fun fromJson(json: Any?): %s {\n            val m = Members(json, %s)\n"+
		"            return %[1]s(\n%[3]s            )\n        }\n    }\n}\n", name, quoted(name), read.String())
	return b.String()
}

// quoted is a text as Kotlin writes it.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(s) + `"`
}
