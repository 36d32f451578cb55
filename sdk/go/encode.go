package nimbus

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// The server's limits on an event; testvectors/verdicts.json holds both sides to them.
const (
	maxChars = 200
	maxProps = 32 << 10
	maxDepth = 8
)

var minTS = time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)

// refusal collects what is wrong with an event.
type refusal []FieldError

func (r *refusal) add(pointer, code, detail string) {
	*r = append(*r, FieldError{Pointer: pointer, Code: code, Detail: detail})
}

// err returns nil when nothing is wrong.
func (r refusal) err() error {
	if len(r) == 0 {
		return nil
	}
	return &RejectedError{Fields: r}
}

// appendEvent appends the event as the server reads it, with props in place of e.Props when they are not nil, and names
// whatever the server would surely refuse. What only the server can judge, such as its clock, is left to it.
func appendEvent(dst []byte, e *Event, props any) ([]byte, error) {
	var bad refusal
	checkText(&bad, "/name", e.Name, true)
	dst = append(dst, `{"name":`...)
	dst = appendString(dst, e.Name)
	dst = appendTS(append(dst, `,"ts":`...), &bad, e.TS)
	dst = appendIDs(dst, &bad, e.UserID, e.AnonymousID, e.IdempotencyKey)
	if e.Seq != 0 {
		if e.Seq < 0 {
			bad.add("/seq", "minimum", "must be at least 0")
		}
		dst = append(dst, `,"seq":`...)
		dst = strconv.AppendInt(dst, e.Seq, 10)
	}
	if props == nil && len(e.Props) > 0 {
		props = e.Props
	}
	dst = appendProps(dst, &bad, props)
	return append(dst, '}'), bad.err()
}

func appendTS(dst []byte, bad *refusal, ts time.Time) []byte {
	if ts.Before(minTS) {
		bad.add("/ts", "minimum", "must not be before 1971-01-01T00:00:00Z")
	} else if ts.Year() > 9999 {
		bad.add("/ts", "format", "must be an RFC 3339 date-time with a zone, such as 2026-01-31T12:00:00Z")
	}
	return append(appendTime(append(dst, '"'), ts), '"')
}

func appendIDs(dst []byte, bad *refusal, user, anonymous, key string) []byte {
	for _, f := range [...]struct{ pointer, member, value string }{
		{"/user_id", `,"user_id":`, user},
		{"/anonymous_id", `,"anonymous_id":`, anonymous},
		{"/idempotency_key", `,"idempotency_key":`, key},
	} {
		if f.value != "" {
			checkText(bad, f.pointer, f.value, false)
			dst = append(dst, f.member...)
			dst = appendString(dst, f.value)
		}
	}
	return dst
}

// appendProps appends the member props, unless there are none.
func appendProps(dst []byte, bad *refusal, props any) []byte {
	if props == nil {
		return dst
	}
	before := len(dst)
	dst = append(dst, `,"props":`...)
	start := len(dst)
	var err error
	if dst, err = appendValue(dst, props, 0); err != nil {
		bad.add("/props", "type", err.Error())
	} else if string(dst[start:]) == "null" { // a nil map or pointer: no props
		dst = dst[:before]
	} else {
		checkProps(bad, dst[start:])
	}
	return dst
}

func appendTime(dst []byte, t time.Time) []byte {
	return t.UTC().Truncate(time.Microsecond).AppendFormat(dst, time.RFC3339Nano)
}

// checkText holds a name or an id to its rules.
func checkText(bad *refusal, pointer, s string, noControl bool) {
	checkLength(bad, pointer, s, maxChars)
	for _, r := range s {
		switch {
		case r == 0:
			bad.add(pointer, "nul_character", "must not contain the character U+0000")
			return
		case noControl && unicode.IsControl(r):
			bad.add(pointer, "control_character", "must not contain control characters")
			return
		}
	}
}

func checkLength(bad *refusal, pointer, s string, most int) {
	if s == "" || len(s) > most && utf8.RuneCountInString(s) > most {
		bad.add(pointer, "length", fmt.Sprintf("must be 1 to %d characters long", most))
	}
}

// checkProps holds encoded props, which are valid JSON, to their limits.
func checkProps(bad *refusal, props []byte) {
	switch {
	case props[0] != '{':
		bad.add("/props", "type", "must be an object")
		return
	case len(props) > maxProps:
		bad.add("/props", "too_large", "must be at most 32768 bytes of JSON")
		return
	}
	depth := 0
	for i := 0; i < len(props); i++ {
		switch props[i] {
		case '{', '[':
			if depth++; depth > maxDepth {
				bad.add("/props", "too_deep", "must be nested at most 8 levels deep")
				return
			}
		case '}', ']':
			depth--
		case '"':
			for i++; props[i] != '"'; i++ {
				if props[i] != '\\' {
					continue
				}
				if i++; props[i] == 'u' && string(props[i+1:i+5]) == "0000" {
					bad.add("/props", "nul_character", "must not contain the character U+0000")
					return
				}
			}
		}
	}
}

// appendValue appends v as JSON. What props are usually made of is written here, because reflection would cost more
// than all the rest of Track; anything else is encoding/json's.
func appendValue(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return appendString(dst, v), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		if abs := math.Abs(v); v == 0 || abs >= 1e-6 && abs < 1e21 { // others need an exponent
			return strconv.AppendFloat(dst, v, 'f', -1, 64), nil
		}
	case time.Time:
		if year := v.Year(); year >= 0 && year <= 9999 {
			return append(appendTime(append(dst, '"'), v), '"'), nil
		}
	case map[string]any:
		if v == nil || depth > maxDepth {
			break // encoding/json finds cycles
		}
		dst = append(dst, '{')
		first := true
		for key, member := range v {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(appendString(dst, key), ':')
			var err error
			if dst, err = appendValue(dst, member, depth+1); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
	encoded, err := json.Marshal(v)
	return append(dst, encoded...), err
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD, as with encoding/json.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		dst = append(dst, s[start:i]...)
		if c == '"' || c == '\\' {
			dst = append(dst, '\\', c)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}
