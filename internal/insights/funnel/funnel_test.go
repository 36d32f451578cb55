package funnel

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/query/querytest"
)

const (
	seed   = 20261130
	rounds = 30_000
)

// random makes a question and a person with few moments, so that many events have the same time.
type random struct{ *rand.Rand }

func newRandom(t *testing.T, stream uint64) random {
	t.Helper()
	t.Logf("seed %d, stream %d, %d rounds", seed, stream, rounds)
	return random{rand.New(rand.NewPCG(seed, stream))}
}

func (r random) oneIn(n int) bool { return r.IntN(n) == 0 }

// marks sets one of four bits, rarely more or none.
func (r random) marks() uint64 {
	m := uint64(1) << r.IntN(4)
	if r.oneIn(4) {
		m |= 1 << r.IntN(4)
	}
	if r.oneIn(8) {
		m = 0
	}
	return m
}

func (r random) question() Question {
	q := Question{Window: int64(r.IntN(12)), AsOf: NoAsOf, Range: query.Range{From: int64(r.IntN(4)), To: int64(6 + r.IntN(12))}}
	q.Order, q.Choice, q.Count = Order(r.IntN(3)), Choice(r.IntN(2)), Count(r.IntN(3))
	n := 1 + r.IntN(4)
	for i := range n {
		step := Step{Marks: 1 << r.IntN(4)}
		if r.oneIn(5) {
			step.Marks |= 1 << r.IntN(4)
		}
		step.Optional = q.Order != Any && i > 0 && i < n-1 && r.oneIn(3)
		q.Steps = append(q.Steps, step)
	}
	required := q.required()
	for range r.IntN(3) {
		if len(required) < 2 || r.oneIn(2) {
			continue
		}
		x := Exclusion{Marks: 1 << r.IntN(4), From: 0, To: n - 1}
		if q.Order != Any {
			from := r.IntN(len(required) - 1)
			x.From, x.To = required[from], required[from+1+r.IntN(len(required)-from-1)]
		}
		q.Exclude = append(q.Exclude, x)
	}
	if r.oneIn(4) {
		q.Hold = []int{0}
	}
	if r.oneIn(2) {
		q.AsOf = int64(8 + r.IntN(20))
	}
	return q
}

func (r random) person(q *Question) *behaviour.Person {
	p := &behaviour.Person{No: 1}
	var sessions behaviour.Sessionizer
	ts := int64(0)
	n := r.IntN(8)
	for range n {
		if !r.oneIn(3) {
			ts += int64(r.IntN(4))
		}
		if ts >= q.AsOf {
			break
		}
		row := behaviour.Row{TS: ts, Marks: r.marks()}
		row.Session = sessions.Add(ts, uint32(r.IntN(8)/6*(1+r.IntN(2))))
		row.Values[0] = uint32(r.IntN(3))
		p.Rows = append(p.Rows, row)
	}
	p.Sessions = sessions.Sessions
	return p
}

func describe(q *Question, p *behaviour.Person) string {
	text := fmt.Sprintf("%+v\n", *q)
	for i, row := range p.Rows {
		text += fmt.Sprintf("  row %d: at %d marks %04b value %d session %d\n", i, row.TS, row.Marks, row.Values[0], row.Session)
	}
	return text
}

// collectInto writes attempts as the reference writes them.
func collectInto(q *Question, all *[]counted) func(v *view, a *attempt, incomplete bool) {
	return func(v *view, a *attempt, incomplete bool) {
		c := counted{end: a.end, incomplete: incomplete}
		for step := range q.Steps {
			row := -1
			if a.pos[step] >= 0 {
				row = int(v.rowAt(a.pos[step]))
			}
			if row >= 0 || q.Order != Any {
				c.rows = append(c.rows, row)
			}
		}
		*all = append(*all, c)
	}
}

func attempts(q *Question, p *behaviour.Person) (all []counted) {
	r := newRunner(q, collectInto(q, &all))
	r.load(p)
	r.run(q.Range, 0)
	return all
}

func TestAttemptsAreThoseOfTheDefinition(t *testing.T) {
	t.Parallel()
	r := newRandom(t, 1)
	for round := range rounds {
		q := r.question()
		p := r.person(&q)
		reference := &reference{&q, p.Rows}
		got, want := attempts(&q, p), reference.run(p, q.Range)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d\n%s\ngot  %+v\nwant %+v", round, describe(&q, p), got, want)
		}
	}
}

