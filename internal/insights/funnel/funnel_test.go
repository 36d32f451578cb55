package funnel

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
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

// attempts are those that the operator counts, as the reference writes them.
func attempts(q *Question, p *behaviour.Person) (all []counted) {
	r := newRunner(q, func(v *view, a *attempt, incomplete bool) {
		c := counted{end: a.end, incomplete: incomplete}
		for step := range q.Steps {
			row := -1
			if a.pos[step] >= 0 {
				row = int(v.row[a.pos[step]])
			}
			if row >= 0 || q.Order != Any {
				c.rows = append(c.rows, row)
			}
		}
		all = append(all, c)
	})
	r.load(p)
	r.run(q.Range)
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
