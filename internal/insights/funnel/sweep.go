package funnel

import (
	"math"
	"math/bits"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// unreached is the entry of a step that nothing has reached. It is further away than every window.
const unreached = math.MinInt64 / 2

// sweep finds the best attempt of an ordered funnel in one pass over the events, however many entries there are: for
// each step it keeps the latest entry that can have it as its latest step. What can follow is the same for all of
// them, and a later entry has its window longer.
type sweep struct {
	q        *Question
	steps    int
	required uint32
	done     [MaxSteps]int // how many required steps there are up to each
	reach    [MaxSteps]int64
	match    matcher
	fit      []uint32
	best     reached
}

// reached is how far the best attempt came.
type reached struct {
	done        int
	last, entry int64
}

func newSweep(q *Question) *sweep {
	w := &sweep{q: q, steps: len(q.Steps)}
	for i := range q.Steps {
		if !q.Steps[i].Optional {
			w.required |= 1 << i
		}
		w.done[i] = bits.OnesCount32(w.required)
	}
	return w
}

// run passes over the events from a position on. Entries are those of them in the range. It stops at the first
// conversion.
func (w *sweep) run(v *view, from int, r query.Range) reached {
	w.best = reached{}
	for i := range w.steps {
		w.reach[i] = unreached
	}
	lo, converted := from, w.done[w.steps-1]
	for n := v.len(); lo < n && w.best.done < converted; {
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
			if step > 0 {
				w.arrive(step, w.before(step), ts)
			} else if r.Has(ts) {
				w.arrive(0, ts, ts)
			}
		}
		lo++
	}
	return w.best
}

// before returns the latest entry that can have a step as its next: between may be optional steps that were not done.
func (w *sweep) before(step int) int64 {
	step--
	entry := w.reach[step]
	for w.required&(1<<step) == 0 {
		step--
		entry = max(entry, w.reach[step])
	}
	return entry
}

// arrive notes that an entry has reached a step, if it is still in its window.
func (w *sweep) arrive(step int, entry, ts int64) {
	if ts-entry <= w.q.Window {
		w.reach[step] = max(w.reach[step], entry)
		w.note(step, entry, ts)
	}
}

func (w *sweep) note(step int, entry, ts int64) {
	if w.required&(1<<step) == 0 {
		return
	}
	done := w.done[step]
	if done > w.best.done || done == w.best.done && ts == w.best.last && entry > w.best.entry {
		w.best = reached{done, ts, entry}
	}
}

// moment takes several events of one time, or one that is excluded. The steps that an attempt does at the moment count
// before it is ended.
func (w *sweep) moment(v *view, lo, hi int, r query.Range) {
	ts := v.ts[lo]
	w.fit = append(w.fit[:0], v.fit[lo:hi]...)
	if !r.Has(ts) {
		for i := range w.fit {
			w.fit[i] &^= 1 // only an entry does the first step
		}
	}
	bans, can := union(v.ban[lo:hi]), union(w.fit)
	before := w.reach
	for step := range w.steps {
		if w.q.active(bans, step, step) != 0 {
			w.reach[step] = unreached
		}
	}
	w.match.begin(w.fit, v.ban[lo:hi], -1)
	w.advance(-1, ts, ts, can, bans)
	for step, entry := range before[:w.steps] {
		if ts-entry <= w.q.Window {
			w.advance(step, entry, ts, can, bans)
		}
	}
}

// advance continues the attempt of an entry, whose latest step is from, by all steps that the moment can fill. From
// -1 the entry is in the moment itself.
func (w *sweep) advance(from int, entry, ts int64, can, bans uint32) {
	for to := from + 1; to < w.steps; to++ {
		needed := w.required&(1<<to) != 0
		steps, possible := uint32(0), can&(1<<to) != 0
		if possible {
			steps, possible = w.match.between(w.required, from, to)
		}
		switch {
		case !possible && needed:
			return
		case !possible:
			continue
		}
		w.note(to, entry, ts)
		if active := w.q.active(bans, from, to); active == 0 || w.match.spares(active, steps) {
			w.reach[to] = max(w.reach[to], entry)
		}
	}
}
