package trends

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// question is what statements read of the events of a project.
type question struct {
	projectID     uuid.UUID
	bounds        []time.Time   // of the buckets, whole milliseconds
	names         []string      // all when empty
	props         []byte        // a JSON object that the props contain; nil means any
	filter        *query.Filter // nil means any
	measure       Measure
	prop          events.Path // of a numeric measure
	breakdown     Breakdown
	breakdownProp events.Path
	aliases       []behaviour.Alias // of people
}

// statement is SQL in the making. Nothing that a caller sent is ever part of its text: values are bound, and columns,
// operators and functions are those written in this file.
type statement struct {
	*question
	args     []any
	elements int      // lists whose elements have been named so far
	number   string   // the JSON value of prop
	own      string   // what names the person of an event, where people are measured
	lists    []string // what the events are joined with where prop has several values
}

// arg binds a value and returns its place.
func (s *statement) arg(value any, cast string) string {
	s.args = append(s.args, value)
	return "$" + strconv.Itoa(len(s.args)) + "::" + cast
}

// at is the JSON value at a path in the props of e, NULL when absent. Each [] of the path is an item of FROM beside e, in the
// rows of which the value is that of one element; a value that is no list has none. A step by name into a list and one by
// number into anything else find nothing. The latter is a strict jsonpath, because -> takes a scalar for a list of one.
func (s *statement) at(path events.Path) (lists []string, value string) {
	value = "e.props"
	steps := 0 // since the last []
	for _, step := range path {
		switch {
		case step.Each:
			value = grouped(value, steps)
			s.elements++
			name := "l" + strconv.Itoa(s.elements)
			lists = append(lists, fmt.Sprintf("jsonb_array_elements(CASE WHEN jsonb_typeof(%[1]s) = 'array' THEN %[1]s ELSE '[]' END) AS %[2]s (v)", value, name))
			value, steps = name+".v", 0
		case step.Member != "":
			value += " -> " + s.arg(step.Member, "text")
			steps++
		default:
			value = "jsonb_path_query_first(" + value + ", " + s.arg("strict $["+strconv.Itoa(step.Index)+"]", "text") + "::jsonpath, silent => true)"
			steps = 0
		}
	}
	return lists, grouped(value, steps)
}

// grouped has parentheses around an expression that has operators.
func grouped(expression string, operators int) string {
	if operators == 0 {
		return expression
	}
	return "(" + expression + ")"
}

// textOf is a JSON string as it is, anything else as its JSON text.
func textOf(value string) string { return value + " #>> '{}'" }

