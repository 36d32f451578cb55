package contract

import (
	"strconv"
	"sync"
)

// maxDepth bounds the nesting of a whole body. Every recursion over input is counted against it, so ten mebibytes
// of '[' cost a few frames and a SyntaxError, not the stack.
const maxDepth = 64

// frame is one open object or array and where in it the reader stands. Together they spell the JSON pointer, which
// is why generated code never passes paths around: a pointer costs something only when there is an error to report.
type frame struct {
	key   string // current member of an object
	index int    // current element of an array
	array bool
}

// Reader is the cursor that generated decoders drive over one body. The first syntax error ends the input: every
// later read finds nothing, loops end by themselves, and Finish reports it. Generated code has no error handling.
type Reader struct {
	b     []byte
	i     int
	fresh bool      // the innermost container was opened and not yet looked into
	keyF  textFlags // the flags of the current member name
	depth int
	err   *SyntaxError

	errs       Errors
	in, base   string // prefix of every error
	item       int    // index in the outermost array, or -1
	itemDepth  int    // depth of that array's frame, 0 outside
	itemErrors int
	looseError int

	raw    RawRule  // limits of the raw value being scanned
	rawEnd int      // offset behind which the raw value is too large
	names  []string // member names of the raw objects that are open, innermost last

	frames [maxDepth]frame
}

var readers = sync.Pool{New: func() any { return new(Reader) }}

// NewReader starts on a body. Finish must be called once; the Reader is not to be touched afterwards.
func NewReader(b []byte) *Reader { return newReader(b, InBody, "") }

func newReader(b []byte, in, base string) *Reader {
	r := readers.Get().(*Reader)
	r.b, r.in, r.base, r.item = b, in, base, -1
	return r
}

// Finish refuses trailing data and returns what was found: a *SyntaxError, Errors, or nil.
func (r *Reader) Finish() error {
	if r.peek(); r.i < len(r.b) {
		r.fail("unexpected data after the JSON value")
	}
	syntax, errs := r.err, r.errs
	r.release()
	switch {
	case syntax != nil:
		return syntax
	case len(errs) > 0:
		return errs
	}
	return nil
}

// release returns the Reader to the pool without references that would keep a body alive.
func (r *Reader) release() {
	names := r.names[:cap(r.names)]
	if len(names) > 256 {
		names = nil
	}
	clear(names)
	*r = Reader{names: names[:0]}
	readers.Put(r)
}

// peek skips white space and returns the next byte, 0 at the end. (A NUL in the input is no JSON either.)
func (r *Reader) peek() byte {
	for i := r.i; i < len(r.b); i++ {
		if c := r.b[i]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			r.i = i
			return c
		}
	}
	r.i = len(r.b)
	return 0
}

// fail records the first syntax error at the current offset and ends the input.
func (r *Reader) fail(detail string) { r.failAt(r.i, detail) }

func (r *Reader) failAt(offset int, detail string) {
	if r.err == nil {
		if offset >= len(r.b) {
			detail = "unexpected end of JSON"
		}
		r.err = &SyntaxError{Offset: offset, Detail: detail}
	}
	r.i = len(r.b)
}

func (r *Reader) open(array bool) bool {
	if r.depth == maxDepth {
		r.fail("JSON nested deeper than " + strconv.Itoa(maxDepth) + " levels")
		return false
	}
	r.i++
	r.frames[r.depth] = frame{index: -1, array: array}
	r.depth++
	r.fresh = true
	return true
}

func (r *Reader) shut() bool {
	r.i++
	r.depth--
	return false
}

// Object opens an object. Anything else is reported, skipped, and answered with false.
func (r *Reader) Object() bool {
	if r.peek() != '{' {
		r.mismatch("an object")
		return false
	}
	return r.open(false)
}

// Member moves to the next member of the innermost object and returns false behind the last one.
func (r *Reader) Member() bool {
	c := r.peek()
	if c == '}' {
		r.fresh = false
		return r.shut()
	}
	if r.fresh {
		r.fresh = false
	} else {
		if c != ',' {
			r.fail("expected ',' or '}'")
			return false
		}
		r.i++
		c = r.peek()
	}
	if c != '"' {
		r.fail("expected a member name in quotes")
		return false
	}
	text, flags, ok := r.scanString()
	if !ok {
		return false
	}
	if r.peek() != ':' {
		r.fail("expected ':'")
		return false
	}
	r.i++
	r.frames[r.depth-1].key = stringOf(text, flags)
	r.keyF = flags
	return true
}

