package apptest

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"

	"github.com/bahagh/nimbus/openapi"
)

// Dice makes choices from the bytes of a fuzz input, so that a fuzzer that changes a byte changes a choice. When the
// bytes are used up every choice is the first one, which is the smallest.
type Dice struct{ bytes []byte }

// NewDice returns Dice that are determined by the bytes.
func NewDice(b []byte) *Dice { return &Dice{b} }

// N returns a number from 0 up to, not including, n.
func (d *Dice) N(n int) int {
	if n <= 1 {
		return 0
	}
	v := 0
	for width := 1; width < n; width <<= 8 {
		v = v<<8 | int(d.next())
	}
	return v % n
}

func (d *Dice) next() byte {
	if len(d.bytes) == 0 {
		return 0
	}
	b := d.bytes[0]
	d.bytes = d.bytes[1:]
	return b
}

// OneIn is true once in n.
func (d *Dice) OneIn(n int) bool { return d.N(n) == n-1 }

func pick[T any](d *Dice, from ...T) T { return from[d.N(len(from))] }

// Generator makes requests from the contract: valid ones, and ones that break it in one place.
type Generator struct {
	Dice *Dice
	IDs  map[string]string // of existing things, by the name of their parameter or member
}

// Request is a generated one.
type Request struct {
	Method, Path string
	Header       map[string]string
	Body         []byte // nil when there is none
}

// LoadSpec returns the contract with its references resolved. It is read once, and nobody may change it.
var LoadSpec = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(openapi.YAML) })

// Request makes a request of the operation. A broken one breaks the contract in one place, or is not JSON at all.
func (g *Generator) Request(path, method string, item *openapi3.PathItem, broken bool) Request {
	op := item.GetOperation(method)
	r := Request{Method: method, Header: map[string]string{}}
	// Where to break it: in a parameter, or in the body.
	inBody := op.RequestBody != nil && !g.Dice.OneIn(4)
	query := url.Values{}
	for _, ref := range slices.Concat(item.Parameters, op.Parameters) {
		p := ref.Value
		if !p.Required && g.Dice.OneIn(2) {
			continue
		}
		text := g.parameter(p, broken && !inBody && g.Dice.OneIn(2))
		switch p.In {
		case openapi3.ParameterInPath:
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(text[0][:min(len(text[0]), 1000)]))
		case openapi3.ParameterInQuery:
			query[p.Name] = text
		case openapi3.ParameterInHeader:
			if p.Name != "Content-Encoding" || broken { // what it says must be true of the body
				r.Header[p.Name] = strings.TrimSpace(strings.Map(visible, text[0])) // the space around a value is none of it
			}
		}
	}
	if broken && !inBody && g.Dice.OneIn(3) {
		query[pick(g.Dice, "no_such", "limit", "cursor")] = []string{pick(g.Dice, nasty...)}
	}
	for name, values := range query { // a longer line than net/http takes is refused before the contract is asked
		for i, v := range values {
			query[name][i] = v[:min(len(v), 1000)]
		}
	}
	if r.Path = path; len(query) > 0 {
		r.Path += "?" + query.Encode()
	}
	if op.RequestBody != nil {
		r.Body = g.body(op.RequestBody.Value, broken && inBody)
	}
	return r
}

// visible keeps what a header may carry; net/http refuses to send the rest.
func visible(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

func (g *Generator) parameter(p *openapi3.Parameter, broken bool) []string {
	if broken {
		return []string{strings.ReplaceAll(pick(g.Dice, nasty...), "/", "") + "x"}
	}
	if id, ok := g.IDs[p.Name]; ok && !g.Dice.OneIn(6) {
		return []string{id}
	}
	if p.Extensions["x-json-object"] == true {
		return []string{pick(g.Dice, `{}`, `{"plan":"pro"}`, `{"a":{"b":[1,null,"x"]}}`)}
	}
	switch v := g.Value(p.Schema.Value, p.Name, 0).(type) {
	case []any:
		out := []string{}
		for _, x := range v {
			out = append(out, text(x))
		}
		return append(out, "page_view")
	default:
		return []string{text(v)}
	}
}

func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only values of ours come here
	}
	return string(b)
}

