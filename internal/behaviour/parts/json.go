package parts

import (
	"encoding/json"
	"errors"
)

// errProps says that props are not what jsonb writes.
var errProps = errors.New("props are not a JSON object")

// eachMember calls f with every member of an object as jsonb writes it: the key as it stands between its quotes, and
// the value. It checks as much as it needs to find where they end.
func eachMember(b []byte, f func(key, value []byte) error) error {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '{' {
		return errProps
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return nil
	}
	for {
		end := endOfString(b, i)
		if end < 0 {
			return errProps
		}
		key := b[i+1 : end-1]
		i = skipSpace(b, end)
		if i >= len(b) || b[i] != ':' {
			return errProps
		}
		i = skipSpace(b, i+1)
		if end = endOfValue(b, i); end < 0 {
			return errProps
		}
		if err := f(key, b[i:end]); err != nil {
			return err
		}
		i = skipSpace(b, end)
		switch {
		case i < len(b) && b[i] == ',':
			i = skipSpace(b, i+1)
		case i < len(b) && b[i] == '}':
			return nil
		default:
			return errProps
		}
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// endOfString returns where the string that begins at i ends, behind its quote, or -1.
func endOfString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// endOfValue returns where the value that begins at i ends, or -1.
func endOfValue(b []byte, i int) int {
	start, depth := i, 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = endOfString(b, i); i < 0 {
				return -1
			}
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 {
				return endOfScalar(start, i)
			}
		case ',':
			if depth == 0 {
				return endOfScalar(start, i)
			}
		}
		i++
	}
	return -1
}

// endOfScalar is -1 for a scalar of no characters.
func endOfScalar(start, end int) int {
	if end == start {
		return -1
	}
	return end
}

// unquote returns the text of what stands between the quotes of a JSON string.
func unquote(b []byte) (string, error) {
	for _, c := range b {
		if c == '\\' {
			quoted := make([]byte, 0, len(b)+2)
			quoted = append(quoted, '"')
			quoted = append(quoted, b...)
			var s string
			err := json.Unmarshal(append(quoted, '"'), &s)
			return s, err
		}
	}
	return string(b), nil
}

// ParseValue reads a value as jsonb writes it.
func ParseValue(b []byte) (Value, error) {
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\n') {
		b = b[:len(b)-1]
	}
	if len(b) == 0 {
		return Value{}, errProps
	}
	switch b[0] {
	case 'n':
		return Value{Kind: Null}, nil
	case 'f':
		return Value{Kind: False}, nil
	case 't':
		return Value{Kind: True}, nil
	case '"':
		if len(b) < 2 {
			return Value{}, errProps
		}
		text, err := unquote(b[1 : len(b)-1])
		return Value{String, text}, err
	case '{', '[':
		return Value{JSON, string(b)}, nil
	default:
		return Value{Number, Trim(string(b))}, nil
	}
}
