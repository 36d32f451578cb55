package retention

import (
	"math"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// NoAsOf is the AsOf of a question about everything that is known: every cell is complete.
const NoAsOf = math.MaxInt64

// Cohort is which start events put a person into a row.
type Cohort uint8

// The cohorts.
const (
	FirstTime Cohort = iota // his first ever
	Recurring               // any
)

// Mode is when a person counts as retained in period n.
type Mode uint8

// The modes.
const (
	On        Mode = iota // a return event in it
	OnOrAfter             // a return event in it or later
	Streak                // return events in every period from 1 to it
)

// Interval is what periods are.
type Interval uint8

// The intervals.
const (
	Calendar Interval = iota // period n is the n-th after the row's
	Rolling                  // period n begins n widths after the person's own start
)

// Step is an event that fits any of its conditions.
type Step struct {
	Marks uint64
	Label string // for the definition
}

// Question is a retention, resolved. Times are microseconds.
type Question struct {
	Start, Return Step
	Cohort        Cohort
	Mode          Mode
	Interval      Interval
	Bucket        query.Bucket
	// Rows is how many periods the range meets, Periods how many values a row has, period 0 being the row's size.
	Rows, Periods int
	// Bounds are the starts of the rows' periods and of Periods-1 further ones, and the end of the last.
	Bounds    []int64
	Breakdown *query.Breakdown
	AsOf      int64
}

// Cut cuts a range into the rows, and the time after it into the periods.
func (q *Question) Cut(c query.Calendar, in query.Range) {
	q.Bucket = c.Bucket
	bounds := c.Bounds(in)
	q.Rows = len(bounds) - 1
	q.Bounds = c.Extend(bounds, q.Periods-1)
}

// width is the length of a rolling period. A month is 30 days.
func (q *Question) width() int64 {
	switch q.Bucket {
	case query.Bucket1h:
		return query.Hour
	case query.Bucket1w:
		return 7 * query.Day
	case query.Bucket1mo:
		return 30 * query.Day
	default:
		return query.Day
	}
}

// Reads is the range of the rows that the question needs. The first ever needs all that came before.
func (q *Question) Reads() query.Range {
	r := query.Range{From: q.Bounds[0], To: q.Bounds[len(q.Bounds)-1]}
	if q.Cohort == FirstTime {
		r.From = math.MinInt64
	}
	if q.Interval == Rolling {
		r.To = q.Bounds[q.Rows] + int64(q.Periods)*q.width()
	}
	if q.Mode == OnOrAfter {
		r.To = math.MaxInt64
	}
	return r
}

// complete is how many leading cells of a row are over at as_of, of a rolling row for its last possible start.
func (q *Question) complete(row int) int {
	if q.AsOf == NoAsOf {
		return q.Periods
	}
	n := 0
	for n < q.Periods {
		end := q.Bounds[row+1]
		if q.Interval == Rolling {
			end += int64(n+1) * q.width()
		} else {
			end = q.Bounds[row+n+1]
		}
		if end > q.AsOf {
			break
		}
		n++
	}
	return n
}
