package metrics

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Definition says in every reply what its numbers mean.
const Definition = "The number of stored events whose ts lies in the bucket, each event once however often it was sent. " +
	"Buckets are half-open and follow the calendar of the time zone. An event that arrives late counts in the bucket of its ts."

// Answer is the counts of a window.
type Answer struct {
	*Window
	Total  int64
	Series []int64 // one for each bucket
	Groups []Group // of a breakdown: the largest first, those of equal size by name, the rest last
	// IncompleteFrom is the start of the first bucket that is not over, nil when all are.
	IncompleteFrom *time.Time
}

// Group is the counts of one name, or of all the names that a breakdown does not show.
type Group struct {
	Name   string // empty for the rest
	Other  bool   // the rest
	Total  int64
	Series []int64
}

// Count answers what was asked of a project. Whether the caller may see the project is for the caller to check.
func (s *store) Count(ctx context.Context, projectID uuid.UUID, ask *Ask, now time.Time) (*Answer, error) {
	w, err := Resolve(ask, now)
	if err != nil {
		return nil, err
	}
	a := &Answer{Window: w}
	if i := w.incomplete(now); i >= 0 {
		t := w.At(i)
		a.IncompleteFrom = &t
	}
	runs, names := Plan(w.Bounds), distinct(ask.Names)
	if !ask.ByName {
		a.Series, err = s.pooled(projectID).series(ctx, runs, names, w.Bounds)
		a.Total = sum(a.Series)
		return a, err
	}
	err = s.snapshot(ctx, projectID, func(r *reader) error {
		var err error
		if a.Series, err = r.series(ctx, runs, names, w.Bounds); err != nil {
			return err
		}
		a.Total = sum(a.Series)
		a.Groups, err = r.groups(ctx, a, runs, names, ask.top())
		return err
	})
	return a, err
}

// groups reads the breakdown in two steps: totals of every name over the whole window, which needs few rows for each,
// and then the series of only those that are shown. The rest is what the total has and they have not.
func (r *reader) groups(ctx context.Context, a *Answer, runs []Run, names []string, top int) ([]Group, error) {
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
	rest := Group{Other: true, Total: a.Total, Series: slices.Clone(a.Series)}
	for _, name := range shown {
		g := Group{Name: name, Total: sum(series[name]), Series: series[name]}
		groups = append(groups, g)
		rest.Total -= g.Total
		for i, n := range g.Series {
			rest.Series[i] -= n
		}
	}
	if rest.Total > 0 {
		groups = append(groups, rest)
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
