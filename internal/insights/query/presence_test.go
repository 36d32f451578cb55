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

func TestColumnsCountBits(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	columns, want := query.NewColumns(2), [128]int{}
	for range 5000 {
		word, bits := r.IntN(2), r.Uint64()&r.Uint64()
		columns.Add(word, bits)
		for b := range 64 {
			want[64*word+b] += int(bits >> b & 1)
		}
	}
	for b, n := range want {
		if got := columns.Count(b); got != n {
			t.Fatalf("bit %d was set %d times, want %d", b, got, n)
		}
	}
}

func TestShiftedBits(t *testing.T) {
	t.Parallel()
	words := []uint64{1<<63 | 1, 1<<5 | 1<<63, 1}
	set := func(b int) uint64 {
		if b/64 < len(words) {
			return words[b/64] >> (b % 64) & 1
		}
		return 0
	}
	for n := range 200 {
		for word := range words {
			for b := range 64 {
				if got, want := query.Shifted(words, word, n)>>b&1, set(64*word+b+n); got != want {
					t.Fatalf("bit %d of word %d shifted by %d is %d, want %d", b, word, n, got, want)
				}
			}
		}
	}
}
