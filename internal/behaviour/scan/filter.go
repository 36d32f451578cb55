package scan

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// Op is the kind of a Filter.
type Op string

// The operators. They mean what they mean in /v1/metrics/query; Holds is the containment of jsonb.
const (
	And        Op = "and"
	Or         Op = "or"
	Not        Op = "not"
	Eq         Op = "eq"
	Neq        Op = "neq"
	In         Op = "in"
	Contains   Op = "contains"
	StartsWith Op = "starts_with"
	Gt         Op = "gt"
	Gte        Op = "gte"
	Lt         Op = "lt"
	Lte        Op = "lte"
	Exists     Op = "exists"
	Holds      Op = "holds"
)

// Filter is a condition on the props of an event. It is true or false, of a prop that is absent too: what is absent or
// null equals nothing.
type Filter struct {
	Op      Op
	Filters []Filter        // and, or: any number; not: exactly one
	Prop    string          // all others
	Values  []parts.Value   // in; eq, neq: exactly one; see ScalarValue
	Text    string          // contains, starts_with
	Number  float64         // gt, gte, lt, lte
	JSON    json.RawMessage // holds: what the prop contains as jsonb does (@>)
}

// ScalarValue returns a JSON scalar as parts have it.
func ScalarValue(raw json.RawMessage) (parts.Value, error) {
	raw = bytes.TrimSpace(raw)
	v, err := parts.ParseValue(raw)
	if err == nil && v.Kind == parts.Number {
		v.Text = plain(string(raw))
	}
	return v, err
}

