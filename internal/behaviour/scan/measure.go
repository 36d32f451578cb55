package scan

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sort"
	"strconv"
	"sync"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// Statistic is what a Measure measures of the considered events.
type Statistic int

// The statistics.
const (
	Events       Statistic = iota // how many there are
	Persons                       // how many people did them
	Numbers                       // count, sum and extremes of a prop, where it is a number
	Distribution                  // the same, and every number, for percentiles
)

// Measure is a question that needs no order: a statistic for each bucket and each group of a breakdown. Its Query has
// matchers with OnlyMarked only, and neither values nor sessions.
type Measure struct {
	Query
	Statistic Statistic
	Prop      string     // of Numbers and Distribution
	Bounds    []int64    // of the buckets, ascending, in microseconds since 1970; the first is From, the last To
	By        *Breakdown // nil: none
	Workers   int        // goroutines, at least 1
}

// Group is a measure of the events with one value of the breakdown.
type Group struct {
	Buckets []Cell
	Whole   Cell // of the whole range
}

// Cell is the measure of one bucket.
type Cell struct {
	Count    int64 // of events, people or numbers
	Sum      Decimal
	Min, Max Decimal // when Count is not 0
	sample   sample
}

// Percentile returns a percentile of a Distribution, interpolated between the two numbers next to it; 0 < p < 1. It is
// not to be called of a cell without numbers.
func (c *Cell) Percentile(p float64) float64 { return c.sample.percentile(p) }

// Result is an answer: the groups by their codes in the breakdown, and all of them together. Without a breakdown there
// is no group but All.
type Result struct {
	Groups map[uint32]*Group
	All    *Group
}

