package funnel

import (
	"math"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// The bounds of a question. The contract refuses more.
const (
	MaxSteps      = 20
	MaxExclusions = 32
	MaxHold       = 3
)

// NoAsOf is the AsOf of a question about everything that is known: nothing is incomplete.
const NoAsOf = math.MaxInt64

// Order is which events may lie between two steps.
type Order uint8

// The orders.
const (
	Ordered Order = iota // other events may lie between two steps
	Strict               // no considered event lies between two steps
	Any                  // the steps are done in any order
)

// Choice is which of the attempts of a person counts.
type Choice uint8

// The choices.
const (
	Optimized Choice = iota // most steps, then the earliest last step, then the latest entry
	First                   // the first entry's
)

// Count is what is counted.
type Count uint8

// The counts.
const (
	Users    Count = iota // one attempt a person
	Totals                // every attempt; one begins after another ended
	Sessions              // one attempt a session, with all its events in it
)

// Attribution is the step whose value says which group an attempt is in.
type Attribution uint8

// The attributions.
const (
	FirstValue Attribution = iota // the first value that is not null
	LastValue                     // the last value that is not null
	StepValue                     // the value at one step, null when it was not reached
)

// Step is one thing to do: events that fit any of its conditions.
type Step struct {
	Marks    uint64
	Optional bool   // never the first or last, and only in an order
	Label    string // for the definition
}

// Exclusion ends an attempt between two steps, which are not optional. Both are indexes into Steps.
type Exclusion struct {
	Marks    uint64
	From, To int
	Label    string
}

// Breakdown puts each attempt into one group.
type Breakdown struct {
	query.Breakdown
	Attribution Attribution
	Step        int // of StepValue
}

// Question is a funnel, resolved: conditions are bits of marks, properties are value columns, times are microseconds.
type Question struct {
	Steps      []Step
	Range      query.Range // of the entry only
	Window     int64
	Order      Order
	Choice     Choice
	Count      Count
	Exclude    []Exclusion
	Hold       []int // value columns
	HoldLabels []string
	Breakdown  *Breakdown
	Edges      []int64 // of the histogram, increasing; none when empty
	Bounds     []int64 // of the buckets of the series; none when empty
	AsOf       int64
}

// Reads is the range of the rows that the question needs; with sessions it begins earlier, with the session of the
// first of them.
func (q *Question) Reads() query.Range {
	return query.Range{From: q.Range.From, To: q.Range.To + q.Window}
}

// required returns the indexes of the steps that are not optional.
func (q *Question) required() (steps []int) {
	for i := range q.Steps {
		if !q.Steps[i].Optional {
			steps = append(steps, i)
		}
	}
	return steps
}

// usual says whether the funnel is the one that nearly everybody asks for: ordered, optimized, of users, with steps
// that are all needed and nothing that could end an attempt but time.
func (q *Question) usual() bool {
	return q.Order == Ordered && q.Choice == Optimized && q.Count == Users && len(q.Exclude) == 0 && len(q.Hold) == 0 &&
		len(q.required()) == len(q.Steps)
}
