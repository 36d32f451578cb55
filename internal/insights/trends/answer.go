package trends

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/platform/replica"
)

// Source is where the rows of an answer come from. Which sources there are is known to New alone: a question says what is
// asked, and the first that has it answers. Two that have the same must give the same numbers to the last digit.
type Source interface {
	// Name is what answers call it.
	Name() string
	// Has says whether the source can answer the question exactly.
	Has(q *Question) bool
	// Fill reads the total, the series and the groups of a question about a project, whose window the answer has.
	Fill(ctx context.Context, pool *pgxpool.Pool, projectID uuid.UUID, q *Question, a *Answer) error
}

// Answer is what was measured in a window.
type Answer struct {
	*query.Window
	Measure Measure
	Prop    string // the path of a numeric measure
	Source  string
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

// Trends measures events by bucket.
type Trends struct {
	reads   *replica.Reads
	sources []Source // the fastest first; the last has everything
	home    Home
	now     func() time.Time
}

// Home returns the calendar of a project, for the questions that name none.
type Home func(ctx context.Context, projectID uuid.UUID) (query.Home, error)

// Options are what Trends are made of.
type Options struct {
	Reads  *replica.Reads
	Limits query.Limits
	Home   Home
	Now    func() time.Time
	// Unproven is told which days of an answer had to be read from the events, because their parts failed the proof.
	Unproven func(ctx context.Context, project uuid.UUID, days []int32)
}

// New returns Trends that reads as the limits allow.
func New(o Options) *Trends {
	sources := []Source{countsSource{o.Limits}, partsSource{o.Limits, o.Unproven}, eventsSource{o.Limits}}
	return &Trends{reads: o.Reads, sources: sources, home: o.Home, now: o.Now}
}

// Resolve returns the buckets that the answer to a question about a project has now.
func (t *Trends) Resolve(ctx context.Context, projectID uuid.UUID, q *Question) (*query.Window, error) {
	home, err := t.home(ctx, projectID)
	if err != nil {
		return nil, err
	}
	q.When = q.At(home)
	return q.resolve(t.now())
}

// Answer answers a question about a project. Whether the caller may see the project is for the caller to check.
func (t *Trends) Answer(ctx context.Context, projectID uuid.UUID, q *Question) (*Answer, error) {
	w, err := t.Resolve(ctx, projectID, q)
	if err != nil {
		return nil, err
	}
	a := &Answer{Window: w, Measure: q.measure(), Prop: q.Prop.String(), IncompleteFrom: w.Incomplete(t.now())}
	for _, source := range t.sources {
		if source.Has(q) {
			a.Source = source.Name()
			err := t.reads.Ask(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
				return source.Fill(ctx, pool, projectID, q, a)
			})
			if errors.Is(err, errUnanswered) {
				continue
			}
			return a, err
		}
	}
	return nil, errors.New("no source has what is asked for")
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

// number reads PostgreSQL's decimal text, or a quotient of two, which is the nearest double to it. What is beyond a double becomes infinite, which no reply can say, as none can
// say that a percentile between the two ends of its range is not a number.
func number(text string) (float64, error) {
	if sum, n, ok := strings.Cut(text, "/"); ok {
		x, fine := new(big.Rat).SetString(sum)
		y, also := new(big.Rat).SetString(n)
		if !fine || !also {
			return 0, fmt.Errorf("a measure of %q is no quotient", text)
		}
		v, _ := x.Quo(x, y).Float64()
		return v, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("a measure of %q: %w", text, err)
	}
	return v, nil
}
