package contract

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// textFlags record the special characters of a scanned string, so that the common string is never scanned twice.
type textFlags uint8

const (
	textEscaped textFlags = 1 << iota // has escapes: the value differs from the raw bytes
	textWide                          // has characters outside ASCII
	textNUL                           // has \u0000, which PostgreSQL cannot store
	textLone                          // has half a surrogate pair, which is no character
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain returns the offset, from i on, of the first byte that needs attention inside a string: a quote, a backslash,
// a control character or a byte outside ASCII. It looks at eight bytes at a time.
func plain(b []byte, i int) int {
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		if m := (x | ((x ^ ones*'"') - ones) | ((x ^ ones*'\\') - ones) | (x - ones*0x20)) & highs; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for i < len(b) {
		if c := b[i]; c == '"' || c == '\\' || c < 0x20 || c >= 0x80 {
			return i
		}
		i++
	}
	return i
}

// scanString reads the string at the cursor and returns the bytes between its quotes; ok is false after a syntax error.
func (r *Reader) scanString() (text []byte, flags textFlags, ok bool) {
	start := r.i + 1
	i := plain(r.b, start)
	if i < len(r.b) && r.b[i] == '"' {
		r.i = i + 1
		return r.b[start:i:i], 0, true
	}
	return r.scanText(start, i)
}

// scanText goes on at i in a string that has more than plain ASCII.
func (r *Reader) scanText(start, i int) ([]byte, textFlags, bool) {
	var flags textFlags
	b := r.b
	for ; i < len(b); i = plain(b, i) {
		switch c := b[i]; {
		case c == '"':
			r.i = i + 1
			return b[start:i:i], flags, true
		case c >= utf8.RuneSelf:
			flags |= textWide
			for i < len(b) && b[i] >= utf8.RuneSelf {
				rn, n := utf8.DecodeRune(b[i:])
				if rn == utf8.RuneError && n == 1 {
					r.failAt(i, "invalid UTF-8 in a string")
					return nil, 0, false
				}
				i += n
			}
		case c == '\\':
			n, f := escape(b[i:])
			if n == 0 {
				if i+6 > len(b) && truncated(b[i:]) {
					i = len(b)
				}
				r.failAt(i, "invalid escape in a string")
				return nil, 0, false
			}
			flags |= textEscaped | f
			i += n
		default:
			r.failAt(i, "control character in a string; escape it")
			return nil, 0, false
		}
	}
	r.failAt(len(b), "")
	return nil, 0, false
}

// escape measures the escape sequence at the start of b; a surrogate pair is one sequence. 0 means invalid.
func escape(b []byte) (n int, flags textFlags) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, 0
	case 'u':
	default:
		return 0, 0
	}
	c, ok := hex4(b)
	switch {
	case !ok:
		return 0, 0
	case c == 0:
		return 6, textNUL
	case c >= 0x80 && !utf16.IsSurrogate(c):
		return 6, textWide
	case !utf16.IsSurrogate(c):
		return 6, 0
	}
	if low, ok := hex4(b[6:]); ok && utf16.DecodeRune(c, low) != utf8.RuneError {
		return 12, textWide
	}
	return 6, textLone | textWide
}

// truncated tells an escape that merely ends too early from one that is wrong.
func truncated(b []byte) bool {
	if len(b) < 2 {
		return true
	}
	if b[1] != 'u' {
		return false
	}
	for _, c := range b[2:] {
		if hexDigit(c) < 0 {
			return false
		}
	}
	return len(b) < 6
}

// hex4 reads \uXXXX.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var v rune
	for _, c := range b[2:6] {
		d := hexDigit(c)
		if d < 0 {
			return 0, false
		}
		v = v<<4 | d
	}
	return v, true
}

func hexDigit(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// stringOf makes the value of a scanned string. Without escapes it shares the memory of the body.
func stringOf(text []byte, flags textFlags) string {
	if flags&textEscaped == 0 {
		return unsafe.String(unsafe.SliceData(text), len(text))
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		c := text[i]
		if c != '\\' {
			out = append(out, c)
			i++
			continue
		}
		n, _ := escape(text[i:])
		switch e := text[i+1]; e {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			v, _ := hex4(text[i:])
			if n == 12 {
				low, _ := hex4(text[i+6:])
				v = utf16.DecodeRune(v, low)
			}
			out = utf8.AppendRune(out, v) // half a pair becomes U+FFFD; the flags say so
		default:
			out = append(out, e)
		}
		i += n
	}
	return unsafe.String(unsafe.SliceData(out), len(out))
}

// textProblem names what no string of the contract may hold.
func textProblem(flags textFlags) (code, detail string) {
	switch {
	case flags&textNUL != 0:
		return CodeNULCharacter, "must not contain the character U+0000"
	case flags&textLone != 0:
		return CodeInvalidUnicode, "must not contain half of a surrogate pair"
	}
	return "", ""
}

// hasControl looks for Unicode category Cc.
func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }
