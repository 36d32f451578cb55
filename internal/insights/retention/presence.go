package retention

import (
	"math"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// Presence says whether the periods in which people started and returned are enough to answer the question, and which
// periods those are: all that is before the rows, the rows and those after them, and all that is after those.
func (q *Question) Presence(earliest, end int64) (bounds []int64, enough bool) {
	if q.Interval == Rolling || q.Breakdown != nil {
		return nil, false
	}
	bounds = append([]int64{min(earliest, q.Bounds[0]-1)}, q.Bounds...)
	return append(bounds, max(end, q.Bounds[len(q.Bounds)-1]+1)), true
}

// AddPresence counts a person by the periods of Presence that he started in, and then those that he returned in. It counts
// all rows at once: bit 1+r says whether he is in row r, or retained in period n of it.
func (r *Retention) AddPresence(periods []uint64) {
	words := len(periods) / 2
	starts, returns := periods[:words], periods[words:]
	if r.q.Cohort == FirstTime {
		r.addFirst(query.NextBit(starts, 0), returns)
		return
	}
	if len(r.cells) == 0 {
		for range r.q.Periods {
			r.cells = append(r.cells, query.NewColumns(words))
		}
	}
	last := query.LastBit(returns)
	for word, retained := range starts {
		for n := 0; n < r.q.Periods && retained != 0; n++ {
			switch {
			case n == 0: // everybody who started
			case r.q.Mode == OnOrAfter:
				retained &= upTo(last - n - 64*word)
			case r.q.Mode == Streak:
				retained &= query.Shifted(returns, word, n)
			default:
				r.cells[n].Add(word, retained&query.Shifted(returns, word, n))
				continue
			}
			r.cells[n].Add(word, retained)
		}
	}
}

// upTo has the bits up to and with one.
func upTo(bit int) uint64 {
	switch {
	case bit < 0:
		return 0
	case bit >= 63:
		return math.MaxUint64
	default:
		return 1<<(bit+1) - 1
	}
}

// addFirst counts a person whose first start is in a period, which is one of the rows or not.
func (r *Retention) addFirst(first int, returns []uint64) {
	if first < 1 || first > r.q.Rows {
		return
	}
	row := first - 1
	values := r.all[row*r.q.Periods:][:r.q.Periods]
	values[0]++
	if r.q.Mode == OnOrAfter {
		for n := min(query.LastBit(returns)-first, r.q.Periods-1); n > 0; n-- {
			values[n]++
		}
		return
	}
	before := 0
	for b := query.NextBit(returns, first+1); b > 0; b = query.NextBit(returns, b+1) {
		n := b - first
		if n >= r.q.Periods || r.q.Mode == Streak && n != before+1 {
			break
		}
		values[n]++
		before = n
	}
}

// settle adds what AddPresence counted to the values.
func (r *Retention) settle() {
	for n := range r.cells {
		for row := range r.q.Rows {
			r.all[row*r.q.Periods+n] += r.cells[n].Count(1 + row)
		}
	}
	r.cells = nil
}
