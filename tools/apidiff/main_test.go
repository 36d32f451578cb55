package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const redocly = "../../node_modules/.bin/redocly"

// base has one of everything that a change can break.
const base = `openapi: 3.0.3
info: {title: T, version: 0.4.2}
paths:
  /v1/things:
    get:
      operationId: listThings
      security:
        - token: []
        - key: []
      x-scope: things:read
      x-role: admin
      x-tool: true
      x-project: caller
      x-self: account_id
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100, default: 10}}
        - {name: order, in: query, schema: {type: string, enum: [asc, desc]}}
      responses:
        '200':
          description: A page.
          headers:
            Retry-After: {schema: {type: integer}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
        '404': {description: None.}
    post:
      operationId: createThing
      security: []
      x-scope: account
      x-body: bulk
      x-answer: export
      x-open-query: true
      requestBody:
        required: false
        content: {application/json: {schema: {$ref: '#/components/schemas/NewThing'}}}
      responses:
        '204': {description: Made.}
components:
  securitySchemes:
    token: {type: http, scheme: bearer}
    key: {type: apiKey, in: header, name: X-Key}
  schemas:
    Thing:
      type: object
      required: [id, kind]
      properties:
        id: {type: string}
        kind: {type: string, enum: [a, b]}
        size: {type: integer}
    NewThing:
      type: object
      required: [name]
      properties:
        name: {type: string, minLength: 1, maxLength: 50}
        note: {type: string}
        data: {type: object, x-max-bytes: 1000}
`

// apidiff compares base with the document that the replacements make of it.
func apidiff(t *testing.T, replace ...string) (code int, output string) {
	t.Helper()
	dir := t.TempDir()
	next := base
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(next, replace[i]) {
			t.Fatalf("the document has no %q", replace[i])
		}
		next = strings.Replace(next, replace[i], replace[i+1], 1)
	}
	for name, text := range map[string]string{"old.yaml": base, "new.yaml": next} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	code = run(t.Context(), []string{"-redocly", redocly, "-config", "../../.redocly.yaml", filepath.Join(dir, "old.yaml"), filepath.Join(dir, "new.yaml")}, &out, &out)
	return code, out.String()
}

func TestWhatBreaksAClientFails(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{ // old text, new text, a part of the message
		"an operation is removed":                  {"    post:\n      operationId: createThing", "    put:\n      operationId: createThing", "POST /v1/things"},
		"an operation is renamed":                  {"operationId: listThings", "operationId: getThings", "listThings"},
		"a status is removed":                      {"        '404': {description: None.}\n", "", "404"},
		"a status is renamed":                      {"'204'", "'201'", "204"},
		"a reply's media type changes":             {"content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}", "content: {text/json: {schema: {$ref: '#/components/schemas/Thing'}}}", "Media type"},
		"a reply's header is removed":              {"          headers:\n            Retry-After: {schema: {type: integer}}\n", "", "headers"},
		"a reply's property is removed":            {"        size: {type: integer}\n", "", "size"},
		"a reply's property changes its type":      {"size: {type: integer}", "size: {type: string}", "size"},
		"a reply's property may be null":           {"size: {type: integer}", "size: {type: integer, nullable: true}", "null"},
		"a reply's property may be absent":         {"required: [id, kind]", "required: [id]", "kind"},
		"a request's property is newly required":   {"required: [name]", "required: [name, note]", "note"},
		"a request's new property is required":     {"        note: {type: string}", "        note: {type: string}\n        tag: {type: string}", "tag", "required: [name]", "required: [name, tag]"},
		"a request's body is newly required":       {"required: false", "required: true", "body"},
		"a new parameter is required":              {"        - {name: order", "        - {name: project, in: query, required: true, schema: {type: string}}\n        - {name: order", "project"},
		"a parameter is removed":                   {"        - {name: order, in: query, schema: {type: string, enum: [asc, desc]}}\n", "", "order"},
		"a maximum is lowered":                     {"maximum: 100", "maximum: 99", "99"},
		"a minimum is raised":                      {"minimum: 1,", "minimum: 2,", "Lower bound"},
		"a length is lowered":                      {"maxLength: 50", "maxLength: 49", "maxLength"},
		"a pattern is new":                         {"note: {type: string}", "note: {type: string, pattern: '^a'}", "pattern"},
		"a request's enum loses a value":           {"enum: [asc, desc]", "enum: [desc]", "asc"},
		"a way to authenticate is removed":         {"        - token: []\n        - key: []\n", "        - token: []\n", "key"},
		"an open operation wants credentials":      {"security: []", "security: [{token: []}]", "POST /v1/things"},
		"an operation wants another scope":         {"x-scope: things:read", "x-scope: things:write", "x-scope"},
		"an operation wants a higher role":         {"x-role: admin", "x-role: owner", "x-role"},
		"an operation leaves its project":          {"x-role: admin", "x-role: account", "x-role"},
		"an operation is about other projects":     {"x-project: caller", "x-project: deleted", "x-project"},
		"a member may no longer do it to himself":  {"      x-self: account_id\n", "", "x-self"},
		"a body may be less large":                 {"      x-body: bulk\n", "", "x-body"},
		"a body may be as small as for strangers":  {"x-body: bulk", "x-body: small", "x-body"},
		"an answer becomes a stream":               {"x-answer: export", "x-answer: stream", "x-answer"},
		"a query is newly closed":                  {"      x-open-query: true\n", "", "x-open-query"},
		"a tool is taken away":                     {"      x-tool: true\n", "", "x-tool"},
		"a trait that nobody has judged":           {"      x-role: admin\n", "      x-role: admin\n      x-new: 1\n", "x-new"},
		"an object may be less large":              {"x-max-bytes: 1000", "x-max-bytes: 999", "x-max-bytes"},
		"an object's size is newly limited":        {"x-max-bytes: 1000", "x-max-bytes: 1000, x-max-depth: 4", "x-max-depth"},
		"text is newly refused control characters": {"note: {type: string}", "note: {type: string, x-no-control: true}", "x-no-control"},
		"a default changes":                        {"default: 10", "default: 20", "default"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edit := append([]string{tt[0], tt[1]}, tt[3:]...)
			if code, out := apidiff(t, edit...); code != exitBreaks || !strings.Contains(out, tt[2]) || !strings.Contains(out, "raise info.version to 0.5.0") {
				t.Errorf("exit %d, want %d with %q in:\n%s", code, exitBreaks, tt[2], out)
			}
		})
	}
}

