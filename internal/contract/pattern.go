package contract

import (
	"regexp"
	"regexp/syntax"
)

// Pattern is a contract pattern, with the semantics of Go's regexp. Patterns of the usual shape ^a[class][class]{n,m}$
// over ASCII (fixed single characters, then one repeated class) become tables: no regexp engine, no allocation.
type Pattern struct {
	re       *regexp.Regexp
	source   string
	head     []*table
	tail     *table
	min, max int // of the tail; max < 0 means unbounded
}

type table [256]bool

// MustPattern compiles a pattern the generator has checked already.
func MustPattern(source string) *Pattern {
	p := &Pattern{re: regexp.MustCompile(source), source: source}
	p.tabulate()
	return p
}

// Match reports whether s satisfies the pattern.
func (p *Pattern) Match(s string) bool {
	if p.tail == nil {
		return p.re.MatchString(s)
	}
	if len(s) < len(p.head) {
		return false
	}
	for i, t := range p.head {
		if !t[s[i]] {
			return false
		}
	}
	s = s[len(p.head):]
	if len(s) < p.min || p.max >= 0 && len(s) > p.max {
		return false
	}
	t := p.tail
	for i := range len(s) {
		if !t[s[i]] {
			return false
		}
	}
	return true
}

// tabulate fills in the tables if the pattern has the shape, which is deterministic: only its last part repeats.
func (p *Pattern) tabulate() {
	re, err := syntax.Parse(p.source, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat || len(re.Sub) < 3 ||
		re.Sub[0].Op != syntax.OpBeginText || re.Sub[len(re.Sub)-1].Op != syntax.OpEndText {
		return
	}
	parts := re.Sub[1 : len(re.Sub)-1]
	var head []*table
	for _, part := range parts[:len(parts)-1] {
		tables := single(part)
		if tables == nil {
			return
		}
		head = append(head, tables...)
	}
	last := parts[len(parts)-1]
	least, most := 1, 1
	switch last.Op {
	case syntax.OpPlus:
		most = -1
	case syntax.OpStar:
		least, most = 0, -1
	case syntax.OpQuest:
		least = 0
	case syntax.OpRepeat:
		least, most = last.Min, last.Max
	default:
		tables := single(last)
		if tables == nil {
			return
		}
		n := len(tables) - 1
		p.head, p.tail, p.min, p.max = append(head, tables[:n]...), tables[n], 1, 1
		return
	}
	if tables := single(last.Sub[0]); len(tables) == 1 {
		p.head, p.tail, p.min, p.max = head, tables[0], least, most
	}
}

// single returns one table for each character of a class or literal over ASCII, nil for anything else.
func single(re *syntax.Regexp) []*table {
	if re.Flags&syntax.FoldCase != 0 {
		return nil
	}
	switch re.Op {
	case syntax.OpLiteral:
		var tables []*table
		for _, c := range re.Rune {
			if c > 127 {
				return nil
			}
			var t table
			t[c] = true
			tables = append(tables, &t)
		}
		return tables
	case syntax.OpCharClass:
		var t table
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i+1] > 127 {
				return nil
			}
			for c := re.Rune[i]; c <= re.Rune[i+1]; c++ {
				t[c] = true
			}
		}
		return []*table{&t}
	}
	return nil
}
