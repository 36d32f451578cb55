package query_test

import (
	"math/rand/v2"
	"testing"

	"github.com/bahagh/nimbus/internal/insights/query"
)

func TestBitsAreFound(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	for round := range 2000 {
		words := make([]uint64, r.IntN(4))
		set := map[int]bool{}
		for range r.IntN(6) {
			if n := len(words) * 64; n > 0 {
				b := r.IntN(n)
				words[b/64] |= 1 << (b % 64)
				set[b] = true
			}
		}
		last := -1
		for b := range len(words) * 64 {
			if set[b] {
				last = b
			}
		}
		if got := query.LastBit(words); got != last {
			t.Fatalf("round %d: the last of %v is %d, want %d", round, set, got, last)
		}
		for from := range len(words)*64 + 3 {
			want := -1
			for b := from; b < len(words)*64 && want < 0; b++ {
				if set[b] {
					want = b
				}
			}
			if got := query.NextBit(words, from); got != want {
				t.Fatalf("round %d: from %d on the first of %v is %d, want %d", round, from, set, got, want)
			}
		}
	}
}
