package trends

import (
	"encoding/json"
	"strconv"

	"github.com/bahagh/nimbus/internal/contract"
)

// Op is the kind of a Filter.
type Op string

// The operators.
const (
	And      Op = "and"
	Or       Op = "or"
	Not      Op = "not"
	Eq       Op = "eq"
	Neq      Op = "neq"
	In       Op = "in"
	Contains Op = "contains"
	Gt       Op = "gt"
	Gte      Op = "gte"
	Lt       Op = "lt"
	Lte      Op = "lte"
	Exists   Op = "exists"
)

// Filter is a condition on the props of an event. Every condition is true or false, of a prop that is absent too: what
// is absent or null equals nothing.
type Filter struct {
	Op      Op
	Filters []Filter          // and, or: at least one; not: exactly one
	Prop    string            // all others
	Values  []json.RawMessage // in; eq, neq: exactly one; each a JSON scalar that is not null
	Text    string            // contains
	Number  float64           // gt, gte, lt, lte
}

const (
	maxFilterDepth = 8
	maxFilterNodes = 50
)

// filterCheck holds a tree to the rules that the contract cannot say, while it is read.
type filterCheck struct {
	nodes int
	bad   []contract.FieldError
}

// enter counts a node at a depth, the root's being 1. It returns false when the tree is refused anyway and need not be
// read further, which also bounds the work on one that is far too large.
func (c *filterCheck) enter(pointer string, depth int) bool {
	c.nodes++
	switch {
	case depth > maxFilterDepth:
		c.refuse(pointer, contract.CodeTooDeep, "a filter is at most "+strconv.Itoa(maxFilterDepth)+" levels deep")
		return false
	case c.nodes == maxFilterNodes+1:
		c.refuse("/filter", contract.CodeTooLarge, "has more than "+strconv.Itoa(maxFilterNodes)+" nodes")
		return false
	default:
		return c.nodes <= maxFilterNodes
	}
}

// scalar checks that a value is neither an object nor an array.
func (c *filterCheck) scalar(pointer string, v json.RawMessage) {
	if len(v) == 0 || v[0] == '{' || v[0] == '[' {
		c.refuse(pointer, contract.CodeType, "must be a string, a number, true or false")
	}
}

func (c *filterCheck) refuse(pointer, code, detail string) {
	c.bad = append(c.bad, contract.FieldError{In: contract.InBody, Pointer: pointer, Code: code, Detail: detail, Item: -1})
}
