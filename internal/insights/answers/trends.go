package answers

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/insights/measures"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// trend is a question of trends, resolved.
type trend struct {
	in       query.Range
	calendar query.Calendar
	bounds   []int64 // of the buckets, as the calendar has them
	asOf     int64
	lines    []trendLine
	formulas []*measures.Formula
	groups   *scan.Breakdown // nil: none
	by       []string        // what the groups are by, in words
	top      int
	resolver *resolver // knows whom the question considers
}

// trendLine is a line and the events that it is of.
type trendLine struct {
	measures.Line
	query  scan.Query
	number string // the prop that is measured
}

// tables are the lines of a question, measured.
type tables struct {
	lines []*measures.Table
	shown []uint32 // groups, the largest first
	rest  bool     // some line has events of other groups

	cohorts [][]*measures.Table // the lines of each cohort that the answer is broken down by
}

// reads is the query that reads all that the lines need.
func (t *trend) reads() *scan.Query {
	q := scan.Query{To: t.in.To, AsOf: t.asOf, From: t.in.From}
	for i := range t.lines {
		if t.lines[i].ByPerson() {
			q.From = min(q.From, max(0, t.person(&t.lines[i], t.bounds).Reads().From))
		}
	}
	if who := t.resolver.who; who != nil && who.resolver.query.From < who.resolver.query.To {
		q.From, q.To = min(q.From, who.resolver.query.From), max(q.To, who.resolver.query.To)
	}
	return &q
}

// person is a line as it is measured person by person.
func (t *trend) person(l *trendLine, bounds []int64) *measures.PeopleQuestion {
	q := &measures.PeopleQuestion{Line: l.Line, Range: t.in, Bounds: bounds, Groups: t.groups}
	if l.Rolling > 0 {
		q.Windows = measures.Windows(t.calendar, bounds, t.in, l.Rolling)
	}
	return q
}

// measuring is a question of trends while it is answered from one view.
type measuring struct {
	*trend
	ctx      context.Context
	view     *behaviour.View
	identity *behaviour.Identity
	only     *behaviour.Set // nil: everybody, and what nobody did
	memory   int64
}

// measure measures all lines of those whom the question considers, and of each cohort.
func (s *Service) measure(ctx context.Context, v *behaviour.View, t *trend) (*tables, error) {
	m := &measuring{trend: t, ctx: ctx, view: v, identity: v.Identity(t.asOf), memory: s.o.Memory}
	if m.memory == 0 {
		m.memory = scan.DefaultMemory
	}
	if err := t.resolver.fill(ctx, v, m.identity); err != nil {
		return nil, err
	}
	only, cohorts, err := s.audience(ctx, v, t.resolver.who, m.identity, &outcome{})
	if err != nil {
		return nil, err
	}
	m.only = only
	out, err := m.all()
	if err != nil {
		return nil, err
	}
	for _, set := range cohorts {
		if m.only = set; only != nil {
			m.only.Intersect(only)
		}
		of, err := m.all()
		if err != nil {
			return nil, err
		}
		out.cohorts = append(out.cohorts, of.lines)
	}
	return out, nil
}

// all measures all lines. Which groups are shown is said by the first.
func (m *measuring) all() (*tables, error) {
	out := &tables{}
	first, err := m.first(out)
	if err != nil {
		return nil, err
	}
	out.lines = append(out.lines, first)
	for i := range m.lines[1:] {
		table, err := m.table(&m.lines[1+i], m.bounds)
		if err != nil {
			return nil, err
		}
		out.lines = append(out.lines, table)
	}
	for _, table := range out.lines {
		_, rest := table.Groups[scan.Rest]
		out.rest = out.rest || rest
	}
	return out, nil
}

// first measures the first line, and decides which groups are shown. A breakdown with so many groups that their buckets do not
// fit in the memory is measured without buckets first.
func (m *measuring) first(out *tables) (*measures.Table, error) {
	l := &m.lines[0]
	if m.groups == nil {
		return m.table(l, m.bounds)
	}
	if l.ByPerson() || l.Measure == measures.Users {
		table, err := m.table(l, m.bounds)
		if errors.Is(err, scan.ErrTooLarge) {
			table, err = m.totals(l)
		}
		if err != nil {
			return nil, err
		}
		out.shown = m.rank(table)
		if len(table.Groups) == len(out.shown) && len(table.All.Values) == len(m.bounds)-1 {
			m.groups.Show(out.shown)
			return table, nil
		}
		m.groups.Show(out.shown)
		return m.table(l, m.bounds)
	}
	result, err := m.columns(l, m.bounds)
	if errors.Is(err, scan.ErrTooLarge) {
		table, err := m.totals(l)
		if err != nil {
			return nil, err
		}
		out.shown = m.rank(table)
		m.groups.Show(out.shown)
		return m.table(l, m.bounds)
	}
	if err != nil {
		return nil, err
	}
	totals := &measures.Table{Groups: map[uint32]measures.Row{}}
	for code, g := range result.Groups {
		totals.Groups[code] = measures.Row{Total: l.Measure.Of(&g.Whole)}
	}
	out.shown = m.rank(totals)
	m.groups.Show(out.shown)
	result.Fold(out.shown)
	return l.Table(result), nil
}

