package trends

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/turns"
)

// Limits bound what one question may cost.
type Limits struct {
	Timeout   time.Duration // of reading, for the whole question
	MaxEvents int           // read by one question
}

// Answer is what was measured in a window.
type Answer struct {
	*Window
	Measure    Measure
	Prop       string
	FromEvents bool // and not from the rollups
	// A number is NaN where nothing was measured.
	Total  float64
	Series []float64 // one for each bucket
	Groups []Group   // of a breakdown: the largest first, those of equal size by value, the rest last
	// IncompleteFrom is the start of the first bucket that is not over, nil when all are.
	IncompleteFrom *time.Time
}

// Group is the measure of one value of the breakdown, or of all that are not shown.
type Group struct {
	Value  *string // nil for the rest, and for the events that have no value
	Other  bool    // the rest
	Total  float64
	Series []float64
}

// Answer answers what was asked of a project. Whether the caller may see the project is for the caller to check.
func (s *store) Answer(ctx context.Context, projectID uuid.UUID, ask *Ask, now time.Time) (*Answer, error) {
	w, err := Resolve(ask, now)
	if err != nil {
		return nil, err
	}
	a := &Answer{Window: w, Measure: ask.measure(), Prop: ask.Prop, FromEvents: !ask.inRollups()}
	if i := w.incomplete(now); i >= 0 {
		t := w.At(i)
		a.IncompleteFrom = &t
	}
	if a.FromEvents {
		if err := turns.Heavy(ctx, projectID.String()); err != nil {
			return nil, fmt.Errorf("take a turn: %w", err)
		}
		return a, s.fromEvents(ctx, projectID, ask, a)
	}
	return a, s.count(ctx, projectID, ask, a)
}

// fromEvents answers from the events themselves.
func (s *store) fromEvents(ctx context.Context, projectID uuid.UUID, ask *Ask, a *Answer) error {
	q := &question{projectID: projectID, bounds: make([]time.Time, len(a.Bounds)), names: distinct(ask.Names), props: ask.Props,
		filter: ask.Filter, measure: a.Measure, prop: ask.Prop, breakdown: ask.Breakdown, breakdownProp: ask.BreakdownProp}
	for i, sec := range a.Bounds {
		q.bounds[i] = time.Unix(sec, 0).UTC()
	}
	return s.snapshot(ctx, projectID, func(r *reader) error {
		if err := r.afford(ctx, q.names, a.Bounds); err != nil {
			return err
		}
		return a.read(ctx, r, q, ask.top())
	})
}

// afford refuses a question that would read too many events, by the counts of its range and names.
func (r *reader) afford(ctx context.Context, names []string, bounds []int64) error {
	whole := []int64{bounds[0], bounds[len(bounds)-1]}
	counts, err := r.series(ctx, Plan(whole), names, whole)
	if err != nil {
		return err
	}
	if most := r.store.limits.MaxEvents; counts[0] > int64(most) {
		return problem.New(problem.CodeQueryTooHeavy, "This question would read %d events, and one may read at most %d: "+
			"shorten the range, or ask for fewer names.", counts[0], most)
	}
	return nil
}

// tooSlow is the answer when the time was up.
func tooSlow(cause error, limit time.Duration) error {
	return problem.Wrap(cause, problem.CodeQueryTooHeavy, "Reading the events took longer than the %s a question may take: "+
		"shorten the range, ask for fewer names, or leave out the breakdown.", limit)
}

// read fills in the numbers, of at most so many groups.
func (a *Answer) read(ctx context.Context, r *reader, q *question, limit int) error {
	all := a.blank(nil, false)
	groups := []Group{a.blank(nil, true)} // the rest first, as its number is
	group := func(i int) *Group {
		for len(groups) <= i {
			groups = append(groups, a.blank(nil, false))
		}
		return &groups[i]
	}
	var unreadable error
	hasRest := false
	err := r.measures(ctx, q, limit, func(bucket, i int, measure, value *string) {
		to := &all
		if i != allGroups {
			to = group(i)
			hasRest = hasRest || i == restGroup
		}
		if bucket == groupValue {
			to.Value = value
			return
		}
		if measure == nil {
			return
		}
		v, err := number(*measure)
		if err != nil {
			unreadable = err
		}
		if bucket == wholeRange {
			to.Total = v
		} else {
			to.Series[bucket-1] = v
		}
	})
	if err = errors.Join(err, unreadable); err != nil {
		return err
	}
	a.Total, a.Series, a.Groups = all.Total, all.Series, groups[1:]
	if hasRest {
		a.Groups = append(a.Groups, groups[restGroup])
	}
	return nil
}

// blank is a group of which nothing was measured.
func (a *Answer) blank(value *string, other bool) Group {
	g := Group{Value: value, Other: other, Series: make([]float64, a.Buckets())}
	if !a.Measure.additive() {
		g.Total = math.NaN()
		for i := range g.Series {
			g.Series[i] = math.NaN()
		}
	}
	return g
}

// number reads PostgreSQL's decimal text. What is beyond a double becomes infinite, which no reply can say, as none can
// say that a percentile between the two ends of its range is not a number.
func number(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("a measure of %q: %w", text, err)
	}
	return v, nil
}