// plain returns the one text of a JSON number, without an exponent. One that would have thousands of digits stays as it
// is: parts have none such.
func plain(number string) string {
	const most = 2000
	sign := ""
	if strings.HasPrefix(number, "-") {
		sign, number = "-", number[1:]
	}
	exponent := 0
	if at := strings.IndexAny(number, "eE"); at >= 0 {
		e, err := strconv.Atoi(number[at+1:])
		if err != nil || e > most || e < -most {
			return sign + number
		}
		number, exponent = number[:at], e
	}
	whole, fraction, _ := strings.Cut(number, ".")
	for ; exponent > 0; exponent-- {
		if fraction == "" {
			whole += "0"
			continue
		}
		whole, fraction = whole+fraction[:1], fraction[1:]
	}
	if exponent < 0 {
		whole = strings.Repeat("0", -exponent) + whole
		cut := len(whole) + exponent
		whole, fraction = whole[:cut], whole[cut:]+fraction
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	text := parts.Trim(whole + "." + fraction)
	if text == "0" {
		return text
	}
	return sign + text
}

// props appends the props that a filter reads.
func (f *Filter) props(to []string) []string {
	if f == nil {
		return to
	}
	for i := range f.Filters {
		to = f.Filters[i].props(to)
	}
	if f.Op != And && f.Op != Or && f.Op != Not && !slices.Contains(to, f.Prop) {
		to = append(to, f.Prop)
	}
	return to
}

// rowSet are some rows of a chunk.
type rowSet []uint64

func newRows(rows int, full bool) rowSet {
	b := make(rowSet, (rows+63)/64)
	if full {
		b.fill(rows)
	}
	return b
}

func (b rowSet) fill(rows int) {
	for i := range b {
		b[i] = math.MaxUint64
	}
	if rest := rows % 64; rest > 0 {
		b[len(b)-1] = 1<<rest - 1
	}
}

// list appends the numbers of the rows.
func (b rowSet) list(to []uint32) []uint32 {
	for i, word := range b {
		for word != 0 {
			to = append(to, uint32(i*64+bits.TrailingZeros64(word)))
			word &= word - 1
		}
	}
	return to
}

func (b rowSet) has(i int) bool { return b[i>>6]>>(i&63)&1 == 1 }

// rows returns the rows of a chunk that fit a filter; nil stands for all of them.
func (f *Filter) rows(c *chunk) (rowSet, error) {
	if f == nil {
		return nil, nil
	}
	n := c.info.Rows
	switch f.Op {
	case And, Or:
		out := newRows(n, f.Op == And)
		for i := range f.Filters {
			b, err := f.Filters[i].rows(c)
			if err != nil {
				return nil, err
			}
			for k := range out {
				if f.Op == And {
					out[k] &= b[k]
				} else {
					out[k] |= b[k]
				}
			}
		}
		return out, nil
	case Not:
		b, err := f.Filters[0].rows(c)
		if err != nil {
			return nil, err
		}
		full := newRows(n, true)
		for k := range b {
			b[k] = full[k] &^ b[k]
		}
		return b, nil
	default:
		return f.leaf(c)
	}
}

func (f *Filter) leaf(c *chunk) (rowSet, error) {
	p, err := c.prop(f.Prop)
	if err != nil {
		return nil, err
	}
	out := newRows(c.info.Rows, false)
	test := f.test()
	if p.Numbers != nil {
		f.numbers(p, test, out)
		return out, nil
	}
	fits := make([]uint64, len(p.Values))
	for i, v := range p.Values {
		if test(v) {
			fits[i] = 1
		}
	}
	for i := range out {
		var word uint64
		for k, code := range p.Codes[i*64 : min(i*64+64, len(p.Codes))] {
			word |= fits[code] << k
		}
		out[i] = word
	}
	return out, nil
}

// numbers marks the rows of a column of numbers. A comparison is one of mantissas where that is exact.
func (f *Filter) numbers(p *parts.Prop, test func(parts.Value) bool, out rowSet) {
	var lo, hi int64 // the mantissas that fit, inclusive
	var ok bool
	switch f.Op {
	case Gt, Gte, Lt, Lte:
		lo, hi, ok = f.span(p.Scale)
	case Eq:
		lo, hi, ok = point(f.Values, p.Scale)
	default: // value by value
	}
	none := [...]bool{parts.Absent: test(parts.Value{}), parts.Null: test(parts.Value{Kind: parts.Null})}
	for i, m := range p.Numbers {
		var fit bool
		switch {
		case p.Has != nil && p.Has[i] != parts.Number:
			fit = none[p.Has[i]]
		case ok:
			fit = m >= lo && m <= hi
		default:
			fit = test(p.Value(i))
		}
		if fit {
			out[i>>6] |= 1 << (i & 63)
		}
	}
}

// span returns the mantissas of a scale on the right side of the filter's number.
func (f *Filter) span(scale int) (lo, hi int64, ok bool) {
	m, s, ok := parts.Mantissa(plain(strconv.FormatFloat(f.Number, 'g', -1, 64)))
	if !ok || s > scale {
		return 0, 0, false
	}
	for ; s < scale; s++ {
		if m > math.MaxInt64/10 || m < math.MinInt64/10 {
			return 0, 0, false
		}
		m *= 10
	}
	switch f.Op {
	case Gt:
		return m + 1, math.MaxInt64, m < math.MaxInt64
	case Gte:
		return m, math.MaxInt64, true
	case Lt:
		return math.MinInt64, m - 1, m > math.MinInt64
	default:
		return math.MinInt64, m, true
	}
}

// point returns the mantissa of a scale that equals the one value.
func point(values []parts.Value, scale int) (lo, hi int64, ok bool) {
	if len(values) != 1 || values[0].Kind != parts.Number {
		return 1, 0, len(values) == 1 // what is no number equals none
	}
	m, s, ok := parts.Mantissa(values[0].Text)
	if !ok || s > scale {
		return 1, 0, ok // one with more digits behind the point equals none of the column
	}
	for ; s < scale; s++ {
		if m > math.MaxInt64/10 || m < math.MinInt64/10 {
			return 0, 0, false
		}
		m *= 10
	}
	return m, m, true
}

// test returns the filter as a condition on one value.
func (f *Filter) test() func(parts.Value) bool {
	switch f.Op {
	case Eq, In:
		return func(v parts.Value) bool { return !v.None() && slices.Contains(f.Values, v) }
	case Neq:
		return func(v parts.Value) bool { return v.None() || !slices.Contains(f.Values, v) }
	case StartsWith:
		return func(v parts.Value) bool { return v.Kind == parts.String && strings.HasPrefix(v.Text, f.Text) }
	case Contains:
		return func(v parts.Value) bool { return v.Kind == parts.String && strings.Contains(v.Text, f.Text) }
	case Gt, Gte, Lt, Lte:
		return f.compares()
	case Exists:
		return func(v parts.Value) bool { return !v.None() }
	case Holds:
		want, err := decodeJSON(f.JSON)
		return func(v parts.Value) bool {
			has, bad := jsonOf(v)
			return err == nil && bad == nil && v.Kind != parts.Absent && holds(has, want)
		}
	default:
		return func(parts.Value) bool { return false } // the contract knows no other
	}
}

func (f *Filter) compares() func(parts.Value) bool {
	bound, _ := new(big.Rat).SetString(strconv.FormatFloat(f.Number, 'g', -1, 64))
	return func(v parts.Value) bool {
		if v.Kind != parts.Number || bound == nil {
			return false
		}
		n, ok := new(big.Rat).SetString(v.Text)
		if !ok {
			return false
		}
		switch order := n.Cmp(bound); f.Op {
		case Gt:
			return order > 0
		case Gte:
			return order >= 0
		case Lt:
			return order < 0
		default:
			return order <= 0
		}
	}
}

func decodeJSON(b []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func jsonOf(v parts.Value) (any, error) {
	switch v.Kind {
	case parts.False:
		return false, nil
	case parts.True:
		return true, nil
	case parts.Number:
		return json.Number(v.Text), nil
	case parts.String:
		return v.Text, nil
	case parts.JSON:
		return decodeJSON([]byte(v.Text))
	default:
		return nil, nil
	}
}

// holds is jsonb's containment within a member: an object has all members, a list an equal of each element, in any
// order.
func holds(has, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		h, ok := has.(map[string]any)
		if !ok {
			return false
		}
		for k, x := range w {
			if y, there := h[k]; !there || !holds(y, x) {
				return false
			}
		}
		return true
	case []any:
		h, ok := has.([]any)
		if !ok {
			return false
		}
		for _, x := range w {
			if !slices.ContainsFunc(h, func(y any) bool { return holds(y, x) }) {
				return false
			}
		}
		return true
	case json.Number:
		h, ok := has.(json.Number)
		return ok && plain(h.String()) == plain(w.String())
	default:
		return has == want
	}
}

// AppendProps appends the props that the filter reads and the list has not.
func (f *Filter) AppendProps(to []string) []string { return f.props(to) }

// Fits returns the filter as a condition on values that are in no part, such as those of a profile. value returns that of a prop; a
// number has the text that ScalarValue gives it.
func (f *Filter) Fits() func(value func(prop string) parts.Value) bool {
	switch f.Op {
	case And, Or, Not:
		list := make([]func(func(string) parts.Value) bool, len(f.Filters))
		for i := range f.Filters {
			list[i] = f.Filters[i].Fits()
		}
		stop := f.Op == Or // what decides by itself
		return func(value func(string) parts.Value) bool {
			for _, fits := range list {
				if fits(value) == stop {
					return stop != (f.Op == Not)
				}
			}
			return !stop != (f.Op == Not)
		}
	default:
		test := f.test()
		return func(value func(string) parts.Value) bool { return test(value(f.Prop)) }
	}
}
