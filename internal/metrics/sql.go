package metrics

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// question is what statements read of the events of a project.
type question struct {
	projectID     uuid.UUID
	bounds        []time.Time // of the buckets, whole milliseconds
	names         []string    // all when empty
	props         []byte      // a JSON object that the props contain; nil means any
	filter        *Filter     // nil means any
	measure       Measure
	prop          string // of a numeric measure
	breakdown     Breakdown
	breakdownProp string
}

// statement is SQL in the making. Nothing that a caller sent is ever part of its text: values are bound, and columns,
// operators and functions are those written in this file.
type statement struct {
	*question
	args     []any
	measured string // the JSON value of prop
}

// arg binds a value and returns its place.
func (s *statement) arg(value any, cast string) string {
	s.args = append(s.args, value)
	return "$" + strconv.Itoa(len(s.args)) + "::" + cast
}

// member is the JSON value of a member of props, NULL when absent.
func (s *statement) member(prop string) string { return "(e.props -> " + s.arg(prop, "text") + ")" }

// begin starts a statement on a question.
func (q *question) begin() *statement {
	s := &statement{question: q}
	if q.measure.numeric() {
		s.measured = s.member(q.prop)
	}
	return s
}

// topGroups returns the statement for the values of the breakdown with the largest measure over the whole range,
// those of equal measure by value. A value whose events measure nothing does not appear.
func (q *question) topGroups(limit int) (string, []any) {
	s := q.begin()
	inner := s.from(s.key() + " AS k")
	sql := fmt.Sprintf("SELECT x.k FROM (%s) AS x GROUP BY x.k ORDER BY %s DESC NULLS LAST, x.k COLLATE \"C\" LIMIT %s",
		inner, s.aggregate(), s.arg(limit, "bigint"))
	return sql, s.args
}

// Of the rows that series returns.
const (
	wholeRange = 0  // in place of a bucket, which are numbered from 1
	allGroups  = -1 // in place of a group
	restGroup  = 0  // what is not shown; those shown are numbered from 1
)

// series returns the statement for the measure of each bucket, of each group, of each bucket of each group, and of
// everything: rows of bucket, group and value. shown is the groups, nil being the one of events without the prop. Each
// number comes from the events themselves, since neither distinct people nor averages add up.
func (q *question) series(shown []*string) (string, []any) {
	s := q.begin()
	bucket := "width_bucket(e.ts, " + s.arg(q.bounds, "timestamptz[]") + ") AS b"
	inner, group, sets := "", strconv.Itoa(allGroups), "(x.b), ()"
	if q.breakdown == NoBreakdown {
		inner = s.from(bucket)
	} else {
		absent := restGroup
		for i, k := range shown {
			if k == nil {
				absent = i + 1
			}
		}
		// OFFSET 0 keeps the planner from pulling the inner query up and computing the key once for each use of it.
		inner = fmt.Sprintf("SELECT %[1]sy.b, CASE WHEN y.k IS NULL THEN %[2]s ELSE coalesce(t.slot, %[3]d) END AS g%[4]s FROM (%[5]s OFFSET 0) AS y "+
			"LEFT JOIN unnest(%[6]s) WITH ORDINALITY AS t (k, slot) ON t.k = y.k",
			s.distinct(), s.arg(absent, "bigint"), restGroup, s.measuredColumn("y.v"), s.from(bucket+", "+s.key()+" AS k"), s.arg(shown, "text[]"))
		group, sets = "coalesce(x.g, "+strconv.Itoa(allGroups)+")", "(x.b, x.g), (x.g), (x.b), ()"
	}
	sql := fmt.Sprintf("SELECT coalesce(x.b, %d)::int, %s::int, (%s)::text FROM (%s) AS x GROUP BY GROUPING SETS (%s)",
		wholeRange, group, s.aggregate(), inner, sets)
	return sql, s.args
}

