package measures

import (
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// Coordinate is where a number of a line stands.
type Coordinate struct {
	Bucket int     // -1: the whole range
	Group  *uint32 // nil: all events
}

// Behind finds the people whose events a number was measured of. It is for one goroutine.
type Behind struct {
	q     *PeopleQuestion
	in    query.Range
	group *uint32
	codes map[scan.Key]uint32
	found []behaviour.Member
}

// NewBehind returns one that has found nobody.
func NewBehind(q *PeopleQuestion, at Coordinate) *Behind {
	b := &Behind{q: q, in: q.Range, group: at.Group, codes: map[scan.Key]uint32{}}
	switch {
	case at.Bucket < 0:
	case q.Rolling > 0:
		b.in = q.Windows[at.Bucket]
	case q.Cumulative:
		b.in.To = min(b.in.To, q.Bounds[at.Bucket+1])
	default:
		b.in = b.in.Clip(query.Range{From: q.Bounds[at.Bucket], To: q.Bounds[at.Bucket+1]})
	}
	return b
}

// Add looks at a person, whose moment is his first event that was measured.
func (b *Behind) Add(p *behaviour.Person) {
	rows := p.Rows
	if b.q.FirstTime {
		rows = rows[:1]
	}
	for i := range rows {
		row := &rows[i]
		if !b.in.Has(row.TS) || b.group != nil && codeOf(b.q, b.codes, row) != *b.group {
			continue
		}
		if b.q.Measure.Numeric() && b.q.Numbers.Value(row.Values[b.q.Number]).Kind != parts.Number {
			continue
		}
		b.found = append(b.found, behaviour.Member{No: p.No, At: row.TS})
		return
	}
}

// Merge adds whom another found among other people.
func (b *Behind) Merge(other *Behind) { b.found = append(b.found, other.found...) }

// People returns those found, by their numbers.
func (b *Behind) People() []behaviour.Member {
	slices.SortFunc(b.found, func(x, y behaviour.Member) int { return int(int64(x.No) - int64(y.No)) })
	return b.found
}
