package contract

// skip consumes one value of any kind. It checks the grammar only: a skipped value is refused already.
func (r *Reader) skip() {
	switch c := r.peek(); c {
	case '"':
		r.scanString()
	case '{':
		if !r.open(false) {
			return
		}
		for r.Member() {
			r.skip()
		}
	case '[':
		if !r.open(true) {
			return
		}
		for r.next() {
			r.skip()
		}
	default:
		r.skipScalar(c)
	}
}

// skipScalar consumes a number or a literal that starts with c.
func (r *Reader) skipScalar(c byte) {
	switch {
	case c == 't':
		r.word("true")
	case c == 'f':
		r.word("false")
	case c == 'n':
		r.word("null")
	case c == '-' || c >= '0' && c <= '9':
		r.scanNumber()
	default:
		r.fail("expected a JSON value")
	}
}

// word consumes a literal.
func (r *Reader) word(w string) {
	rest := r.b[r.i:]
	if len(rest) >= len(w) && string(rest[:len(w)]) == w {
		r.i += len(w)
		return
	}
	if len(rest) < len(w) && string(rest) == w[:len(rest)] {
		r.i = len(r.b)
	}
	r.fail("expected " + w)
}
