package cohorts_test

import (
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/cohorts"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/query"
)

const (
	seed   = 20261130
	rounds = 4000
	known  = 12 // people there can be
)

func clause(r *rand.Rand, depth int) cohorts.Clause {
	c := cohorts.Clause{Op: cohorts.Op(r.IntN(7)), Within: query.Range{From: r.Int64N(8), To: 4 + r.Int64N(12)}}
	if depth == 0 {
		c.Op = cohorts.Did + cohorts.Op(r.IntN(4))
	}
	switch c.Op {
	case cohorts.And, cohorts.Or:
		for range 1 + r.IntN(3) {
			c.Clauses = append(c.Clauses, clause(r, depth-1))
		}
	case cohorts.Not:
		c.Clauses = []cohorts.Clause{clause(r, depth-1)}
	case cohorts.Did:
		c.Marks = 1 << r.IntN(3)
		c.Times = cohorts.Times{Min: r.IntN(3), Max: r.IntN(4)}
		if r.IntN(2) == 0 {
			c.Times.Max = math.MaxInt
		}
	case cohorts.First:
		c.Marks = 1 << r.IntN(3)
	case cohorts.Sequence:
		c.Window = r.Int64N(6)
		for range 1 + r.IntN(3) {
			c.Steps = append(c.Steps, funnel.Step{Marks: 1 << r.IntN(3)})
		}
	case cohorts.In:
		if depth > 0 && r.IntN(2) == 0 {
			c.Clauses = []cohorts.Clause{clause(r, depth-1)}
		} else {
			c.Set = someone(r)
		}
	}
	return c
}

func someone(r *rand.Rand) *behaviour.Set {
	s := behaviour.NewSet()
	for no := range uint32(known) {
		if r.IntN(3) == 0 {
			s.Add(no)
		}
	}
	return s
}

// holds says by the words of the definition whether a clause is true of a person.
func holds(c *cohorts.Clause, no uint32, rows []behaviour.Row) bool {
	within := slices.DeleteFunc(slices.Clone(rows), func(r behaviour.Row) bool { return !c.Within.Has(r.TS) })
	is := func(c cohorts.Clause) bool { return holds(&c, no, rows) }
	switch c.Op {
	case cohorts.And:
		return !slices.ContainsFunc(c.Clauses, func(c cohorts.Clause) bool { return !is(c) })
	case cohorts.Or:
		return slices.ContainsFunc(c.Clauses, is)
	case cohorts.Not:
		return !is(c.Clauses[0])
	case cohorts.Did:
		n := 0
		for _, r := range within {
			if r.Marks&c.Marks != 0 {
				n++
			}
		}
		return n >= c.Times.Min && n <= c.Times.Max
	case cohorts.First:
		i := slices.IndexFunc(rows, func(r behaviour.Row) bool { return r.Marks&c.Marks != 0 })
		return i >= 0 && c.Within.Has(rows[i].TS)
	case cohorts.Sequence:
		return sequence(c, within, nil)
	default:
		if len(c.Clauses) > 0 {
			return is(c.Clauses[0])
		}
		return c.Set.Has(no)
	}
}

// sequence tries every choice of rows for the steps.
func sequence(c *cohorts.Clause, rows []behaviour.Row, used []int) bool {
	if len(used) == len(c.Steps) {
		return true
	}
	for i, r := range rows {
		if slices.Contains(used, i) || r.Marks&c.Steps[len(used)].Marks == 0 {
			continue
		}
		if len(used) > 0 && (r.TS < rows[used[len(used)-1]].TS || r.TS > rows[used[0]].TS+c.Window) {
			continue
		}
		if sequence(c, rows, append(slices.Clone(used), i)) {
			return true
		}
	}
	return false
}

func TestACohortIsWhomItsTreeDescribes(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d, %d rounds", seed, rounds)
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range rounds {
		q := cohorts.Question{Where: clause(r, 3), Profiles: someone(r)}
		halves := [2]*cohorts.Cohort{cohorts.New(q), cohorts.New(q)}
		rows := map[uint32][]behaviour.Row{}
		for no := range uint32(known) {
			p := &behaviour.Person{No: no}
			ts := int64(0)
			for range r.IntN(8) {
				ts += r.Int64N(4)
				p.Rows = append(p.Rows, behaviour.Row{TS: ts, Marks: uint64(r.IntN(8))})
			}
			if rows[no] = p.Rows; len(p.Rows) > 0 {
				halves[no%2].Add(p)
			}
		}
		halves[0].Merge(halves[1])
		got := halves[0].Answer()
		for no := range uint32(known) {
			exists := len(rows[no]) > 0 || q.Profiles.Has(no)
			if want := exists && holds(&q.Where, no, rows[no]); got.Has(no) != want {
				t.Fatalf("round %d: person %d with %+v in %+v: %t, want %t", round, no, rows[no], q.Where, got.Has(no), want)
			}
		}
	}
}

