package query

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/events"
)

// Op is the kind of a Filter.
type Op string

// The operators.
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
)

// Filter is a condition on the props of an event. Every condition is true or false, of a value that is absent too: one that
// is absent or null equals nothing. With a path to several values it is true when one of them fits; neq is the opposite of
// eq, so none of them may be equal.
type Filter struct {
	Op      Op
	Filters []Filter          // and, or: at least one; not: exactly one
	Path    events.Path       // all others: the value in question
	Values  []json.RawMessage // in; eq, neq: exactly one; each a JSON scalar that is not null
	Text    string            // contains, starts_with
	Number  float64           // gt, gte, lt, lte
}

// How large a filter may be.
const (
	MaxFilterDepth = 8
	MaxFilterNodes = 50
)

// Check returns what is wrong with a filter that the contract cannot say. A nil filter is right.
func (f *Filter) Check() Invalid {
	if f == nil {
		return nil
	}
	c := &filterCheck{}
	c.node(f, []any{"filter"}, 1)
	return c.bad
}

// Scan is the filter as a scan of parts evaluates it. It is false when it looks into objects or lists, which parts do not: each
// prop is a column. A nil filter is nil.
func (f *Filter) Scan() (*scan.Filter, bool) {
	if f == nil {
		return nil, true
	}
	out := scan.Filter{Op: scan.Op(f.Op), Text: f.Text, Number: f.Number}
	if f.Path != nil {
		if len(f.Path) != 1 {
			return nil, false
		}
		out.Prop = f.Path[0].Member
	}
	for i := range f.Filters {
		under, ok := f.Filters[i].Scan()
		if !ok {
			return nil, false
		}
		out.Filters = append(out.Filters, *under)
	}
	for _, raw := range f.Values {
		v, err := scan.ScalarValue(raw)
		if err != nil {
			return nil, false
		}
		out.Values = append(out.Values, v)
	}
	return &out, true
}

// Holds are the conditions that props contain a JSON object: one for each of its members.
func Holds(object []byte) ([]scan.Filter, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, fmt.Errorf("read a JSON object: %w", err)
	}
	all := make([]scan.Filter, 0, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		all = append(all, scan.Filter{Op: scan.Holds, Prop: name, JSON: members[name]})
	}
	return all, nil
}

type filterCheck struct {
	nodes int
	bad   Invalid
}

func (c *filterCheck) node(f *Filter, at []any, depth int) {
	c.nodes++
	switch {
	case depth > MaxFilterDepth:
		c.refuse(at, contract.CodeTooDeep, "a filter is at most "+strconv.Itoa(MaxFilterDepth)+" levels deep")
		return
	case c.nodes == MaxFilterNodes+1:
		c.refuse([]any{"filter"}, contract.CodeTooLarge, "has more than "+strconv.Itoa(MaxFilterNodes)+" nodes")
		return
	case c.nodes > MaxFilterNodes:
		return
	}
	for i := range f.Filters {
		if f.Op == Not {
			c.node(&f.Filters[i], below(at, "filter"), depth+1)
		} else {
			c.node(&f.Filters[i], below(at, "filters", i), depth+1)
		}
	}
	for i := range f.Values {
		if f.Op == In {
			c.scalar(f.Values[i], below(at, "values", i))
		} else {
			c.scalar(f.Values[i], below(at, "value"))
		}
	}
}

// scalar checks that a value is neither an object nor a list.
func (c *filterCheck) scalar(v json.RawMessage, at []any) {
	if len(v) == 0 || v[0] == '{' || v[0] == '[' {
		c.refuse(at, contract.CodeType, "must be a string, a number, true or false")
	}
}

func (c *filterCheck) refuse(at []any, code, detail string) {
	c.bad = append(c.bad, Fault{At: at, Code: code, Detail: detail})
}

// below is a way that goes on from another, and shares nothing with it.
func below(at []any, steps ...any) []any { return append(slices.Clone(at), steps...) }
