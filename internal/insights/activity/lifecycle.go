package activity

import (
	"math"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// LifecycleQuestion asks who is new, stays, comes back and falls silent from period to period.
type LifecycleQuestion struct {
	Active Step
	// Before is the start of the period before the first, Bounds are the starts of the periods and the end of the last.
	Before int64
	Bounds []int64
	Bucket query.Bucket
	AsOf   int64
}

// Cut cuts a range into whole periods.
func (q *LifecycleQuestion) Cut(c query.Calendar, in query.Range) {
	q.Bucket, q.Bounds = c.Bucket, c.Bounds(in)
	q.Before = c.Before(q.Bounds[0])
}

// Reads is the range of the rows that the question needs: who is new depends on all that came before.
func (q *LifecycleQuestion) Reads() query.Range {
	return query.Range{From: math.MinInt64, To: q.Bounds[len(q.Bounds)-1]}
}

// State is what a person is in a period.
type State uint8

// The states.
const (
	New          State = iota // active, and never before
	Returning                 // active, and in the period before
	Resurrecting              // active, not in the period before, but earlier
	Dormant                   // not active, but in the period before
	states       = 4
)

// Lifecycle counts people by their states. It is for one goroutine; several count parts of the people and are merged.
type Lifecycle struct {
	q      LifecycleQuestion
	rows   [][states]int
	visits visits
	wanted *LifecycleCoordinate
	found  people
}

// NewLifecycle returns the lifecycle of nobody.
func NewLifecycle(q LifecycleQuestion) *Lifecycle {
	return &Lifecycle{q: q, rows: make([][states]int, len(q.Bounds)-1)}
}

// Add counts a person.
func (l *Lifecycle) Add(p *behaviour.Person) {
	l.visits.load(p.Rows, l.q.Active.Marks, l.q.Bounds)
	const long = -2 // the period of those who were active only before the period before the first
	previous := math.MinInt
	for i := range l.visits {
		v := &l.visits[i]
		switch {
		case v.period < 0: // before the first
			if previous = long; v.last >= l.q.Before {
				previous = -1
			}
		case previous == v.period-1:
			l.count(v.period, Returning, p.No, v.first)
		case i > 0:
			l.count(v.period, Resurrecting, p.No, v.first)
		default:
			l.count(v.period, New, p.No, v.first)
		}
		if v.period >= 0 {
			previous = v.period
		}
		silent := previous != long && (i+1 == len(l.visits) || l.visits[i+1].period != previous+1)
		if silent && previous+1 < len(l.rows) {
			l.count(previous+1, Dormant, p.No, v.last)
		}
	}
}

func (l *Lifecycle) count(period int, s State, no uint32, at int64) {
	l.rows[period][s]++
	if l.wanted != nil && *l.wanted == (LifecycleCoordinate{period, s}) {
		l.found.add(no, at)
	}
}

// Merge adds what another lifecycle of the same question counted, of other people.
func (l *Lifecycle) Merge(other *Lifecycle) {
	for i := range l.rows {
		for s, n := range other.rows[i] {
			l.rows[i][s] += n
		}
	}
	l.found = append(l.found, other.found...)
}

// LifecycleRow is one period.
type LifecycleRow struct {
	Start                                 int64
	New, Returning, Resurrecting, Dormant int
	Complete                              bool // the period is over
}

// Answer returns what was counted.
func (l *Lifecycle) Answer() []LifecycleRow {
	rows := make([]LifecycleRow, len(l.rows))
	for i, n := range l.rows {
		over := l.q.AsOf == NoAsOf || l.q.Bounds[i+1] <= l.q.AsOf
		rows[i] = LifecycleRow{l.q.Bounds[i], n[New], n[Returning], n[Resurrecting], n[Dormant], over}
	}
	return rows
}

// LifecycleCoordinate names a number of the answer.
type LifecycleCoordinate struct {
	Period int
	State  State
}

// Collect makes it find the people behind a number too. It is asked before the first person.
func (l *Lifecycle) Collect(c LifecycleCoordinate) { l.wanted = &c }

// People returns those behind the number, by their numbers, each with his first event in the period; who is dormant
// with his last in the period before.
func (l *Lifecycle) People() []behaviour.Member { return l.found.sorted() }