// distinct is for people: a hash of them is far less work than sorting all of their events.
func (s *statement) distinct() string {
	if s.measure == Users {
		return "DISTINCT "
	}
	return ""
}

// measuredColumn is what is measured as a further column v, nothing for the event itself.
func (s *statement) measuredColumn(expression string) string {
	if s.measure == Count {
		return ""
	}
	return ", " + expression + " AS v"
}

// key is the value of the breakdown as text; NULL when the prop is absent or null. Numbers are written in one way each,
// so that 1 and 1.0 are one group.
func (s *statement) key() string {
	if s.breakdown == ByName {
		return "e.name"
	}
	prop := s.arg(s.breakdownProp, "text")
	return fmt.Sprintf("CASE jsonb_typeof(e.props -> %[1]s) WHEN 'number' THEN trim_scale((e.props -> %[1]s)::numeric)::text ELSE e.props ->> %[1]s END", prop)
}

// value is what is measured of one event, "" for the event itself. That a prop is a number is asked right where it is
// read as one: PostgreSQL may evaluate WHERE later.
func (s *statement) value() string {
	switch {
	case s.measure == Users:
		return `CASE WHEN e.user_id IS NOT NULL THEN 'u' || e.user_id ELSE 'a' || e.anonymous_id END COLLATE "C"`
	case s.measure.percentile() > 0:
		// Below 1e-307 a numeric has no normal double, and PostgreSQL would refuse the cast.
		return fmt.Sprintf("CASE WHEN jsonb_typeof(%[1]s) = 'number' THEN CASE WHEN %[1]s::numeric < 1e-307 AND %[1]s::numeric > -1e-307 THEN 0 "+
			"ELSE %[1]s::float8 END END", s.measured)
	case s.measure.numeric():
		return fmt.Sprintf("CASE WHEN jsonb_typeof(%[1]s) = 'number' THEN %[1]s::numeric END", s.measured)
	default:
		return ""
	}
}

// aggregate is the measure of the rows of x. Sums and means are numeric: the same whatever the order of the events.
func (s *statement) aggregate() string {
	switch s.measure {
	case Count:
		return "count(*)"
	case Users:
		return "count(DISTINCT x.v)"
	case Sum, Avg, Min, Max:
		return string(s.measure) + "(x.v)"
	default:
		return fmt.Sprintf("percentile_cont(%g) WITHIN GROUP (ORDER BY x.v)", s.measure.percentile())
	}
}

// from selects columns of the events in question, and what is measured of each as v.
func (s *statement) from(columns string) string {
	var b strings.Builder
	b.WriteString("SELECT " + s.distinct() + columns + s.measuredColumn(s.value()) + " FROM events e")
	from, to := s.arg(s.bounds[0], "timestamptz"), s.arg(s.bounds[len(s.bounds)-1], "timestamptz")
	// The ids choose the partitions and the part of the index. Bounds are whole milliseconds, as the time in an id is,
	// so they choose the same events that the times do.
	fmt.Fprintf(&b, " WHERE e.project_id = %s AND e.id >= event_id_floor(%[2]s) AND e.id < event_id_floor(%[3]s) AND e.ts >= %[2]s AND e.ts < %[3]s",
		s.arg(s.projectID, "uuid"), from, to)
	if len(s.names) > 0 {
		b.WriteString(" AND e.name = ANY (" + s.arg(s.names, "text[]") + ")")
	}
	if s.props != nil {
		b.WriteString(" AND e.props @> " + s.arg(string(s.props), "text") + "::jsonb")
	}
	switch {
	case s.measure == Users:
		b.WriteString(" AND (e.user_id IS NOT NULL OR e.anonymous_id IS NOT NULL)")
	case s.measure.numeric():
		b.WriteString(" AND jsonb_typeof(" + s.measured + ") = 'number'")
	}
	if s.filter != nil {
		b.WriteString(" AND " + s.condition(s.filter))
	}
	return b.String()
}

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
