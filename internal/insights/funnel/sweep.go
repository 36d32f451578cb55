package funnel

import (
	"math"
	"math/bits"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// unreached is the entry of a step that nothing has reached. It is further away than every window.
const unreached = math.MinInt64 / 2

// sweep finds the best attempt of an ordered funnel in one pass over the events, however many entries there are: for each
// step it keeps the latest entry that has reached it. A later entry can do all that an earlier one can that is as far, and
// has its window longer. Optional steps do not take part: they decide neither how far an attempt comes nor when.
type sweep struct {
	steps  int // that are not optional
	window int64
	ends   []Exclusion // with steps as they are numbered here
	reach  [MaxSteps]int64
	match  matcher
	fit    []uint32
	best   reached
}

// reached is how far the best attempt came.
type reached struct {
	done        int
	last, entry int64
}

func newSweep(q *Question) *sweep {
	w := &sweep{window: q.Window}
	numbers := map[int]int{}
	for _, step := range q.required() {
		numbers[step] = w.steps
		w.steps++
	}
	for _, x := range q.Exclude {
		x.From, x.To = numbers[x.From], numbers[x.To]
		w.ends = append(w.ends, x)
	}
	return w
}

// run passes over the events from a position on. Entries are those of them in the range. It stops at the first conversion.
func (w *sweep) run(v *view, from int, r query.Range) reached {
	w.best = reached{}
	for i := range w.steps {
		w.reach[i] = unreached
	}
	lo := from
	for n := v.len(); lo < n && w.best.done < w.steps; {
		ts := v.ts[lo]
		if v.ban[lo] != 0 || lo+1 < n && v.ts[lo+1] == ts {
			hi := v.momentEnd(lo+1, lo)
			w.moment(v, lo, hi, r)
			lo = hi
			continue
		}
		for fit := v.fit[lo]; fit != 0; {
			step := bits.Len32(fit) - 1 // from the last on: one event fills one step
			fit &^= 1 << step
			if step == 0 {
				if r.Has(ts) {
					w.arrive(0, ts, ts)
				}
			} else if entry := w.reach[step-1]; ts-entry <= w.window {
				w.arrive(step, entry, ts)
			}
		}
		lo++
	}
	return w.best
}

// arrive notes that an entry has reached a step.
func (w *sweep) arrive(step int, entry, ts int64) {
	w.reach[step] = entry
	w.note(step, entry, ts)
}

func (w *sweep) note(step int, entry, ts int64) {
	if step+1 > w.best.done || step+1 == w.best.done && ts == w.best.last && entry > w.best.entry {
		w.best = reached{step + 1, ts, entry}
	}
}

// moment takes several events of one time, or one that is excluded. The steps that an attempt does at the moment count
// before it is ended.
func (w *sweep) moment(v *view, lo, hi int, r query.Range) {
	ts := v.ts[lo]
	w.fit = append(w.fit[:0], v.fit[lo:hi]...)
	bans := union(v.ban[lo:hi])
	for i := range w.fit {
		if !r.Has(ts) {
			w.fit[i] &^= 1 // no entry; only an entry does the first step
		}
	}
	before := w.reach
	for step := range w.steps {
		if w.active(bans, step, step) != 0 {
			w.reach[step] = unreached
		}
	}
	w.match.begin(w.fit, v.ban[lo:hi], -1)
	for step := w.steps - 1; step >= -1; step-- { // the latest entry last
		entry := ts
		if step >= 0 {
			entry = before[step]
		}
		if ts-entry > w.window {
			continue
		}
		for to, n := step+1, w.match.chain(step+1, w.steps); n > 0; to, n = to+1, n-1 {
			w.note(to, entry, ts)
			active := w.active(bans, step, to)
			if active == 0 || w.match.spares(active, 1<<(to+1)-1<<(step+1)) {
				w.reach[to] = entry
			}
		}
	}
}

// active are the exclusions among some that can end an attempt whose latest step was from before the moment and is to after
// it.
func (w *sweep) active(bans uint32, from, to int) (active uint32) {
	for rest := bans; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros32(rest)
		if x := &w.ends[i]; x.From <= from && x.To > to {
			active |= 1 << i
		}
	}
	return active
}
