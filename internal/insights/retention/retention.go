package retention

import (
	"math"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// Retention counts who came back. It is for one goroutine; several count parts of the people and are merged.
type Retention struct {
	q      Question
	width  int64
	all    grid // without a breakdown
	groups map[uint32]grid
	cells  []query.Columns // by period: what AddPresence counted
	wanted *Coordinate
	found  []query.Found

	// Of the person at hand:
	starts  []start // by row, in order
	returns []visit // by period, in order; of rolling periods every return event
}

// start is a person's start in a row.
type start struct {
	row   int
	at    int64
	value uint32
	after int // the index of the first return that may come after it
}

// visit is the first return event in a period, counted by calendar.
type visit struct {
	period int
	at     int64
}

// grid is the values of all rows, one row after the other.
type grid []int

// New returns a retention of nobody.
func New(q Question) *Retention {
	r := &Retention{q: q, width: q.width()}
	if q.Breakdown == nil {
		r.all = make(grid, q.Rows*q.Periods)
	} else {
		r.groups = map[uint32]grid{}
	}
	return r
}

// Add counts a person.
func (r *Retention) Add(p *behaviour.Person) {
	if r.load(p.Rows); len(r.starts) == 0 {
		return
	}
	for i := range r.starts {
		s := &r.starts[i]
		if r.wanted != nil {
			r.collect(p.No, s)
			continue
		}
		r.count(r.grid(s.value)[s.row*r.q.Periods:][:r.q.Periods], s)
	}
}

func (r *Retention) grid(value uint32) grid {
	if r.q.Breakdown == nil {
		return r.all
	}
	g := r.groups[value]
	if g == nil {
		g = make(grid, r.q.Rows*r.q.Periods)
		r.groups[value] = g
	}
	return g
}

// load finds the starts and the returns of a person.
func (r *Retention) load(rows []behaviour.Row) {
	r.starts, r.returns = r.starts[:0], r.returns[:0]
	q := &r.q
	bounds := q.Bounds
	last := len(bounds) - 1
	period, end := -1, bounds[0] // the period of the event at hand, and when it ends
	started := false
	known := int64(math.MinInt64) // until when further events change nothing
	for i := range rows {
		row := &rows[i]
		if row.TS < known {
			continue
		}
		marks := row.Marks
		isStart := marks&q.Start.Marks != 0 && (!started || q.Cohort == Recurring)
		if !isStart && marks&q.Return.Marks == 0 {
			continue
		}
		for row.TS >= end && period < last {
			period++
			end = math.MaxInt64
			if period < last {
				end = bounds[period+1]
			}
		}
		if isStart {
			started = true
			if period >= 0 && period < q.Rows && (len(r.starts) == 0 || r.starts[len(r.starts)-1].row != period) {
				r.starts = append(r.starts, r.startOf(row, period))
			}
		}
		if marks&q.Return.Marks == 0 || len(r.starts) == 0 {
			continue
		}
		if n := len(r.returns); q.Interval == Rolling || n == 0 || r.returns[n-1].period != period {
			r.returns = append(r.returns, visit{period, row.TS})
			if noStart := q.Cohort == FirstTime || period >= q.Rows || r.starts[len(r.starts)-1].row == period; noStart &&
				q.Interval == Calendar {
				known = end
			}
		}
	}
}

func (r *Retention) startOf(row *behaviour.Row, period int) start {
	s := start{row: period, at: row.TS, after: len(r.returns)}
	if r.q.Breakdown != nil {
		s.value = row.Values[r.q.Breakdown.Column]
	}
	return s
}

// period is the period of a return event as the person of a start counts it, at most Periods.
func (r *Retention) period(s *start, v *visit) int {
	if r.q.Interval == Calendar {
		return min(v.period-s.row, r.q.Periods)
	}
	if v.at < s.at {
		return 0
	}
	return int(min((v.at-s.at)/r.width, int64(r.q.Periods)))
}

// count adds a person to the values of his row.
func (r *Retention) count(values []int, s *start) {
	values[0]++
	switch r.q.Mode {
	case OnOrAfter:
		if n := len(r.returns); n > 0 {
			for k := min(r.period(s, &r.returns[n-1]), r.q.Periods-1); k > 0; k-- {
				values[k]++
			}
		}
	default:
		before := 0
		for i := s.after; i < len(r.returns); i++ {
			k := r.period(s, &r.returns[i])
			if k >= r.q.Periods {
				break
			}
			if k <= before {
				continue
			}
			if r.q.Mode == Streak && k != before+1 {
				break
			}
			values[k]++
			before = k
		}
	}
}

// Merge adds what another retention of the same question counted, of other people.
func (r *Retention) Merge(other *Retention) {
	other.settle()
	r.all.add(other.all)
	for value, g := range other.groups {
		r.grid(value).add(g)
	}
	r.found = append(r.found, other.found...)
}

func (g grid) add(other grid) {
	for i, n := range other {
		g[i] += n
	}
}

// Row is the people who started in one period.
type Row struct {
	Start int64
	Size  int
	// Values say how many of them were retained in each period; the first is Size.
	Values []int
	// Complete is how many leading values are of periods that are over.
	Complete int
}

// Mean is a sum over the rows whose cell is complete. The rate is Retained by Size.
type Mean struct{ Retained, Size int }

// Result is a retention: of everybody, or of a group.
type Result struct {
	Rows    []Row
	Average []Mean
}

// Group is the people of one value.
type Group struct {
	Value uint32
	Result
}

// Other is the people of the values that are not shown, and how many those are.
type Other struct {
	Values int
	Result
}

// Answer is what was asked for.
type Answer struct {
	Result
	Groups []Group
	Other  *Other
}

// Answer returns what was counted.
func (r *Retention) Answer() Answer {
	r.settle()
	var answer Answer
	all := r.all
	if r.q.Breakdown != nil {
		all = make(grid, r.q.Rows*r.q.Periods)
		top, others := r.top()
		for _, g := range top {
			all.add(r.groups[g.Value])
			answer.Groups = append(answer.Groups, Group{g.Value, r.result(r.groups[g.Value])})
		}
		if len(others) > 0 {
			rest := make(grid, len(all))
			for _, g := range others {
				rest.add(r.groups[g.Value])
			}
			all.add(rest)
			answer.Other = &Other{len(others), r.result(rest)}
		}
	}
	answer.Result = r.result(all)
	return answer
}

func (r *Retention) top() (top, others []query.Group) {
	size := func(g grid) (n int) {
		for row := range r.q.Rows {
			n += g[row*r.q.Periods]
		}
		return n
	}
	return query.Top(r.groups, size, r.q.Breakdown.Top, r.q.Breakdown.Compare)
}

func (r *Retention) result(g grid) Result {
	result := Result{Average: make([]Mean, r.q.Periods)}
	for row := range r.q.Rows {
		values := g[row*r.q.Periods:][:r.q.Periods]
		complete := r.q.complete(row)
		result.Rows = append(result.Rows, Row{r.q.Bounds[row], values[0], values, complete})
		for k := range complete {
			result.Average[k].Retained += values[k]
			result.Average[k].Size += values[0]
		}
	}
	return result
}

// Coordinate names a number of the answer.
type Coordinate struct {
	Row, Period int
	// Group is the value of a group, with Other the rest; nil for all.
	Group *uint32
	Other bool
	// Lost asks for those of the row who were not retained in the period.
	Lost bool
}

// Collect makes the retention find the people behind a cell instead of counting. It is asked before the first person.
func (r *Retention) Collect(c Coordinate) { r.wanted = &c }

func (r *Retention) collect(no uint32, s *start) {
	c := r.wanted
	if r.q.Breakdown != nil {
		r.grid(s.value)[s.row*r.q.Periods]++ // which groups are shown is known at the end
		if c.Group != nil && *c.Group != s.value {
			return
		}
	}
	if s.row != c.Row {
		return
	}
	at, retained := r.retained(s, c.Period)
	if c.Lost {
		at = s.at
	}
	if retained != c.Lost {
		r.found = append(r.found, query.Found{Member: behaviour.Member{No: no, At: at}, Value: s.value})
	}
}

// retained says whether a person counts in period n of his row, and since when.
func (r *Retention) retained(s *start, n int) (at int64, yes bool) {
	if n == 0 {
		return s.at, true
	}
	values := make([]int, r.q.Periods)
	if r.count(values, s); values[n] == 0 {
		return 0, false
	}
	for i := s.after; i < len(r.returns); i++ {
		k := r.period(s, &r.returns[i])
		if k == n || k > n && r.q.Mode == OnOrAfter {
			return r.returns[i].at, true
		}
	}
	return 0, false
}

// People returns those behind the cell, by their numbers, with the return event that put them there; for period 0 and
// those who were lost, with their start.
func (r *Retention) People() []behaviour.Member {
	if r.wanted.Other {
		shown, _ := r.top()
		return query.Members(r.found, shown)
	}
	return query.Members(r.found, nil)
}
