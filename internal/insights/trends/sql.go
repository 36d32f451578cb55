package trends

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
	args   []any
	number string // the JSON value of prop
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
		s.number = s.member(q.prop)
	}
	return s
}

// Of the rows that series returns.
const (
	wholeRange = 0  // in place of a bucket, which are numbered from 1
	groupValue = -1 // in place of a bucket, in the rows that say which value a group is of
	allGroups  = -1 // in place of a group
	restGroup  = 0  // what is not shown; those shown are numbered from 1
)

// series returns the statement for the measure of each bucket, of each group, of each bucket of each group, and of
// everything: rows of bucket, group, measure and value of the group. The groups are the values of the breakdown with the
// largest measure over the whole range, at most limit, those of equal measure by value; a value whose events measure
// nothing does not appear.
//
// The events are read once, into what the rest is made of: counts, sums and extremes of each bucket and value, which
// several processors work out together; the people of each; or every number, for percentiles. Neither people nor
// percentiles add up, so they are never made of those of parts.
func (q *question) series(limit int) (string, []any) {
	s := q.begin()
	bucket := "width_bucket(e.ts, " + s.arg(q.bounds, "timestamptz[]") + ") AS b"
	if q.breakdown == NoBreakdown {
		sql := fmt.Sprintf("WITH m AS MATERIALIZED (%s) SELECT coalesce(x.b, %d)::int, %d, (%s)::text, NULL::text FROM m AS x GROUP BY GROUPING SETS ((x.b), ())",
			s.from(bucket, 1), wholeRange, allGroups, s.aggregate())
		return sql, s.args
	}
	sql := fmt.Sprintf("WITH m AS MATERIALIZED (%s), "+
		`top AS MATERIALIZED (SELECT x.k, row_number() OVER (ORDER BY %s DESC NULLS LAST, x.k COLLATE "C") AS slot FROM m AS x GROUP BY x.k ORDER BY slot LIMIT %s) `+
		"SELECT coalesce(x.b, %d)::int, coalesce(x.g, %d)::int, (%s)::text, NULL::text FROM ("+
		"SELECT %sy.b, CASE WHEN y.k IS NULL THEN coalesce((SELECT a.slot FROM top AS a WHERE a.k IS NULL), %[8]d) ELSE coalesce(t.slot, %[8]d) END AS g, %[9]s "+
		"FROM m AS y LEFT JOIN top AS t ON t.k = y.k) AS x GROUP BY GROUPING SETS ((x.b, x.g), (x.g), (x.b), ()) "+
		"UNION ALL SELECT %[10]d, t.slot::int, NULL, t.k FROM top AS t",
		s.from(bucket+", "+s.key()+" AS k", 2), s.aggregate(), s.arg(limit, "bigint"), wholeRange, allGroups, s.aggregate(),
		s.distinct(), restGroup, s.measured(), groupValue)
	return sql, s.args
}

// distinct is for people: a hash of them is far less work than sorting all of their events.
func (s *statement) distinct() string {
	if s.measure == Users {
		return "DISTINCT "
	}
	return ""
}

// measured is what m has beside bucket and key.
func (s *statement) measured() string {
	if s.measure == Avg {
		return "y.v, y.n"
	}
	return "y.v"
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

// value is what is measured of one event. Aggregates read rows that WHERE has let through; elsewhere PostgreSQL may evaluate
// WHERE later, so that a prop is a number is asked right where it is read as one.
func (s *statement) value() string {
	switch {
	case s.measure == Users:
		return `CASE WHEN e.user_id IS NOT NULL THEN 'u' || e.user_id ELSE 'a' || e.anonymous_id END COLLATE "C"`
	case s.measure.percentile() > 0:
		// Below 1e-307 a numeric has no normal double, and PostgreSQL would refuse the cast.
		return "CASE WHEN jsonb_typeof(r.j) = 'number' THEN CASE WHEN r.j::numeric < 1e-307 AND r.j::numeric > -1e-307 THEN 0 ELSE r.j::float8 END END"
	default:
		return s.number + "::numeric"
	}
}

// aggregate is the measure of the rows of x, which are of m. Sums and means are numeric: the same whatever the order of
// the events.
func (s *statement) aggregate() string {
	switch s.measure {
	case Count, Sum:
		return "sum(x.v)"
	case Users:
		return "count(DISTINCT x.v)"
	case Avg:
		return "sum(x.v) / sum(x.n)"
	case Min, Max:
		return string(s.measure) + "(x.v)"
	default:
		return fmt.Sprintf("percentile_cont(%g) WITHIN GROUP (ORDER BY x.v)", s.measure.percentile())
	}
}

// from is what m has of the events in question: columns, of which there are so many, and what is measured as v.
func (s *statement) from(columns string, n int) string {
	grouped := " GROUP BY 1"
	if n > 1 {
		grouped += ", 2"
	}
	value := s.value()
	isNumber := " AND jsonb_typeof(" + s.number + ") = 'number'"
	switch s.measure {
	case Count:
		return "SELECT " + columns + ", count(*) AS v" + s.events() + grouped
	case Users:
		return "SELECT DISTINCT " + columns + ", " + value + " AS v" + s.events() + " AND (e.user_id IS NOT NULL OR e.anonymous_id IS NOT NULL)"
	case Sum, Min, Max:
		return "SELECT " + columns + ", " + string(s.measure) + "(" + value + ") AS v" + s.events() + isNumber + grouped
	case Avg:
		return "SELECT " + columns + ", sum(" + value + ") AS v, count(*) AS n" + s.events() + isNumber + grouped
	default:
		// OFFSET 0 keeps the planner from looking the prop up once for each use of it.
		of := "r.b"
		if n > 1 {
			of += ", r.k"
		}
		return "SELECT " + of + ", " + value + " AS v FROM (SELECT " + columns + ", " + s.number + " AS j" + s.events() + " OFFSET 0) AS r WHERE jsonb_typeof(r.j) = 'number'"
	}
}

// events are those in question.
func (s *statement) events() string {
	var b strings.Builder
	from, to := s.arg(s.bounds[0], "timestamptz"), s.arg(s.bounds[len(s.bounds)-1], "timestamptz")
	// The ids choose the partitions and the part of the index. Bounds are whole milliseconds, as the time in an id is,
	// so they choose the same events that the times do.
	fmt.Fprintf(&b, " FROM events e WHERE e.project_id = %s AND e.id >= event_id_floor(%[2]s) AND e.id < event_id_floor(%[3]s) AND e.ts >= %[2]s AND e.ts < %[3]s",
		s.arg(s.projectID, "uuid"), from, to)
	if len(s.names) > 0 {
		b.WriteString(" AND e.name = ANY (" + s.arg(s.names, "text[]") + ")")
	}
	if s.props != nil {
		b.WriteString(" AND e.props @> " + s.arg(string(s.props), "text") + "::jsonb")
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
