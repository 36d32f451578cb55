package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/bahagh/nimbus/tools/gen"
)

const (
	vendors = "Compatibility" // the tag that is left out
	shared  = "Shared"        // the file of schemas that several tags use
	schemas = "#/components/schemas/"
)

// handwritten are the schemas that the library has classes of its own for: an error is an ApiException.
var handwritten = []string{"Problem", "FieldError"}

// generator collects what goes into each file.
type generator struct {
	gen.Problems
	doc   *openapi3.T
	tags  []string                   // in the order of the document
	ops   map[string][]operation     // by tag, in the order of paths
	used  map[string]map[string]bool // which tags use a schema
	sent  map[string]bool            // schemas that are part of a request: their members can be set
	sums  map[string][]string        // the sums (oneOf) that a schema is a case of
	text  map[string]string          // of each type, by its name
	owner map[string]string          // the schema that an inline type belongs to
}

// operation is one of the contract's.
type operation struct {
	method, path string
	item         *openapi3.PathItem
	op           *openapi3.Operation
}

func newGenerator(doc *openapi3.T) *generator {
	g := &generator{doc: doc, ops: map[string][]operation{}, used: map[string]map[string]bool{}, sent: map[string]bool{},
		sums: map[string][]string{}, text: map[string]string{}, owner: map[string]string{}}
	for _, tag := range doc.Tags {
		if tag.Name != vendors {
			g.tags = append(g.tags, tag.Name)
		}
	}
	for _, path := range doc.Paths.InMatchingOrder() {
		item := doc.Paths.Value(path)
		for method, op := range item.Operations() {
			if len(op.Tags) != 1 {
				g.Add(op.OperationID, "has not one tag")
			} else if op.Tags[0] != vendors {
				g.ops[op.Tags[0]] = append(g.ops[op.Tags[0]], operation{method, path, item, op})
			}
		}
	}
	for _, ops := range g.ops {
		slices.SortFunc(ops, func(a, b operation) int { return strings.Compare(a.op.OperationID, b.op.OperationID) })
	}
	for name, ref := range doc.Components.Schemas {
		if ref.Value.Discriminator != nil {
			for _, c := range ref.Value.OneOf {
				g.sums[refName(c)] = append(g.sums[refName(c)], name)
			}
		}
	}
	return g
}

// files returns the text of each file by name.
func (g *generator) files() map[string]string {
	files := map[string]string{}
	bodies := map[string]string{}
	for _, tag := range g.tags {
		bodies[tag] = g.class(tag)
	}
	for _, name := range slices.Sorted(maps.Keys(g.doc.Components.Schemas)) {
		if g.used[name] != nil {
			g.define(name, name, g.doc.Components.Schemas[name].Value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g.text)) {
		tags := slices.Sorted(maps.Keys(g.used[g.owner[name]]))
		file := shared
		if len(tags) == 1 {
			file = tags[0]
		}
		bodies[file] += "\n" + g.text[name]
	}
	for file, body := range bodies {
		head := "package io.github.bahagh.nimbus.api\n"
		if strings.Contains(body, "Instant") {
			head += "\nimport java.time.Instant\n"
		}
		files[file+".gen.kt"] = head + strings.TrimRight("\n"+strings.TrimLeft(body, "\n"), "\n") + "\n"
	}
	files["ApiByTag.gen.kt"] = g.operations()
	return files
}

// operations is the class that has all tags.
func (g *generator) operations() string {
	var b strings.Builder
	b.WriteString("package io.github.bahagh.nimbus.api\n\n/** Every operation of the contract, by its tag. */\n" +
		"public abstract class ApiByTag internal constructor() : Caller() {\n")
	for k, tag := range g.doc.Tags {
		if tag.Name == vendors {
			continue
		}
		if k > 0 {
			b.WriteString("\n")
		}
		b.WriteString(doc("    ", tag.Description))
		fmt.Fprintf(&b, "    @JvmField public val %s: %sApi = %[2]sApi(this)\n", camel(tag.Name), tag.Name)
	}
	return b.String() + "}\n"
}

// mark notes that a tag uses a schema, and with it all those that it consists of.
func (g *generator) mark(ref *openapi3.SchemaRef, tag string, sent bool) {
	if ref == nil || ref.Value == nil {
		return
	}
	if name := refName(ref); name != "" {
		if g.used[name] == nil {
			g.used[name] = map[string]bool{}
		}
		if g.used[name][tag] && (g.sent[name] || !sent) {
			return
		}
		g.used[name][tag] = true
		g.sent[name] = g.sent[name] || sent
		for _, sum := range g.sums[name] { // the class names it
			g.mark(g.doc.Components.Schemas[sum], tag, sent)
			if g.used[sum] == nil {
				g.mark(&openapi3.SchemaRef{Ref: schemas + sum, Value: g.doc.Components.Schemas[sum].Value}, tag, sent)
			}
		}
	}
	s := ref.Value
	for _, p := range s.Properties {
		g.mark(p, tag, sent)
	}
	g.mark(s.Items, tag, sent)
	for _, list := range [][]*openapi3.SchemaRef{s.OneOf, s.AllOf} {
		for _, one := range list {
			g.mark(one, tag, sent)
		}
	}
}

// refName is the name of the component that ref points to, "" when it is written in place.
func refName(ref *openapi3.SchemaRef) string {
	name, _ := strings.CutPrefix(ref.Ref, schemas)
	return name
}
