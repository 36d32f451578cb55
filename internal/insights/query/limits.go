package query

import (
	"time"

	"github.com/bahagh/nimbus/internal/contract/problem"
)

// Limits bound what one question may cost.
type Limits struct {
	Timeout   time.Duration // of reading, for the whole question
	MaxEvents int           // read by one question
}

// Afford refuses a question that would read more events than one may.
func (l Limits) Afford(events int64) error {
	if events <= int64(l.MaxEvents) {
		return nil
	}
	return problem.New(problem.CodeQueryTooHeavy, "This question would read %d events, and one may read at most %d: "+
		"shorten the range, or ask for fewer names.", events, l.MaxEvents)
}

// TooSlow is the answer when the time was up.
func (l Limits) TooSlow(cause error) error {
	return problem.Wrap(cause, problem.CodeQueryTooHeavy, "Reading the events took longer than the %s a question may take: "+
		"shorten the range, ask for fewer names, or leave out the breakdown.", l.Timeout)
}
