package people

import (
	"cmp"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/bahagh/nimbus/internal/events"
)

// Op is what an operation does to a profile.
type Op = events.ProfileOp

// The operations.
const (
	Set     = events.ProfileSet
	SetOnce = events.ProfileSetOnce
	Add     = events.ProfileAdd
	Append  = events.ProfileAppend
	Union   = events.ProfileUnion
	Remove  = events.ProfileRemove
	Unset   = events.ProfileUnset
	Delete  = events.ProfileDelete
)

// Value is a value of a profile: nil, bool, Number, string, []Value or map[string]Value. It is not changed after it was
// handed over.
type Value any

// Number is a decimal number as JSON writes it. It is exact: 0.1 three times is 0.3.
type Number string

// Operation is one change of a profile.
type Operation struct {
	Op Op
	// TS and Received are in microseconds since 1970, UTC.
	TS, Received int64
	// Props are the values of all operations but unset and delete.
	Props map[string]Value
	// Names are those that unset takes away.
	Names []string
}

// Profile is what is known of a person: values by name.
type Profile map[string]Value

// Apply returns the profile that operations make, from nothing, and whether there is one: one that was deleted, and
// nothing since, is none. The operations are given in the order that they were sent in.
func Apply(operations []Operation) (Profile, bool) {
	operations = slices.Clone(operations)
	slices.SortStableFunc(operations, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.Received, b.Received))
	})
	p, exists := Profile{}, false
	for _, o := range operations {
		p.apply(&o)
		exists = o.Op != Delete
	}
	return p, exists
}

func (p Profile) apply(o *Operation) {
	switch o.Op {
	case Delete:
		clear(p)
	case Unset:
		for _, name := range o.Names {
			delete(p, name)
		}
	default:
		for _, name := range slices.Sorted(maps.Keys(o.Props)) {
			p.change(o.Op, name, o.Props[name])
		}
	}
}

func (p Profile) change(op Op, name string, value Value) {
	current, there := p[name]
	there = there && current != nil
	list, isList := current.([]Value)
	switch op {
	case Set:
		p[name] = value
	case SetOnce:
		if !there {
			p[name] = value
		}
	case Add:
		if sum, ok := add(current, value, there); ok {
			p[name] = sum
		}
	case Append:
		if isList || !there {
			p[name] = append(slices.Clone(list), value)
		}
	case Union:
		if isList || !there {
			p[name] = union(list, listOf(value))
		}
	case Remove:
		if isList {
			gone := listOf(value)
			p[name] = slices.DeleteFunc(slices.Clone(list), func(v Value) bool { return contains(gone, v) })
		}
	case Unset, Delete: // have no values
	}
}

// listOf takes a value that is no list as a list of one.
func listOf(value Value) []Value {
	if list, ok := value.([]Value); ok {
		return list
	}
	return []Value{value}
}

func union(list, more []Value) []Value {
	list = slices.Clone(list)
	for _, v := range more {
		if !contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

func contains(list []Value, v Value) bool {
	return slices.ContainsFunc(list, func(other Value) bool { return Equal(v, other) })
}

// Equal says whether two values are equal, as filters compare them: 1 and 1.0 are, 1 and "1" are not.
func Equal(a, b Value) bool {
	switch a := a.(type) {
	case Number:
		b, ok := b.(Number)
		return ok && (a == b || a.equal(b))
	case []Value:
		b, ok := b.([]Value)
		return ok && slices.EqualFunc(a, b, Equal)
	case map[string]Value:
		b, ok := b.(map[string]Value)
		return ok && maps.EqualFunc(a, b, Equal)
	default:
		switch b.(type) {
		case []Value, map[string]Value, Number: // not comparable, or of another type
			return false
		}
		return a == b
	}
}

// maxExponent bounds the numbers that are calculated with, to what a double can hold: 1e1000000 is short to write and a
// megabyte to add.
const maxExponent = 400

// exact returns the number as a fraction, and how many decimals it has.
func (n Number) exact() (r *big.Rat, decimals int, ok bool) {
	mantissa, exponent := string(n), 0
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		e, valid := new(big.Int).SetString(strings.TrimPrefix(mantissa[i+1:], "+"), 10)
		if !valid || !e.IsInt64() || max(e.Int64(), -e.Int64()) > maxExponent {
			return nil, 0, false
		}
		mantissa, exponent = mantissa[:i], int(e.Int64())
	}
	if i := strings.IndexByte(mantissa, '.'); i >= 0 {
		decimals = len(mantissa) - i - 1
	}
	r, ok = new(big.Rat).SetString(string(n))
	return r, max(0, decimals-exponent), ok
}

func (n Number) equal(other Number) bool {
	a, _, ok := n.exact()
	b, _, valid := other.exact()
	return ok && valid && a.Cmp(b) == 0
}

// add returns the sum of two numbers, the first being 0 when it is not there.
func add(current, value Value, there bool) (Value, bool) {
	if !there {
		current = Number("0")
	}
	x, ok := current.(Number)
	y, isNumber := value.(Number)
	if !ok || !isNumber {
		return nil, false
	}
	a, decimals, ok := x.exact()
	b, more, valid := y.exact()
	if !ok || !valid {
		return nil, false
	}
	sum := a.Add(a, b).FloatString(max(decimals, more))
	if strings.Contains(sum, ".") {
		sum = strings.TrimRight(strings.TrimRight(sum, "0"), ".")
	}
	return Number(sum), true
}
