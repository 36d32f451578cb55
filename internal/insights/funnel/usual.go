package funnel

import (
	"math/bits"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// usual is the pass of the usual funnel over the rows themselves: what sweep does, without a view of them. It leaves
// a person to sweep as soon as two of his events that fit a step have the same time.
type usual struct {
	q     *Question
	steps int
	shift int // the steps' marks are bits in a row from this one on, or it is -1
	mask  uint64
	reach [MaxSteps]int64
	entry [MaxSteps]int32 // the rows of the entries in reach
}

func newUsual(q *Question) *usual {
	u := &usual{q: q, steps: len(q.Steps), shift: bits.TrailingZeros64(q.Steps[0].Marks)}
	for i := range q.Steps {
		u.mask |= q.Steps[i].Marks
		if q.Steps[i].Marks != 1<<(u.shift+i) {
			u.shift = -1
			break
		}
	}
	if u.shift < 0 {
		u.mask = 0
		for i := range q.Steps {
			u.mask |= q.Steps[i].Marks
		}
	}
	return u
}

// fits returns the steps that an event can fill.
func (u *usual) fits(marks uint64) uint32 {
	if marks &= u.mask; marks == 0 {
		return 0
	}
	if u.shift >= 0 {
		return uint32(marks >> u.shift)
	}
	return u.q.fits(marks)
}

// quick emits the attempt that counts, and says whether it could. No entry is before the row first.
func (r *runner) quick(in query.Range, first int) bool {
	best, entry, latest, ok := r.usual.sweep(r.person.Rows, first, in)
	if !ok {
		return false
	}
	if best == 0 {
		return true
	}
	r.usual.fill(r.person.Rows, int(entry), &r.best)
	open := r.best.end != converted && r.q.AsOf != NoAsOf && r.q.AsOf <= latest+r.q.Window
	r.emit(nil, &r.best, open)
	return true
}

// sweep returns how far the best attempt came, the row of its entry, and the time of the latest entry.
func (u *usual) sweep(rows []behaviour.Row, first int, in query.Range) (best int, entry int32, latest int64, ok bool) {
	for i := range u.steps {
		u.reach[i] = unreached
	}
	latest = unreached
	before := int64(unreached)
	for first > 0 && rows[first-1].TS == rows[first].TS {
		first-- // an event of the entry's moment may be stored before it
	}
	for i := first; i < len(rows); i++ {
		row := &rows[i]
		fit := u.fits(row.Marks)
		if fit == 0 || row.TS < in.From {
			continue
		}
		if row.TS-in.To >= u.q.Window {
			break
		}
		if row.TS == before {
			return 0, 0, 0, false
		}
		before = row.TS
		for fit != 0 {
			step := bits.Len32(fit) - 1 // from the last on: one event fills one step
			fit &^= 1 << step
			if step == 0 {
				if row.TS >= in.To {
					continue
				}
				latest = row.TS
				u.reach[0], u.entry[0] = row.TS, int32(i)
			} else if from := u.reach[step-1]; row.TS-from <= u.q.Window {
				u.reach[step], u.entry[step] = from, u.entry[step-1]
			} else {
				continue
			}
			if step >= best {
				best, entry = step+1, u.entry[step]
			}
		}
		if best == u.steps {
			return best, entry, latest, !u.tied(rows, i)
		}
	}
	return best, entry, latest, true
}

// tied says whether an event after a row that fits a step has its time.
func (u *usual) tied(rows []behaviour.Row, i int) bool {
	for next := i + 1; next < len(rows) && rows[next].TS == rows[i].TS; next++ {
		if u.fits(rows[next].Marks) != 0 {
			return true
		}
	}
	return false
}

// fill makes the attempt of an entry that a sweep found: each step is done as soon as it can be.
func (u *usual) fill(rows []behaviour.Row, entry int, a *attempt) {
	start := rows[entry].TS
	a.entry, a.done, a.last, a.end, a.endPos = entry, 1, start, timedOut, -1
	for step := range u.steps {
		a.at[step], a.pos[step] = never, -1
	}
	a.fill(0, start, entry)
	for i := entry + 1; i < len(rows) && rows[i].TS-start <= u.q.Window && a.done < u.steps; i++ {
		if u.fits(rows[i].Marks)&(1<<a.done) != 0 {
			a.fill(a.done, rows[i].TS, i)
			a.last = rows[i].TS
			a.done++
		}
	}
	if a.done == u.steps {
		a.convert(u.steps - 1)
	}
}