func TestWhatBreaksAClientPassesWhenTheVersionAnnouncesIt(t *testing.T) {
	t.Parallel()
	code, out := apidiff(t, "maximum: 100", "maximum: 99", "version: 0.4.2", "version: 0.5.0")
	if code != 0 || !strings.Contains(out, "99") || !strings.Contains(out, "from 0.4.2 to 0.5.0 allows") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, out := apidiff(t, "maximum: 100", "maximum: 99", "version: 0.4.2", "version: 0.4.3"); code != exitBreaks {
		t.Errorf("a step too small: exit %d\n%s", code, out)
	}
}

func TestWhatOnlyAddsOrAllowsMorePasses(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"nothing changes":                          nil,
		"a description changes":                    {"description: A page.", "description: One page."},
		"an operation is added":                    {"    post:\n", "    delete: {operationId: clear, security: [], responses: {'204': {description: Done.}}}\n    post:\n"},
		"a status is added":                        {"        '404': {description: None.}\n", "        '404': {description: None.}\n        '409': {description: Twice.}\n"},
		"an optional parameter is added":           {"        - {name: order", "        - {name: tag, in: query, schema: {type: string}}\n        - {name: order"},
		"an optional property is added":            {"        note: {type: string}", "        note: {type: string}\n        tag: {type: string}"},
		"a reply has one more property":            {"        size: {type: integer}", "        size: {type: integer}\n        age: {type: integer}"},
		"a reply's enum gains a value":             {"enum: [a, b]", "enum: [a, b, c]"},
		"a request's enum gains a value":           {"enum: [asc, desc]", "enum: [asc, desc, random]"},
		"an operation wants a lower role":          {"x-role: admin", "x-role: viewer"},
		"what only accounts do is for keys, too":   {"x-scope: account", "x-scope: things:write"},
		"an operation becomes a tool":              {"      x-scope: account\n", "      x-scope: account\n      x-tool: true\n"},
		"an operation costs more":                  {"      x-role: admin\n", "      x-role: admin\n      x-cost: question\n"},
		"a maximum is raised":                      {"maximum: 100", "maximum: 200"},
		"an object may be larger":                  {"x-max-bytes: 1000", "x-max-bytes: 1001"},
		"an object's size is no longer limited":    {", x-max-bytes: 1000", ""},
		"a reply's property is always there":       {"required: [id, kind]", "required: [id, kind, size]"},
		"a request's property is no longer needed": {"      required: [name]\n", ""},
		"one more way to authenticate":             {"        - key: []\n", "        - key: []\n        - {token: [], key: []}\n"},
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if code, out := apidiff(t, edit...); code != 0 || !strings.Contains(out, "none of which breaks") {
				t.Errorf("exit %d\n%s", code, out)
			}
		})
	}
}

func TestWhichVersionsMayBreak(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, to string
		want     bool
		next     string
	}{
		{"0.4.2", "0.4.2", false, "0.5.0"},
		{"0.4.2", "0.4.3", false, "0.5.0"},
		{"0.4.2", "0.5.0", true, "0.5.0"},
		{"0.4.2", "0.10.0", true, "0.5.0"},
		{"0.4.2", "1.0.0", true, "0.5.0"},
		{"0.4.2", "0.3.0", false, "0.5.0"},
		{"1.4.2", "1.5.0", false, "2.0.0"},
		{"1.4.2", "2.0.0", true, "2.0.0"},
		{"9.0.0", "10.0.0", true, "10.0.0"},
		{"2.0.0", "1.9.0", false, "3.0.0"},
	} {
		if got := mayBreak(tt.from, tt.to); got != tt.want {
			t.Errorf("mayBreak(%s, %s) = %t", tt.from, tt.to, got)
		}
		if got := nextBreaking(tt.from); got != tt.next {
			t.Errorf("nextBreaking(%s) = %s, want %s", tt.from, got, tt.next)
		}
	}
}

func TestWhatCannotBeComparedIsNoPass(t *testing.T) {
	t.Parallel()
	if code, out := apidiff(t, "version: 0.4.2", "version: latest"); code != exitFailed || !strings.Contains(out, "latest") {
		t.Errorf("a version that is none: exit %d\n%s", code, out)
	}
	if code, out := apidiff(t, "paths:", "paths: {"); code != exitFailed {
		t.Errorf("a document that is none: exit %d\n%s", code, out)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"only-one.yaml"}, &out, &out); code != exitFailed {
		t.Errorf("one document: exit %d", code)
	}
	bare := filepath.Join(t.TempDir(), "redocly.yaml")
	if err := os.WriteFile(bare, []byte("extends: [spec]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "old.yaml")
	if err := os.WriteFile(old, []byte(base), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if code := run(t.Context(), []string{"-redocly", redocly, "-config", bare, old, old}, &out, &out); code != exitFailed || !strings.Contains(out.String(), "diff-recommended") {
		t.Errorf("a configuration without rules: exit %d\n%s", code, out.String())
	}
}
