package retention_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/query/querytest"
	"github.com/bahagh/nimbus/internal/insights/retention"
	"github.com/bahagh/nimbus/internal/platform/zone"
)

const (
	seed   = 20261130
	rounds = 3000
)

// random makes a question around the days on which Berlin's clock is changed, and people who did a few things then.
func random(r *rand.Rand) (retention.Question, []*behaviour.Person) {
	loc, _ := zone.Load("Europe/Berlin")
	from := time.Date(2026, 10, 23, 0, 0, 0, 0, loc).UnixMicro()
	calendar := query.Calendar{Bucket: query.Bucket1d, Loc: loc, Week: time.Monday}
	unit := query.Hour
	switch r.IntN(5) {
	case 0:
		calendar.Bucket, unit = query.Bucket1h, query.Hour/24
	case 2:
		calendar.Bucket = query.Bucket1h // so many that their bits need several words
	case 1:
		calendar.Bucket, unit = query.Bucket1w, 7*query.Hour
	}
	q := retention.Question{
		Periods: 1 + r.IntN(5), Cohort: retention.Cohort(r.IntN(2)), Mode: retention.Mode(r.IntN(3)),
		Interval: retention.Interval(r.IntN(2)), AsOf: retention.NoAsOf,
		Start: retention.Step{Marks: 1}, Return: retention.Step{Marks: 1 << r.IntN(2)},
	}
	if r.IntN(2) == 0 {
		q.AsOf = from + r.Int64N(200)*unit
	}
	if r.IntN(2) == 0 {
		q.Breakdown = &query.Breakdown{Column: 0, Top: 1 + r.IntN(2), Compare: querytest.ByCode}
	}
	q.Cut(calendar, query.Range{From: from + r.Int64N(30)*unit, To: from + (30+r.Int64N(90))*unit})
	people := make([]*behaviour.Person, 1+r.IntN(12))
	for i := range people {
		p := &behaviour.Person{No: uint32(i)}
		for range r.IntN(12) {
			row := behaviour.Row{TS: from + r.Int64N(250)*unit, Marks: uint64(r.IntN(4))}
			row.Values[0] = uint32(r.IntN(3))
			if row.TS < q.AsOf {
				p.Rows = append(p.Rows, row)
			}
		}
		slices.SortStableFunc(p.Rows, func(a, b behaviour.Row) int { return int((a.TS - b.TS) / query.Second) })
		people[i] = p
	}
	return q, people
}

// reference counts by the words of the definition: for each row, person and period it looks at all his events.
func reference(q *retention.Question, people []*behaviour.Person, row int) (size int, values []int, group map[uint32][]int) {
	values, group = make([]int, q.Periods), map[uint32][]int{}
	for _, p := range people {
		start := slices.IndexFunc(p.Rows, func(r behaviour.Row) bool {
			return r.Marks&q.Start.Marks != 0 && (q.Cohort == retention.FirstTime || q.Bounds[row] <= r.TS && r.TS < q.Bounds[row+1])
		})
		if start < 0 || p.Rows[start].TS < q.Bounds[row] || p.Rows[start].TS >= q.Bounds[row+1] {
			continue
		}
		size++
		value := p.Rows[start].Values[0]
		if group[value] == nil {
			group[value] = make([]int, q.Periods)
		}
		streak := true
		for n := range q.Periods {
			from, to := q.Bounds[row]+int64(n)*width(q), int64(0)
			if q.Interval == retention.Calendar {
				from, to = q.Bounds[row+n], q.Bounds[row+n+1]
			} else {
				from = p.Rows[start].TS + int64(n)*width(q)
				to = from + width(q)
			}
			on := slices.ContainsFunc(p.Rows, func(r behaviour.Row) bool {
				return r.Marks&q.Return.Marks != 0 && from <= r.TS && (r.TS < to || q.Mode == retention.OnOrAfter)
			})
			streak = streak && (on || n == 0)
			if n == 0 || on && q.Mode != retention.Streak || streak && q.Mode == retention.Streak {
				values[n]++
				group[value][n]++
			}
		}
	}
	return size, values, group
}

