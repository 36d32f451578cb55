package contract

import "math"

// RawRule limits a member that is kept as raw JSON. Zero values mean no limit, except for MaxDepth (at most maxDepth).
type RawRule struct {
	MaxBytes           int  // of the raw text, its numbers written out
	MaxDepth           int  // the value itself is level 1
	MinProps, MaxProps int  // of the outermost object
	Any                bool // any value but null, not only an object
}

// pairwise is how many member names are compared one by one before a map pays off.
const pairwise = 16

// Raw scans one JSON object (any value, if the rule says so) and returns its text, which aliases the body. A value
// that cannot be stored is reported at its exact place and skipped, so one bad event does not fail its neighbours.
func (r *Reader) Raw(rule *RawRule) []byte {
	c := r.peek()
	switch {
	case c == '{':
	case !rule.Any:
		r.mismatch("an object")
		return nil
	case c == 'n': // OpenAPI 3.0 takes null only where the schema says nullable
		r.mismatch("a JSON value")
		return nil
	}
	start := r.i
	r.raw, r.rawEnd = *rule, math.MaxInt
	if rule.MaxBytes > 0 {
		r.rawEnd = start + rule.MaxBytes
	}
	if rule.MaxDepth == 0 {
		r.raw.MaxDepth = maxDepth
	}
	n := r.rawValue(0)
	if r.err != nil {
		return nil
	}
	if r.i > r.rawEnd {
		r.Report(CodeTooLarge, "must be at most "+plural(rule.MaxBytes, "byte")+" of JSON, with numbers written out")
	}
	if c == '{' {
		r.Properties(n, rule.MinProps, rule.MaxProps)
	}
	return r.b[start:r.i:r.i]
}

// rawValue scans a value inside level containers and returns the number of its members. Behind rawEnd the value is
// too large already: it is only skipped, which bounds the names that have to be remembered.
func (r *Reader) rawValue(level int) int {
	c := r.peek()
	switch {
	case r.i > r.rawEnd:
		r.skip()
	case c == '"':
		if _, flags, ok := r.scanString(); ok && flags != 0 {
			if code, detail := textProblem(flags); code != "" {
				r.Report(code, detail)
			}
		}
	case c == '-' || c >= '0' && c <= '9':
		token, simple, ok := r.scanNumber()
		switch {
		case !ok, simple && len(token) <= maxNumber:
		case !storable(token):
			r.Report(CodeNumberRange, rangeDetail)
		default:
			r.rawEnd -= zeros(token)
		}
	case c != '{' && c != '[':
		r.skipScalar(c)
	case level == r.raw.MaxDepth:
		r.Report(CodeTooDeep, "must be nested at most "+plural(r.raw.MaxDepth, "level")+" deep")
		r.skip()
	case !r.open(c == '['):
	case c == '[':
		for r.next() {
			r.rawValue(level + 1)
		}
	default:
		return r.rawMembers(level + 1)
	}
	return 0
}

// rawMembers scans the members of the object just opened and refuses repeated names: PostgreSQL would keep the last
// one, other readers the first.
func (r *Reader) rawMembers(level int) int {
	var many map[string]struct{}
	base := len(r.names)
	n := 0
	for ; r.Member(); n++ {
		if r.i > r.rawEnd {
			r.skip()
			continue
		}
		if code, detail := textProblem(r.keyF); code != "" {
			r.Report(code, detail)
			r.skip()
			continue
		}
		key := r.Key()
		if many == nil && len(r.names)-base == pairwise {
			many = make(map[string]struct{}, 4*pairwise)
			for _, name := range r.names[base:] {
				many[name] = struct{}{}
			}
		}
		if repeated(many, r.names[base:], key) {
			r.Duplicate()
			continue
		}
		if many != nil {
			many[key] = struct{}{}
		} else {
			r.names = append(r.names, key)
		}
		r.rawValue(level)
	}
	r.names = r.names[:base]
	return n
}

func repeated(many map[string]struct{}, few []string, key string) bool {
	if many != nil {
		_, ok := many[key]
		return ok
	}
	for _, name := range few {
		if name == key {
			return true
		}
	}
	return false
}

// Properties checks the member count of an object that was read to its end.
func (r *Reader) Properties(n, least, most int) {
	switch {
	case n < least:
		r.Report(CodeMinProperties, "must have at least "+plural(least, "member"))
	case most > 0 && n > most:
		r.Report(CodeMaxProperties, "must have at most "+plural(most, "member"))
	}
}
