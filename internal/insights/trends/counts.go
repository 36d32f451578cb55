package trends

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// countsSource answers plain counts from the counts that internal/events/rollups keeps, in a few milliseconds.
type countsSource struct {
	limits query.Limits
}

// Name is that of the contract.
func (countsSource) Name() string { return "rollup" }

// Has is true of what the counts by name and time say: how many events of some names there were, also by name.
func (countsSource) Has(q *Question) bool {
	return q.measure() == Count && q.Props == nil && q.Filter == nil && q.Breakdown != ByProp
}

// Fill adds up whole rows of the counts, none of which lies across the bound of a bucket.
func (s countsSource) Fill(ctx context.Context, pool *pgxpool.Pool, projectID uuid.UUID, q *Question, a *Answer) error {
	runs, names := query.Plan(a.Bounds), distinct(q.Names)
	store := newStore(pool, s.limits)
	if q.Breakdown == NoBreakdown {
		series, err := store.pooled(projectID).series(ctx, runs, names, a.Bounds)
		a.Series, a.Total = floats(series), float64(sum(series))
		return err
	}
	return store.snapshot(ctx, projectID, func(r *reader) error {
		series, err := r.series(ctx, runs, names, a.Bounds)
		if err != nil {
			return err
		}
		a.Series, a.Total = floats(series), float64(sum(series))
		a.Groups, err = r.groups(ctx, a, series, runs, names, q.top())
		return err
	})
}

// groups reads the breakdown in two steps: totals of every name over the whole window, which needs few rows for each,
// and then the series of only those that are shown. The rest is what the total has and they have not.
func (r *reader) groups(ctx context.Context, a *Answer, all []int64, runs []query.Run, names []string, top int) ([]Group, error) {
	if len(names) == 0 {
		var err error
		if names, err = r.names(ctx); err != nil {
			return nil, err
		}
	}
	whole := a.Whole()
	totals, err := r.seriesByName(ctx, query.Plan(whole), names, whole)
	if err != nil {
		return nil, err
	}
	shown := largest(totals, top)
	series, err := r.seriesByName(ctx, runs, shown, a.Bounds)
	if err != nil {
		return nil, err
	}
	groups := make([]Group, 0, len(shown)+1)
	rest := slices.Clone(all)
	for i := range shown {
		s := series[shown[i]]
		groups = append(groups, Group{Value: &shown[i], Total: float64(sum(s)), Series: floats(s)})
		for j, n := range s {
			rest[j] -= n
		}
	}
	if n := sum(rest); n > 0 {
		groups = append(groups, Group{Other: true, Total: float64(n), Series: floats(rest)})
	}
	return groups, nil
}

// largest returns the names with the highest totals, at most n, the largest first and those of equal size by name.
// A name without any event in the window is not among the totals.
func largest(totals map[string][]int64, n int) []string {
	names := make([]string, 0, len(totals))
	for name := range totals {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(totals[b][0], totals[a][0]), strings.Compare(a, b))
	})
	return names[:min(n, len(names))]
}

func sum(series []int64) (n int64) {
	for _, v := range series {
		n += v
	}
	return n
}

// floats is exact: 2^53 events are more than there will be.
func floats(series []int64) []float64 {
	out := make([]float64, len(series))
	for i, v := range series {
		out[i] = float64(v)
	}
	return out
}
