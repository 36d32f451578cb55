package funnel

import (
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// Funnel counts attempts. It is for one goroutine; several count parts of the people and are merged.
type Funnel struct {
	q      Question
	runner *runner
	all    *tally            // of attempts without a breakdown
	groups map[uint32]*tally // of attempts by value
	series []point
	bucket int // of the series that is being counted, -1 for the whole
	wanted *Coordinate
	found  []query.Found
}

// New returns a funnel of nobody.
func New(q Question) *Funnel {
	f := &Funnel{q: q, bucket: -1}
	f.runner = newRunner(&f.q, f.take)
	if q.Breakdown == nil {
		f.all = newTally(len(q.Steps))
	} else {
		f.groups = map[uint32]*tally{}
	}
	for i := range max(0, len(q.Bounds)-1) {
		f.series = append(f.series, point{start: q.Bounds[i], counts: make([]int, len(q.Steps))})
	}
	return f
}

// point is a bucket of the series.
type point struct {
	start      int64
	counts     []int
	incomplete int
}

// Add counts a person.
func (f *Funnel) Add(p *behaviour.Person) {
	f.runner.load(p)
	if f.wanted == nil || f.wanted.Bucket < 0 {
		f.bucket = -1
		f.runner.run(f.q.Range, 0)
	}
	if len(f.series) > 0 && (f.wanted == nil || f.wanted.Bucket >= 0) {
		f.addSeries(p.Rows)
	}
}

// addSeries counts a person in each bucket that he has an entry in: each is asked as a range of its own.
func (f *Funnel) addSeries(rows []behaviour.Row) {
	entry := f.q.Steps[0].Marks
	if f.q.Order == Any {
		for i := range f.q.Steps {
			entry |= f.q.Steps[i].Marks
		}
	}
	next := 0
	for i := range rows {
		row := &rows[i]
		if row.Marks&entry == 0 || !f.q.Range.Has(row.TS) || row.TS < f.q.Bounds[next] {
			continue // no entry, or its bucket has been counted
		}
		for row.TS >= f.q.Bounds[next+1] {
			next++
		}
		f.bucket = next
		next++
		if f.wanted != nil && f.wanted.Bucket != f.bucket {
			continue
		}
		f.runner.run(f.q.Range.Clip(query.Range{From: f.q.Bounds[f.bucket], To: f.q.Bounds[next]}), i)
	}
}

// take counts an attempt.
func (f *Funnel) take(v *view, a *attempt, incomplete bool) {
	switch {
	case f.wanted != nil:
		f.collect(v, a)
	case f.bucket >= 0:
		p := &f.series[f.bucket]
		for step := range p.counts {
			if a.at[step] != never {
				p.counts[step]++
			}
		}
		if incomplete {
			p.incomplete++
		}
	default:
		t := f.all
		if t == nil {
			t = f.group(f.value(v, a))
		}
		t.take(&f.q, a, incomplete)
	}
}

func (f *Funnel) group(value uint32) *tally {
	t := f.groups[value]
	if t == nil {
		t = newTally(len(f.q.Steps))
		f.groups[value] = t
	}
	return t
}

// value is the group of an attempt.
func (f *Funnel) value(v *view, a *attempt) (value uint32) {
	b := f.q.Breakdown
	at := func(step int) uint32 {
		if a.pos[step] < 0 {
			return 0
		}
		return f.runner.person.Rows[v.rowAt(a.pos[step])].Values[b.Column]
	}
	switch b.Attribution {
	case StepValue:
		return at(b.Step)
	case LastValue:
		for step := len(f.q.Steps) - 1; step >= 0 && value == 0; step-- {
			value = at(step)
		}
	default:
		for step := 0; step < len(f.q.Steps) && value == 0; step++ {
			value = at(step)
		}
	}
	return value
}

// tally is what is counted of attempts.
type tally struct {
	counts     []int
	incomplete int
	steps      []query.Durations // from the required step before
	whole      query.Durations
}

func newTally(steps int) *tally {
	return &tally{counts: make([]int, steps), steps: make([]query.Durations, steps)}
}

func (t *tally) take(q *Question, a *attempt, incomplete bool) {
	before := a.at[0]
	for step := range t.counts {
		at := a.at[step]
		if at == never {
			continue
		}
		t.counts[step]++
		if step > 0 {
			t.steps[step] = append(t.steps[step], at-before)
		}
		if !q.Steps[step].Optional {
			before = at
		}
	}
	if a.end == converted {
		t.whole = append(t.whole, before-a.at[0])
	}
	if incomplete {
		t.incomplete++
	}
}

func (t *tally) merge(other *tally) {
	for step := range t.counts {
		t.counts[step] += other.counts[step]
		t.steps[step] = append(t.steps[step], other.steps[step]...)
	}
	t.whole = append(t.whole, other.whole...)
	t.incomplete += other.incomplete
}

// Merge adds what another funnel of the same question counted, of other people. The other must not be used any more.
func (f *Funnel) Merge(other *Funnel) {
	if f.all != nil {
		f.all.merge(other.all)
	}
	for value, t := range other.groups {
		f.group(value).merge(t)
	}
	for i := range f.series {
		p, o := &f.series[i], &other.series[i]
		for step := range p.counts {
			p.counts[step] += o.counts[step]
		}
		p.incomplete += o.incomplete
	}
	f.found = append(f.found, other.found...)
}

// Result is a funnel: of everything, or of a group.
type Result struct {
	// Counts says how many attempts did each step. Without optional steps it never rises.
	Counts []int
	// Incomplete is how many of them may still convert.
	Incomplete int
	// StepTimes is the time to each step from the one before that is not optional; nil for the first, and where
	// nobody came.
	StepTimes []*query.Times
	// Time is the time from the first step to the last, of those who converted.
	Time *query.Times
	// Histogram counts those times by the edges; Under are those below the first.
	Under     int
	Histogram []int
}

// Group is the attempts of one value.
type Group struct {
	Value uint32
	Result
}

// Other is the attempts of the values that are not shown, and how many those are.
type Other struct {
	Values int
	Result
}

// Point is a bucket of the series.
type Point struct {
	Start      int64
	Counts     []int
	Incomplete int
}

// Answer is what was asked for.
type Answer struct {
	Result
	Groups []Group
	Other  *Other
	Series []Point
}

// Answer returns what was counted. It may be asked once.
func (f *Funnel) Answer() Answer {
	var answer Answer
	all := f.all
	if f.q.Breakdown != nil {
		all = newTally(len(f.q.Steps))
		top, others := f.top()
		for _, g := range top {
			t := f.groups[g.Value]
			answer.Groups = append(answer.Groups, Group{g.Value, t.result(&f.q)})
			all.merge(t)
		}
		if len(others) > 0 {
			rest := newTally(len(f.q.Steps))
			for _, g := range others {
				rest.merge(f.groups[g.Value])
			}
			all.merge(rest)
			answer.Other = &Other{len(others), rest.result(&f.q)}
		}
	}
	answer.Result = all.result(&f.q)
	for _, p := range f.series {
		answer.Series = append(answer.Series, Point{p.start, p.counts, p.incomplete})
	}
	return answer
}

func (f *Funnel) top() (top, others []query.Group) {
	size := func(t *tally) int { return t.counts[0] }
	return query.Top(f.groups, size, f.q.Breakdown.Top, f.q.Breakdown.Compare)
}

func (t *tally) result(q *Question) Result {
	r := Result{Counts: t.counts, Incomplete: t.incomplete, Time: t.whole.Summary()}
	for _, d := range t.steps {
		r.StepTimes = append(r.StepTimes, d.Summary())
	}
	if len(q.Edges) > 0 {
		r.Under, r.Histogram = t.whole.Histogram(q.Edges)
	}
	return r
}

// Coordinate names a number of the answer.
type Coordinate struct {
	Bucket int // of the series, -1 for the whole
	// Group is the value of a group, with Other the rest; nil for all. Only of the whole.
	Group *uint32
	Other bool
	Step  int
	// Lost asks for those who did the required step before and not this one, instead of those who did it.
	Lost bool
}

// Collect makes the funnel find the people behind a number instead of counting. It is asked before the first person.
func (f *Funnel) Collect(c Coordinate) { f.wanted = &c }

func (f *Funnel) collect(v *view, a *attempt) {
	c := f.wanted
	var value uint32
	if f.q.Breakdown != nil && f.bucket < 0 {
		value = f.value(v, a)
		f.group(value).counts[0]++ // which groups are shown is known at the end
		if c.Group != nil && *c.Group != value {
			return
		}
	}
	at := a.at[c.Step]
	if c.Lost {
		before := c.Step - 1
		for before > 0 && f.q.Steps[before].Optional {
			before--
		}
		if before < 0 || at != never {
			return
		}
		at = a.at[before]
	}
	if at != never {
		f.found = append(f.found, query.Found{Member: behaviour.Member{No: f.runner.person.No, At: at}, Value: value})
	}
}

// People returns those behind the number, by their numbers: one for each attempt that it counts, so that a person may
// come more than once where attempts are counted. At is the moment of the step, of a lost attempt that of its last
// step.
func (f *Funnel) People() []behaviour.Member {
	if f.wanted.Other {
		shown, _ := f.top()
		return query.Members(f.found, shown)
	}
	return query.Members(f.found, nil)
}
