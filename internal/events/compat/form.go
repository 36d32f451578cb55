package compat

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
)

// Data returns the JSON of a value that may be JSON, or its base64. Where a form was decoded, the plus signs of base64 have
// become spaces; those of JSON are spaces.
func Data(v []byte) []byte {
	v = bytes.TrimSpace(v)
	if len(v) == 0 || v[0] == '{' || v[0] == '[' || v[0] == '"' {
		return v
	}
	text := bytes.ReplaceAll(bytes.TrimRight(v, "="), []byte(" "), []byte("+"))
	for k, c := range text { // the alphabet for addresses is taken, too
		switch c {
		case '-':
			text[k] = '+'
		case '_':
			text[k] = '/'
		}
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
	n, err := base64.RawStdEncoding.Decode(out, text)
	if err != nil {
		return v
	}
	return out[:n]
}

// Form reads a body that is a form, whatever its content type says: SDKs send JSON as a form and forms as text. It is nil
// when the body is no form with one of these names.
func Form(body []byte, names ...string) url.Values {
	for _, name := range names {
		if rest, ok := bytes.CutPrefix(body, []byte(name+"=")); ok {
			if json.Valid(rest) && (IsObject(rest) || IsArray(rest)) {
				return url.Values{name: {string(rest)}} // JSON that nobody has escaped: its & are its own
			}
			form, err := url.ParseQuery(string(body))
			if err != nil && len(form) == 0 {
				return nil
			}
			return form
		}
	}
	return nil
}
