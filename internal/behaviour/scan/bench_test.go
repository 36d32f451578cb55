//go:build unix

package scan_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
)

// month is 10 million events of 30 days, 200,000 people and 20 names, one part a day: what BEHAVIOUR's figures are of.
var month = sync.OnceValue(func() *world {
	const rows, perDay = 10_000_000, 333_334
	w := &world{}
	random := rand.New(rand.NewPCG(1, 2))
	plans, referrers := []string{"free", "pro", "team"}, []string{"google", "bing", "direct", "twitter"}
	for day := range int64(30) {
		var b parts.Builder
		for i := range int64(perDay) {
			ts := (firstDay+day)*dayLong + i*dayLong/perDay/1000*1000
			x, y := random.Float64(), random.Float64()
			err := b.Add(&parts.Event{
				ID: eventID(random, ts), Person: 1 + uint32(
					200_000*y*(0.5+y/2),
				), TS: ts, Received: ts + 40_000 + random.Int64N(200_000),
				Name: fmt.Sprintf("event_%d", int(20*x*x)),
				Props: fmt.Appendf(nil, `{"page": "/p/%d", "plan": "%s", "amount": %.2f, "referrer": "%s"}`, random.IntN(
					501,
				), plans[random.IntN(3)],
					float64(random.IntN(100_000))/100, referrers[random.IntN(4)]),
			})
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

func monthBounds() []int64 {
	var all []int64
	for day := range int64(31) {
		all = append(all, (firstDay+day)*dayLong)
	}
	return all
}

// funnel is the state of three steps, a window of a week: about what an operator does with a person.
func funnel(count *[3]atomic.Int64) func(*behaviour.Person) error {
	const week = 7 * dayLong
	return func(p *behaviour.Person) error {
		reach := [3]int64{-1 << 60, -1 << 60, -1 << 60}
		best := 0
		for i := range p.Rows {
			r := &p.Rows[i]
			switch {
			case r.Fits(0):
				reach[0] = r.TS
				best = max(best, 1)
			case r.Fits(1) && r.TS-reach[0] <= week:
				reach[1] = reach[0]
				best = max(best, 2)
			case r.Fits(2) && r.TS-reach[1] <= week:
				best = 3
			}
		}
		for s := range best {
			count[s].Add(1)
		}
		return nil
	}
}

// processor is the time that the process has had of all processors: on a machine with other work it says more than the
// time that went by.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measured reports the processor time of a benchmark's rounds.
func measured(b *testing.B, round func()) {
	start := processor(b)
	for b.Loop() {
		round()
	}
	b.ReportMetric(float64((processor(b)-start).Microseconds())/1000/float64(b.N), "cpu-ms/op")
}

func BenchmarkMonth(b *testing.B) {
	w := month()
	q := scan.Query{From: firstDay * dayLong, To: (firstDay + 30) * dayLong}
	b.Run("funnel", func(b *testing.B) {
		q := q
		for _, n := range []string{"event_0", "event_3", "event_7"} {
			q.Matchers = append(q.Matchers, scan.Matcher{Names: []string{n}})
		}
		q.OnlyMarked = true
		var count [3]atomic.Int64
		measured(b, func() {
			count = [3]atomic.Int64{}
			if err := scan.People(b.Context(), &q, w.headers, w.memory, funnel(&count), funnel(&count)); err != nil {
				b.Fatal(err)
			}
		})
		b.Logf("%d %d %d", count[0].Load(), count[1].Load(), count[2].Load())
	})
	b.Run("retention", func(b *testing.B) {
		p := scan.Presence{Query: q, Bounds: monthBounds()}
		measured(b, func() {
			var people [2]int
			err := p.Run(b.Context(), w.headers, w.memory, func(uint32, []uint64) error { people[0]++; return nil },
				func(uint32, []uint64) error { people[1]++; return nil })
			if err != nil {
				b.Fatal(err)
			}
		})
	})
	measure := func(m scan.Measure) func(*testing.B) {
		return func(b *testing.B) {
			m.Query.From, m.Query.To, m.Bounds, m.Workers = q.From, q.To, monthBounds(), 2
			measured(b, func() {
				if m.By != nil {
					m.By = by(scan.NewDictionary(m.By.By[0].Prop))
				}
				if _, err := m.Run(b.Context(), w.headers, w.memory); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
	conditions := &scan.Filter{Op: scan.And, Filters: []scan.Filter{
		{Op: scan.Eq, Prop: "plan", Values: []parts.Value{{Kind: parts.String, Text: "pro"}}}, {
			Op: scan.Neq, Prop: "referrer", Values: []parts.Value{{Kind: parts.String, Text: "bing"}},
		}}}
	b.Run("people", measure(scan.Measure{Statistic: scan.Persons}))
	b.Run("by plan", measure(scan.Measure{By: by(scan.NewDictionary("plan"))}))
	b.Run("by page of one name", measure(
		scan.Measure{Query: scan.Query{Names: []string{"event_3"}}, By: by(scan.NewDictionary("page"))},
	))
	b.Run("by page of all", measure(scan.Measure{By: by(scan.NewDictionary("page"))}))
	b.Run("by page, two conditions, one name", measure(
		scan.Measure{Query: scan.Query{Names: []string{"event_0"}, Filter: conditions}, By: by(scan.NewDictionary("page"))},
	))
	b.Run("by plan, two conditions, all", measure(
		scan.Measure{Query: scan.Query{Filter: conditions}, By: by(scan.NewDictionary("plan"))},
	))
	b.Run(
		"sum by plan, all", measure(scan.Measure{Statistic: scan.Numbers, Prop: "amount", By: by(scan.NewDictionary("plan"))}),
	)
	b.Run("people by plan", measure(scan.Measure{Statistic: scan.Persons, By: by(scan.NewDictionary("plan"))}))
	b.Run("p90 of amount", measure(scan.Measure{Statistic: scan.Distribution, Prop: "amount"}))
}