// Key is the decoded name of the current member.
func (r *Reader) Key() string { return r.frames[r.depth-1].key }

// Array opens an array. Anything else is reported, skipped, and answered with false.
func (r *Reader) Array() bool {
	if r.peek() != '[' {
		r.mismatch("an array")
		return false
	}
	if !r.open(true) {
		return false
	}
	if r.itemDepth == 0 {
		r.itemDepth = r.depth
	}
	return true
}

// Element moves to the next element of the innermost array. Elements beyond max are reported once and skipped,
// so that max bounds the work and the memory one array can cost.
func (r *Reader) Element(maxItems int) bool {
	if !r.next() {
		return false
	}
	f := &r.frames[r.depth-1]
	if r.depth == r.itemDepth {
		r.item, r.itemErrors = f.index, 0
	}
	if f.index < maxItems {
		return true
	}
	r.leaveItem(r.depth)
	r.depth--
	r.Report(CodeMaxItems, "must have at most "+plural(maxItems, "item"))
	r.depth++
	for ok := true; ok; ok = r.next() {
		r.skip()
	}
	return false
}

// next moves to the next element without a limit.
func (r *Reader) next() bool {
	c := r.peek()
	if c == ']' {
		r.fresh = false
		r.leaveItem(r.depth)
		return r.shut()
	}
	if r.fresh {
		r.fresh = false
	} else {
		if c != ',' {
			r.fail("expected ',' or ']'")
			return false
		}
		r.i++
	}
	r.frames[r.depth-1].index++
	return true
}

// leaveItem ends the counting of items when the outermost array, at depth, is done.
func (r *Reader) leaveItem(depth int) {
	if depth == r.itemDepth {
		r.itemDepth, r.item = 0, -1
	}
}

// Null consumes a null, if there is one.
func (r *Reader) Null() bool {
	if r.peek() != 'n' {
		return false
	}
	r.word("null")
	return true
}

// Report records a violation at the current place.
func (r *Reader) Report(code, detail string) { r.report("", -1, code, detail) }

// Duplicate reports the current member as repeated and skips its value.
func (r *Reader) Duplicate() {
	r.Report(CodeDuplicateMember, "appears more than once in its object")
	r.skip()
}

// Unknown reports the current member as not part of the contract and skips its value.
func (r *Reader) Unknown() {
	r.Report(CodeUnknownMember, "unknown member "+quote(r.Key())+"; remove it")
	r.skip()
}

// Missing reports that the object just read lacks a member it must have.
func (r *Reader) Missing(name string) { r.report(name, -1, CodeRequired, "is required") }

// report records a violation at member name or element index below the current place.
func (r *Reader) report(name string, index int, code, detail string) {
	switch {
	case r.err != nil:
		return // the body as a whole is refused
	case r.item >= 0:
		r.itemErrors++
		if r.itemErrors > maxItemErrors || r.itemErrors > 1 && len(r.errs) >= maxErrors {
			return
		}
	default:
		if r.looseError++; r.looseError > maxLooseErrors {
			return
		}
	}
	r.errs = append(r.errs, FieldError{In: r.in, Pointer: r.pointer(name, index), Code: code, Detail: detail, Item: r.item})
}

func (r *Reader) pointer(name string, index int) string {
	b := append(make([]byte, 0, 64), r.base...)
	for i := range r.depth {
		if f := &r.frames[i]; f.array {
			b = strconv.AppendInt(append(b, '/'), int64(f.index), 10)
		} else {
			b = appendSegment(b, f.key)
		}
	}
	if name != "" {
		b = appendSegment(b, name)
	}
	if index >= 0 {
		b = strconv.AppendInt(append(b, '/'), int64(index), 10)
	}
	return clip(string(b), maxPointer)
}

// mismatch reports a value of the wrong type and skips it.
func (r *Reader) mismatch(want string) {
	r.Report(CodeType, "must be "+want+", not "+typeName(r.peek()))
	r.skip()
}

func typeName(c byte) string {
	switch c {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}
