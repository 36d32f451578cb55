package paths

import (
	"math"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// MaxDepth bounds how many nodes a path can have.
const MaxDepth = 10

// Count is what is counted.
type Count uint8

// The counts.
const (
	Users    Count = iota // one path a person
	Totals                // every path; the next begins after the one before
	Sessions              // one path a session
)

// Anchor is an event that fits any of its conditions: where paths begin or end.
type Anchor struct {
	Marks uint64
	Label string // for the definition
}

// Question asks for the ways of people, resolved. Rows whose node is the absent value are no nodes. Times are
// microseconds.
type Question struct {
	Node       int     // value column
	NodeLabel  string  // the property that names nodes, empty for the event's name
	Start, End *Anchor // nil for none; without both any node is a start
	Range      query.Range
	Window     int64
	Depth, Top int
	Collapse   bool // of equal neighbours the first is taken
	Count      Count
	Compare    behaviour.Compare // orders nodes by name
}

// Backwards says whether paths are read from their end.
func (q *Question) Backwards() bool { return q.Start == nil && q.End != nil }

// Reads is the range of the rows that the question needs. Whether the first node in the range repeats the one before
// it is known only from what came before: of a person his latest node, however old, in sessions what the session
// began with.
func (q *Question) Reads() query.Range {
	r := query.Range{From: q.Range.From, To: q.Range.To + q.Window}
	if q.Backwards() {
		r.From, r.To = q.Range.From-q.Window, q.Range.To
	}
	switch {
	case q.Collapse && q.Count == Sessions:
		r.From -= behaviour.SessionLength
	case q.Collapse:
		r.From = math.MinInt64
	}
	return r
}
