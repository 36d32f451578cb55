package retention

import "github.com/bahagh/nimbus/internal/insights/query"

// Presence says whether the periods in which people started and returned are enough to answer the question, and which
// periods those are: all that is before the rows, the rows and those after them, and all that is after those.
func (q *Question) Presence(earliest, end int64) (bounds []int64, enough bool) {
	if q.Interval == Rolling || q.Breakdown != nil {
		return nil, false
	}
	bounds = append([]int64{min(earliest, q.Bounds[0]-1)}, q.Bounds...)
	return append(bounds, max(end, q.Bounds[len(q.Bounds)-1]+1)), true
}

// AddPresence counts a person by the periods of Presence that he started in, and then those that he returned in.
func (r *Retention) AddPresence(periods []uint64) {
	starts, returns := periods[:len(periods)/2], periods[len(periods)/2:]
	b := query.NextBit(starts, 0)
	if r.q.Cohort == FirstTime {
		if b > 0 && b <= r.q.Rows {
			r.countPresence(b-1, returns)
		}
		return
	}
	if b == 0 {
		b = query.NextBit(starts, 1)
	}
	for b > 0 && b <= r.q.Rows {
		r.countPresence(b-1, returns)
		b = query.NextBit(starts, b+1)
	}
}

// countPresence adds a person to the values of a row. Its period n is bit 1+row+n.
func (r *Retention) countPresence(row int, returns []uint64) {
	values := r.all[row*r.q.Periods:][:r.q.Periods]
	values[0]++
	if r.q.Mode == OnOrAfter {
		for n := min(query.LastBit(returns)-1-row, r.q.Periods-1); n > 0; n-- {
			values[n]++
		}
		return
	}
	before := 0
	for b := query.NextBit(returns, row+2); b > 0; b = query.NextBit(returns, b+1) {
		n := b - 1 - row
		if n >= r.q.Periods || r.q.Mode == Streak && n != before+1 {
			break
		}
		values[n]++
		before = n
	}
}