// stream is what everybody did.
func stream(r *rand.Rand) map[uint32][]behaviour.Row {
	rows := map[uint32][]behaviour.Row{}
	for no := uint32(1); no < known; no++ {
		ts := int64(0)
		for range r.IntN(8) {
			ts += r.Int64N(4)
			rows[no] = append(rows[no], behaviour.Row{TS: ts, Marks: uint64(r.IntN(8))})
		}
	}
	return rows
}

// Those whom a pass finds that reads only what the clauses look at are those for whom they hold, of all numbers.
func TestSetsAreForWhomEachClauseHolds(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(seed, 2))
	for round := range rounds {
		clauses := []cohorts.Clause{clause(r, 2), clause(r, 2)}
		rows, reads := stream(r), cohorts.Reads(clauses)
		halves := [2]*cohorts.Sets{cohorts.NewSets(clauses), cohorts.NewSets(clauses)}
		for no := range uint32(known) {
			in := slices.DeleteFunc(slices.Clone(rows[no]), func(r behaviour.Row) bool { return !reads.Has(r.TS) })
			if len(in) > 0 {
				halves[no%2].Add(&behaviour.Person{No: no, Rows: in})
			}
		}
		halves[0].Merge(halves[1])
		for i, got := range halves[0].Answer(known - 1) {
			for no := uint32(1); no < known; no++ {
				if want := holds(&clauses[i], no, rows[no]); got.Has(no) != want {
					t.Fatalf("round %d: person %d with %+v in %+v: %t, want %t", round, no, rows[no], clauses[i], got.Has(no), want)
				}
			}
		}
	}
}

// since is since when people have a profile.
type since map[uint32]int64

func (s since) Had(no uint32, at int64) bool {
	from, ok := s[no]
	return ok && from < at
}

func (s since) All() iter.Seq[uint32] { return maps.Keys(s) }

// A cohort that reads only what it looks at has the same people, and the sizes at all moments are those of cohorts as of them.
func TestAHistoryHasTheSizeOfEachMoment(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(seed, 3))
	for round := range rounds {
		rows, moments := stream(r), []int64{r.Int64N(10), 10 + r.Int64N(10), 40}
		where := []cohorts.Clause{clause(r, 2), clause(r, 2), clause(r, 2)}
		profiles := since{}
		for no := range uint32(known) {
			if r.IntN(2) == 0 {
				profiles[no] = r.Int64N(30)
			}
		}
		halves := [2]*cohorts.History{cohorts.NewHistory(moments, where, profiles), cohorts.NewHistory(moments, where, profiles)}
		for no, rows := range rows {
			halves[no%2].Add(&behaviour.Person{No: no, Rows: rows})
		}
		halves[0].Merge(halves[1])
		sizes := halves[0].Sizes()
		for i, moment := range moments {
			want := int64(0)
			for no := range uint32(known) {
				before := slices.DeleteFunc(slices.Clone(rows[no]), func(r behaviour.Row) bool { return r.TS >= moment })
				if (len(before) > 0 || profiles.Had(no, moment)) && holds(&where[i], no, before) {
					want++
				}
			}
			if got := sizes[i]; got != want {
				t.Fatalf("round %d: %d people at %d, want %d", round, got, moment, want)
			}
		}
		q := cohorts.Question{Where: where[2], Profiles: behaviour.NewSet(slices.Collect(profiles.All())...)}
		of := cohorts.New(q)
		for no, rows := range rows {
			in := slices.DeleteFunc(slices.Clone(rows), func(r behaviour.Row) bool { return !q.Everybody() && !q.Reads().Has(r.TS) })
			if len(in) > 0 {
				of.Add(&behaviour.Person{No: no, Rows: in})
			}
		}
		if got := int64(of.Answer().Len()); got != sizes[2] { // all profiles began before the last moment
			t.Fatalf("round %d: %d people in %+v, want %d", round, got, where[2], sizes[2])
		}
	}
}
