package activity

import (
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// UniquesQuestion asks how many people did an event.
type UniquesQuestion struct {
	Active Step
	Range  query.Range
	Bounds []int64 // of the buckets that meet the range; none when empty
}

// Reads is the range of the rows that the question needs.
func (q *UniquesQuestion) Reads() query.Range { return q.Range }

// Uniques counts people. It is for one goroutine; several count parts of the people and are merged.
type Uniques struct {
	q      UniquesQuestion
	total  int
	series []int
	wanted *int
	found  people
}

// NewUniques returns the uniques of nobody.
func NewUniques(q UniquesQuestion) *Uniques {
	return &Uniques{q: q, series: make([]int, max(0, len(q.Bounds)-1))}
}

// Add counts a person.
func (u *Uniques) Add(p *behaviour.Person) {
	bounds := u.q.Bounds
	period, end, any := -1, u.q.Range.From, false
	for i := range p.Rows {
		row := &p.Rows[i]
		if row.TS < end || row.Marks&u.q.Active.Marks == 0 {
			continue // the period has been counted
		}
		if row.TS >= u.q.Range.To {
			break
		}
		if !any {
			u.total++
			any = true
			u.collect(-1, p.No, row.TS)
		}
		if len(u.series) == 0 {
			break
		}
		for period++; row.TS >= bounds[period+1]; {
			period++
		}
		end = bounds[period+1]
		u.series[period]++
		u.collect(period, p.No, row.TS)
	}
}

func (u *Uniques) collect(bucket int, no uint32, at int64) {
	if u.wanted != nil && *u.wanted == bucket {
		u.found.add(no, at)
	}
}

// Merge adds what other uniques of the same question counted, of other people.
func (u *Uniques) Merge(other *Uniques) {
	u.total += other.total
	for i, n := range other.series {
		u.series[i] += n
	}
	u.found = append(u.found, other.found...)
}

// UniquesAnswer is how many people there were in the range, and in each bucket.
type UniquesAnswer struct {
	Total  int
	Starts []int64
	Series []int
}

// Answer returns what was counted.
func (u *Uniques) Answer() UniquesAnswer {
	return UniquesAnswer{u.total, u.q.Bounds[:len(u.series)], u.series}
}

// Collect makes it find the people of a bucket too, of the whole range when it is -1. It is asked before the first
// person.
func (u *Uniques) Collect(bucket int) { u.wanted = &bucket }

// People returns those behind the number, by their numbers, each with his first event.
func (u *Uniques) People() []behaviour.Member { return u.found.sorted() }
