package paths_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/paths"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/query/querytest"
)

const (
	seed   = 20261130
	rounds = 4000
)

func random(r *rand.Rand) (paths.Question, []*behaviour.Person) {
	q := paths.Question{
		Range: query.Range{From: r.Int64N(6), To: 7 + r.Int64N(20)}, Window: r.Int64N(15), Depth: 2 + r.IntN(4), Top: 1 + r.IntN(3),
		Collapse: r.IntN(2) == 0, Count: paths.Count(r.IntN(3)), Compare: querytest.ByCode,
	}
	if r.IntN(2) == 0 {
		q.Start = &paths.Anchor{Marks: 1}
	}
	if r.IntN(2) == 0 {
		q.End = &paths.Anchor{Marks: 2}
	}
	people := make([]*behaviour.Person, 1+r.IntN(10))
	for i := range people {
		p := &behaviour.Person{No: uint32(i)}
		ts, session := int64(0), uint32(1)
		for range r.IntN(14) {
			ts += r.Int64N(4)
			session += uint32(r.IntN(4) / 3)
			row := behaviour.Row{TS: ts, Marks: uint64(r.IntN(4)), Session: session}
			row.Values[0] = uint32(r.IntN(5))
			p.Rows = append(p.Rows, row)
		}
		people[i] = p
	}
	return q, people
}

// way is one path, as the definition words it.
type way struct {
	no      uint32
	nodes   []behaviour.Row
	dropped bool
}

func has(r behaviour.Row, a *paths.Anchor) bool { return a == nil || r.Marks&a.Marks != 0 }

// ways are the paths of a person.
func ways(q *paths.Question, p *behaviour.Person) (all []way) {
	units := map[uint32][]behaviour.Row{}
	for _, r := range p.Rows {
		unit := uint32(0)
		if q.Count == paths.Sessions {
			unit = r.Session
		}
		nodes := units[unit]
		if r.Values[0] == 0 || q.Collapse && len(nodes) > 0 && nodes[len(nodes)-1].Values[0] == r.Values[0] {
			continue
		}
		units[unit] = append(nodes, r)
	}
	for _, nodes := range units {
		first := q.Start
		if q.Backwards() {
			slices.Reverse(nodes)
			first = q.End
		}
		for i := 0; i < len(nodes); i++ {
			if !q.Range.Has(nodes[i].TS) || !has(nodes[i], first) {
				continue
			}
			w, next := walk(q, nodes[i:])
			if w != nil {
				w.no = p.No
				all = append(all, *w)
			}
			if q.Count != paths.Totals {
				break
			}
			i += next - 1
		}
	}
	return all
}

// walk is the path that begins at the first of the nodes, if there is one, and how many nodes it used up.
func walk(q *paths.Question, nodes []behaviour.Row) (*way, int) {
	var within []behaviour.Row
	for _, r := range nodes {
		if d := r.TS - nodes[0].TS; d > q.Window || -d > q.Window {
			break
		}
		within = append(within, r)
	}
	if q.Start != nil && q.End != nil {
		for i := 1; i < len(within); i++ {
			if has(within[i], q.End) {
				return &way{nodes: within[:i+1]}, i + 1
			}
		}
		return nil, 1
	}
	n := min(q.Depth, len(within))
	return &way{nodes: within[:n], dropped: n < q.Depth}, n
}

