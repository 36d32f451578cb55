package measures

import (
	"slices"
	"sort"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// PeopleQuestion is a line that is measured person by person. The scan hands on the events of the line only: all of Reads.
type PeopleQuestion struct {
	Line
	Range   query.Range
	Bounds  []int64       // of the buckets; the first is not after the range's start, the last not before its end
	Windows []query.Range // of a rolling line: what each bucket counts the people of
	Groups  *scan.Breakdown
	Columns []int            // of Row.Values: those of the breakdown
	Number  int              // of Row.Values: that of the number
	Numbers *scan.Dictionary // of the number
	Memory  int64            // that the groups may take, in bytes
}

// Reads is the range of the events that the line needs.
func (q *PeopleQuestion) Reads() query.Range {
	switch {
	case q.FirstTime:
		return query.Range{From: 0, To: q.Range.To}
	case q.Rolling > 0:
		return query.Range{From: min(q.Windows[0].From, q.Range.From), To: q.Range.To}
	default:
		return q.Range
	}
}

// Windows returns the ranges of so many days that end with each bucket, none after the end of the range.
func Windows(c query.Calendar, bounds []int64, in query.Range, days int) []query.Range {
	day := query.Calendar{Bucket: query.Bucket1d, Loc: c.Loc, Week: c.Week}
	out := make([]query.Range, len(bounds)-1)
	for i := range out {
		from := bounds[i+1]
		for range days {
			from = day.Before(from)
		}
		out[i] = query.Range{From: from, To: min(bounds[i+1], in.To)}
	}
	return out
}

// People measures a line person by person. It is for one goroutine; several measure parts of the people and are merged.
type People struct {
	q      *PeopleQuestion
	all    *tally
	groups map[uint32]*tally
	codes  map[scan.Key]uint32
	used   int64

	states []state          // of the person at hand: of all events, and of each group
	places map[uint32]int32 // of groups among the states
}

// tally is what is known of a group.
type tally struct {
	total   cell
	buckets []cell
}

// cell is what is known of a bucket: how many people or events, and the numbers or how many people did how many events.
type cell struct {
	n       int64
	numbers *scan.Cell
	each    map[int]int64
}

const cellBytes = 24

// state is how far a person has been counted in a group.
type state struct {
	tally  *tally
	bucket int // the first that does not have the person yet; of events a person, the one at hand
	in     bool
	n      int // events in the bucket at hand
	total  int
}

// NewPeople returns the line measured of nobody.
func NewPeople(q *PeopleQuestion) *People {
	return &People{q: q, all: q.tally(), groups: map[uint32]*tally{}, codes: map[scan.Key]uint32{}, places: map[uint32]int32{}}
}

func (q *PeopleQuestion) tally() *tally { return &tally{buckets: make([]cell, len(q.Bounds)-1)} }

// Add measures a person.
//
// Errors: scan.ErrTooLarge.
func (o *People) Add(p *behaviour.Person) error {
	if o.q.FirstTime {
		return o.addFirst(&p.Rows[0])
	}
	clear(o.places)
	o.states = append(o.states[:0], state{tally: o.all, bucket: -1})
	for i := range p.Rows {
		row := &p.Rows[i]
		o.put(&o.states[0], row)
		if o.q.Groups == nil {
			continue
		}
		s, err := o.state(row)
		if err != nil {
			return err
		}
		o.put(s, row)
	}
	if o.q.Measure.PerPerson() {
		for i := range o.states {
			o.states[i].flush()
			o.states[i].tally.total.did(o.states[i].total)
		}
	}
	return nil
}

// state returns how far the person has been counted in the group of a row.
func (o *People) state(row *behaviour.Row) (*state, error) {
	code := o.code(row)
	at, ok := o.places[code]
	if !ok {
		t, err := o.group(code)
		if err != nil {
			return nil, err
		}
		at = int32(len(o.states))
		o.places[code] = at
		o.states = append(o.states, state{tally: t, bucket: -1})
	}
	return &o.states[at], nil
}

// put counts a row in a group.
func (o *People) put(s *state, row *behaviour.Row) {
	q := o.q
	in := q.Range.Has(row.TS)
	if in && !s.in && !q.Measure.PerPerson() {
		s.in = true
		s.tally.total.n++
		if q.Rolling == 0 { // people so far
			s.tally.buckets[query.PeriodOf(q.Bounds, row.TS)].n++
		}
	}
	switch {
	case q.Rolling > 0:
		s.roll(q.Windows, row.TS)
	case q.Measure.PerPerson() && in:
		bucket := query.PeriodOf(q.Bounds, row.TS)
		if bucket != s.bucket {
			s.flush()
			s.bucket, s.n = bucket, 0
		}
		s.n++
		s.total++
	}
}

// roll counts the person in the buckets whose windows have the moment, and that do not have him yet. Buckets hold how many
// people more they have than the one before.
func (s *state) roll(windows []query.Range, ts int64) {
	first := sort.Search(len(windows), func(i int) bool { return windows[i].To > ts })
	after := sort.Search(len(windows), func(i int) bool { return windows[i].From > ts })
	if first = max(first, s.bucket); first >= after {
		return
	}
	s.tally.buckets[first].n++
	if after < len(windows) {
		s.tally.buckets[after].n--
	}
	s.bucket = after
}

// flush counts the events of the bucket at hand.
func (s *state) flush() {
	if s.bucket >= 0 {
		s.tally.buckets[s.bucket].did(s.n)
	}
}

// did counts a person who did so many events.
func (c *cell) did(n int) {
	if n == 0 {
		return
	}
	if c.each == nil {
		c.each = make(map[int]int64)
	}
	c.each[n]++
	c.n++
}

// addFirst measures the first event that a person ever did.
func (o *People) addFirst(row *behaviour.Row) error {
	q := o.q
	if !q.Range.Has(row.TS) {
		return nil
	}
	bucket := query.PeriodOf(q.Bounds, row.TS)
	o.first(o.all, bucket, row)
	if q.Groups == nil {
		return nil
	}
	t, err := o.group(o.code(row))
	if err != nil {
		return err
	}
	o.first(t, bucket, row)
	return nil
}

func (o *People) first(t *tally, bucket int, row *behaviour.Row) {
	for _, c := range []*cell{&t.total, &t.buckets[bucket]} {
		c.n++
		if o.q.Measure.Numeric() {
			if c.numbers == nil {
				c.numbers = &scan.Cell{}
			}
			c.numbers.Put(o.q.Numbers.Value(row.Values[o.q.Number]), o.q.Measure.Percentile() > 0)
		}
	}
}

// code returns the group of a row.
func (o *People) code(row *behaviour.Row) uint32 { return codeOf(o.q, o.codes, row) }

func codeOf(q *PeopleQuestion, known map[scan.Key]uint32, row *behaviour.Row) uint32 {
	var key scan.Key
	for i, column := range q.Columns {
		key[i] = row.Values[column]
	}
	code, ok := known[key]
	if !ok {
		code = q.Groups.Code(key)
		known[key] = code
	}
	return code
}

func (o *People) group(code uint32) (*tally, error) {
	t := o.groups[code]
	if t == nil {
		t = o.q.tally()
		o.groups[code] = t
		if o.used += int64(1+len(t.buckets)) * cellBytes; o.used > o.q.Memory {
			return nil, scan.ErrTooLarge
		}
	}
	return t, nil
}

// Merge adds what another measured of other people.
func (o *People) Merge(other *People) {
	o.all.join(other.all)
	for code, t := range other.groups {
		if mine := o.groups[code]; mine != nil {
			mine.join(t)
		} else {
			o.groups[code] = t
		}
	}
}

func (t *tally) join(other *tally) {
	t.total.join(&other.total)
	for i := range t.buckets {
		t.buckets[i].join(&other.buckets[i])
	}
}

func (c *cell) join(other *cell) {
	c.n += other.n
	switch {
	case other.numbers == nil:
	case c.numbers == nil:
		c.numbers = other.numbers
	default:
		c.numbers.Join(other.numbers)
	}
	if c.each == nil {
		c.each = other.each
		return
	}
	for n, people := range other.each {
		c.each[n] += people
	}
}

// Table returns what was measured.
func (o *People) Table() *Table {
	t := &Table{All: o.row(o.all), Groups: make(map[uint32]Row, len(o.groups))}
	for code, g := range o.groups {
		if g.seen() {
			t.Groups[code] = o.row(g)
		}
	}
	return t
}

// seen says whether the group has anything: the windows of a rolling line begin before the range.
func (t *tally) seen() bool {
	return t.total.n > 0 || slices.ContainsFunc(t.buckets, func(c cell) bool { return c.n != 0 })
}

func (o *People) row(t *tally) Row {
	q := o.q
	out := Row{Total: q.of(&t.total), Values: make([]float64, len(t.buckets))}
	var sum cell
	for i := range t.buckets {
		c := &t.buckets[i]
		if q.Cumulative || q.Rolling > 0 {
			if sum.n += c.n; c.numbers != nil {
				if sum.numbers == nil {
					sum.numbers = &scan.Cell{}
				}
				sum.numbers.Join(c.numbers)
			}
			c = &sum
		}
		out.Values[i] = q.of(c)
	}
	return out
}

func (q *PeopleQuestion) of(c *cell) float64 {
	switch {
	case q.Measure.Numeric():
		if c.numbers == nil {
			return q.Measure.Nothing()
		}
		return q.Measure.Of(c.numbers)
	case q.Measure.PerPerson():
		return c.perPerson(q.Measure)
	default:
		return float64(c.n)
	}
}

// perPerson is the mean or a percentile of the events a person.
func (c *cell) perPerson(m Measure) float64 {
	if c.n == 0 {
		return m.Nothing()
	}
	if m == PerPersonAvg {
		events := int64(0)
		for n, people := range c.each {
			events += int64(n) * people
		}
		return float64(events) / float64(c.n)
	}
	counts := make([]int, 0, len(c.each))
	for n := range c.each {
		counts = append(counts, n)
	}
	slices.Sort(counts)
	at := func(place int64) float64 {
		for _, n := range counts {
			if place -= c.each[n]; place < 0 {
				return float64(n)
			}
		}
		return float64(counts[len(counts)-1])
	}
	place := m.Percentile() * float64(c.n-1)
	below := int64(place)
	lo, hi := at(below), at(min(below+1, c.n-1))
	return lo + (place-float64(below))*(hi-lo)
}