// Run answers a measure from the parts of its days.
//
// Errors: as People.
func (m *Measure) Run(ctx context.Context, all []*parts.Header, source Source) (*Result, error) {
	p := m.plan(all)
	refs := p.refs()
	workers := max(m.Workers, 1)
	if err := p.number(ctx, source, refs); err != nil {
		return nil, err
	}
	jobs := m.jobs(p, refs, workers)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan job, len(jobs))
	for _, j := range jobs {
		queue <- j
	}
	close(queue)
	results := make([]*measurer, workers)
	var wg sync.WaitGroup
	for k := range workers {
		w := newMeasurer(m, p, source, p.memory/int64(workers))
		results[k] = w
		wg.Go(func() {
			for j := range queue {
				if err := w.work(ctx, refs, j); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	for _, w := range results[1:] {
		results[0].merge(w)
	}
	return results[0].result(), nil
}

// job is what one worker does at a time: the events of some people, or of some chunks.
type job struct {
	people people
	refs   []ref
}

// jobs cuts a question into what workers can do side by side.
func (m *Measure) jobs(p *plan, refs []ref, workers int) []job {
	var jobs []job
	if m.Statistic == Persons {
		for _, r := range p.ranges(refs, workers, math.MaxInt64) {
			jobs = append(jobs, job{r, p.within(refs, r)})
		}
		return jobs
	}
	for k := range workers {
		if some := refs[len(refs)*k/workers : len(refs)*(k+1)/workers]; len(some) > 0 {
			jobs = append(jobs, job{people{}, some})
		}
	}
	return jobs
}

// measurer measures for one worker.
type measurer struct {
	m      *Measure
	plan   *plan
	reader reader
	limit  int64
	used   int64
	kept   int64 // of it by groups, which stay when a job is done

	groups map[uint32]*Group
	all    *Group                // of people, when there is a breakdown
	sets   map[uint64]*personSet // of the job's people, by group and bucket
	people people
	last   uint64 // highest number of the job

	cells tally // of the chunk at hand
}

func newMeasurer(m *Measure, p *plan, source Source, limit int64) *measurer {
	w := &measurer{m: m, plan: p, limit: limit, groups: map[uint32]*Group{}, all: m.newGroup()}
	w.reader = reader{plan: p, source: source, columns: w.columns}
	return w
}

// columns are those that the measure needs of a chunk.
func (w *measurer) columns(columns []int, h *parts.Header, c *parts.Chunk) ([]int, error) {
	people := w.m.Statistic == Persons || w.m.Only != nil || w.m.Groups != nil || w.m.By.byPerson()
	splits := people && w.plan.splits(c)
	if people {
		columns = append(columns, parts.ColPerson)
	}
	first, last := w.bucketsOf(c)
	if first != last || w.plan.timed(c) || w.plan.dated(h) || splits {
		columns = append(columns, parts.ColTS)
	}
	if w.plan.dated(h) || splits {
		columns = append(columns, parts.ColReceived)
	}
	if splits {
		columns = append(columns, parts.ColTie)
	}
	props := w.plan.chunkProps(c)
	if w.m.By != nil {
		props = w.m.By.props(props)
	}
	if w.m.Statistic >= Numbers {
		props = append(props, w.m.Prop)
	}
	return propColumns(columns, h, props), nil
}

// bucketsOf returns the first and the last bucket of a chunk's rows in the range.
func (w *measurer) bucketsOf(c *parts.Chunk) (first, last int) {
	return w.bucket(max(c.MinTS, w.plan.From)), w.bucket(min(c.MaxTS, w.plan.to-1))
}

func (w *measurer) bucket(ts int64) int {
	return sort.Search(len(w.m.Bounds)-2, func(i int) bool { return w.m.Bounds[i+1] > ts })
}

// work does a job. People who do not fit in the memory are halved until they do.
func (w *measurer) work(ctx context.Context, refs []ref, j job) error {
	if w.m.Statistic != Persons {
		return w.reader.each(ctx, j.refs, w.add)
	}
	w.sets, w.people, w.last = map[uint64]*personSet{}, j.people, w.plan.last(j.refs, j.people)
	if w.last < j.people.lo {
		return nil
	}
	err := w.reader.each(ctx, j.refs, w.add)
	if errors.Is(err, ErrTooLarge) && w.last > j.people.lo {
		w.used = w.kept
		middle := j.people.lo + (w.last-j.people.lo)/2 + 1
		for _, r := range []people{{j.people.lo, middle}, {middle, j.people.hi}} {
			if err := w.work(ctx, refs, job{r, w.plan.within(refs, r)}); err != nil {
				return err
			}
		}
		return nil
	}
	if err == nil {
		w.countPeople()
		w.used = w.kept
	}
	return err
}

func (w *measurer) charge(n int64) error {
	if w.used += n; w.used > w.limit {
		return ErrTooLarge
	}
	return nil
}

func (m *Measure) newGroup() *Group { return &Group{Buckets: make([]Cell, len(m.Bounds)-1)} }

// group returns a group, made when it is not there.
func (w *measurer) group(code uint32) (*Group, error) {
	g := w.groups[code]
	if g == nil {
		g = w.m.newGroup()
		w.groups[code] = g
		w.kept += int64(len(g.Buckets)) * cellBytes
		if err := w.charge(int64(len(g.Buckets)) * cellBytes); err != nil {
			return nil, err
		}
	}
	return g, nil
}

const cellBytes = 152

// countPeople adds the people of a job, who are those of no other, to the groups.
func (w *measurer) countPeople() {
	keys := slices.Sorted(maps.Keys(w.sets)) // by group, then by bucket
	union := w.union()
	for i, key := range keys {
		code, bucket := uint32(key>>32), uint32(key)
		w.groups[code].Buckets[bucket].Count += w.sets[key].count()
		union.join(w.sets[key])
		if i+1 == len(keys) || uint32(keys[i+1]>>32) != code {
			w.groups[code].Whole.Count += union.count()
			clear(union.bits)
		}
	}
	if w.m.By == nil {
		return
	}
	slices.SortFunc(keys, func(x, y uint64) int { return cmp.Compare(uint32(x), uint32(y)) })
	whole := w.union()
	for i, key := range keys {
		union.join(w.sets[key])
		if i+1 == len(keys) || uint32(keys[i+1]) != uint32(key) {
			w.all.Buckets[uint32(key)].Count += union.count()
			whole.join(union)
			clear(union.bits)
		}
	}
	w.all.Whole.Count += whole.count()
}

func (w *measurer) union() *personSet {
	return &personSet{base: uint32(w.people.lo), bits: make([]uint64, w.span()/64+1)}
}

// span is how many numbers the job's people have.
func (w *measurer) span() uint64 { return w.last - w.people.lo + 1 }

// merge adds what another worker measured.
func (w *measurer) merge(x *measurer) {
	for code, g := range x.groups {
		mine := w.groups[code]
		if mine == nil {
			w.groups[code] = g
			continue
		}
		for i := range g.Buckets {
			mine.Buckets[i].Join(&g.Buckets[i])
		}
		mine.Whole.Join(&g.Whole)
	}
	for i := range x.all.Buckets {
		w.all.Buckets[i].Join(&x.all.Buckets[i])
	}
	w.all.Whole.Join(&x.all.Whole)
}

// Join adds the events, or the other people, of another cell.
func (c *Cell) Join(x *Cell) {
	if x.Count == 0 {
		return
	}
	if c.Count == 0 || x.Min.Cmp(c.Min) < 0 {
		c.Min = x.Min
	}
	if c.Count == 0 || x.Max.Cmp(c.Max) > 0 {
		c.Max = x.Max
	}
	c.Count += x.Count
	c.Sum.Add(x.Sum)
	c.sample.join(&x.sample)
}

func (w *measurer) result() *Result {
	if w.m.By == nil {
		if g := w.groups[0]; g != nil {
			w.all = g
		}
		w.groups = nil
	}
	if w.m.Statistic == Persons {
		return &Result{w.groups, w.all}
	}
	for _, g := range w.groups {
		for i := range g.Buckets {
			w.all.Buckets[i].Join(&g.Buckets[i])
		}
	}
	for _, g := range w.groups {
		g.sum()
	}
	w.all.sum()
	return &Result{w.groups, w.all}
}

// Fold makes one group, Rest, of those that are not shown. It is not for people, who may be in several groups.
func (r *Result) Fold(shown []uint32) {
	var rest *Group
	for code, g := range r.Groups {
		if slices.Contains(shown, code) {
			continue
		}
		if rest == nil {
			rest = &Group{Buckets: make([]Cell, len(g.Buckets))}
		}
		for i := range g.Buckets {
			rest.Buckets[i].Join(&g.Buckets[i])
		}
		rest.Whole.Join(&g.Whole)
		delete(r.Groups, code)
	}
	if rest != nil {
		r.Groups[Rest] = rest
	}
}

// Accumulate makes each bucket hold what the buckets before it hold, too. It is not for people.
func (g *Group) Accumulate() {
	for i := 1; i < len(g.Buckets); i++ {
		g.Buckets[i].Join(&g.Buckets[i-1])
	}
}

// Put adds a number to a cell. With keep the cell has percentiles.
func (c *Cell) Put(number parts.Value, keep bool) {
	d, ok := decimalOf(number.Text)
	if !ok || number.Kind != parts.Number {
		return
	}
	c.Join(&Cell{Count: 1, Sum: d, Min: d, Max: d})
	if keep {
		x, _ := strconv.ParseFloat(d.String(), 64)
		c.sample.add(normal(x))
	}
}

// sum makes the whole of the buckets.
func (g *Group) sum() {
	for i := range g.Buckets {
		g.Whole.Join(&g.Buckets[i])
	}
}
