//go:build unix

package scan_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
)

const millionPeople = 20_000

// million is a million events of 30 days, 20,000 people, 2,000 companies and 20 names, one part a day.
var million = sync.OnceValue(func() *world {
	const perDay = 33_334
	w := &world{}
	random := rand.New(rand.NewPCG(3, 2))
	plans := []string{"free", "pro", "team"}
	for day := range int64(30) {
		var b parts.Builder
		for i := range int64(perDay) {
			ts := (firstDay+day)*dayLong + i*dayLong/perDay/1000*1000
			x, y := random.Float64(), random.Float64()
			person := 1 + uint32(millionPeople*y*(0.5+y/2))
			err := b.Add(&parts.Event{ID: eventID(random, ts), Person: person, TS: ts, Received: ts + 40_000 + random.Int64N(200_000),
				Name: fmt.Sprintf("event_%d", int(20*x*x)), Props: fmt.Appendf(nil, `{"plan": "%s", "company": "c%d"}`, plans[person%3], person%2000)})
			if err != nil {
				panic(err)
			}
		}
		p := b.Encode()
		w.headers, w.memory = append(w.headers, p.Header), append(w.memory, p)
	}
	runtime.GC()
	return w
})

// planOf is a dictionary of the prop plan of events, or of the same as people's profiles have it.
func planOf(profile bool) *scan.Dictionary {
	d := scan.NewDictionary("plan")
	if profile {
		d.ByPerson = true
		for no := uint32(1); no <= millionPeople; no++ {
			d.Give(no, parts.Value{Kind: parts.String, Text: []string{"free", "pro", "team"}[no%3]})
		}
	}
	return d
}

// BenchmarkActors is what a breakdown by a profile and counting companies cost beside a breakdown by a prop of events, over a million
// events: of a funnel of three steps, person by person, and of people a day, column by column.
func BenchmarkActors(b *testing.B) {
	for _, c := range []struct {
		name    string
		profile bool
		groups  bool
	}{{"by a prop", false, false}, {"by a profile", true, false}, {"companies, by a prop", false, true}} {
		query := func() scan.Query {
			q := scan.Query{From: firstDay * dayLong, To: (firstDay + 30) * dayLong}
			if c.groups {
				q.Groups = scan.NewGroups("company")
			}
			return q
		}
		b.Run("funnel/"+c.name, func(b *testing.B) {
			w := million()
			var rows atomic.Int64
			measured(b, func() {
				q := query()
				q.OnlyMarked = true
				for _, name := range []string{"event_0", "event_3", "event_7"} {
					q.Matchers = append(q.Matchers, scan.Matcher{Names: []string{name}})
					q.Names = append(q.Names, name)
				}
				q.Values = []*scan.Dictionary{planOf(c.profile)}
				var count [3]atomic.Int64
				step := funnel(&count)
				each := func(p *behaviour.Person) error {
					rows.Add(int64(len(p.Rows)))
					return step(p)
				}
				if err := scan.People(b.Context(), &q, w.headers, w.memory, each, each); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(count[0].Load()), "who")
			})
		})
		b.Run("people a day/"+c.name, func(b *testing.B) {
			w := million()
			measured(b, func() {
				m := scan.Measure{Query: query(), Statistic: scan.Persons, Bounds: monthBounds(), By: &scan.Breakdown{By: []*scan.Dictionary{planOf(c.profile)}}, Workers: 2}
				r, err := m.Run(b.Context(), w.headers, w.memory)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(r.All.Whole.Count), "who")
			})
		})
	}
}
