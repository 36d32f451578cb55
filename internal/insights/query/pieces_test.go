package query_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bahagh/nimbus/internal/insights/query"
)

// Buckets that are put together of pieces have what the minutes in them have.
func TestPiecesAreTheBuckets(t *testing.T) {
	t.Parallel()
	const seed, rounds = 20261130, 500
	random := rand.New(rand.NewPCG(seed, 1))
	for round := range rounds {
		bounds := []int64{60 * int64(random.IntN(200)-100)}
		step := []int64{3600, 1800, 5400, 0}[random.IntN(4)]
		for range 1 + random.IntN(30) {
			width := step
			if step == 0 {
				width = 60 * int64(1+random.IntN(150))
			}
			bounds = append(bounds, bounds[len(bounds)-1]+width)
		}
		count := func(minute int64) int64 { return (minute*minute/60 + 7*minute) % 11 & 7 }
		sums := map[query.Run]int64{}
		rows := int64(0)
		for _, run := range query.Pieces(bounds) {
			if run.From%run.Granularity != 0 || run.To%run.Granularity != 0 {
				t.Fatalf("round %d: %+v lies across rows", round, run)
			}
			for minute := run.From; minute < run.To; minute += 60 {
				sums[run] += count(minute)
			}
			if rows += (run.To - run.From) / 60; run.Granularity == 60 && run.To-run.From > 1800 {
				t.Fatalf("round %d: %+v is more than half an hour", round, run)
			}
		}
		want := make([]int64, len(bounds)-1)
		for i := range want {
			for minute := bounds[i]; minute < bounds[i+1]; minute += 60 {
				want[i] += count(minute)
			}
		}
		if got := query.Piecewise(bounds, sums); !slices.Equal(got, want) {
			t.Fatalf("round %d: %v has %v, want %v", round, bounds, got, want)
		}
	}
}
