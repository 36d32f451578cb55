package activity_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/activity"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/query/querytest"
	"github.com/bahagh/nimbus/internal/platform/zone"
)

const (
	seed   = 20261130
	rounds = 3000
)

// random makes a range, its periods, and people who were active around it.
func random(r *rand.Rand) (in query.Range, c query.Calendar, people []*behaviour.Person) {
	loc, _ := zone.Load("America/Havana") // midnight comes twice on 1 November 2026
	from := time.Date(2026, 10, 30, 0, 0, 0, 0, loc).UnixMicro()
	c = query.Calendar{Bucket: query.Bucket1d, Loc: loc, Week: time.Sunday}
	in = query.Range{From: from + r.Int64N(40)*query.Hour, To: from + (41+r.Int64N(90))*query.Hour}
	for i := range 1 + r.IntN(12) {
		p := &behaviour.Person{No: uint32(i)}
		for range r.IntN(9) {
			p.Rows = append(p.Rows, behaviour.Row{TS: from + (r.Int64N(260)-100)*query.Hour, Marks: uint64(r.IntN(3))})
		}
		slices.SortFunc(p.Rows, func(a, b behaviour.Row) int { return int((a.TS - b.TS) / query.Second) })
		people = append(people, p)
	}
	return in, c, people
}

var active = activity.Step{Marks: 1}

// did says whether a person was active in [from, to).
func did(p *behaviour.Person, from, to int64) bool {
	return slices.ContainsFunc(p.Rows, func(r behaviour.Row) bool { return r.Marks&1 != 0 && from <= r.TS && r.TS < to })
}

func TestUniques(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d, %d rounds", seed, rounds)
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range rounds {
		in, c, people := random(r)
		q := activity.UniquesQuestion{Active: active, Range: in, Bounds: c.Bounds(in)}
		fresh := func() *activity.Uniques { return activity.NewUniques(q) }
		answer := querytest.Pass(people, fresh, nil).Answer()
		check := func(bucket, got int, in query.Range) {
			want := 0
			for _, p := range people {
				if did(p, in.From, in.To) {
					want++
				}
			}
			if got != want {
				t.Fatalf("round %d, bucket %d: %d people, want %d", round, bucket, got, want)
			}
			behind := querytest.Pass(people, fresh, &bucket).People()
			if len(behind) != want {
				t.Fatalf("round %d, bucket %d: %d people behind, want %d", round, bucket, len(behind), want)
			}
			for _, m := range behind {
				if !in.Has(m.At) {
					t.Fatalf("round %d, bucket %d: %+v was not in it", round, bucket, m)
				}
			}
		}
		check(-1, answer.Total, in)
		for i, n := range answer.Series {
			check(i, n, in.Clip(query.Range{From: q.Bounds[i], To: q.Bounds[i+1]}))
		}
	}
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d, %d rounds", seed, rounds)
	r := rand.New(rand.NewPCG(seed, 2))
	for round := range rounds {
		in, c, people := random(r)
		q := activity.LifecycleQuestion{Active: active, AsOf: activity.NoAsOf}
		q.Cut(c, in)
		fresh := func() *activity.Lifecycle { return activity.NewLifecycle(q) }
		rows := querytest.Pass(people, fresh, nil).Answer()
		for i, got := range rows {
			want := activity.LifecycleRow{Start: q.Bounds[i], Complete: true}
			before := q.Before
			if i > 0 {
				before = q.Bounds[i-1]
			}
			for _, p := range people {
				now, last, ever := did(p, q.Bounds[i], q.Bounds[i+1]), did(p, before, q.Bounds[i]), did(p, 0, q.Bounds[i])
				switch {
				case now && last:
					want.Returning++
				case now && ever:
					want.Resurrecting++
				case now:
					want.New++
				case last:
					want.Dormant++
				}
			}
			if got != want {
				t.Fatalf("round %d, period %d\ngot  %+v\nwant %+v", round, i, got, want)
			}
			for state, n := range map[activity.State]int{
				activity.New: want.New, activity.Returning: want.Returning, activity.Resurrecting: want.Resurrecting, activity.Dormant: want.Dormant,
			} {
				behind := querytest.Pass(people, fresh, &activity.LifecycleCoordinate{Period: i, State: state}).People()
				if len(behind) != n {
					t.Fatalf("round %d, period %d, state %d: %d people behind, want %d", round, i, state, len(behind), n)
				}
			}
		}
	}
}

// presence are the periods of a person as a scan gives them.
func presence(bounds []int64, p *behaviour.Person) []uint64 {
	periods := make([]uint64, (len(bounds)-1+63)/64)
	for _, row := range p.Rows {
		if row.Marks&1 == 0 || row.TS < bounds[0] || row.TS >= bounds[len(bounds)-1] {
			continue
		}
		i := query.PeriodOf(bounds, row.TS)
		periods[i/64] |= 1 << (i % 64)
	}
	return periods
}

func TestPeriodsAreEnough(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d, %d rounds", seed, rounds)
	r := rand.New(rand.NewPCG(seed, 4))
	for round := range rounds {
		in, c, people := random(r)
		u := activity.UniquesQuestion{Active: active, Range: in}
		if round%2 == 0 {
			u.Bounds = c.Bounds(in)
		}
		l, s := activity.LifecycleQuestion{Active: active, AsOf: activity.NoAsOf}, activity.StickinessQuestion{Active: active}
		l.Cut(c, in)
		s.Cut(c, in)
		uniques, lifecycle, stickiness := activity.NewUniques(u), activity.NewLifecycle(l), activity.NewStickiness(s)
		for _, p := range people {
			uniques.AddPresence(presence(u.Presence(), p))
			lifecycle.AddPresence(presence(l.Presence(0), p))
			stickiness.AddPresence(presence(s.Presence(), p))
		}
		same := func(got, want any) {
			t.Helper()
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("round %d\ngot  %+v\nwant %+v", round, got, want)
			}
		}
		same(uniques.Answer(), querytest.Pass(people, func() *activity.Uniques { return activity.NewUniques(u) }, nil).Answer())
		same(lifecycle.Answer(), querytest.Pass(people, func() *activity.Lifecycle { return activity.NewLifecycle(l) }, nil).Answer())
		same(stickiness.Answer(), querytest.Pass(people, func() *activity.Stickiness { return activity.NewStickiness(s) }, nil).Answer())
	}
}

func TestLifecycleSaysWhichPeriodsAreOver(t *testing.T) {
	t.Parallel()
	c := query.Calendar{Bucket: query.Bucket1d, Loc: time.UTC, Week: time.Monday}
	q := activity.LifecycleQuestion{Active: active, AsOf: query.Day}
	q.Cut(c, query.Range{From: 0, To: 2 * query.Day})
	if rows := activity.NewLifecycle(q).Answer(); !rows[0].Complete || rows[1].Complete {
		t.Errorf("as of the end of the first day the periods are %+v", rows)
	}
}

func TestStickiness(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d, %d rounds", seed, rounds)
	r := rand.New(rand.NewPCG(seed, 3))
	for round := range rounds {
		in, c, people := random(r)
		q := activity.StickinessQuestion{Active: active}
		q.Cut(c, in)
		fresh := func() *activity.Stickiness { return activity.NewStickiness(q) }
		answer := querytest.Pass(people, fresh, nil).Answer()
		periods := len(q.Bounds) - 1
		exactly, atLeast, total := make([]int, periods), make([]int, periods), 0
		for _, p := range people {
			n := 0
			for i := range periods {
				if did(p, q.Bounds[i], q.Bounds[i+1]) {
					n++
				}
			}
			if n > 0 {
				exactly[n-1]++
				total++
			}
			for k := range n {
				atLeast[k]++
			}
		}
		if answer.Periods != periods || answer.People != total || !slices.Equal(answer.Exactly, exactly) || !slices.Equal(answer.AtLeast, atLeast) {
			t.Fatalf("round %d\ngot  %+v\nwant %d people, exactly %v, at least %v", round, answer, total, exactly, atLeast)
		}
		for k := range periods {
			for _, least := range []bool{false, true} {
				want := exactly[k]
				if least {
					want = atLeast[k]
				}
				behind := querytest.Pass(people, fresh, &activity.StickinessCoordinate{Periods: k + 1, AtLeast: least}).People()
				if len(behind) != want {
					t.Fatalf("round %d, %d periods (at least: %t): %d people behind, want %d", round, k+1, least, len(behind), want)
				}
			}
		}
	}
}
