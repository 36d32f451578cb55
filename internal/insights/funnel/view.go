package funnel

import (
	"math/bits"
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour"
)

// view is the rows of a person that a funnel looks at, as columns. Its memory serves one person after another.
type view struct {
	ts  []int64
	fit []uint32 // bit i: the event can fill step i
	ban []uint32 // bit i: the event is excluded by exclusion i
	row []int32  // the index of the row
	// rest are the steps that this event and those after it can fill, of a funnel in any order. In a part of a view
	// it may be more than the part's.
	rest []uint32
}

func (v *view) len() int { return len(v.ts) }

func (v *view) reset() {
	v.ts, v.fit, v.ban, v.row = v.ts[:0], v.fit[:0], v.ban[:0], v.row[:0]
}

func (v *view) add(ts int64, fit, ban uint32, row int32) {
	v.ts = append(v.ts, ts)
	v.fit = append(v.fit, fit)
	v.ban = append(v.ban, ban)
	v.row = append(v.row, row)
}

// slice returns the part of the view from lo to before hi. It shares the memory.
func (v *view) slice(lo, hi int) view {
	part := view{ts: v.ts[lo:hi:hi], fit: v.fit[lo:hi:hi], ban: v.ban[lo:hi:hi], row: v.row[lo:hi:hi]}
	if len(v.rest) > 0 {
		part.rest = v.rest[lo:hi:hi]
	}
	return part
}

// rowAt is the index of the row at a position. Without a view positions are indexes.
func (v *view) rowAt(pos int32) int32 {
	if v == nil {
		return pos
	}
	return v.row[pos]
}

// moment returns the first and the one after the last position of the events that have the time of the one at pos.
func (v *view) moment(pos int) (lo, hi int) {
	lo, hi = pos, pos+1
	for lo > 0 && v.ts[lo-1] == v.ts[pos] {
		lo--
	}
	return lo, v.momentEnd(hi, pos)
}

func (v *view) momentEnd(hi, pos int) int {
	for hi < len(v.ts) && v.ts[hi] == v.ts[pos] {
		hi++
	}
	return hi
}

// from returns the position of the first event at or after a time.
func (v *view) from(ts int64) int {
	pos, _ := slices.BinarySearch(v.ts, ts)
	return pos
}

// load fills the view with the rows that matter: those that fit a step or an exclusion, in a strict order all.
func (v *view) load(q *Question, rows []behaviour.Row) {
	v.reset()
	for i := range rows {
		r := &rows[i]
		fit, ban := q.fits(r.Marks), q.bans(r.Marks)
		if fit|ban != 0 || q.Order == Strict {
			v.add(r.TS, fit, ban, int32(i))
		}
	}
	if q.Order == Any {
		v.rest = append(v.rest[:0], v.fit...)
		for pos := len(v.rest) - 2; pos >= 0; pos-- {
			v.rest[pos] |= v.rest[pos+1]
		}
	}
}

// fits returns the steps that an event can fill.
func (q *Question) fits(marks uint64) (fit uint32) {
	for i := range q.Steps {
		if marks&q.Steps[i].Marks != 0 {
			fit |= 1 << i
		}
	}
	return fit
}

// bans returns the exclusions that an event is excluded by.
func (q *Question) bans(marks uint64) (ban uint32) {
	for i := range q.Exclude {
		if marks&q.Exclude[i].Marks != 0 {
			ban |= 1 << i
		}
	}
	return ban
}

// active are the exclusions among some that can end an attempt whose latest step was from before a moment and is to
// after it.
func (q *Question) active(bans uint32, from, to int) (active uint32) {
	for ; bans != 0; bans &= bans - 1 {
		i := bits.TrailingZeros32(bans)
		if x := &q.Exclude[i]; x.From <= from && x.To > to {
			active |= 1 << i
		}
	}
	return active
}

// held are the values that stay the same through an attempt. Those of an event that lacks one are not complete.
type held struct {
	values   [MaxHold]uint32
	complete bool
}

func (q *Question) held(r *behaviour.Row) held {
	h := held{complete: true}
	for i, column := range q.Hold {
		h.values[i] = r.Values[column]
		h.complete = h.complete && h.values[i] != 0
	}
	return h
}