// totals measures a line over the whole range only.
func (m *measuring) totals(l *trendLine) (*measures.Table, error) {
	whole := *l
	if l.Rolling > 0 { // the total is of the range
		whole.Rolling, whole.Cumulative = 0, true
	}
	return m.table(&whole, []int64{m.in.From, m.in.To})
}

// rank returns the groups that are shown: those with the largest totals, those of one size by type and text.
func (m *measuring) rank(t *measures.Table) []uint32 {
	codes := make([]uint32, 0, len(t.Groups))
	for code := range t.Groups {
		codes = append(codes, code)
	}
	compare := make([]behaviour.Compare, len(m.groups.By))
	for i, d := range m.groups.By {
		compare[i] = compareCodes(d)
	}
	slices.SortFunc(codes, func(a, b uint32) int {
		x, y := t.Groups[a].Total, t.Groups[b].Total
		switch {
		case math.IsNaN(x) != math.IsNaN(y):
			return map[bool]int{true: 1, false: -1}[math.IsNaN(x)]
		case x > y:
			return -1
		case x < y:
			return 1
		}
		p, q := m.groups.Key(a), m.groups.Key(b)
		for i := range compare {
			if c := compare[i](p[i], q[i]); c != 0 {
				return c
			}
		}
		return 0
	})
	return codes[:min(len(codes), m.top)]
}

// compareCodes orders the codes of a dictionary; those of ranges as they are.
func compareCodes(d *scan.Dictionary) behaviour.Compare {
	if d.Edges != nil {
		return func(a, b uint32) int { return int(a) - int(b) }
	}
	return compareValues(d)
}

// table measures a line.
func (m *measuring) table(l *trendLine, bounds []int64) (*measures.Table, error) {
	if l.ByPerson() {
		return m.people(l, bounds)
	}
	result, err := m.columns(l, bounds)
	if err != nil {
		return nil, err
	}
	return l.Table(result), nil
}

// columns measures a line column by column.
func (m *measuring) columns(l *trendLine, bounds []int64) (*scan.Result, error) {
	measure := scan.Measure{Query: l.query, Statistic: l.Measure.Statistic(), Prop: l.number, Bounds: slices.Clone(bounds), By: m.groups,
		Workers: workers}
	measure.From, measure.To, measure.Identity, measure.Memory = m.in.From, m.in.To, m.identity, m.memory
	measure.Only = m.only
	measure.Bounds[0], measure.Bounds[len(bounds)-1] = m.in.From, m.in.To
	return measure.Run(m.ctx, m.view.Headers, m.view)
}

// people measures a line person by person.
func (m *measuring) people(l *trendLine, bounds []int64) (*measures.Table, error) {
	question, q := m.scanned(l, bounds)
	q.Identity, q.Memory, q.Only = m.identity, m.memory, m.only
	question.Memory = m.memory / workers
	fresh := func() *measures.People { return measures.NewPeople(question) }
	all, err := shared(m.ctx, m.view, q, fresh, (*measures.People).Add)
	if err != nil {
		return nil, err
	}
	return all.Table(), nil
}

// scanned is a line as it is measured person by person, and the scan that hands on its people.
func (t *trend) scanned(l *trendLine, bounds []int64) (*measures.PeopleQuestion, *scan.Query) {
	question, q := t.person(l, bounds), l.query
	within(&q, question.Reads())
	if t.groups != nil {
		for i, d := range t.groups.By {
			q.Values = append(q.Values, d)
			question.Columns = append(question.Columns, i)
		}
	}
	if l.number != "" {
		question.Number, question.Numbers = len(q.Values), scan.NewDictionary(l.number)
		q.Values = append(q.Values, question.Numbers)
	}
	return question, &q
}
