package measures

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Formula is arithmetic over series: A, B, C … are the first, second, third.
type Formula struct {
	text string
	root node
}

// String returns the formula as it was written.
func (f *Formula) String() string { return f.text }

// FormulaError is what is wrong with a formula, and where.
type FormulaError struct {
	Position int // of a character, from 1
	Detail   string
}

func (e *FormulaError) Error() string { return fmt.Sprintf("character %d: %s", e.Position, e.Detail) }

// ParseFormula reads a formula over so many series: their letters, numbers, + - * / (− × ÷ too) and parentheses. The error is
// a *FormulaError.
func ParseFormula(text string, series int) (*Formula, error) {
	p := &parser{text: text, series: series}
	p.next()
	root := p.sum()
	switch p.token.kind {
	case end:
	case ')':
		p.refuse(p.token, "%s is not expected here: no parenthesis is open", p.token)
	default:
		p.refuse(p.token, "%s is not expected here: an operator is missing before it", p.token)
	}
	if p.err != nil {
		return nil, p.err
	}
	return &Formula{text, root}, nil
}

// Of computes the formula from a number of each series, NaN being null, which is what it is where it has no number.
func (f *Formula) Of(series []float64) float64 {
	v := f.root.of(series)
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return v + 0 // there is no -0
}

// node is a part of a formula.
type node interface {
	of(series []float64) float64
}

type (
	number    float64
	reference int
	negation  struct{ operand node }
	operation struct {
		operator    rune
		left, right node
	}
)

func (n number) of([]float64) float64           { return float64(n) }
func (r reference) of(series []float64) float64 { return series[r] }
func (n negation) of(series []float64) float64  { return -n.operand.of(series) }

func (o operation) of(series []float64) float64 {
	left, right := o.left.of(series), o.right.of(series)
	switch o.operator {
	case '+':
		return left + right
	case '-':
		return left - right
	case '*':
		return left * right
	default:
		if right == 0 {
			return math.NaN()
		}
		return left / right
	}
}

// kind is that of a token: an operator or a parenthesis is itself.
type kind rune

const (
	end kind = -1 - iota
	literal
	letter
	bad
)

type token struct {
	kind     kind
	text     string
	position int // of its first character, from 1
}

func (t token) String() string {
	if t.kind == end {
		return "the end"
	}
	return strconv.Quote(t.text)
}

// parser reads sums of products of atoms. After the first error it goes on without effect.
type parser struct {
	text     string
	series   int
	at       int // byte
	position int // characters read
	token    token
	err      error
}

func (p *parser) refuse(t token, format string, args ...any) {
	if p.err == nil {
		p.err = &FormulaError{t.position, fmt.Sprintf(format, args...)}
	}
}

var operators = map[rune]kind{'+': '+', '-': '-', '−': '-', '*': '*', '×': '*', '·': '*', '/': '/', '÷': '/', '(': '(', ')': ')'}

// next reads the next token.
func (p *parser) next() {
	r, size := p.peek()
	for r == ' ' || r == '\t' || r == '\n' || r == '\r' {
		p.skip(size)
		r, size = p.peek()
	}
	start := p.at
	p.token = token{kind: bad, position: p.position + 1}
	operator, known := operators[r]
	switch {
	case size == 0:
		p.token.kind = end
		return
	case known:
		p.token.kind = operator
		p.skip(size)
	case r >= '0' && r <= '9' || r == '.':
		p.token.kind = literal
		for ; r >= '0' && r <= '9' || r == '.'; r, size = p.peek() {
			p.skip(size)
		}
	case r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z':
		p.token.kind = letter
		for ; r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_'; r, size = p.peek() {
			p.skip(size)
		}
	default:
		p.skip(size)
	}
	p.token.text = p.text[start:p.at]
}

func (p *parser) peek() (rune, int) { return utf8.DecodeRuneInString(p.text[p.at:]) }

func (p *parser) skip(size int) {
	p.at += size
	p.position++
}

func (p *parser) sum() node {
	left := p.product()
	for p.err == nil && (p.token.kind == '+' || p.token.kind == '-') {
		operator := rune(p.token.kind)
		p.next()
		left = operation{operator, left, p.product()}
	}
	return left
}

func (p *parser) product() node {
	left := p.atom()
	for p.err == nil && (p.token.kind == '*' || p.token.kind == '/') {
		operator := rune(p.token.kind)
		p.next()
		left = operation{operator, left, p.atom()}
	}
	return left
}

func (p *parser) atom() node {
	t := p.token
	switch t.kind {
	case '-':
		p.next()
		return negation{p.atom()}
	case '(':
		p.next()
		inner := p.sum()
		if p.err == nil && p.token.kind != ')' {
			p.refuse(p.token, "%s is not expected here: the parenthesis of character %d is not closed", p.token, t.position)
		}
		p.next()
		return inner
	case literal:
		p.next()
		v, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			p.refuse(t, "%s is no number", t)
		}
		return number(v)
	case letter:
		p.next()
		no := 0
		if no = int(t.text[0]) - 'A'; len(t.text) > 1 || no < 0 || no >= p.series {
			p.refuse(t, "%s is no series of this question: %s", t, p.letters())
		}
		return reference(no)
	default:
		p.refuse(t, "%s is not expected here: a series, a number or a parenthesis is", t)
		return number(0)
	}
}

// letters says how the series of the question are called.
func (p *parser) letters() string {
	if p.series == 1 {
		return "it has A only"
	}
	return fmt.Sprintf("they are called A to %c", 'A'+p.series-1)
}
