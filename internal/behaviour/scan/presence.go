package scan

import (
	"context"
	"sort"
	"sync"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// Presence is a question that needs to know in which periods each person did something, and not in which order:
// retention by the calendar, lifecycle, stickiness. Its Query has matchers, or none for one that fits every event, but
// no values and no sessions.
type Presence struct {
	Query
	Bounds []int64 // of the periods, ascending, in microseconds since 1970; the first is From, the last To
}

// Words is how many words of bits each matcher has.
func (p *Presence) Words() int { return (len(p.Bounds) - 1 + 63) / 64 }

// Run calls the workers with every person who has a considered event, each from a goroutine of its own with different
// people by ascending number. periods has Words for each matcher: bit i of those is set when the person has an event in
// period i that fits the matcher. It is only valid during the call.
//
// Errors: as People.
func (p *Presence) Run(
	ctx context.Context, all []*parts.Header, source Source, workers ...func(no uint32, periods []uint64) error,
) error {
	q := p.Query
	if q.OnlyMarked = true; len(q.Matchers) == 0 {
		q.Matchers = []Matcher{{}}
	}
	plan := q.plan(all)
	refs := plan.refs()
	if len(refs) == 0 {
		return ctx.Err()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ranges := plan.ranges(refs, len(workers), 1<<62)
	queue := make(chan people, len(ranges))
	for _, r := range ranges {
		queue <- r
	}
	close(queue)
	var wg sync.WaitGroup
	for _, yield := range workers {
		wg.Go(func() {
			w := &marker{p: p, plan: plan, words: p.Words(), limit: plan.memory / int64(len(workers)), yield: yield}
			w.reader = reader{plan: plan, source: source, columns: w.columns}
			for r := range queue {
				if err := w.run(ctx, refs, r); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// marker marks the periods of people for one worker.
type marker struct {
	p      *Presence
	plan   *plan
	reader reader
	words  int
	limit  int64
	yield  func(no uint32, periods []uint64) error

	base     uint64
	span     uint64
	periods  []uint64 // of all people of the range
	inRow    []uint32
	selected []uint32
}

func (w *marker) columns(columns []int, h *parts.Header, c *parts.Chunk) ([]int, error) {
	columns = append(columns, parts.ColPerson)
	splits := w.plan.splits(c)
	if first, last := w.bucketsOf(c); first != last || w.plan.timed(c) || w.plan.dated(h) || splits {
		columns = append(columns, parts.ColTS)
	}
	if w.plan.dated(h) || splits {
		columns = append(columns, parts.ColReceived)
	}
	if splits {
		columns = append(columns, parts.ColTie)
	}
	return propColumns(columns, h, w.plan.chunkProps(c)), nil
}

func (w *marker) bucketsOf(c *parts.Chunk) (first, last int) {
	find := func(ts int64) int {
		return sort.Search(len(w.p.Bounds)-2, func(i int) bool { return w.p.Bounds[i+1] > ts })
	}
	return find(max(c.MinTS, w.plan.From)), find(min(c.MaxTS, w.plan.to-1))
}

// run marks the people of a range, in halves where they do not fit in the memory.
func (w *marker) run(ctx context.Context, all []ref, r people) error {
	refs := w.plan.within(all, r)
	last := w.plan.last(refs, r)
	if len(refs) == 0 || last < r.lo {
		return nil
	}
	w.base, w.span = r.lo, last-r.lo+1
	stride := uint64(w.words * len(w.plan.Matchers))
	if w.span > uint64(w.limit)/8/stride {
		if w.span == 1 {
			return ErrTooLarge
		}
		middle := r.lo + w.span/2
		if err := w.run(ctx, all, people{r.lo, middle}); err != nil {
			return err
		}
		return w.run(ctx, all, people{middle, r.hi})
	}
	if size := int(w.span * stride); cap(w.periods) < size {
		w.periods = make([]uint64, size)
	} else {
		w.periods = w.periods[:size]
		clear(w.periods)
	}
	if err := w.reader.each(ctx, refs, w.mark); err != nil {
		return err
	}
	for no := range w.span {
		periods := w.periods[no*stride : (no+1)*stride]
		for _, word := range periods {
			if word != 0 {
				if err := w.yield(uint32(w.base+no), periods); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

// last is the highest number of a range that may have rows in some chunks.
func (p *plan) last(refs []ref, r people) uint64 {
	last := uint64(0)
	if p.Groups != nil {
		return min(p.Groups.last(), r.hi-1)
	}
	for _, ref := range refs {
		last = max(last, uint64(p.chunk(ref).LastPerson))
	}
	for _, no := range p.moved {
		last = max(last, uint64(p.identity.Canonical(no)), uint64(p.identity.Splits[no].To))
	}
	return min(last, r.hi-1)
}

// mark marks the periods of a chunk's rows.
func (w *marker) mark(c *chunk) error {
	considered, err := c.considered()
	if err != nil {
		return err
	}
	shown, err := w.plan.Filter.rows(c)
	if err != nil {
		return err
	}
	considered = both(considered, shown)
	first, last := w.bucketsOf(c.info)
	if first != last {
		times, err := c.allTimes()
		if err != nil {
			return err
		}
		w.inRow = sizedTo(w.inRow, len(times))
		bucketRows(w.inRow, times, w.p.Bounds[first:last+2])
	}
	persons, err := c.people()
	if err != nil {
		return err
	}
	for i, names := range w.plan.matchers {
		if !names.has(c.info.Name) {
			continue
		}
		fit, err := w.plan.Matchers[i].Filter.rows(c)
		if err != nil {
			return err
		}
		w.markRows(persons, both(fit, considered), i, first, first != last)
	}
	return nil
}

func (w *marker) markRows(persons []uint32, rows rowSet, matcher, first int, timed bool) {
	base, span := uint32(w.base), w.span
	stride, at := w.words*len(w.plan.Matchers), matcher*w.words
	if rows == nil && !timed {
		bit, at := uint64(1)<<(first&63), at+first>>6
		for _, no := range persons {
			if place := no - base; uint64(place) < span { // wraps around below base
				w.periods[int(place)*stride+at] |= bit
			}
		}
		return
	}
	n := len(persons)
	if rows != nil {
		w.selected = rows.list(w.selected[:0])
		n = len(w.selected)
	}
	for i := range n {
		if rows != nil {
			i = int(w.selected[i])
		}
		place := persons[i] - base
		if uint64(place) >= span {
			continue
		}
		period := first
		if timed {
			period += int(w.inRow[i])
		}
		w.periods[int(place)*stride+at+period>>6] |= 1 << (period & 63)
	}
}