// crowd is many people with longer streams.
func (r random) crowd(q *Question, n int) []*behaviour.Person {
	people := make([]*behaviour.Person, n)
	for i := range people {
		p := r.person(q)
		for range r.IntN(4) {
			more := r.person(q)
			for _, row := range more.Rows {
				if len(p.Rows) > 0 {
					row.TS += p.Rows[len(p.Rows)-1].TS
				}
				row.Session += uint32(len(p.Sessions))
				if row.TS < q.AsOf {
					p.Rows = append(p.Rows, row)
				}
			}
			p.Sessions = append(p.Sessions, more.Sessions...)
		}
		p.No = uint32(i + 1)
		people[i] = p
	}
	return people
}

func pass(q *Question, people []*behaviour.Person, c *Coordinate) *Funnel {
	return querytest.Pass(people, func() *Funnel { return New(*q) }, c)
}

// One pass is what makes the usual funnel fast; what it finds must be what the attempts of all entries would have
// given.
func TestOnePassFindsWhatAllEntriesWould(t *testing.T) {
	t.Parallel()
	r := newRandom(t, 2)
	for round := range rounds / 10 {
		q := r.question()
		q.Order, q.Choice = Ordered, Optimized
		var got, want []attempt
		for _, p := range r.crowd(&q, 3) {
			one := newRunner(&q, nil)
			one.load(p)
			if one.swept(one.view(), q.Range) {
				got = append(got, one.best)
			}
			if one.tried(one.view(), q.Range) {
				want = append(want, one.best)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("round %d\n%s\ngot  %+v\nwant %+v", round, describe(&q, p), got, want)
			}
		}
	}
}

// The usual funnel has a path of its own through the rows, which must count what the other does.
func TestTheUsualFunnelIsNoOther(t *testing.T) {
	t.Parallel()
	r := newRandom(t, 4)
	taken := 0
	for round := range rounds {
		q := r.question()
		q.Order, q.Choice, q.Count, q.Exclude, q.Hold = Ordered, Optimized, Users, nil, nil
		for i := range q.Steps {
			q.Steps[i].Optional = false
		}
		p := r.crowd(&q, 1)[0]
		if r.oneIn(2) { // most people do one thing at a time
			for i := range p.Rows {
				p.Rows[i].TS += int64(i)
			}
		}
		run := func(usual bool) (all []counted, ok bool) {
			one := newRunner(&q, collectInto(&q, &all))
			one.load(p)
			if usual {
				return all, one.quick(q.Range, 0)
			}
			one.usual = nil
			one.run(q.Range, 0)
			return all, true
		}
		got, ok := run(true)
		if !ok {
			continue // it left the person to the other
		}
		taken++
		if want, _ := run(false); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d\n%s\ngot  %+v\nwant %+v", round, describe(&q, p), got, want)
		}
	}
	if taken < rounds/3 {
		t.Errorf("it took %d people of %d", taken, rounds)
	}
}

func TestNumbersOfAFunnelBelongTogether(t *testing.T) {
	t.Parallel()
	r := newRandom(t, 3)
	for round := range rounds / 30 {
		q := r.question()
		q.Breakdown = &Breakdown{Breakdown: query.Breakdown{Column: 0, Top: 1 + r.IntN(2), Compare: querytest.ByCode}, Attribution: Attribution(r.IntN(2))}
		if q.Order != Any && r.oneIn(3) {
			q.Breakdown.Attribution, q.Breakdown.Step = StepValue, r.IntN(len(q.Steps))
		}
		q.Edges = []int64{1, 4}
		q.Bounds = []int64{q.Range.From - 1, q.Range.From + 3, q.Range.To}
		people := r.crowd(&q, 20)
		answer := pass(&q, people, nil).Answer()
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("round %d, %+v\n%+v\n%s", round, q, answer, fmt.Sprintf(format, args...))
		}
		whole, required := answer.Result, q.required()
		if q.Order == Any {
			required = nil
			for step := range q.Steps {
				required = append(required, step)
			}
		}
		for i, step := range required[1:] {
			if whole.Counts[step] > whole.Counts[required[i]] {
				fail("step %d rises", step)
			}
		}
		sum := make([]int, len(q.Steps))
		groups := len(answer.Groups)
		add := func(r Result) {
			for step := range sum {
				sum[step] += r.Counts[step]
			}
		}
		for _, g := range answer.Groups {
			add(g.Result)
		}
		if answer.Other != nil {
			add(answer.Other.Result)
			groups += answer.Other.Values
		}
		if !reflect.DeepEqual(sum, whole.Counts) || groups > 3 {
			fail("groups make %v", sum)
		}
		if n := whole.Under + whole.Histogram[0] + whole.Histogram[1]; whole.Time != nil && n != whole.Time.N || whole.Time == nil && n != 0 {
			fail("the histogram has %d", n)
		}
		checkPeople(&q, people, answer, fail)
	}
}

