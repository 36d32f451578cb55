package compat

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bahagh/nimbus/internal/contract"
)

// The limits of props, as the contract of POST /v1/events has them. Vendors allow more, so what is beyond them is cut where
// everybody can see it: CutProp lists the names.
const (
	maxPropsBytes = 32 << 10
	maxPropsDepth = 8
	cutText       = 1000 // bytes that are left of a value that was cut
)

// CutProp lists the props of which only the beginning was stored.
const CutProp = "$cut"

var propsRule = contract.RawRule{MaxBytes: maxPropsBytes, MaxDepth: maxPropsDepth}

// Props builds the props of an event: first those of its sender, then context, which overrides none of them.
type Props struct {
	buf   []byte
	names [][]byte
}

// Object adds the members of an object. keep says which of them; nil: all.
func (p *Props) Object(object []byte, keep func(name []byte) bool) {
	for name, value := range Members(object) {
		if keep == nil || keep(name) {
			p.add(name, value)
		}
	}
}

// Value adds a prop, unless it is null or there is one of this name.
func (p *Props) Value(name string, v []byte) {
	if !IsNull(v) && !p.Has(name) {
		p.add([]byte(name), v)
	}
}

// Text adds a prop, unless it is empty or there is one of this name.
func (p *Props) Text(name, s string) {
	if s != "" && !p.Has(name) {
		p.add([]byte(name), Quote(nil, s))
	}
}

// True adds a prop that is true.
func (p *Props) True(name string) { p.Value(name, []byte("true")) }

// Has reports whether there is a prop of this name.
func (p *Props) Has(name string) bool {
	return slices.ContainsFunc(p.names, func(n []byte) bool { return string(n) == name })
}

func (p *Props) add(name, value []byte) {
	if p.buf == nil {
		p.buf = append(make([]byte, 0, 512), '{')
	} else {
		p.buf = append(p.buf, ',')
	}
	p.names = append(p.names, name)
	p.buf = Quote(p.buf, string(name))
	p.buf = append(append(p.buf, ':'), value...)
}

// JSON returns the props as they can be stored; nil when there are none. It is called once.
func (p *Props) JSON() []byte {
	if p.buf == nil {
		return nil
	}
	return storable(append(p.buf, '}'))
}

// storable returns an object as it can be stored. Nearly always it is the object itself.
func storable(object []byte) []byte {
	r := contract.NewReader(object)
	r.Raw(&propsRule)
	if r.Finish() == nil {
		return object
	}
	return mended(object)
}

// mended takes out of an object what cannot be stored: NUL characters, halves of surrogate pairs, numbers of any length
// (which become strings), what is nested too deeply (which becomes its JSON text), and what is too large.
func mended(object []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	var props map[string]any
	if d.Decode(&props) != nil {
		return nil // not reached: it was checked
	}
	props, _ = mend(props, 1).(map[string]any)
	out := encode(props)
	if len(out) <= maxPropsBytes {
		return out
	}
	type sized struct {
		name string
		text []byte
	}
	all := make([]sized, 0, len(props))
	for name, v := range props {
		all = append(all, sized{name, encode(v)})
	}
	slices.SortFunc(all, func(a, b sized) int {
		return cmp.Or(cmp.Compare(len(b.text), len(a.text)), strings.Compare(a.name, b.name))
	})
	var cut []string
	for _, s := range all {
		if len(s.text) > cutText {
			text, ok := props[s.name].(string)
			if !ok {
				text = string(s.text)
			}
			props[s.name] = clip(text, cutText)
		} else {
			delete(props, s.name) // there are so many that even small ones are too much
		}
		if len(cut) < maxCutNames {
			cut = append(cut, clip(s.name, maxCutName))
		}
		props[CutProp] = cut
		if out = encode(props); len(out) <= maxPropsBytes {
			return out
		}
	}
	return encode(map[string]any{CutProp: cut}) // every name is longer than a prop may be
}

const (
	maxCutNames = 20
	maxCutName  = 100
)

func mend(v any, level int) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", "\uFFFD")
	case json.Number:
		r := contract.NewReader([]byte(`{"n":` + v.String() + `}`))
		r.Raw(&propsRule)
		if r.Finish() != nil {
			return clip(v.String(), cutText)
		}
		return v
	case map[string]any:
		if level > maxPropsDepth {
			return strings.ReplaceAll(string(encode(v)), `\u0000`, "\uFFFD")
		}
		out := make(map[string]any, len(v))
		for name, inner := range v {
			out[strings.ReplaceAll(name, "\x00", "\uFFFD")] = mend(inner, level+1)
		}
		return out
	case []any:
		if level > maxPropsDepth {
			return strings.ReplaceAll(string(encode(v)), `\u0000`, "\uFFFD")
		}
		for k := range v {
			v[k] = mend(v[k], level+1)
		}
	}
	return v
}

func encode(v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // it came out of JSON
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// clip cuts a text to so many bytes, and says so.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
