package sessions

import (
	"math"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// NoAsOf is the AsOf of a question about everything that is known: every session is over.
const NoAsOf = math.MaxInt64

// Ends counts where sessions begin and end, by the values of one column.
type Ends struct {
	Column  int
	Top     int
	Compare behaviour.Compare
	Label   string
}

// Question asks about the sessions that begin in a range, resolved. Times are microseconds.
type Question struct {
	Range     query.Range
	Bounds    []int64 // of the buckets of the series; none when empty
	Breakdown *query.Breakdown
	Ends      *Ends
	AsOf      int64
}

// Reads is the range of the rows that the question needs. Sessions themselves are cut from all events.
func (q *Question) Reads() query.Range {
	return query.Range{From: q.Range.From, To: q.Range.To + behaviour.SessionLength + 1}
}
