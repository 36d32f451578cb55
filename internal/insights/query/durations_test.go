package query_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bahagh/nimbus/internal/insights/query"
)

const seed = 20261130

func TestSummaryIsOfEveryDuration(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	percentile := func(sorted []int64, p float64) float64 {
		at := p * float64(len(sorted)-1)
		low, high := sorted[int(math.Floor(at))], sorted[int(math.Ceil(at))]
		return (float64(low) + (at-math.Floor(at))*float64(high-low)) / 1e6
	}
	for round := range 3000 {
		d := make(query.Durations, 1+r.IntN(60))
		for i := range d {
			d[i] = r.Int64N(1 + r.Int64N(1+r.Int64N(366*query.Day)))
			if r.IntN(3) == 0 {
				d[i] = d[0] // many are equal
			}
		}
		sorted := slices.Sorted(slices.Values(d))
		sum := 0.0
		for _, v := range sorted {
			sum += float64(v)
		}
		want := query.Times{
			N: len(d), Mean: sum / 1e6 / float64(len(d)), Median: percentile(sorted, 0.5), P90: percentile(sorted, 0.9),
			Min: float64(sorted[0]) / 1e6, Max: float64(sorted[len(sorted)-1]) / 1e6,
		}
		got := *d.Summary()
		near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*max(1, math.Abs(b)) }
		if got.N != want.N || !near(got.Mean, want.Mean) || !near(got.Median, want.Median) || !near(got.P90, want.P90) ||
			got.Min != want.Min || got.Max != want.Max {
			t.Fatalf("round %d of %v\ngot  %+v\nwant %+v", round, sorted, got, want)
		}
	}
	if got := (query.Durations{}).Summary(); got != nil {
		t.Errorf("summary of nothing is %+v", got)
	}
}

// A year for each of a hundred million attempts is more microseconds than an int64 holds; here a few of the longest do.
func TestSummaryOfLongDurationsDoesNotOverflow(t *testing.T) {
	t.Parallel()
	d := query.Durations{math.MaxInt64, math.MaxInt64, math.MaxInt64}
	if got, want := d.Summary().Mean, float64(math.MaxInt64)/1e6; math.Abs(got-want) > 1 {
		t.Errorf("mean %v, want %v", got, want)
	}
}

func TestHistogramCountsFromEdgeToEdge(t *testing.T) {
	t.Parallel()
	under, counts := query.Durations{0, 9, 10, 19, 20, 500}.Histogram([]int64{10, 20})
	if under != 2 || !slices.Equal(counts, []int{2, 2}) {
		t.Errorf("under %d, counts %v, want 2 and [2 2]", under, counts)
	}
}
