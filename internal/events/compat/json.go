package compat

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"unicode/utf8"
)

// The functions here walk over JSON that Decodable has checked, without reflection and without copying: the values that
// they return alias the text.

// Decodable returns a body as valid UTF-8, and whether it is JSON. An SDK that writes half a surrogate pair, or CESU-8,
// must not lose its batch.
func Decodable(body []byte) ([]byte, bool) {
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(joinSurrogates(body), []byte("\uFFFD"))
	}
	return body, json.Valid(body)
}

// joinSurrogates turns CESU-8, where a character outside the basic plane is two surrogates of three bytes each, into
// UTF-8: mixpanel-browser encodes JavaScript's UTF-16 one unit at a time.
func joinSurrogates(b []byte) []byte {
	if bytes.IndexByte(b, 0xED) < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		if i+5 < len(b) && b[i] == 0xED && b[i+1]&0xF0 == 0xA0 && b[i+3] == 0xED && b[i+4]&0xF0 == 0xB0 {
			high := rune(b[i+1]&0x0F)<<6 | rune(b[i+2]&0x3F)
			low := rune(b[i+4]&0x0F)<<6 | rune(b[i+5]&0x3F)
			out = utf8.AppendRune(out, 0x10000+high<<10|low)
			i += 6
			continue
		}
		out = append(out, b[i])
		i++
	}
	return out
}

// Members yields the names and values of an object, in their order; nothing for any other value.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		i := space(object, 0)
		if i >= len(object) || object[i] != '{' {
			return
		}
		for i = space(object, i+1); i < len(object) && object[i] == '"'; i = space(object, i) {
			end := textEnd(object, i)
			name := object[i+1 : end-1]
			if bytes.IndexByte(name, '\\') >= 0 {
				name = []byte(unquote(object[i:end]))
			}
			i = space(object, space(object, end)+1)
			end = valueEnd(object, i)
			if !yield(name, object[i:end:end]) {
				return
			}
			if i = space(object, end); i < len(object) && object[i] == ',' {
				i++
			}
		}
	}
}

// Elements yields the elements of an array; nothing for any other value.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		i := space(array, 0)
		if i >= len(array) || array[i] != '[' {
			return
		}
		for i = space(array, i+1); i < len(array) && array[i] != ']'; i = space(array, i) {
			end := valueEnd(array, i)
			if !yield(array[i:end:end]) {
				return
			}
			if i = space(array, end); i < len(array) && array[i] == ',' {
				i++
			}
		}
	}
}

// Member returns the value of a member; nil when the object has none.
func Member(object []byte, name string) []byte {
	for n, v := range Members(object) {
		if string(n) == name {
			return v
		}
	}
	return nil
}

// IsObject reports whether a value is an object.
func IsObject(v []byte) bool { return first(v) == '{' }

// IsArray reports whether a value is an array.
func IsArray(v []byte) bool { return first(v) == '[' }

func first(v []byte) byte {
	if i := space(v, 0); i < len(v) {
		return v[i]
	}
	return 0
}

// IsNull reports whether a value is null or absent.
func IsNull(v []byte) bool { return len(v) == 0 || v[0] == 'n' }

// Text is what a value says as an id or a name: a string, or a number as it is written. It is empty for anything else.
func Text(v []byte) string {
	switch {
	case len(v) == 0:
		return ""
	case v[0] == '"':
		if inner := v[1 : len(v)-1]; bytes.IndexByte(inner, '\\') < 0 {
			return string(inner)
		}
		return unquote(v)
	case v[0] == '-' || v[0] >= '0' && v[0] <= '9':
		return string(v)
	}
	return ""
}

// Number is what a value says as a number, also when it is written as a string.
func Number(v []byte) (float64, bool) {
	f, err := strconv.ParseFloat(Text(v), 64)
	return f, err == nil
}

func unquote(quoted []byte) string {
	var s string
	_ = json.Unmarshal(quoted, &s) // it was checked
	return s
}

// Quote appends a string as JSON.
func Quote(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			var out bytes.Buffer
			enc := json.NewEncoder(&out)
			enc.SetEscapeHTML(false)
			_ = enc.Encode(s) // a string always encodes
			return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// textEnd is behind the string that begins at i.
func textEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		j := bytes.IndexByte(b[i:], '"')
		if j < 0 {
			return len(b)
		}
		i += j
		slashes := 0
		for k := i - 1; b[k] == '\\'; k-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
	return len(b)
}

// valueEnd is behind the value that begins at i.
func valueEnd(b []byte, i int) int {
	if i >= len(b) {
		return len(b)
	}
	switch b[i] {
	case '"':
		return textEnd(b, i)
	case '{', '[':
		for depth := 0; i < len(b); i++ {
			switch b[i] {
			case '"':
				i = textEnd(b, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return len(b)
	}
	for ; i < len(b); i++ {
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\t', '\r':
			return i
		}
	}
	return len(b)
}
