package funnel

import (
	"math"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// Sequence says whether somebody did steps in order, within a window from the first.
type Sequence struct {
	q     Question
	sweep *sweep
	view  view
}

// NewSequence returns a sequence of steps, none of which is optional.
func NewSequence(steps []Step, window int64) *Sequence {
	s := &Sequence{q: Question{Steps: steps, Window: window}}
	s.sweep = newSweep(&s.q)
	return s
}

// Done says whether the rows, in their order, have the sequence in them.
func (s *Sequence) Done(rows []behaviour.Row) bool {
	s.view.load(&s.q, rows)
	found := s.sweep.run(&s.view, 0, query.Range{From: math.MinInt64, To: math.MaxInt64})
	return found.done == len(s.q.Steps)
}
