package main

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

const contractPath = "github.com/bahagh/nimbus/internal/contract"

// loadSpec reads the document and checks it against OpenAPI itself, which also catches misspelt keywords and
// keywords beside a $ref, which tools would ignore.
func loadSpec(path string) (*openapi3.T, error) {
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromFile(path)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.0.") {
		return nil, fmt.Errorf("%s: openapi %s is not supported; write 3.0.3", path, doc.OpenAPI)
	}
	// Patterns are Go's here and compiled by us; examples are proved by the tests that send them.
	err = doc.Validate(context.Background(), openapi3.DisableSchemaPatternValidation(), openapi3.DisableExamplesValidation())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if doc.Components == nil {
		doc.Components = &openapi3.Components{}
	}
	return doc, nil
}

// annotations say nothing about which requests are valid.
var annotations = []string{"type", "title", "description", "example", "externalDocs", "deprecated", "xml", "writeOnly"}

// effective lists the extensions that do say something, so one in the wrong place must not pass.
var effective = []string{"x-max-bytes", "x-max-depth", "x-no-control", "x-must-be", "x-json-object"}

// onlyKeywords refuses every validation keyword and effective extension of s that is not named.
func (p *problems) onlyKeywords(at string, s *openapi3.Schema, allowed ...string) {
	v := reflect.ValueOf(*s)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		keyword, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if keyword == "-" || v.Field(i).IsZero() || slices.Contains(annotations, keyword) || slices.Contains(allowed, keyword) {
			continue
		}
		p.Add(at, "keyword %q is not supported here", keyword)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Extensions)) {
		if slices.Contains(effective, name) && !slices.Contains(allowed, name) {
			p.Add(at, "extension %q is not supported here", name)
		}
	}
}

// plainRef refuses extensions beside a $ref that would have no effect there.
func (p *problems) plainRef(at string, ref *openapi3.SchemaRef) {
	if ref.Ref == "" {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(ref.Extensions)) {
		if slices.Contains(effective, name) {
			p.Add(at, "extension %q has no effect beside a $ref; put it into the schema", name)
		}
	}
}

// boolExt reads an extension that is true or absent.
func (p *problems) boolExt(at string, ext map[string]any, name string) bool {
	v, ok := ext[name]
	b, isBool := v.(bool)
	if ok && !isBool {
		p.Add(at, "extension %q must be true or false", name)
	}
	return b
}

// intExt reads an extension that is a positive integer or absent.
func (p *problems) intExt(at string, ext map[string]any, name string) int {
	v, ok := ext[name]
	if !ok {
		return 0
	}
	var n int
	switch v := v.(type) {
	case float64:
		n = int(v)
		if float64(n) != v {
			n = 0
		}
	case int:
		n = v
	case uint64:
		n = int(v)
	}
	if n <= 0 {
		p.Add(at, "extension %q must be a positive integer", name)
	}
	return n
}

// enum reads the values of a string enum; null is left to nullable.
func (p *problems) enum(at string, s *openapi3.Schema) []string {
	var out []string
	for _, v := range s.Enum {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case nil:
			if !s.Nullable {
				p.Add(at, "enum has null but the schema is not nullable")
			}
		default:
			p.Add(at, "enum value %v is not a string; only string enums are supported", v)
		}
	}
	return out
}

// typeOf is the one type of a schema, or "".
func typeOf(s *openapi3.Schema) string {
	if s.Type == nil || len(*s.Type) != 1 {
		return ""
	}
	return (*s.Type)[0]
}

func deref[T any](v *T) (zero T) {
	if v == nil {
		return zero
	}
	return *v
}
