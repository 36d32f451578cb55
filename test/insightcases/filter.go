package insightcases

import (
	"encoding/json"
	"math/big"
	"strings"
)

// Filter is the tree of POST /v1/metrics/query.
type Filter struct {
	Op      string   `json:"op"`
	Filters []Filter `json:"filters"`
	Filter  *Filter  `json:"filter"`
	Prop    string   `json:"prop"`
	Value   any      `json:"value"`
	Values  []any    `json:"values"`
}

// Fits says whether props fit the filter; nil is fitted by all.
func (f *Filter) Fits(props map[string]any) bool {
	if f == nil {
		return true
	}
	value, number := props[f.Prop], rational(props[f.Prop])
	switch f.Op {
	case "and":
		for i := range f.Filters {
			if !f.Filters[i].Fits(props) {
				return false
			}
		}
		return true
	case "or":
		for i := range f.Filters {
			if f.Filters[i].Fits(props) {
				return true
			}
		}
		return false
	case "not":
		return !f.Filter.Fits(props)
	case "eq":
		return equal(value, f.Value)
	case "neq":
		return !equal(value, f.Value)
	case "in":
		for _, v := range f.Values {
			if equal(value, v) {
				return true
			}
		}
		return false
	case "contains":
		text, ok := value.(string)
		return ok && strings.Contains(text, f.Value.(string))
	case "exists":
		return value != nil
	case "gt":
		return number != nil && number.Cmp(rational(f.Value)) > 0
	case "gte":
		return number != nil && number.Cmp(rational(f.Value)) >= 0
	case "lt":
		return number != nil && number.Cmp(rational(f.Value)) < 0
	case "lte":
		return number != nil && number.Cmp(rational(f.Value)) <= 0
	default:
		panic("no filter is called " + f.Op)
	}
}

// equal compares as filters do: what is absent or null equals nothing.
func equal(a, b any) bool { return a != nil && b != nil && key(a) == key(b) }

// key is the type and the text of a value: equal for equal values only. The type orders values: null, booleans,
// numbers, texts, the rest.
func key(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "1true"
		}
		return "1false"
	case json.Number:
		return "2" + decimal(rational(v))
	case string:
		return "3" + v
	default:
		text, _ := json.Marshal(v)
		return "4" + string(text)
	}
}

func rational(v any) *big.Rat {
	n, ok := v.(json.Number)
	if !ok {
		return nil
	}
	r, _ := new(big.Rat).SetString(n.String())
	return r
}

// decimal writes a number in the one way that is its text.
func decimal(r *big.Rat) string {
	const enough = 40
	text := r.FloatString(enough)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
