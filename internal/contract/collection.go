package contract

// CountRule bounds the items of an array or the members of a map. The generator insists on a Max: it is what bounds
// the memory a request can claim.
type CountRule struct{ Min, Max int }

// ReadSlice reads an array into dst's capacity, each element by decode, which must overwrite all of it.
// The result is never nil, so that an empty array differs from none.
func ReadSlice[T any](r *Reader, dst []T, rule *CountRule, decode func(*T, *Reader)) []T {
	if dst == nil {
		dst = []T{}
	}
	dst = dst[:0]
	if !r.Array() {
		return dst
	}
	for r.Element(rule.Max) {
		if n := len(dst); n < cap(dst) {
			dst = dst[:n+1] // keep what the element can reuse
		} else {
			var zero T
			dst = append(dst, zero)
		}
		decode(&dst[len(dst)-1], r)
	}
	if len(dst) < rule.Min {
		r.Report(CodeMinItems, "must have at least "+plural(rule.Min, "item"))
	}
	return dst
}

// ReadSet is ReadSlice for an array whose items must differ (uniqueItems).
func ReadSet[T comparable](r *Reader, dst []T, rule *CountRule, decode func(*T, *Reader)) []T {
	before := len(r.errs)
	dst = ReadSlice(r, dst, rule, decode)
	if len(r.errs) != before {
		return dst // an item that could not be read may equal another one by accident
	}
	if len(dst) <= pairwise {
		for i, v := range dst {
			for _, w := range dst[:i] {
				if v == w {
					r.report("", i, CodeUniqueItems, "repeats an earlier item")
					break
				}
			}
		}
		return dst
	}
	seen := make(map[T]struct{}, len(dst))
	for i, v := range dst {
		if _, ok := seen[v]; ok {
			r.report("", i, CodeUniqueItems, "repeats an earlier item")
		}
		seen[v] = struct{}{}
	}
	return dst
}

// ReadMap reads an object with free member names. Members beyond the maximum are skipped.
func ReadMap[T any](r *Reader, rule *CountRule, decode func(*T, *Reader)) map[string]T {
	if !r.Object() {
		return nil
	}
	m := make(map[string]T)
	n := 0
	for ; r.Member(); n++ {
		if n >= rule.Max {
			r.skip()
			continue
		}
		if code, detail := textProblem(r.keyF); code != "" {
			r.Report(code, detail)
			r.skip()
			continue
		}
		key := r.Key()
		if _, ok := m[key]; ok {
			r.Duplicate()
			continue
		}
		var v T
		decode(&v, r)
		m[key] = v
	}
	r.Properties(n, rule.Min, rule.Max)
	return m
}

// Discriminator looks ahead in the object at the cursor for the string member name, without consuming anything. Other
// errors in the object are found when the variant is decoded.
func (r *Reader) Discriminator(name string) (value string, ok bool) {
	if r.peek() != '{' {
		return "", false
	}
	ahead := Reader{b: r.b, i: r.i, depth: r.depth}
	if !ahead.open(false) {
		return "", false
	}
	for ahead.Member() {
		if ahead.Key() == name && ahead.peek() == '"' {
			text, flags, ok := ahead.scanString()
			return stringOf(text, flags), ok
		}
		ahead.skip()
	}
	return "", false
}

// Pos is the offset of the next value.
func (r *Reader) Pos() int {
	r.peek()
	return r.i
}

// Since is the raw text from start to the cursor; it aliases the body.
func (r *Reader) Since(start int) []byte {
	if r.err != nil || start > r.i {
		return nil
	}
	return r.b[start:r.i:r.i]
}

// Variant reports an object that belongs to no variant of its union and skips it.
func (r *Reader) Variant(name string, known ...string) {
	if r.peek() != '{' {
		r.mismatch("an object")
		return
	}
	rule := StringRule{Enum: known}
	_, detail := rule.check("\x00", 0)
	r.report(name, -1, CodeEnum, "is required and "+detail)
	r.skip()
}
