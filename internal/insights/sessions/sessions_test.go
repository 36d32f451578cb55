package sessions_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/query/querytest"
	"github.com/bahagh/nimbus/internal/insights/sessions"
)

const (
	seed   = 20261130
	rounds = 2000
	minute = 60 * query.Second
)

func random(r *rand.Rand) (sessions.Question, []*behaviour.Person) {
	q := sessions.Question{Range: query.Range{From: r.Int64N(200) * minute, To: (200 + r.Int64N(300)) * minute}, AsOf: sessions.NoAsOf}
	if r.IntN(2) == 0 {
		q.Breakdown = &query.Breakdown{Column: 0, Top: 1 + r.IntN(2), Compare: querytest.ByCode}
	}
	if r.IntN(2) == 0 {
		q.Ends = &sessions.Ends{Column: 1, Top: 1 + r.IntN(2), Compare: querytest.ByCode}
	}
	if r.IntN(2) == 0 {
		q.AsOf = (300 + r.Int64N(300)) * minute
	}
	q.Bounds = []int64{q.Range.From - minute, q.Range.From + 70*minute, q.Range.To + minute}
	people := make([]*behaviour.Person, 1+r.IntN(10))
	for i := range people {
		p := &behaviour.Person{No: uint32(i)}
		var cut behaviour.Sessionizer
		for ts := int64(0); r.IntN(14) > 0; ts += r.Int64N(45) * minute {
			session := cut.Add(ts, uint32(r.IntN(3)))
			if r.IntN(4) > 0 { // others do not pass the filter
				row := behaviour.Row{TS: ts, Session: session}
				row.Values[0], row.Values[1] = uint32(r.IntN(3)), uint32(r.IntN(4))
				p.Rows = append(p.Rows, row)
			}
		}
		p.Sessions = cut.Sessions
		people[i] = p
	}
	return q, people
}

// one is a session as the definition words it.
type one struct {
	no           uint32
	session      behaviour.Session
	group        uint32
	entry, leave uint32
}

func all(q *sessions.Question, people []*behaviour.Person) (list []one) {
	for _, p := range people {
		for i, s := range p.Sessions {
			rows := slices.DeleteFunc(slices.Clone(p.Rows), func(r behaviour.Row) bool { return r.Session != uint32(i+1) })
			if len(rows) > 0 && q.Range.Has(s.Start) {
				list = append(list, one{p.No, s, rows[0].Values[0], rows[0].Values[1], rows[len(rows)-1].Values[1]})
			}
		}
	}
	return list
}

func pass(q sessions.Question, people []*behaviour.Person, c *sessions.Coordinate) *sessions.Sessions {
	return querytest.Pass(people, func() *sessions.Sessions { return sessions.New(q) }, c)
}

func TestSessionsAreThoseOfTheDefinition(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d, %d rounds", seed, rounds)
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range rounds {
		q, people := random(r)
		list := all(&q, people)
		answer := pass(q, people, nil).Answer()
		check := func(name string, got sessions.Result, is func(one) bool, c sessions.Coordinate) {
			t.Helper()
			var want sessions.Result
			had := map[uint32]bool{}
			var lengths query.Durations
			for _, s := range list {
				if !is(s) {
					continue
				}
				want.Sessions++
				want.Events += int(s.session.Events)
				had[s.no] = true
				lengths = append(lengths, s.session.Last-s.session.Start)
				if s.session.Events == 1 {
					want.Bounces++
				}
				if q.AsOf != sessions.NoAsOf && !s.session.Over(q.AsOf) {
					want.Incomplete++
				}
			}
			want.People, want.Length = len(had), got.Length
			if c.Other {
				want.People = 0
			}
			if got != want || got.Length != nil && *got.Length != *lengths.Summary() || (got.Length == nil) != (len(lengths) == 0) {
				t.Fatalf("round %d, %s\ngot  %+v\nwant %+v", round, name, got, want)
			}
			bounced, open := c, c
			bounced.Bounced, open.Open = true, true
			for _, b := range []struct {
				c    sessions.Coordinate
				want int
			}{{c, want.Sessions}, {bounced, want.Bounces}, {open, want.Incomplete}} {
				if got := pass(q, people, &b.c).People(); len(got) != b.want {
					t.Fatalf("round %d: %d behind %+v, want %d", round, len(got), b.c, b.want)
				}
			}
		}
		check("all", answer.Result, func(one) bool { return true }, sessions.Coordinate{Bucket: -1})
		shown := map[uint32]bool{}
		for _, g := range answer.Groups {
			shown[g.Value] = true
			check("group", g.Result, func(s one) bool { return s.group == g.Value }, sessions.Coordinate{Bucket: -1, Group: &g.Value})
		}
		if answer.Other != nil {
			check("other", answer.Other.Result, func(s one) bool { return !shown[s.group] }, sessions.Coordinate{Bucket: -1, Other: true})
		}
		for i, p := range answer.Series {
			in := query.Range{From: q.Bounds[i], To: q.Bounds[i+1]}
			n, had := 0, map[uint32]bool{}
			for _, s := range list {
				if in.Has(s.session.Start) {
					n++
					had[s.no] = true
				}
			}
			if p.Sessions != n || p.People != len(had) {
				t.Fatalf("round %d, bucket %d: %+v, want %d of %d people", round, i, p, n, len(had))
			}
			if got := pass(q, people, &sessions.Coordinate{Bucket: i}).People(); len(got) != n {
				t.Fatalf("round %d, bucket %d: %d behind it, want %d", round, i, len(got), n)
			}
		}
		if q.Ends != nil {
			checkEnds(t, q, people, list, answer)
		}
	}
}

func checkEnds(t *testing.T, q sessions.Question, people []*behaviour.Person, list []one, answer sessions.Answer) {
	t.Helper()
	for _, end := range []struct {
		answer *sessions.EndsAnswer
		value  func(one) uint32
		at     func(*uint32) sessions.Coordinate
	}{
		{answer.Entry, func(s one) uint32 { return s.entry }, func(v *uint32) sessions.Coordinate { return sessions.Coordinate{Bucket: -1, Entry: v} }},
		{answer.Exit, func(s one) uint32 { return s.leave }, func(v *uint32) sessions.Coordinate { return sessions.Coordinate{Bucket: -1, Exit: v} }},
	} {
		total := end.answer.Other
		for _, e := range end.answer.Top {
			want := 0
			for _, s := range list {
				if end.value(s) == e.Value {
					want++
				}
			}
			if c := end.at(&e.Value); e.Sessions != want || len(pass(q, people, &c).People()) != want {
				t.Fatalf("%+v, want %d", e, want)
			}
			total += e.Sessions
		}
		if total != len(list) {
			t.Fatalf("ends make %d sessions, want %d", total, len(list))
		}
	}
}
