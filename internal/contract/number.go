package contract

import (
	"math"
	"strconv"
	"strings"
	"unsafe"
)

// maxNumber bounds the text of a number: more digits than any float64 or bigint has are noise or an attack on
// arbitrary-precision parsers behind us.
const maxNumber = 64

// scanNumber reads the number at the cursor by the JSON grammar. simple means an integer without an exponent.
func (r *Reader) scanNumber() (token string, simple, ok bool) {
	n, simple := number(r.b[r.i:])
	if n == 0 {
		r.i += numberError(r.b[r.i:])
		r.fail("invalid number")
		return "", false, false
	}
	t := r.b[r.i : r.i+n]
	r.i += n
	return unsafe.String(unsafe.SliceData(t), n), simple, true
}

// number measures the longest JSON number at the start of b; 0 when there is none or it breaks off.
func number(b []byte) (n int, simple bool) {
	i := 0
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i == len(b):
		return 0, false
	case b[i] == '0':
		i++
	default:
		d := digits(b[i:])
		if d == 0 {
			return 0, false
		}
		i += d
	}
	simple = true
	if i < len(b) && b[i] == '.' {
		d := digits(b[i+1:])
		if d == 0 {
			return 0, false
		}
		i += 1 + d
		simple = false
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		d := digits(b[i:])
		if d == 0 {
			return 0, false
		}
		i += d
		simple = false
	}
	return i, simple
}

func digits(b []byte) int {
	for i, c := range b {
		if c-'0' > 9 {
			return i
		}
	}
	return len(b)
}

// numberError is how far a broken number reads as one, for the offset in the message.
func numberError(b []byte) int {
	for i, c := range b {
		if c-'0' > 9 && c != '-' && c != '+' && c != '.' && c|0x20 != 'e' {
			return i
		}
	}
	return len(b)
}

// storable reports whether a number can be stored: as a finite float64 in every client and as numeric in PostgreSQL's
// jsonb.
func storable(token string) bool {
	if len(token) > maxNumber {
		return false
	}
	for i := 0; i < len(token); i++ {
		if token[i]|0x20 != 'e' {
			continue
		}
		// At most 63 digits stand before the exponent. So beyond an exponent of 400 the value is infinite, or too
		// small for a double, or a zero that PostgreSQL would still try to scale.
		exp, err := strconv.Atoi(token[i+1:])
		if err != nil || exp < -400 || exp > 400 {
			return false
		}
		f, err := strconv.ParseFloat(token, 64)
		return err == nil && !math.IsInf(f, 0) && (f != 0 || strings.Trim(token[:i], "-0.") == "")
	}
	return true // 64 digits without an exponent stay below 1e64
}

// zeros is the number of digits by which a storable number may grow: PostgreSQL returns 1e308 with all its zeros.
func zeros(token string) int {
	at := strings.IndexAny(token, "eE")
	if at < 0 {
		return 0
	}
	exp, _ := strconv.Atoi(token[at+1:]) // storable has parsed it
	return max(exp, -exp)
}

const rangeDetail = "must be a number of at most 64 characters within the range of a double"

// integer parses a token that number called simple.
func integer(token string) (int64, bool) {
	if len(token) > 18 {
		v, err := strconv.ParseInt(token, 10, 64)
		return v, err == nil
	}
	neg := token[0] == '-'
	if neg {
		token = token[1:]
	}
	var v int64
	for i := range len(token) {
		v = v*10 + int64(token[i]-'0')
	}
	if neg {
		v = -v
	}
	return v, true
}