// begin starts a statement on a question.
func (q *question) begin() *statement {
	s := &statement{question: q}
	if q.measure.numeric() {
		s.lists, s.number = s.at(q.prop)
	}
	if q.measure == Users {
		s.own = s.named()
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
// The statement is a chain: measured reads the events once, top chooses the groups, placed gives each row its group, and the
// selects add up. Neither people nor percentiles add up, so they are never made of those of parts: measured keeps each person
// of a bucket, or every number.
func (q *question) series(limit int) (string, []any) {
	s := q.begin()
	if q.breakdown == NoBreakdown {
		sql := with(cte("m", s.measured())) + s.totals()
		return sql, s.args
	}
	sql := with(cte("m", s.measured()), cte("top", s.top(limit))) + s.totalsByGroup() + " UNION ALL " + groupValues()
	return sql, s.args
}

func with(ctes ...string) string { return "WITH " + strings.Join(ctes, ", ") + " " }

// cte is materialized: otherwise the planner reads the events once for each use of it.
func cte(name, query string) string { return name + " AS MATERIALIZED (" + query + ")" }

// totals adds up m for each bucket and for the whole range.
func (s *statement) totals() string {
	return "SELECT " + s.bucketOr(wholeRange) + ", " + strconv.Itoa(allGroups) + ", " + s.text() + ", NULL::text" +
		" FROM m AS x GROUP BY GROUPING SETS ((x.b), ())"
}

// top is the groups that are shown, each with its place, the largest first.
func (s *statement) top(limit int) string {
	return "SELECT x.k, row_number() OVER (ORDER BY " + s.aggregate() + ` DESC NULLS LAST, x.k COLLATE "C") AS slot` +
		" FROM m AS x GROUP BY x.k ORDER BY slot LIMIT " + s.arg(limit, "bigint")
}

// placed is the rows of m, each with the place of its group. A join would not find the group of NULL, which equals nothing.
func (s *statement) placed() string {
	rest := strconv.Itoa(restGroup)
	return "SELECT " + s.distinct() + "y.b, CASE WHEN y.k IS NULL THEN coalesce((SELECT a.slot FROM top AS a WHERE a.k IS NULL), " + rest +
		") ELSE coalesce(t.slot, " + rest + ") END AS g, " + s.measuredColumns() + " FROM m AS y LEFT JOIN top AS t ON t.k = y.k"
}

// totalsByGroup adds up the placed rows for each bucket of each group, each group, each bucket, and everything.
func (s *statement) totalsByGroup() string {
	return "SELECT " + s.bucketOr(wholeRange) + fmt.Sprintf(", coalesce(x.g, %d)::int, ", allGroups) + s.text() + ", NULL::text" +
		" FROM (" + s.placed() + ") AS x GROUP BY GROUPING SETS ((x.b, x.g), (x.g), (x.b), ())"
}

// groupValues says which value each group is of.
func groupValues() string {
	return fmt.Sprintf("SELECT %d, t.slot::int, NULL, t.k FROM top AS t", groupValue)
}

// bucketOr is the bucket of a row of x, or the number that stands for all of them.
func (s *statement) bucketOr(all int) string { return fmt.Sprintf("coalesce(x.b, %d)::int", all) }

// distinct is for people: a hash table of them costs far less than a sort of all of their events.
func (s *statement) distinct() string {
	if s.measure == Users {
		return "DISTINCT "
	}
	return ""
}

// measuredColumns is what m has beside bucket and key.
func (s *statement) measuredColumns() string {
	if s.measure == Avg {
		return "y.v, y.n"
	}
	return "y.v"
}

// measured reads the events, once, into what everything else is made of: for each bucket, and each key of a breakdown, the
// counts, sums and extremes, which several processors work out together; the people; or every number, for percentiles. What
// is measured is v, and of means also n.
func (s *statement) measured() string {
	columns, names := []string{"width_bucket(e.ts, " + s.arg(s.bounds, "timestamptz[]") + ") AS b"}, []string{"r.b"}
	grouped := " GROUP BY 1"
	if s.breakdown != NoBreakdown {
		columns, names = append(columns, s.key()+" AS k"), append(names, "r.k")
		grouped += ", 2"
	}
	from, value := strings.Join(columns, ", "), s.value()
	isNumber := " AND jsonb_typeof(" + s.number + ") = 'number'"
	switch s.measure {
	case Count:
		return "SELECT " + from + ", count(*) AS v" + s.events() + grouped
	case Users:
		return "SELECT DISTINCT " + from + ", " + value + " AS v" + s.events() + " AND " + s.own + " IS NOT NULL"
	case Sum, Min, Max:
		return "SELECT " + from + ", " + string(s.measure) + "(" + value + ") AS v" + s.events() + isNumber + grouped
	case Avg:
		return "SELECT " + from + ", sum(" + value + ") AS v, count(*) AS n" + s.events() + isNumber + grouped
	default:
		// OFFSET 0 keeps the planner from looking the prop up once for each use of it.
		return "SELECT " + strings.Join(names, ", ") + ", " + value + " AS v FROM (SELECT " + from + ", " + s.number + " AS j" + s.events() +
			" OFFSET 0) AS r WHERE jsonb_typeof(r.j) = 'number'"
	}
}

// key is the value of the breakdown as text; NULL when the prop is absent or null. Numbers are written in one way each, in
// lists and objects too, so that 1 and 1.0 are one group, and [1] and [1.0].
func (s *statement) key() string {
	if s.breakdown == ByName {
		return "e.name"
	}
	_, value := s.at(s.breakdownProp) // without lists: an event is in one group
	return fmt.Sprintf("CASE jsonb_typeof(%[1]s) WHEN 'number' THEN trim_scale(%[1]s::numeric)::text "+
		"WHEN 'array' THEN canonical_json(%[1]s)::text WHEN 'object' THEN canonical_json(%[1]s)::text ELSE %[2]s END", value, textOf(value))
}

// value is what is measured of one event. Aggregates read rows that WHERE has let through; elsewhere PostgreSQL may evaluate
// WHERE later, so that a prop is a number is asked right where it is read as one.
func (s *statement) value() string {
	switch {
	case s.measure == Users:
		return s.person()
	case s.measure.percentile() > 0:
		// Below 1e-307 a numeric has no normal double, and PostgreSQL would refuse the cast.
		return "CASE WHEN jsonb_typeof(r.j) = 'number' THEN CASE WHEN r.j::numeric < 1e-307 AND r.j::numeric > -1e-307 THEN 0 ELSE r.j::float8 END END"
	default:
		return s.number + "::numeric"
	}
}

// text is the measure as answers read it: a mean as the quotient that it is, because PostgreSQL would round it.
func (s *statement) text() string {
	if s.measure == Avg {
		return "sum(x.v)::text || '/' || sum(x.n)::text"
	}
	return "(" + s.aggregate() + ")::text"
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

// events are those in question.
func (s *statement) events() string {
	var b strings.Builder
	from, to := s.arg(s.bounds[0], "timestamptz"), s.arg(s.bounds[len(s.bounds)-1], "timestamptz")
	// The ids choose the partitions and the part of the index. Bounds are whole milliseconds, as the time in an id is,
	// so they choose the same events that the times do.
	tables := strings.Join(append([]string{"events e" + s.identified()}, s.lists...), ", ")
	fmt.Fprintf(&b, " FROM "+tables+" WHERE e.project_id = %s AND e.id >= event_id_floor(%[2]s) AND e.id < event_id_floor(%[3]s) AND e.ts >= %[2]s AND e.ts < %[3]s",
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