func (g *Generator) body(body *openapi3.RequestBody, broken bool) []byte {
	value := g.Value(body.Content["application/json"].Schema.Value, "", 0)
	if broken && !g.Dice.OneIn(4) {
		return []byte(text(g.Break(value)))
	}
	b := []byte(text(value))
	if broken { // not JSON any more, or two documents
		switch at := g.Dice.N(len(b)); g.Dice.N(4) {
		case 0:
			return b[:at]
		case 1:
			b[at] ^= byte(1 + g.Dice.N(255))
		case 2:
			return append(b, b...)
		default:
			return slices.Insert(b, at, 0xff, 0)
		}
	}
	return b
}

// Value makes a value that is valid by the schema. Rules in descriptions, and most patterns, are ignored.
func (g *Generator) Value(s *openapi3.Schema, name string, depth int) any {
	switch {
	case s.Nullable && g.Dice.OneIn(4):
		return nil
	case len(s.Enum) > 0:
		return pick(g.Dice, s.Enum...)
	case len(s.OneOf) > 0:
		return g.oneOf(s, name, depth)
	case len(s.AllOf) > 0:
		merged := map[string]any{}
		for _, part := range s.AllOf {
			if m, ok := g.Value(part.Value, name, depth).(map[string]any); ok {
				maps.Copy(merged, m)
			}
		}
		return merged
	case s.Example != nil && g.Dice.OneIn(3):
		return s.Example
	case s.Type.Is("object"):
		return g.object(s, depth)
	case s.Type.Is("array"):
		n := int(s.MinItems) + g.Dice.N(3)
		if s.MaxItems != nil {
			n = min(n, int(*s.MaxItems))
		}
		out := []any{}
		for range n {
			out = append(out, g.Value(s.Items.Value, name, depth+1))
		}
		return out
	case s.Type.Is("integer"), s.Type.Is("number"):
		return g.number(s)
	case s.Type.Is("boolean"):
		return g.Dice.OneIn(2)
	case s.Type.Is("string"):
		return g.text(s, name)
	default: // any value
		return pick[any](g.Dice, "x", 1.5, true, nil, "50", 0)
	}
}

// oneOf chooses a branch. The recursion ends, because beyond a depth only leaves are chosen.
func (g *Generator) oneOf(s *openapi3.Schema, name string, depth int) any {
	branches := s.OneOf
	if leaves := slices.DeleteFunc(slices.Clone(branches), branching); depth > 5 && len(leaves) > 0 {
		branches = leaves
	}
	branch := pick(g.Dice, branches...).Value
	v := g.Value(branch, name, depth+1)
	object, ok := v.(map[string]any)
	if s.Discriminator == nil || !ok {
		return v
	}
	for _, value := range slices.Sorted(maps.Keys(s.Discriminator.Mapping)) {
		ref := s.Discriminator.Mapping[value].Ref
		if i := slices.IndexFunc(s.OneOf, func(r *openapi3.SchemaRef) bool { return r.Value == branch }); i >= 0 && s.OneOf[i].Ref == ref {
			object[s.Discriminator.PropertyName] = value
		}
	}
	return object
}

// branching reports whether a member of the schema has branches itself.
func branching(ref *openapi3.SchemaRef) bool {
	for _, p := range ref.Value.Properties {
		if len(p.Value.OneOf) > 0 || p.Value.Items != nil && len(p.Value.Items.Value.OneOf) > 0 {
			return true
		}
	}
	return false
}

func (g *Generator) object(s *openapi3.Schema, depth int) map[string]any {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if !slices.Contains(s.Required, name) && (depth > 6 || g.Dice.OneIn(2)) {
			continue
		}
		out[name] = g.Value(s.Properties[name].Value, name, depth+1)
	}
	if len(s.Properties) == 0 {
		for range g.Dice.N(4) {
			out[pick(g.Dice, "plan", "amount", "ü", "a b", "$set", "page")] = pick[any](g.Dice, "x", 1, 2.5, true, nil, []any{1, "y"}, map[string]any{"z": nil}, 1e300)
		}
	}
	return out
}

