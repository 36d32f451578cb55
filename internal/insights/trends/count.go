package trends

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// count answers from the rollups, which is exact for whole buckets of all events or of names.
func (s *store) count(ctx context.Context, projectID uuid.UUID, ask *Ask, a *Answer) error {
	runs, names := Plan(a.Bounds), distinct(ask.Names)
	if ask.Breakdown == NoBreakdown {
		series, err := s.pooled(projectID).series(ctx, runs, names, a.Bounds)
		a.Series, a.Total = floats(series), float64(sum(series))
		return err
	}
	return s.snapshot(ctx, projectID, func(r *reader) error {
		series, err := r.series(ctx, runs, names, a.Bounds)
		if err != nil {
			return err
		}
		a.Series, a.Total = floats(series), float64(sum(series))
		a.Groups, err = r.groups(ctx, a, series, runs, names, ask.top())
		return err
	})
}

// groups reads the breakdown in two steps: totals of every name over the whole window, which needs few rows for each,
// and then the series of only those that are shown. The rest is what the total has and they have not.
func (r *reader) groups(ctx context.Context, a *Answer, all []int64, runs []Run, names []string, top int) ([]Group, error) {
	if len(names) == 0 {
		var err error
		if names, err = r.names(ctx); err != nil {
			return nil, err
		}
	}
	whole := []int64{a.Bounds[0], a.Bounds[a.Buckets()]}
	totals, err := r.seriesByName(ctx, Plan(whole), names, whole)
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
