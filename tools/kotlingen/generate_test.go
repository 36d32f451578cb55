package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

const (
	spec    = "../../openapi/nimbus.yaml"
	library = "../../sdk/kotlin/src/main/kotlin/io/github/bahagh/nimbus/api"
)

// The client in the repository is that of the contract, and generating it twice gives the same text.
func TestTheClientIsUpToDate(t *testing.T) {
	t.Parallel()
	files, err := generate(spec)
	if err != nil {
		t.Fatal(err)
	}
	again, err := generate(spec)
	if err != nil || !maps.EqualFunc(files, again, bytes.Equal) {
		t.Errorf("it differs from run to run: %v", err)
	}
	there, err := filepath.Glob(filepath.Join(library, "*.gen.kt"))
	if err != nil || len(there) != len(files) {
		t.Errorf("%d files, %d in the repository: %v", len(files), len(there), err)
	}
	for name, text := range files {
		if got, err := os.ReadFile(filepath.Join(library, name)); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s is out of date (%v); run make generate", name, err)
		}
		for k, line := range strings.Split(string(text), "\n") {
			if len(line) > columns {
				t.Errorf("%s:%d has %d columns", name, k+1, len(line))
			}
		}
	}
}

// Every operation but those of the vendors is a method, once.
func TestEveryOperationIsAMethod(t *testing.T) {
	t.Parallel()
	files, err := generate(spec)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromFile(spec)
	if err != nil {
		t.Fatal(err)
	}
	methods := map[string]int{}
	for _, text := range files {
		for _, m := range regexp.MustCompile(`(?m)^    public fun (\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			methods[m[1]]++
		}
	}
	for path, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			want := 1
			if slices.Contains(op.Tags, vendors) {
				want = 0
			}
			if methods[op.OperationID] != want {
				t.Errorf("%s of %s is a method %d times, want %d", op.OperationID, path, methods[op.OperationID], want)
			}
			delete(methods, op.OperationID)
		}
	}
	for name := range methods {
		t.Errorf("%s is no operation", name)
	}
}

// What there is no Kotlin for is an error that names it.
func TestWhatCannotBeSaidIsNamed(t *testing.T) {
	t.Parallel()
	const contract = `{"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "tags": [{"name": "Things"}], "paths": {"/things": {"get": {
		"tags": ["Things"], "operationId": "getThing", "summary": "s", "responses": {"200": {"description": "d", "content": {"application/json": {"schema": %SCHEMA%}}}}}}},
		"components": {"schemas": {"Thing": {"type": "object", "properties": {"mode": {"type": "string", "enum": ["", "?"]}}}}}}`
	for schema, want := range map[string]string{
		`{"$ref": "#/components/schemas/Thing"}`: "ThingMode: has the value , which cannot be named",
		`{"type": "object"}`:                     "getThing: answers JSON without a name",
	} {
		file := filepath.Join(t.TempDir(), "openapi.json")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(contract, "%SCHEMA%", schema)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := generate(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestNamesAreThoseOfKotlin(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"project_id": "projectId", "Idempotency-Key": "idempotencyKey", "Last-Event-ID": "lastEventId", "in": "in_", "Accounts": "accounts"} {
		if got := camel(in); got != want {
			t.Errorf("camel(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"15m": "MINUTE_15", "1mo": "MONTH_1", "events:write": "EVENTS_WRITE", "set_once": "SET_ONCE", "7x": ""} {
		if got := constant(in); got != want {
			t.Errorf("constant(%q) = %q, want %q", in, got, want)
		}
	}
	if got := doc("  ", "one\ntwo\n\n* /* */ "+strings.Repeat("long ", 30)); strings.Count(got, "\n") != 6 || strings.Contains(got, " */ ") {
		t.Errorf("a comment is\n%s", got)
	}
}