// reference counts steps, links and the rest, one path after another, again for each step.
func reference(q *paths.Question, all []way) (a paths.Answer) {
	a.Backwards = q.Backwards()
	var followed []way
	for _, w := range all {
		if len(w.nodes) > q.Depth {
			a.Longer++
		} else {
			followed = append(followed, w)
		}
	}
	a.Paths = len(followed)
	for step := 1; ; step++ {
		groups := map[uint32]map[uint32]int{} // by the node before
		for _, w := range followed {
			if len(w.nodes) >= step {
				before := uint32(0)
				if step > 1 {
					before = w.nodes[step-2].Values[0]
				}
				if groups[before] == nil {
					groups[before] = map[uint32]int{}
				}
				groups[before][w.nodes[step-1].Values[0]]++
			}
		}
		if len(groups) == 0 {
			return a
		}
		shown, s := map[[2]uint32]bool{}, paths.Step{}
		for before := range uint32(5) {
			top := []uint32{}
			for name := range groups[before] {
				top = append(top, name)
			}
			slices.SortFunc(top, func(x, y uint32) int {
				if n, m := groups[before][x], groups[before][y]; n != m {
					return m - n
				}
				return querytest.ByCode(x, y)
			})
			rest := 0
			for i, name := range top {
				if n := groups[before][name]; i < q.Top {
					shown[[2]uint32{before, name}] = true
					if step > 1 {
						a.Links = append(a.Links, paths.Link{Step: step - 1, From: before, To: name, Count: n})
					}
				} else {
					rest += n
				}
			}
			s.Other += rest
			if rest > 0 && step > 1 {
				a.Links = append(a.Links, paths.Link{Step: step - 1, From: before, Other: true, Count: rest})
			}
		}
		counts, drops := map[uint32]int{}, map[uint32]int{}
		followed = slices.DeleteFunc(followed, func(w way) bool {
			if len(w.nodes) < step {
				return true
			}
			before, name := uint32(0), w.nodes[step-1].Values[0]
			if step > 1 {
				before = w.nodes[step-2].Values[0]
			}
			if !shown[[2]uint32{before, name}] {
				return true
			}
			counts[name]++
			if w.dropped && len(w.nodes) == step {
				drops[name]++
			}
			return false
		})
		for name := range uint32(5) {
			if counts[name] > 0 {
				s.Nodes = append(s.Nodes, paths.Node{Node: name, Count: counts[name], DropOff: drops[name]})
			}
		}
		slices.SortStableFunc(s.Nodes, func(x, y paths.Node) int { return y.Count - x.Count })
		a.Steps = append(a.Steps, s)
	}
}

func pass(q paths.Question, people []*behaviour.Person, c *paths.Coordinate) *paths.Paths {
	return querytest.Pass(people, func() *paths.Paths { return paths.New(q) }, c)
}

func describe(q *paths.Question, people []*behaviour.Person) string {
	text := fmt.Sprintf("%+v start %v end %v\n", *q, q.Start, q.End)
	for _, p := range people {
		for _, row := range p.Rows {
			text += fmt.Sprintf("  person %d at %d node %d marks %02b session %d\n", p.No, row.TS, row.Values[0], row.Marks, row.Session)
		}
	}
	return text
}

func TestPathsAreThoseOfTheDefinition(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d, %d rounds", seed, rounds)
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range rounds {
		q, people := random(r)
		var all []way
		for _, p := range people {
			all = append(all, ways(&q, p)...)
		}
		for _, p := range people { // what it does not read must not matter
			in := q.Reads()
			p.Rows = slices.DeleteFunc(p.Rows, func(r behaviour.Row) bool { return !in.Has(r.TS) })
		}
		got, want := pass(q, people, nil).Answer(), reference(&q, all)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d\n%s\ngot  %+v\nwant %+v", round, describe(&q, people), got, want)
		}
		if round%8 == 0 {
			checkPeople(t, q, people, got)
		}
	}
}

func checkPeople(t *testing.T, q paths.Question, people []*behaviour.Person, answer paths.Answer) {
	t.Helper()
	behind := func(c paths.Coordinate, want int) {
		t.Helper()
		if got := pass(q, people, &c).People(); len(got) != want {
			t.Fatalf("%d people behind %+v, want %d\n%s\n%+v", len(got), c, want, describe(&q, people), answer)
		}
	}
	behind(paths.Coordinate{Longer: true}, answer.Longer)
	for i, s := range answer.Steps {
		for _, n := range s.Nodes {
			behind(paths.Coordinate{Step: i + 1, Node: n.Node}, n.Count)
			behind(paths.Coordinate{Step: i + 1, Node: n.Node, DropOff: true}, n.DropOff)
		}
		behind(paths.Coordinate{Step: i + 1, Other: true}, s.Other)
	}
	for _, l := range answer.Links {
		behind(paths.Coordinate{Step: l.Step + 1, From: &l.From, Node: l.To, Other: l.Other}, l.Count)
	}
}
