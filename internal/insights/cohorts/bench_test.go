package cohorts_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/insights/cohorts"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/query"
)

const (
	firstDay   = 20_000 * query.Day
	population = 20_000
)

// million is a million events of 30 days, 20,000 people and 20 names, one part a day.
var million = sync.OnceValues(func() ([]*parts.Header, scan.Memory) {
	const perDay = 33_334
	random := rand.New(rand.NewPCG(seed, 2))
	var headers []*parts.Header
	var memory scan.Memory
	for day := range int64(30) {
		var b parts.Builder
		for i := range int64(perDay) {
			ts := firstDay + day*query.Day + i*(query.Day/perDay)
			var id uuid.UUID
			binary.BigEndian.PutUint64(id[:], uint64(ts/1000)<<16)
			binary.BigEndian.PutUint64(id[8:], random.Uint64())
			x, y := random.Float64(), random.Float64()
			err := b.Add(&parts.Event{ID: id, Person: 1 + uint32(population*y*(0.5+y/2)), TS: ts, Received: ts,
				Name: fmt.Sprintf("event_%d", int(20*x*x)), Props: []byte(`{"plan": "pro"}`)})
			if err != nil {
				panic(err)
			}
		}
		p := b.Encode()
		headers, memory = append(headers, p.Header), append(memory, p)
	}
	return headers, memory
})

func people(b *testing.B, q *scan.Query, each ...func(*behaviour.Person)) {
	headers, memory := million()
	var workers []func(*behaviour.Person) error
	for _, add := range each {
		workers = append(workers, func(p *behaviour.Person) error { add(p); return nil })
	}
	if err := scan.People(b.Context(), q, headers, memory, workers...); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPeople is a funnel of three steps, of everybody and of some people: what finding them costs.
func BenchmarkPeople(b *testing.B) {
	last := query.Range{From: firstDay + 23*query.Day, To: firstDay + 30*query.Day}
	ever := query.Range{From: math.MinInt64, To: math.MaxInt64}
	some := cohorts.Times{Min: 1, Max: math.MaxInt}
	did := func(mark uint64, times cohorts.Times, within query.Range) cohorts.Clause {
		return cohorts.Clause{Op: cohorts.Did, Marks: mark, Times: times, Within: within}
	}
	tenth := &behaviour.Set{}
	for no := uint32(1); no <= population; no += 10 {
		tenth.Add(no)
	}
	for _, c := range []struct {
		name  string
		where *cohorts.Clause
		names []string
	}{
		{"everybody", nil, nil},
		{"a tenth of a list", &cohorts.Clause{Op: cohorts.In, Set: tenth}, nil},
		{"did one in a week", new(did(1, some, last)), []string{"event_5"}},
		{"never did one", new(did(1, cohorts.Times{}, ever)), []string{"event_19"}},
		{"three clauses", &cohorts.Clause{Op: cohorts.And, Clauses: []cohorts.Clause{did(1, some, last), did(2, cohorts.Times{Min: 3, Max: math.MaxInt}, ever),
			{Op: cohorts.Not, Clauses: []cohorts.Clause{did(4, some, ever)}}}}, []string{"event_5", "event_2", "event_19"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			million()
			for b.Loop() {
				b.ReportMetric(float64(counted(b, c.where, c.names)), "people")
			}
		})
	}
}

// counted is how many people begin the funnel, of those in a cohort.
func counted(b *testing.B, where *cohorts.Clause, names []string) int {
	q := &scan.Query{From: firstDay, To: firstDay + 30*query.Day, OnlyMarked: true}
	var steps []funnel.Step
	for i, name := range []string{"event_0", "event_3", "event_7"} {
		q.Matchers = append(q.Matchers, scan.Matcher{Names: []string{name}})
		q.Names = append(q.Names, name)
		steps = append(steps, funnel.Step{Marks: 1 << i})
	}
	if where != nil {
		clauses := []cohorts.Clause{*where}
		halves := [2]*cohorts.Sets{cohorts.NewSets(clauses), cohorts.NewSets(clauses)}
		if r := cohorts.Reads(clauses).Clip(query.Range{From: q.From, To: q.To}); r.From < r.To {
			first := &scan.Query{From: r.From, To: r.To, OnlyMarked: true, Names: names}
			for _, name := range names {
				first.Matchers = append(first.Matchers, scan.Matcher{Names: []string{name}})
			}
			people(b, first, halves[0].Add, halves[1].Add)
		}
		halves[0].Merge(halves[1])
		q.Only = halves[0].Answer(population)[0]
	}
	question := funnel.Question{Steps: steps, Range: query.Range{From: q.From, To: q.To}, Window: 7 * query.Day, AsOf: q.To}
	halves := [2]*funnel.Funnel{funnel.New(question), funnel.New(question)}
	people(b, q, halves[0].Add, halves[1].Add)
	halves[0].Merge(halves[1])
	return halves[0].Answer().Counts[0]
}