// checkPeople holds the people behind each number to the number.
func checkPeople(q *Question, people []*behaviour.Person, answer Answer, fail func(string, ...any)) {
	behind := func(c Coordinate, want int) {
		if got := pass(q, people, &c).People(); len(got) != want {
			fail("%d people behind %+v, want %d", len(got), c, want)
		}
	}
	results := func(c Coordinate, counts []int) {
		before := 0
		for step, n := range counts {
			c.Step = step
			behind(c, n)
			if step == 0 {
				continue
			}
			lost := c
			lost.Lost = true
			behind(lost, counts[before]-n)
			if !q.Steps[step].Optional {
				before = step
			}
		}
	}
	results(Coordinate{Bucket: -1}, answer.Counts)
	for _, g := range answer.Groups {
		results(Coordinate{Bucket: -1, Group: &g.Value}, g.Counts)
	}
	if answer.Other != nil {
		results(Coordinate{Bucket: -1, Other: true}, answer.Other.Counts)
	}
	for i, p := range answer.Series {
		results(Coordinate{Bucket: i}, p.Counts)
	}
}

func TestEachBucketIsAskedAsARangeOfItsOwn(t *testing.T) {
	t.Parallel()
	r := newRandom(t, 5)
	for round := range rounds / 10 {
		q := r.question()
		if r.oneIn(2) {
			q.Order, q.Choice, q.Count, q.Exclude, q.Hold = Ordered, Optimized, Users, nil, nil
		}
		q.Bounds = []int64{q.Range.From - 2, q.Range.From + 1, q.Range.From + 3, q.Range.To}
		people := r.crowd(&q, 4)
		for i, p := range pass(&q, people, nil).Answer().Series {
			alone := q
			alone.Bounds = nil
			alone.Range = q.Range.Clip(query.Range{From: q.Bounds[i], To: q.Bounds[i+1]})
			if want := pass(&alone, people, nil).Answer(); !reflect.DeepEqual(p.Counts, want.Counts) || p.Incomplete != want.Incomplete {
				t.Fatalf("round %d, bucket %d\n%s\ngot  %+v\nwant %+v", round, i, describe(&q, people[0]), p, want.Result)
			}
		}
	}
}

// A robot that does one step a second for days must not take a pass over all its events for each of them.
func TestAPersonWithManyEntriesIsCountedInTime(t *testing.T) {
	t.Parallel()
	const events = 200_000
	p := &behaviour.Person{No: 1, Sessions: []behaviour.Session{{}}}
	for i := range events {
		p.Rows = append(p.Rows, behaviour.Row{TS: int64(i) * query.Second, Marks: 1 + uint64(i%2), Session: 1})
	}
	for _, order := range []Order{Ordered, Strict, Any} {
		for _, count := range []Count{Users, Totals, Sessions} {
			for _, choice := range []Choice{Optimized, First} {
				q := Question{
					Steps: []Step{{Marks: 1}, {Marks: 2}, {Marks: 4}}, Range: query.Range{To: events * query.Second},
					Window: 7 * query.Day, Order: order, Count: count, Choice: choice, AsOf: events * query.Second,
				}
				f := New(q)
				done := make(chan Answer, 1)
				go func() {
					f.Add(p)
					done <- f.Answer()
				}()
				select {
				case a := <-done:
					if a.Counts[1] == 0 || a.Counts[2] != 0 {
						t.Errorf("order %d, count %d, choice %d: %v", order, count, choice, a.Counts)
					}
				case <-time.After(time.Minute): // it takes milliseconds; were it quadratic, half an hour
					t.Fatalf("order %d, count %d, choice %d takes longer than a minute", order, count, choice)
				}
			}
		}
	}
}

func TestWhatAFunnelDoesNotReadDoesNotMatter(t *testing.T) {
	t.Parallel()
	r := newRandom(t, 6)
	for round := range rounds {
		q := r.question()
		p := r.crowd(&q, 1)[0]
		want := attempts(&q, p)
		in := q.Reads()
		kept := 0
		for _, row := range p.Rows {
			if in.Has(row.TS) {
				p.Rows[kept] = row
				kept++
			}
		}
		for i := range want { // rows are numbered anew
			for step := range want[i].rows {
				want[i].rows[step] = -2
			}
		}
		p.Rows = p.Rows[:kept]
		got := attempts(&q, p)
		for i := range got {
			for step := range got[i].rows {
				got[i].rows[step] = -2
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d\n%s\ngot  %+v\nwant %+v", round, describe(&q, p), got, want)
		}
	}
}
