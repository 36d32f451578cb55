package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/tools/gen"
)

var update = flag.Bool("update", false, "write the fixture's generated files anew")

const fixture = "../../internal/contract/internal/fixture"

// The fixture is committed beside its tests, so its text is the golden file: a change of the generator shows as a diff.
func TestFixtureIsUpToDate(t *testing.T) {
	t.Parallel()
	files, err := generate(filepath.Join(fixture, "openapi.yaml"), filepath.Join(fixture, "api.gen.go"))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := gen.Write(fixture, files, ""); err != nil {
			t.Fatal(err)
		}
	}
	again, err := generate(filepath.Join(fixture, "openapi.yaml"), filepath.Join(fixture, "api.gen.go"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if !bytes.Equal(text, again[name]) {
			t.Errorf("%s differs from run to run", name)
		}
		if want, err := os.ReadFile(filepath.Join(fixture, name)); err != nil || !bytes.Equal(text, want) {
			t.Errorf("%s is out of date (%v); run go test ./contractgen -update", name, err)
		}
	}
}

// spec is a valid contract; each test breaks one thing in it.
const spec = `openapi: 3.0.3
info: {title: T, version: 1.0.0}
paths:
  /v1/a:
    post:
      operationId: postA
      x-scope: a:write
      x-role: account
      security: [{key: []}]
      parameters:
        - {name: p, in: query, schema: {type: string}}
      requestBody:
        content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}
      responses:
        '200': {description: Fine.}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
  schemas:
    A:
      type: object
      additionalProperties: false
      required: [s]
      properties:
        s: {type: string}
        i: {type: integer}
        n: {type: number}
        l: {type: array, maxItems: 3, items: {type: string}}
        m: {type: object, maxProperties: 3, additionalProperties: {type: string}}
        r: {type: object, additionalProperties: true, x-max-bytes: 10, x-max-depth: 2, x-go-type: json.RawMessage}
    Other: {type: string}
`

const types = `package api

import "encoding/json"

type A struct {
	S string            ` + "`json:\"s\"`" + `
	I *int              ` + "`json:\"i,omitempty\"`" + `
	N *float64          ` + "`json:\"n,omitempty\"`" + `
	L []string          ` + "`json:\"l,omitempty\"`" + `
	M map[string]string ` + "`json:\"m,omitempty\"`" + `
	R json.RawMessage   ` + "`json:\"r,omitempty\"`" + `
}
`

