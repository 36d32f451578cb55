package trends

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// comparisons are the operators that have an SQL operator of their own.
var comparisons = map[query.Op]string{query.Gt: ">", query.Gte: ">=", query.Lt: "<", query.Lte: "<="}

// condition is a filter as an expression that is true or false and never NULL, so that NOT means what it says.
func (s *statement) condition(f *query.Filter) string {
	switch f.Op {
	case query.And:
		return s.conditions(f.Filters, " AND ")
	case query.Or:
		return s.conditions(f.Filters, " OR ")
	case query.Not:
		return "(NOT " + s.condition(&f.Filters[0]) + ")"
	case query.Neq: // of a list, no element is equal; absent is not equal
		return "(NOT " + s.condition(&query.Filter{Op: query.Eq, Path: f.Path, Values: f.Values}) + ")"
	default:
		lists, value := s.at(f.Path)
		test := s.test(f, value)
		if len(lists) == 0 {
			return test
		}
		return "EXISTS (SELECT 1 FROM " + strings.Join(lists, ", ") + " WHERE " + test + ")"
	}
}

// test is a condition on one JSON value.
func (s *statement) test(f *query.Filter, value string) string {
	switch f.Op {
	case query.Eq:
		return "coalesce(" + value + " = " + s.arg(string(f.Values[0]), "text") + "::jsonb, false)"
	case query.In:
		return "coalesce(" + value + " = ANY (" + s.arg(texts(f.Values), "text[]") + "::jsonb[]), false)"
	case query.Contains:
		return onlyA("string", value, "strpos("+textOf(value)+", "+s.arg(f.Text, "text")+") > 0")
	case query.StartsWith:
		return onlyA("string", value, "starts_with("+textOf(value)+", "+s.arg(f.Text, "text")+")")
	case query.Gt, query.Gte, query.Lt, query.Lte:
		number, _ := json.Marshal(f.Number) // the contract takes finite numbers only
		return onlyA("number", value, value+" "+comparisons[f.Op]+" "+s.arg(string(number), "text")+"::jsonb")
	case query.Exists:
		return "coalesce(jsonb_typeof(" + value + ") <> 'null', false)"
	default:
		return "false" // the contract knows no other
	}
}

// onlyA is a test that is false of values of another type.
func onlyA(jsonType, value, test string) string {
	return fmt.Sprintf("CASE WHEN jsonb_typeof(%s) = '%s' THEN %s ELSE false END", value, jsonType, test)
}

func (s *statement) conditions(filters []query.Filter, operator string) string {
	parts := make([]string, len(filters))
	for i := range filters {
		parts[i] = s.condition(&filters[i])
	}
	return "(" + strings.Join(parts, operator) + ")"
}

func texts(values []json.RawMessage) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
