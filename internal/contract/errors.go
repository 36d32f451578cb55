package contract

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Codes of a FieldError. They are part of the public API: clients switch on them.
const (
	CodeRequired         = "required"
	CodeUnknownMember    = "unknown_member"
	CodeDuplicateMember  = "duplicate_member"
	CodeType             = "type"
	CodeLength           = "length"
	CodePattern          = "pattern"
	CodeEnum             = "enum"
	CodeFormat           = "format"
	CodeMinimum          = "minimum"
	CodeMaximum          = "maximum"
	CodeMinItems         = "min_items"
	CodeMaxItems         = "max_items"
	CodeUniqueItems      = "unique_items"
	CodeMinProperties    = "min_properties"
	CodeMaxProperties    = "max_properties"
	CodeControlCharacter = "control_character"
	CodeNULCharacter     = "nul_character"
	CodeInvalidUnicode   = "invalid_unicode"
	CodeTooDeep          = "too_deep"
	CodeTooLarge         = "too_large"
	CodeNumberRange      = "number_out_of_range"
	CodeUnknownParam     = "unknown_parameter"
	CodeRepeatedParam    = "repeated_parameter"
)

// Where a FieldError was found.
const (
	InBody   = "body"
	InQuery  = "query"
	InPath   = "path"
	InHeader = "header"
)

// The number of errors kept for one request is bounded: a hostile body must not turn into a far larger answer. The
// first error of every array item is always kept, so that a caller can reject exactly the bad items.
const (
	maxItemErrors  = 20   // of one item
	maxLooseErrors = 100  // outside any array
	maxErrors      = 2000 // of one request, beyond which only first errors of items are added
)

// FieldError is one violation of the contract.
type FieldError struct {
	In      string // "body", "query", "path" or "header"
	Pointer string // RFC 6901; for a parameter "/<name>"
	Code    string // stable, one of the Code constants
	Detail  string // English, actionable, names the limit; never echoes more than 40 characters of the value
	Item    int    // index in the outermost array on the way, or -1
}

// Errors is every violation found in one request, in the order of the request.
type Errors []FieldError

// Error lists the first few violations.
func (e Errors) Error() string {
	var b strings.Builder
	for i, f := range e {
		if i == 5 {
			fmt.Fprintf(&b, "; and %d more", len(e)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s %q %s", f.In, f.Pointer, f.Detail)
	}
	return b.String()
}

// SyntaxError says that the body as a whole is not JSON, so that no part of it can be trusted.
type SyntaxError struct {
	Offset int // in bytes from the start of the body
	Detail string
}

// Error names the offset.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.Detail, e.Offset) }

// Decoder is implemented by every generated request body. The error is a *SyntaxError or Errors.
type Decoder interface{ DecodeJSON([]byte) error }

// maxSegment and maxPointer bound what a caller's own member names can add to an answer.
const (
	maxSegment = 128
	maxPointer = 512
)

// appendSegment adds one escaped reference token to a JSON pointer.
func appendSegment(b []byte, name string) []byte {
	b = append(b, '/')
	clipped := clip(name, maxSegment)
	for i := range len(clipped) {
		switch c := clipped[i]; c {
		case '~':
			b = append(b, "~0"...)
		case '/':
			b = append(b, "~1"...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// Pointer writes the JSON pointer (RFC 6901) of a part of a request: the names of members, and indexes of lists, on the way.
func Pointer(way ...any) string {
	var b []byte
	for _, step := range way {
		b = appendSegment(b, fmt.Sprint(step))
	}
	return clip(string(b), maxPointer)
}

// clip cuts s to at most n bytes, between characters, and marks the cut.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// quote shows at most 40 characters of a caller's value, none of them able to disturb a log line or a terminal.
func quote(s string) string {
	const most = 38
	var b strings.Builder
	b.WriteByte('"')
	n := 0
	for _, c := range s {
		if n == most {
			b.WriteRune('…')
			break
		}
		if !unicode.IsPrint(c) {
			c = '?'
		}
		b.WriteRune(c)
		n++
	}
	b.WriteByte('"')
	return b.String()
}

// Items counts the items of the outermost array that have an error; errors outside of it count as one more.
func (e Errors) Items() int {
	seen := make(map[int]struct{}, len(e))
	for _, f := range e {
		seen[f.Item] = struct{}{}
	}
	return len(seen)
}
