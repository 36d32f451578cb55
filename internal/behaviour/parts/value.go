package parts

import (
	"encoding/json"
	"strings"
)

// Kind is the JSON type of a value. The values are part of the format.
type Kind uint8

// The kinds. An absent member has no value and is Absent.
const (
	Absent Kind = iota
	Null
	False
	True
	Number
	String
	JSON // an object or a list
)

// Value is a prop of an event. Equal values are equal in Go: a number has one text (Trim), an object or a list the one
// that jsonb gives it.
type Value struct {
	Kind Kind
	Text string // of a number its digits, of a string its characters, of an object or a list its JSON; else empty
}

// None says that the value is absent or null: it equals nothing, and has no group of its own.
func (v Value) None() bool { return v.Kind <= Null }

// JSON returns the value as an answer has it: of an object or a list its text, as a string.
func (v Value) JSON() json.RawMessage {
	switch v.Kind {
	case False:
		return json.RawMessage("false")
	case True:
		return json.RawMessage("true")
	case Number:
		return json.RawMessage(v.Text)
	case String, JSON:
		text, _ := json.Marshal(v.Text) //nolint:errchkjson // a string
		return text
	case Absent, Null, leftKind:
	}
	return json.RawMessage("null")
}

// Trim returns the one text of a number that is written without an exponent: no zeros at the end of a fraction, no
// point without one.
func Trim(number string) string {
	if strings.IndexByte(number, '.') < 0 {
		return number
	}
	number = strings.TrimRight(number, "0")
	return strings.TrimSuffix(number, ".")
}

// maxDigits is how many digits a mantissa may have, so that it fits an int64 with room for its codes.
const maxDigits = 18

// Mantissa returns the digits of a trimmed number as an integer and how many of them are behind the point. It is false
// when there are too many digits for that.
func Mantissa(number string) (mantissa int64, scale int, ok bool) {
	digits := number
	if digits != "" && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > maxDigits {
		return 0, 0, false
	}
	point := -1
	for i := range len(digits) {
		c := digits[i]
		switch {
		case c >= '0' && c <= '9':
			mantissa = mantissa*10 + int64(c-'0')
		case c == '.' && point < 0:
			point = i
		default:
			return 0, 0, false
		}
	}
	if point >= 0 {
		scale = len(digits) - point - 1
	}
	if number[0] == '-' {
		mantissa = -mantissa
	}
	return mantissa, scale, true
}

// pow10 are the powers of ten that fit.
var pow10 = func() (p [maxDigits + 1]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()
