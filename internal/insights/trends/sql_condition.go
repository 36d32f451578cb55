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
	case query.Eq:
		return "coalesce(" + s.member(f.Prop) + " = " + s.arg(string(f.Values[0]), "text") + "::jsonb, false)"
	case query.Neq:
		return "coalesce(" + s.member(f.Prop) + " <> " + s.arg(string(f.Values[0]), "text") + "::jsonb, true)"
	case query.In:
		return "coalesce(" + s.member(f.Prop) + " = ANY (" + s.arg(texts(f.Values), "text[]") + "::jsonb[]), false)"
	case query.Contains:
		prop := s.arg(f.Prop, "text")
		return fmt.Sprintf("CASE WHEN jsonb_typeof(e.props -> %[1]s) = 'string' THEN strpos(e.props ->> %[1]s, %[2]s) > 0 ELSE false END", prop, s.arg(f.Text, "text"))
	case query.Gt, query.Gte, query.Lt, query.Lte:
		member := s.member(f.Prop)
		number, _ := json.Marshal(f.Number) // the contract takes finite numbers only
		return fmt.Sprintf("CASE WHEN jsonb_typeof(%[1]s) = 'number' THEN %[1]s %[2]s %[3]s::jsonb ELSE false END",
			member, comparisons[f.Op], s.arg(string(number), "text"))
	case query.Exists:
		return "coalesce(jsonb_typeof(" + s.member(f.Prop) + ") <> 'null', false)"
	default:
		return "false" // the contract knows no other
	}
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
