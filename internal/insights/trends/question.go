package trends

import (
	"slices"
	"time"

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/insights/query"
)

const defaultTop = 10

// Question is a measure of some events by bucket, as the caller put it.
type Question struct {
	query.When
	Names         []string      // all when empty; repeating one changes nothing
	Props         []byte        // a JSON object that the props contain; nil means any
	Filter        *query.Filter // nil means any
	Measure       Measure       // Count when empty
	Prop          events.Path   // what a numeric measure measures
	Breakdown     Breakdown
	BreakdownProp events.Path
	Top           int // groups of a breakdown; 10 when 0
}

// resolve returns the buckets that the answer has. The error is a query.Invalid that says everything that is wrong with the
// question.
func (q *Question) resolve(now time.Time) (*query.Window, error) {
	return q.When.Resolve(now, q.series(), append(q.Filter.Check(), q.checkProps()...))
}

// measure is what is asked for.
func (q *Question) measure() Measure {
	if q.Measure == "" {
		return Count
	}
	return q.Measure
}

// top is how many groups a breakdown shows.
func (q *Question) top() int {
	if q.Top <= 0 {
		return defaultTop
	}
	return q.Top
}

// series is how many the answer may have.
func (q *Question) series() int {
	if q.Breakdown == NoBreakdown {
		return 1
	}
	if n := len(distinct(q.Names)); q.Breakdown == ByName && n > 0 && n <= q.top() {
		return n + 1
	}
	return q.top() + 2 // and the rest, and the total
}

// checkProps holds the names of props to what they are for.
func (q *Question) checkProps() (bad query.Invalid) {
	refuse := func(field, code, detail string) {
		bad = append(bad, query.Fault{At: []any{field}, Code: code, Detail: detail})
	}
	switch numeric := q.measure().numeric(); {
	case numeric && q.Prop == nil:
		refuse("prop", contract.CodeRequired, "is required when measure is "+string(q.Measure)+": name the number in props to measure")
	case !numeric && q.Prop != nil:
		refuse("prop", query.CodeConflict, "is only allowed with a measure of numbers, such as sum; "+string(q.measure())+" measures no prop")
	}
	switch by := q.Breakdown == ByProp; {
	case by && q.BreakdownProp == nil:
		refuse("breakdown_prop", contract.CodeRequired, "is required when breakdown is prop")
	case !by && q.BreakdownProp != nil:
		refuse("breakdown_prop", query.CodeConflict, "is only allowed when breakdown is prop")
	case by && q.BreakdownProp.Many():
		refuse("breakdown_prop", query.CodeConflict, "must not have [], as an event is in one group: name one element, such as [0]")
	}
	return bad
}

// distinct returns the names sorted and each once, so that no event counts twice.
func distinct(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