func width(q *retention.Question) int64 {
	return map[query.Bucket]int64{query.Bucket1h: query.Hour, query.Bucket1d: query.Day, query.Bucket1w: 7 * query.Day}[q.Bucket]
}

func pass(q retention.Question, people []*behaviour.Person, c *retention.Coordinate) *retention.Retention {
	return querytest.Pass(people, func() *retention.Retention { return retention.New(q) }, c)
}

func TestCellsAreThoseOfTheDefinition(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d, %d rounds", seed, rounds)
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range rounds {
		q, people := random(r)
		read := make([]*behaviour.Person, len(people)) // what it does not read must not matter
		for i, p := range people {
			in := q.Reads()
			read[i] = &behaviour.Person{No: p.No, Rows: slices.DeleteFunc(slices.Clone(p.Rows), func(r behaviour.Row) bool { return !in.Has(r.TS) })}
		}
		answer := pass(q, read, nil).Answer()
		if len(answer.Rows) != q.Rows || q.Rows == 0 {
			t.Fatalf("round %d: %d rows, want %d", round, len(answer.Rows), q.Rows)
		}
		sums := map[uint32]int{}
		for i, row := range answer.Rows {
			size, values, groups := reference(&q, people, i)
			if row.Size != size || !slices.Equal(row.Values, values) {
				t.Fatalf("round %d, row %d of %+v\ngot  %d %v\nwant %d %v", round, i, q, row.Size, row.Values, size, values)
			}
			for value, g := range groups {
				sums[value] += g[0]
			}
			for _, g := range answer.Groups {
				want := groups[g.Value]
				if want == nil {
					want = make([]int, q.Periods)
				}
				if !slices.Equal(g.Rows[i].Values, want) {
					t.Fatalf("round %d, row %d, group %d of %+v\ngot  %v\nwant %v", round, i, g.Value, q, g.Rows[i].Values, want)
				}
			}
			for n, v := range row.Values {
				if v > row.Size {
					t.Fatalf("round %d: cell %d of row %d is larger than its size: %+v", round, n, i, row)
				}
			}
		}
		if q.Breakdown != nil {
			checkGroups(t, &q, answer, sums)
		}
		if cells := q.Rows * q.Periods; cells < 60 || round%50 == 0 {
			checkPeople(t, q, people, answer)
		}
	}
}

// checkGroups holds the groups to the largest, and all of them together to the whole.
func checkGroups(t *testing.T, q *retention.Question, answer retention.Answer, sums map[uint32]int) {
	t.Helper()
	results := []retention.Result{}
	least := -1
	for _, g := range answer.Groups {
		results = append(results, g.Result)
		if least >= 0 && sums[g.Value] > least {
			t.Fatalf("group %d is larger than the one before", g.Value)
		}
		least = sums[g.Value]
		delete(sums, g.Value)
	}
	for value, size := range sums {
		if size > least {
			t.Fatalf("%d with %d is in the rest, and a group has %d", value, size, least)
		}
	}
	if answer.Other != nil {
		results = append(results, answer.Other.Result)
	}
	for n := range q.Periods {
		var got retention.Mean
		for _, r := range results {
			got.Retained += r.Average[n].Retained
			got.Size += r.Average[n].Size
		}
		if got != answer.Average[n] {
			t.Fatalf("averages of groups make %+v, want %+v", got, answer.Average[n])
		}
	}
}

func checkPeople(t *testing.T, q retention.Question, people []*behaviour.Person, answer retention.Answer) {
	t.Helper()
	behind := func(c retention.Coordinate, want int) {
		t.Helper()
		got := pass(q, people, &c).People()
		if len(got) != want {
			t.Fatalf("%d people behind %+v of %+v, want %d", len(got), c, q, want)
		}
		for i := 1; i < len(got); i++ {
			if got[i].No <= got[i-1].No {
				t.Fatalf("people are not in order: %v", got)
			}
		}
	}
	results := func(c retention.Coordinate, r retention.Result) {
		for i, row := range r.Rows {
			for n, v := range row.Values {
				c.Row, c.Period, c.Lost = i, n, false
				behind(c, v)
				c.Lost = true
				behind(c, row.Size-v)
			}
		}
	}
	results(retention.Coordinate{}, answer.Result)
	for _, g := range answer.Groups {
		results(retention.Coordinate{Group: &g.Value}, g.Result)
	}
	if answer.Other != nil {
		results(retention.Coordinate{Other: true}, answer.Other.Result)
	}
}

