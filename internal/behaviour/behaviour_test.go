package behaviour_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bahagh/nimbus/internal/behaviour"
)

const minute = 60 * 1_000_000

func TestSessionsAreCutWhereTheRulesSay(t *testing.T) {
	t.Parallel()
	type event struct{ ts, client int64 }
	for _, c := range []struct {
		name   string
		events []event
		want   []uint32
	}{
		{"exactly 30 minutes is no gap", []event{{0, 0}, {30 * minute, 0}}, []uint32{1, 1}},
		{"a microsecond more is", []event{{0, 0}, {30*minute + 1, 0}}, []uint32{1, 2}},
		{"midnight does not cut", []event{{-10 * minute, 0}, {10 * minute, 0}}, []uint32{1, 1}},
		{"another client session id cuts", []event{{0, 1}, {minute, 2}}, []uint32{1, 2}},
		{"the same does not", []event{{0, 1}, {minute, 1}}, []uint32{1, 1}},
		{"none goes with any", []event{{0, 1}, {minute, 0}, {2 * minute, 1}}, []uint32{1, 1, 1}},
		{"the session takes the first that comes", []event{{0, 0}, {minute, 1}, {2 * minute, 2}}, []uint32{1, 1, 2}},
		{"what was before none still counts", []event{{0, 1}, {minute, 0}, {2 * minute, 2}}, []uint32{1, 1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var s behaviour.Sessionizer
			var got []uint32
			for _, e := range c.events {
				got = append(got, s.Add(e.ts, uint32(e.client)))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("sessions %v, want %v", got, c.want)
			}
		})
	}
}

func TestASessionIsNotLongerThanADay(t *testing.T) {
	t.Parallel()
	var s behaviour.Sessionizer
	for i := range 100 {
		s.Add(int64(i)*20*minute, 0)
	}
	// 72 steps of 20 minutes are exactly 24 h, which is still the same session.
	want := []behaviour.Session{{Start: 0, Last: 72 * 20 * minute, Events: 73}, {Start: 73 * 20 * minute, Last: 99 * 20 * minute, Events: 27}}
	if !slices.Equal(s.Sessions, want) {
		t.Errorf("sessions %+v, want %+v", s.Sessions, want)
	}
	s.Reset()
	if no := s.Add(0, 0); no != 1 || len(s.Sessions) != 1 {
		t.Errorf("the next person begins with session %d of %d", no, len(s.Sessions))
	}
}

// A session is over when an event at that moment would begin another.
func TestASessionIsOverWhenNothingCanJoinIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		session behaviour.Session
		asOf    int64
		want    bool
	}{
		{behaviour.Session{Last: 0}, 30 * minute, false},
		{behaviour.Session{Last: 0}, 30*minute + 1, true},
		{behaviour.Session{Last: 24*60*minute - minute}, 24 * 60 * minute, false},
		{behaviour.Session{Last: 24*60*minute - minute}, 24*60*minute + 1, true},
	} {
		t.Run(fmt.Sprint(c.session.Last, c.asOf), func(t *testing.T) {
			t.Parallel()
			if got := c.session.Over(c.asOf); got != c.want {
				t.Errorf("over: %t, want %t", got, c.want)
			}
		})
	}
}

func TestSetIsASet(t *testing.T) {
	t.Parallel()
	const seed, rounds = 20261130, 500
	t.Logf("seed %d, %d rounds", seed, rounds)
	r := rand.New(rand.NewPCG(seed, 1))
	random := func() (*behaviour.Set, map[uint32]bool) {
		s, m := behaviour.NewSet(), map[uint32]bool{}
		for range r.IntN(50) {
			no := uint32(r.IntN(1 + r.IntN(5000)))
			s.Add(no)
			m[no] = true
		}
		return s, m
	}
	for round := range rounds {
		a, inA := random()
		b, inB := random()
		a.Union(b)
		a.Union(nil)
		for no := range inB {
			inA[no] = true
		}
		var got []uint32
		for no := range a.All() {
			got = append(got, no)
			if !inA[no] {
				t.Fatalf("round %d: %d is in the set", round, no)
			}
		}
		if len(got) != len(inA) || a.Len() != len(inA) || !slices.IsSorted(got) {
			t.Fatalf("round %d: %d of %d people: %v", round, len(got), len(inA), got)
		}
		for range 20 {
			if no := uint32(r.IntN(10000)); a.Has(no) != inA[no] {
				t.Fatalf("round %d: has %d: %t", round, no, a.Has(no))
			}
		}
	}
	var nobody *behaviour.Set
	if nobody.Has(1) || nobody.Len() != 0 || len(slices.Collect(nobody.All())) != 0 {
		t.Error("a nil set is not empty")
	}
}
