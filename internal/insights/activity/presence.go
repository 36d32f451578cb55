package activity

import (
	"math/bits"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// Presence is the periods that are enough to answer the question: the buckets, cut to the range.
func (q *UniquesQuestion) Presence() []int64 {
	if len(q.Bounds) == 0 {
		return []int64{q.Range.From, q.Range.To}
	}
	bounds := append([]int64{}, q.Bounds...)
	bounds[0], bounds[len(bounds)-1] = q.Range.From, q.Range.To
	return bounds
}

// AddPresence counts a person by the periods of Presence that he was active in.
func (u *Uniques) AddPresence(periods []uint64) {
	b := query.NextBit(periods, 0)
	if b < 0 {
		return
	}
	u.total++
	for ; b >= 0 && b < len(u.series); b = query.NextBit(periods, b+1) {
		u.series[b]++
	}
}

// Presence is the periods that are enough to answer the question: all that is before the one before the first, that one,
// and those of the answer.
func (q *LifecycleQuestion) Presence(earliest int64) []int64 {
	return append([]int64{min(earliest, q.Before-1), q.Before}, q.Bounds...)
}

// AddPresence counts a person by the periods of Presence that he was active in.
func (l *Lifecycle) AddPresence(periods []uint64) {
	first := query.NextBit(periods, 0)
	before := -2
	for b := first; b >= 0; {
		next := query.NextBit(periods, b+1)
		if row := b - 2; row >= 0 {
			switch {
			case before == b-1:
				l.rows[row][Returning]++
			case b != first:
				l.rows[row][Resurrecting]++
			default:
				l.rows[row][New]++
			}
		}
		if row := b - 1; row >= 0 && row < len(l.rows) && next != b+1 {
			l.rows[row][Dormant]++
		}
		before, b = b, next
	}
}

// Presence is the periods that are enough to answer the question: its own.
func (q *StickinessQuestion) Presence() []int64 { return q.Bounds }

// AddPresence counts a person by the periods of Presence that he was active in.
func (s *Stickiness) AddPresence(periods []uint64) {
	n := 0
	for _, word := range periods {
		n += bits.OnesCount64(word)
	}
	if n > 0 {
		s.exactly[n-1]++
	}
}