func run(t *testing.T, spec, types string) error {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"spec.yaml": spec, "types.go": types} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := generate(filepath.Join(dir, "spec.yaml"), filepath.Join(dir, "types.go"))
	return err
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	if err := run(t, spec, types); err != nil {
		t.Fatalf("the base contract is refused: %v", err)
	}
	tests := map[string]struct{ old, new, want string }{
		"OpenAPI 3.1":            {"openapi: 3.0.3", "openapi: 3.1.0", "write 3.0.3"},
		"misspelt keyword":       {"s: {type: string}", "s: {type: string, minLenght: 1}", "minLenght"},
		"keyword beside $ref":    {"s: {type: string}", "s: {$ref: '#/components/schemas/Other', nullable: true}", "nullable"},
		"extension beside $ref":  {"s: {type: string}", "s: {$ref: '#/components/schemas/Other', x-no-control: true}", "x-no-control"},
		"no operationId":         {"      operationId: postA\n", "", "has no operationId"},
		"no security":            {"      security: [{key: []}]\n", "", "POST /v1/a: states no security"},
		"optional security":      {"security: [{key: []}]", "security: [{key: []}, {}]", "empty security requirement"},
		"no scope":               {"      x-scope: a:write\n", "", "POST /v1/a: has security but no x-scope"},
		"no role":                {"      x-role: account\n", "", "POST /v1/a: has security but no x-role"},
		"unknown role":           {"x-role: account", "x-role: boss", "x-role must be one of account viewer admin owner operator"},
		"role without a project": {"x-role: account", "x-role: viewer", "names no project_id"},
		"project without a role": {"{name: p, in: query, schema: {type: string}}", "{name: project_id, in: query, required: true, schema: {type: string, format: uuid}}", "is about a project, so x-role must be viewer, admin or owner"},
		"optional project":       {"{name: p, in: query, schema: {type: string}}", "{name: project_id, in: query, schema: {type: string, format: uuid}}", "must be a required UUID"},
		"optional in the body":   {"s: {type: string}", "s: {type: string}\n        project_id: {type: string, format: uuid}", "project_id in the body must be a required UUID"},
		"every project, no role": {"x-role: account", "x-role: account\n      x-project: caller", "is about a project"},
		"every project, admin":   {"x-role: account", "x-role: admin\n      x-project: caller", "x-role must be viewer"},
		"deleted, not in path":   {"x-role: account", "x-role: viewer\n      x-project: deleted", "x-role must be account, or x-project caller"},
		"dialect with security":  {"x-scope: a:write", "x-dialect: other\n      tags: [Compatibility]\n      x-scope: a:write", "has an x-dialect, whose keys are where its vendor has them"},
		"dialect with a scope":   {"x-scope: a:write", "x-dialect: other\n      tags: [Compatibility]\n      x-scope: a:write", "has an x-dialect, so x-scope has no effect"},
		"dialect without a tag":  {"x-scope: a:write", "x-dialect: other\n      x-scope: a:write", "has an x-dialect, so its tag must be Compatibility"},
		"alias with a slash":     {"x-scope: a:write", "x-dialect: other\n      x-aliases: [/v1/b/]\n      x-scope: a:write", "x-aliases must be a list of paths"},
		"self of nothing":        {"x-role: account", "x-role: account\n      x-self: p", "x-self must name a path parameter"},
		"tool that writes":       {"x-scope: a:write", "x-scope: a:write\n      x-tool: true", "has x-tool, so its x-scope must end in :read"},
		"tool without an answer": {"x-scope: a:write", "x-scope: a:read\n      x-tool: true", "has x-tool, so it must answer 200 with application/json"},
		"tool that may be":       {"x-scope: a:write", "x-scope: a:write\n      x-tool: perhaps", `extension "x-tool" must be true or false`},
		"role of a public one":   {"      x-scope: a:write\n      x-role: account\n      security: [{key: []}]", "      x-role: account\n      security: []", "x-role has no effect"},
		"scope of a public one":  {"security: [{key: []}]", "security: []", "x-scope has no effect"},
		"inline body":            {"{$ref: '#/components/schemas/A'}", "{type: string}", "must be a $ref"},
		"other JSON body":        {"application/json:", "application/merge-patch+json:", "not supported; use application/json"},
		"response range":         {"'200'", "2XX", "not a status"},
		"name collision":         {"  securitySchemes:", "  responses: {other: {description: X.}}\n  securitySchemes:", "components.responses.other: has the name of components.schemas.Other"},
		"open object":            {"      additionalProperties: false\n", "", "schema A: a request object must say additionalProperties: false"},
		"unknown required":       {"required: [s]", "required: [s, z]", `requires "z"`},
		"no Go field":            {"        i: {", "        z: {type: string}\n        i: {", "schema A.z: the Go type A has no field"},
		"allOf":                  {"s: {type: string}", "s: {allOf: [{type: string}]}", `schema A.s: keyword "allOf"`},
		"anyOf":                  {"s: {type: string}", "s: {anyOf: [{type: string}]}", `keyword "anyOf"`},
		"not":                    {"s: {type: string}", "s: {type: string, not: {type: string}}", `keyword "not"`},
		"multipleOf":             {"i: {type: integer}", "i: {type: integer, multipleOf: 2}", `schema A.i: keyword "multipleOf"`},
		"integer enum":           {"i: {type: integer}", "i: {type: integer, enum: [1]}", `keyword "enum"`},
		"fractional bound":       {"i: {type: integer}", "i: {type: integer, minimum: 0.5}", "must be an integer"},
		"string keyword":         {"i: {type: integer}", "i: {type: integer, maxLength: 2}", `keyword "maxLength"`},
		"extension on a number":  {"n: {type: number}", "n: {type: number, x-no-control: true}", `extension "x-no-control"`},
		"format":                 {"s: {type: string}", "s: {type: string, format: ipv4}", `format "ipv4"`},
		"float":                  {"n: {type: number}", "n: {type: number, format: float}", `format "float"`},
		"pattern":                {"s: {type: string}", "s: {type: string, pattern: '(?=a)'}", `keyword "pattern"`},
		"words of no pattern":    {"s: {type: string}", "s: {type: string, x-must-be: short}", `extension "x-must-be"`},
		"words that are none":    {"s: {type: string}", "s: {type: string, pattern: a, x-must-be: 1}", `extension "x-must-be"`},
		"wrong Go type":          {"s: {type: string}", "s: {type: string, format: uuid}", "needs the Go type openapi_types.UUID"},
		"default of a list":      {"items: {type: string}}", "items: {type: string}, default: []}", `keyword "default"`},
		"readOnly":               {"s: {type: string}", "s: {type: string, readOnly: true}", "readOnly"},
		"array without bound":    {"maxItems: 3, ", "", `schema A.l: must have a positive "maxItems"`},
		"map without bound":      {"maxProperties: 3, ", "", `must have a positive "maxProperties"`},
		"raw without bytes":      {"x-max-bytes: 10, ", "", "x-max-bytes and x-max-depth"},
		"raw with wrong depth":   {"x-max-depth: 2", "x-max-depth: no", "positive integer"},
		"raw but closed":         {"additionalProperties: true", "additionalProperties: false", "say additionalProperties: true"},
		"unique objects":         {"items: {type: string}}", "uniqueItems: true, items: {type: number}}", "only supported for strings and integers"},
		"oneOf without choice":   {"    Other: {type: string}", "    Other: {type: string}\n    B: {oneOf: [{type: string}]}", ""},
		"cookie parameter":       {"in: query", "in: cookie", ""}, // it is read by whoever judges it
		"parameter style":        {"in: query", "in: query, style: pipeDelimited", `style "pipeDelimited"`},
		"parameter list":         {"schema: {type: string}}", "schema: {type: array, items: {type: string}}}", "must have a positive maxItems"},
		"parameter comma list":   {"schema: {type: string}}", "explode: false, schema: {type: array, maxItems: 1, items: {type: string}}}", "exploded"},
		"parameter object":       {"schema: {type: string}}", "schema: {type: object}}", "a parameter must be"},
		"parameter format":       {"schema: {type: string}}", "schema: {type: string, format: email}}", `format "email" is not supported for a parameter`},
		"parameter multipleOf":   {"schema: {type: string}}", "schema: {type: integer, multipleOf: 2}}", `keyword "multipleOf"`},
		"parameter exclusive":    {"schema: {type: string}}", "schema: {type: integer, minimum: 1, exclusiveMinimum: true}}", `keyword "exclusiveMinimum"`},
		"parameter JSON integer": {"schema: {type: string}}", "x-json-object: true, schema: {type: integer}}", "needs type: string"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken := strings.Replace(spec, tt.old, tt.new, 1)
			if broken == spec {
				t.Fatalf("%q is not in the contract", tt.old)
			}
			err := run(t, broken, types)
			if tt.want == "" {
				if err != nil {
					t.Errorf("a schema no request reaches is refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestReportsEveryProblem(t *testing.T) {
	t.Parallel()
	broken := strings.NewReplacer("maxItems: 3, ", "", "      x-scope: a:write\n", "", "i: {type: integer}", "i: {type: integer, multipleOf: 2}").Replace(spec)
	err := run(t, broken, types)
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v, want three problems", err)
	}
}
