package mcp

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// object is a JSON object of the contract or of a schema.
type object = map[string]any

// document is the part of the contract that tools are made of.
type document struct {
	Info       struct{ Version string }
	Paths      map[string]object
	Components struct {
		Schemas    map[string]object
		Parameters map[string]object
	}
}

func readDocument(spec []byte) (*document, error) {
	var d document
	if err := yaml.Unmarshal(spec, &d); err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	return &d, nil
}

const (
	schemaRef    = "#/components/schemas/"
	parameterRef = "#/components/parameters/"
)

// schemas turns schemas of OpenAPI 3.0 into JSON Schema 2020-12. What they refer to is collected and becomes $defs,
// because some of them contain themselves.
type schemas struct {
	components map[string]object
	defs       object
	missing    []string
}

// keyword values that are schemas themselves, or hold some.
var (
	ofOne  = []string{"items", "not", "additionalProperties"}
	ofList = []string{"oneOf", "anyOf", "allOf"}
)

// ignored are the keywords of OpenAPI that mean nothing to a reader of JSON Schema.
var ignored = []string{"discriminator", "example", "externalDocs", "xml", "readOnly", "writeOnly", "nullable"}

func (s *schemas) convert(from object) object {
	if ref, ok := from["$ref"].(string); ok {
		return object{"$ref": "#/$defs/" + s.define(strings.TrimPrefix(ref, schemaRef))}
	}
	to := make(object, len(from))
	for key, value := range from {
		switch {
		case strings.HasPrefix(key, "x-") || slices.Contains(ignored, key):
		case key == "properties":
			to[key] = s.properties(value)
		case slices.Contains(ofOne, key):
			to[key] = s.maybe(value)
		case slices.Contains(ofList, key):
			to[key] = s.list(value)
		default:
			to[key] = value
		}
	}
	for _, bound := range []string{"minimum", "maximum"} { // a flag beside the bound there is a bound of its own here
		exclusive := "exclusive" + strings.ToUpper(bound[:1]) + bound[1:]
		if flag, ok := to[exclusive].(bool); ok {
			delete(to, exclusive)
			if flag {
				to[exclusive] = to[bound]
				delete(to, bound)
			}
		}
	}
	if from["nullable"] == true {
		return object{"anyOf": []any{to, object{"type": "null"}}}
	}
	return to
}

// define converts a component once, also when it contains itself.
func (s *schemas) define(name string) string {
	if _, begun := s.defs[name]; begun {
		return name
	}
	from, ok := s.components[name]
	if !ok {
		s.missing = append(s.missing, name)
		return name
	}
	s.defs[name] = nil
	s.defs[name] = s.convert(from)
	return name
}

func (s *schemas) properties(value any) object {
	from, _ := value.(object)
	to := make(object, len(from))
	for name, schema := range from {
		to[name] = s.maybe(schema)
	}
	return to
}

// maybe converts what is a schema, and leaves true and false alone.
func (s *schemas) maybe(value any) any {
	if from, ok := value.(object); ok {
		return s.convert(from)
	}
	return value
}

func (s *schemas) list(value any) []any {
	from, _ := value.([]any)
	to := make([]any, len(from))
	for i, schema := range from {
		to[i] = s.maybe(schema)
	}
	return to
}

// input is the schema of the arguments of an operation: its parameters in path and query, and the members of its body,
// side by side.
func (d *document) input(path, method string) (object, error) {
	item := d.Paths[path]
	op, _ := item[strings.ToLower(method)].(object)
	s := &schemas{components: d.Components.Schemas, defs: object{}}
	properties, required := object{}, []string{}
	taken := func(name string) error {
		if _, twice := properties[name]; twice {
			return fmt.Errorf("%s %s has two arguments called %s", method, path, name)
		}
		return nil
	}
	for _, p := range append(d.parameters(item), d.parameters(op)...) {
		name, _ := p["name"].(string)
		if p["in"] != "path" && p["in"] != "query" {
			continue
		}
		if err := taken(name); err != nil {
			return nil, err
		}
		schema, _ := p["schema"].(object)
		converted := s.convert(schema)
		if about, ok := p["description"]; ok {
			converted["description"] = about
		}
		properties[name] = converted
		if p["required"] == true {
			required = append(required, name)
		}
	}
	body := d.body(op)
	for name, schema := range s.properties(body["properties"]) {
		if err := taken(name); err != nil {
			return nil, err
		}
		properties[name] = schema
	}
	needed, _ := body["required"].([]any)
	for _, name := range needed {
		required = append(required, fmt.Sprint(name))
	}
	if len(s.missing) > 0 {
		return nil, fmt.Errorf("%s %s refers to %s, which is no schema of the contract", method, path, s.missing)
	}
	input := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		input["required"] = required
	}
	if len(s.defs) > 0 {
		input["$defs"] = s.defs
	}
	return input, nil
}

// parameters are those that stand in an operation, or in its path.
func (d *document) parameters(in object) []object {
	list, _ := in["parameters"].([]any)
	out := make([]object, 0, len(list))
	for _, p := range list {
		param, _ := p.(object)
		if ref, ok := param["$ref"].(string); ok {
			param = d.Components.Parameters[strings.TrimPrefix(ref, parameterRef)]
		}
		out = append(out, param)
	}
	return out
}

// body is the schema of an operation's body; empty where it has none.
func (d *document) body(op object) object {
	at := op
	for _, key := range []string{"requestBody", "content", "application/json", "schema"} {
		at, _ = at[key].(object)
	}
	if ref, ok := at["$ref"].(string); ok {
		at = d.Components.Schemas[strings.TrimPrefix(ref, schemaRef)]
	}
	return at
}

// ofProject is the schema for a caller whose key is good for one project: it need not be named.
func ofProject(input object, project string) (json.RawMessage, error) {
	properties, ok := input["properties"].(object)[projectID].(object)
	if ok {
		named := maps.Clone(properties)
		named["default"] = project
		input = maps.Clone(input)
		all := maps.Clone(input["properties"].(object))
		all[projectID] = named
		input["properties"] = all
		required, _ := input["required"].([]string)
		required = slices.DeleteFunc(slices.Clone(required), func(name string) bool { return name == projectID })
		delete(input, "required")
		if len(required) > 0 {
			input["required"] = required
		}
	}
	return json.Marshal(input)
}