func (g *Generator) number(s *openapi3.Schema) any {
	low, high := 0.0, 1e6
	if s.Min != nil {
		low = *s.Min
	}
	if s.Max != nil {
		high = *s.Max
	}
	v := pick(g.Dice, low, high, low+1, low+float64(g.Dice.N(1000)))
	return int64(min(max(v, low), high))
}

func (g *Generator) text(s *openapi3.Schema, name string) string {
	if id, ok := g.IDs[name]; ok && !g.Dice.OneIn(8) {
		return id
	}
	switch s.Format {
	case "uuid":
		return pick(g.Dice, "00000000-0000-0000-0000-000000000000", "3fa85f64-5717-4562-b3fc-2c963f66afa6", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF")
	case "date-time":
		ago := time.Duration(g.Dice.N(1<<24)) * time.Second
		return pick(g.Dice, time.Now().Add(-ago).UTC().Format(time.RFC3339Nano), time.Now().Add(-ago/1000).Format(time.RFC3339),
			"1971-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59.999999999Z", "2026-03-29T02:30:00+14:00", "2016-12-31T23:59:60Z")
	case "email":
		return uuid.NewString()[:8] + "@example.com"
	}
	if s.Example != nil && g.Dice.OneIn(2) {
		if v, ok := s.Example.(string); ok {
			return v
		}
	}
	if name == "tz" {
		return pick(g.Dice, "UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Pacific/Apia", "Nowhere/City", "../etc")
	}
	v := pick(g.Dice, nasty...)
	for uint64(len([]rune(v))) < s.MinLength {
		v += "Aa1"
	}
	if s.MaxLength != nil {
		if r := []rune(v); uint64(len(r)) > *s.MaxLength {
			v = string(r[:*s.MaxLength])
		}
	}
	return v
}

// nasty are texts that are known to break programs; the first ones are harmless.
var nasty = []string{"page_view", "a", "Correct-Horse-7", "", " ", "\x00", "a\x00b", "\u202e\u200b", "'; DROP TABLE events; --", "$1", "%s%n", `\`, `"`, "\r\nX-Injected: 1",
	"../../etc/passwd", "é", "e\u0301", "😀", "\ufeff", "\u2028", "null", "NaN", "-1", "1e309", "99999999999999999999", "true", "{}", "[]",
	"${jndi:ldap://x}", "<script>alert(1)</script>", "%00", "%", "İ", strings.Repeat("x", 300), strings.Repeat("é", 40000), strings.Repeat("[", 2000)}

// Break changes one place of a value: another type, a value out of bounds, a member too many or too few.
func (g *Generator) Break(v any) any {
	switch x := v.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(x))
		switch {
		case len(keys) == 0 || g.Dice.OneIn(5):
			x[pick(g.Dice, "no_such", "Name", "__proto__", "")] = g.wrong()
		case g.Dice.OneIn(4):
			delete(x, pick(g.Dice, keys...))
		default:
			k := pick(g.Dice, keys...)
			x[k] = g.Break(x[k])
		}
		return x
	case []any:
		switch {
		case len(x) == 0 || g.Dice.OneIn(4):
			return append(x, g.wrong())
		case g.Dice.OneIn(6):
			return []any{}
		default:
			i := g.Dice.N(len(x))
			x[i] = g.Break(x[i])
			return x
		}
	default:
		return g.wrong()
	}
}

func (g *Generator) wrong() any {
	deep := any("x")
	for range 40 {
		deep = []any{deep}
	}
	return pick[any](g.Dice, nil, true, 0, -1, 1.5, 1e300, json.Number("1e999"), json.Number("123456789012345678901234567890"), []any{}, map[string]any{},
		deep, pick(g.Dice, nasty...), map[string]any{"a": 1})
}
