package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func load(t *testing.T, spec string) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// What is committed is what the contract says, and the same each time; every operation that is not another vendor's is a method.
func TestTheClientIsThatOfTheContract(t *testing.T) {
	t.Parallel()
	const dir = "../../sdk/python/src/nimbus/api"
	raw, err := os.ReadFile("../../openapi/nimbus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var files map[string][]byte
	for range 2 {
		if files, err = generate(load(t, string(raw))); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if committed, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(committed, text) {
				t.Errorf("%s is out of date (%v); run make generate", name, err)
			}
		}
	}
	methods := 0
	for path, item := range load(t, string(raw)).Paths.Map() {
		for _, op := range item.Operations() {
			if _, vendor := op.Extensions["x-dialect"]; vendor {
				continue
			}
			methods++
			for _, def := range []string{"    def ", "    async def "} {
				if !bytes.Contains(files["operations.py"], []byte(def+snake(op.OperationID)+"(self")) {
					t.Errorf("%s: no %s%s", path, def, snake(op.OperationID))
				}
			}
		}
	}
	if methods < 100 {
		t.Errorf("%d operations", methods)
	}
}

const spec = `openapi: 3.0.3
info: {title: T, version: 1.0.0}
paths:
  /v1/a/{id}/{from}:
    post:
      operationId: postA
      summary: Do it
      parameters:
        - {name: from, in: path, required: true, schema: {type: string}}
        - {name: id, in: path, required: true, schema: {type: string}}
        - {name: If-Match, in: header, schema: {type: string}}
        - {name: many, in: query, required: true, schema: {type: array, items: {type: integer}}}
        - {name: since, in: query, schema: {type: string, format: date-time}}
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}
      responses:
        '200': {description: Fine., content: {application/json: {schema: {$ref: '#/components/schemas/Either'}}}}
        '503': {description: Not., content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}}
        '404': {description: Not., content: {application/problem+json: {schema: {type: object}}}}
  /v1/b:
    get:
      operationId: listBs
      parameters:
        - {name: cursor, in: query, schema: {type: string}}
      responses:
        '200': {description: Fine., content: {application/json: {schema: {$ref: '#/components/schemas/BPage'}}}}
  /track:
    post: {operationId: vendorTrack, x-dialect: other, responses: {'200': {description: Fine.}}}
components:
  schemas:
    A:
      type: object
      description: 'A path such as C:\.'
      required: [from]
      properties:
        from: {type: string, nullable: true}
        kind: {type: string, enum: [x, y]}
        inner: {type: object, required: [n], properties: {n: {type: number}}}
        free: {type: object, additionalProperties: true}
        by_name: {type: object, additionalProperties: {$ref: '#/components/schemas/B'}}
    B: {type: object, required: [a], properties: {a: {$ref: '#/components/schemas/A'}, any: {}}}
    BPage:
      type: object
      required: [items, next_cursor]
      properties: {items: {type: array, items: {$ref: '#/components/schemas/B'}}, next_cursor: {type: string, nullable: true}}
    Either: {oneOf: [{$ref: '#/components/schemas/A'}, {$ref: '#/components/schemas/B'}]}
`

func TestWhatIsWritten(t *testing.T) {
	t.Parallel()
	files, err := generate(load(t, spec))
	if err != nil {
		t.Fatal(err)
	}
	all := string(files["types.py"]) + string(files["operations.py"])
	for _, want := range []string{
		"_A = TypedDict(\"_A\", {\n    \"from\": \"Optional[str]\",\n})", // a keyword is a member, but no name
		"class A(_A, AOptional):\n    r\"\"\"A path such as C:\\.\"\"\"", // a backslash is one
		"\"kind\": \"Literal[\\\"x\\\", \\\"y\\\"]\"",                    //
		"class AInner(TypedDict):\n    n: float\n",                       // an object in place has a name
		"\"free\": \"Dict[str, Any]\"", "\"by_name\": \"Dict[str, B]\"",  //
		"class _B(TypedDict):\n    a: A\n\n\nclass B(_B, total=False):\n    any: Any\n", // what may be missing is apart
		"Either = Union[\"A\", \"B\"]\n",                                                // the order does not matter
		"    def post_a(self, id: str, from_: str, body: types.A, *, many: Sequence[int], if_match: str | None = None, since: Union[str, datetime] | None = None) -> types.Either | types.A:",
		"self._call(\"postA\", \"POST\", f\"/v1/a/{_part(id)}/{_part(from_)}\", {\"many\": many, \"since\": since}, {\"If-Match\": if_match}, body, \"json\", (503,))",
		"    def iter_bs(self) -> Iterator[types.B]:", "    async def iter_bs(self) -> AsyncIterator[types.B]:",
		"await asyncio.to_thread(self._client.post_a, id, from_, body, many=many, if_match=if_match, since=since)",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("lacks %s\n", want)
		}
	}
	if strings.Contains(all, "vendor") {
		t.Error("has an operation of another vendor")
	}
	if t.Failed() {
		t.Log(all)
	}
}

func TestWhatCannotBeSaidIsAnError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"allOf":  {"{type: object, additionalProperties: true}", "{allOf: [{type: object}, {type: object}]}", "components.schemas.A.free: allOf"},
		"enum":   {"enum: [x, y]", "enum: [true]", "components.schemas.A.kind: enum value true"},
		"a name": {"name: many", "name: 'many[]'", `parameter "many[]" has no name`},
		"a body": {"content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}\n      responses", "content: {text/csv: {schema: {type: string}}}\n      responses", "only a JSON body"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(spec, c.old, c.new, 1)
			if changed == spec {
				t.Fatal("nothing was changed")
			}
			if _, err := generate(load(t, changed)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v", err)
			}
		})
	}
}
