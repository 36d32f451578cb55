package trends

import (
	"encoding/json"
	"fmt"
	"strings"
)

// comparisons are the operators that have an SQL operator of their own.
var comparisons = map[Op]string{Gt: ">", Gte: ">=", Lt: "<", Lte: "<="}

// condition is a filter as an expression that is true or false and never NULL, so that NOT means what it says.
func (s *statement) condition(f *Filter) string {
	switch f.Op {
	case And:
		return s.conditions(f.Filters, " AND ")
	case Or:
		return s.conditions(f.Filters, " OR ")
	case Not:
		return "(NOT " + s.condition(&f.Filters[0]) + ")"
	case Eq:
		return "coalesce(" + s.member(f.Prop) + " = " + s.arg(string(f.Values[0]), "text") + "::jsonb, false)"
	case Neq:
		return "coalesce(" + s.member(f.Prop) + " <> " + s.arg(string(f.Values[0]), "text") + "::jsonb, true)"
	case In:
		return "coalesce(" + s.member(f.Prop) + " = ANY (" + s.arg(texts(f.Values), "text[]") + "::jsonb[]), false)"
	case Contains:
		prop := s.arg(f.Prop, "text")
		return fmt.Sprintf("CASE WHEN jsonb_typeof(e.props -> %[1]s) = 'string' THEN strpos(e.props ->> %[1]s, %[2]s) > 0 ELSE false END", prop, s.arg(f.Text, "text"))
	case Gt, Gte, Lt, Lte:
		member := s.member(f.Prop)
		number, _ := json.Marshal(f.Number) // the contract takes finite numbers only
		return fmt.Sprintf("CASE WHEN jsonb_typeof(%[1]s) = 'number' THEN %[1]s %[2]s %[3]s::jsonb ELSE false END",
			member, comparisons[f.Op], s.arg(string(number), "text"))
	case Exists:
		return "coalesce(jsonb_typeof(" + s.member(f.Prop) + ") <> 'null', false)"
	default:
		return "false" // the contract knows no other
	}
}

func (s *statement) conditions(filters []Filter, operator string) string {
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