// presence are the periods of a person as a scan gives them.
func presence(q *retention.Question, bounds []int64, p *behaviour.Person) []uint64 {
	words := (len(bounds) - 1 + 63) / 64
	periods := make([]uint64, 2*words)
	for _, row := range p.Rows {
		i := query.PeriodOf(bounds, row.TS)
		if row.Marks&q.Start.Marks != 0 {
			periods[i/64] |= 1 << (i % 64)
		}
		if row.Marks&q.Return.Marks != 0 {
			periods[words+i/64] |= 1 << (i % 64)
		}
	}
	return periods
}

func TestPeriodsAreEnough(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d, %d rounds", seed, rounds)
	r := rand.New(rand.NewPCG(seed, 3))
	answered := 0
	for round := range rounds {
		q, people := random(r)
		bounds, enough := q.Presence(0, 1<<60)
		if want := q.Interval == retention.Calendar && q.Breakdown == nil; enough != want {
			t.Fatalf("round %d: enough is %t for %+v", round, enough, q)
		}
		if !enough {
			continue
		}
		answered++
		got, half := retention.New(q), retention.New(q)
		for i, p := range people {
			[]*retention.Retention{got, half}[i%2].AddPresence(presence(&q, bounds, p))
		}
		got.Merge(half)
		if got, want := got.Answer(), pass(q, people, nil).Answer(); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d of %+v\ngot  %+v\nwant %+v", round, q, got, want)
		}
	}
	if answered < rounds/5 {
		t.Errorf("%d questions of %d were answered", answered, rounds)
	}
}

// A cell is complete when its period is over, whoever is in it.
func TestCompleteCells(t *testing.T) {
	t.Parallel()
	day := query.Calendar{Bucket: query.Bucket1d, Loc: time.UTC, Week: time.Monday}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	for _, c := range []struct {
		interval retention.Interval
		asOf     int64
		want     []int
	}{
		{retention.Calendar, from, []int{0, 0}},
		{retention.Calendar, from + query.Day - 1, []int{0, 0}},
		{retention.Calendar, from + query.Day, []int{1, 0}},
		{retention.Calendar, from + 3*query.Day, []int{3, 2}},
		{retention.Calendar, retention.NoAsOf, []int{3, 3}},
		{retention.Rolling, from + query.Day, []int{0, 0}},
		{retention.Rolling, from + 2*query.Day, []int{1, 0}},
		{retention.Rolling, from + 3*query.Day, []int{2, 1}},
		{retention.Rolling, retention.NoAsOf, []int{3, 3}},
	} {
		t.Run(fmt.Sprintf("%d/%d", c.interval, c.asOf), func(t *testing.T) {
			t.Parallel()
			q := retention.Question{Periods: 3, Interval: c.interval, AsOf: c.asOf}
			q.Cut(day, query.Range{From: from, To: from + 2*query.Day})
			var got []int
			for _, row := range retention.New(q).Answer().Rows {
				got = append(got, row.Complete)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("complete cells are %v, want %v", got, c.want)
			}
		})
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	q, _ := random(rand.New(rand.NewPCG(seed, 2)))
	for _, cohort := range []retention.Cohort{retention.FirstTime, retention.Recurring} {
		q.Cohort = cohort
		in := q.Reads()
		if early := in.From < q.Bounds[0]; early != (cohort == retention.FirstTime) {
			t.Errorf("cohort %d reads from %d, the rows begin at %d", cohort, in.From, q.Bounds[0])
		}
		if in.To < q.Bounds[q.Rows] {
			t.Errorf("reads to %d, the rows end at %d", in.To, q.Bounds[q.Rows])
		}
	}
}
