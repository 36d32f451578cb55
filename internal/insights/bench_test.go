package insights_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/activity"
	"github.com/bahagh/nimbus/internal/insights/cohorts"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/paths"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/query/querytest"
	"github.com/bahagh/nimbus/internal/insights/retention"
)

// What the benchmarks count: 10M events of 200,000 people in 30 days, of 20 names, of which a funnel of three reads
// 3.2M.
const (
	crowdPeople = 200_000
	crowdEvents = 10_000_000
	crowdDays   = 30
)

// crowd is people whose rows lie one after the other, as a scan would hand them on one by one.
type crowd struct {
	rows []behaviour.Row
	ends []int // by person
}

var crowds = struct {
	sync.Mutex
	all, steps *crowd
}{}

// everything returns the crowd with all events, made at the first call.
func everything() *crowd {
	crowds.Lock()
	defer crowds.Unlock()
	if crowds.all == nil {
		crowds.all = newCrowd()
	}
	return crowds.all
}

// steps returns the crowd with the events of three names.
func steps() *crowd {
	all := everything()
	crowds.Lock()
	defer crowds.Unlock()
	if crowds.steps != nil {
		return crowds.steps
	}
	crowds.steps = &crowd{}
	for person := range all.ends {
		for _, row := range all.of(person) {
			if row.Marks&0b111 != 0 {
				crowds.steps.rows = append(crowds.steps.rows, row)
			}
		}
		crowds.steps.ends = append(crowds.steps.ends, len(crowds.steps.rows))
	}
	return crowds.steps
}

func newCrowd() *crowd {
	r := rand.New(rand.NewPCG(1, 1))
	c := &crowd{rows: make([]behaviour.Row, 0, crowdEvents)}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	for range crowdPeople {
		first := len(c.rows)
		for range crowdEvents / crowdPeople {
			name := r.IntN(100)
			row := behaviour.Row{TS: start + r.Int64N(crowdDays*query.Day), Session: 1}
			switch { // three names make 32 %
			case name < 16:
				row.Marks = 1
			case name < 26:
				row.Marks = 2
			case name < 32:
				row.Marks = 4
			default:
				row.Marks = 1 << (3 + r.IntN(17))
			}
			row.Marks |= 1 << 63 // any event
			row.Values[0] = uint32(1 + r.IntN(5))
			row.Values[1] = uint32(1 + r.IntN(20))
			c.rows = append(c.rows, row)
		}
		slices.SortFunc(c.rows[first:], func(a, b behaviour.Row) int { return int(a.TS - b.TS) })
		c.ends = append(c.ends, len(c.rows))
	}
	return c
}

func (c *crowd) of(person int) []behaviour.Row {
	first := 0
	if person > 0 {
		first = c.ends[person-1]
	}
	return c.rows[first:c.ends[person]]
}

// operator is what every kind of question is answered by.
type operator[T any] interface {
	Add(*behaviour.Person)
	Merge(T)
}

// pass counts the people on so many goroutines, each a part of them.
func pass[T operator[T]](c *crowd, goroutines int, make func() T) T {
	operators := []T{}
	var wg sync.WaitGroup
	for g := range goroutines {
		o := make()
		operators = append(operators, o)
		wg.Go(func() {
			var p behaviour.Person
			sessions := []behaviour.Session{{}}
			for person := len(c.ends) * g / goroutines; person < len(c.ends)*(g+1)/goroutines; person++ {
				p = behaviour.Person{No: uint32(person), Rows: c.of(person), Sessions: sessions}
				o.Add(&p)
			}
		})
	}
	wg.Wait()
	for _, o := range operators[1:] {
		operators[0].Merge(o)
	}
	return operators[0]
}

func month() (in query.Range, c query.Calendar) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	in = query.Range{From: from.UnixMicro(), To: from.AddDate(0, 0, crowdDays).UnixMicro()}
	return in, query.Calendar{Bucket: query.Bucket1d, Loc: time.UTC, Week: time.Monday}
}

// measure runs a pass with one and with two goroutines.
func measure(b *testing.B, c *crowd, run func(goroutines int)) {
	b.Helper()
	for _, goroutines := range []int{1, 2} {
		b.Run(map[int]string{1: "one", 2: "two"}[goroutines], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run(goroutines)
			}
			b.ReportMetric(float64(len(c.rows)), "rows")
		})
	}
}

func BenchmarkFunnel(b *testing.B) {
	in, calendar := month()
	usual := funnel.Question{
		Steps: []funnel.Step{{Marks: 1}, {Marks: 2}, {Marks: 4}}, Range: in, Window: 7 * query.Day, AsOf: funnel.NoAsOf,
	}
	for _, c := range []struct {
		name   string
		change func(*funnel.Question)
	}{
		{"usual", func(*funnel.Question) {}},
		{"breakdown", func(q *funnel.Question) {
			q.Breakdown = &funnel.Breakdown{Breakdown: query.Breakdown{Column: 0, Top: 10, Compare: querytest.ByCode}}
		}},
		{"series", func(q *funnel.Question) { q.Bounds = calendar.Bounds(in) }},
		{"totals", func(q *funnel.Question) { q.Count = funnel.Totals }},
		{"excluding", func(q *funnel.Question) { q.Exclude = []funnel.Exclusion{{Marks: 2, From: 1, To: 2}} }},
		{"held", func(q *funnel.Question) { q.Hold = []int{0} }},
		{"any", func(q *funnel.Question) { q.Order = funnel.Any }},
		{"strict", func(q *funnel.Question) { q.Order = funnel.Strict }},
	} {
		b.Run(c.name, func(b *testing.B) {
			q := usual
			c.change(&q)
			measure(b, steps(), func(goroutines int) {
				pass(steps(), goroutines, func() *funnel.Funnel { return funnel.New(q) }).Answer()
			})
		})
	}
}

func BenchmarkRetention(b *testing.B) {
	in, calendar := month()
	for name, cohort := range map[string]retention.Cohort{"first": retention.FirstTime, "recurring": retention.Recurring} {
		b.Run(name, func(b *testing.B) {
			q := retention.Question{Periods: 12, AsOf: retention.NoAsOf, Cohort: cohort}
			q.Start.Marks, q.Return.Marks = 1<<63, 1<<63
			q.Cut(calendar, in)
			measure(b, everything(), func(goroutines int) {
				pass(everything(), goroutines, func() *retention.Retention { return retention.New(q) }).Answer()
			})
		})
	}
}

func BenchmarkActivity(b *testing.B) {
	in, calendar := month()
	active := activity.Step{Marks: 1 << 63}
	b.Run("uniques", func(b *testing.B) {
		q := activity.UniquesQuestion{Active: active, Range: in, Bounds: calendar.Bounds(in)}
		measure(b, everything(), func(goroutines int) {
			pass(everything(), goroutines, func() *activity.Uniques { return activity.NewUniques(q) }).Answer()
		})
	})
	b.Run("lifecycle", func(b *testing.B) {
		q := activity.LifecycleQuestion{Active: active, AsOf: activity.NoAsOf}
		q.Cut(calendar, in)
		measure(b, everything(), func(goroutines int) {
			pass(everything(), goroutines, func() *activity.Lifecycle { return activity.NewLifecycle(q) }).Answer()
		})
	})
	b.Run("stickiness", func(b *testing.B) {
		q := activity.StickinessQuestion{Active: active}
		q.Cut(calendar, in)
		measure(b, everything(), func(goroutines int) {
			pass(everything(), goroutines, func() *activity.Stickiness { return activity.NewStickiness(q) }).Answer()
		})
	})
}

// BenchmarkPresence is what retention, lifecycle and stickiness cost where a scan gives the days of each person, not his
// events.
func BenchmarkPresence(b *testing.B) {
	in, calendar := month()
	c := everything()
	days := func(bounds []int64) []uint64 {
		people := make([]uint64, len(c.ends))
		for person := range people {
			for _, row := range c.of(person) {
				people[person] |= 1 << query.PeriodOf(bounds, row.TS)
			}
		}
		return people
	}
	b.Run("retention", func(b *testing.B) {
		q := retention.Question{Periods: 12, AsOf: retention.NoAsOf, Cohort: retention.Recurring}
		q.Cut(calendar, in)
		bounds, _ := q.Presence(0, math.MaxInt64)
		people := days(bounds)
		for b.Loop() {
			r := retention.New(q)
			for _, periods := range people {
				r.AddPresence([]uint64{periods, periods})
			}
			r.Answer()
		}
	})
	b.Run("lifecycle", func(b *testing.B) {
		q := activity.LifecycleQuestion{AsOf: activity.NoAsOf}
		q.Cut(calendar, in)
		people := days(q.Presence(0))
		for b.Loop() {
			l := activity.NewLifecycle(q)
			for person := range people {
				l.AddPresence(people[person : person+1])
			}
			l.Answer()
		}
	})
	b.Run("stickiness", func(b *testing.B) {
		q := activity.StickinessQuestion{}
		q.Cut(calendar, in)
		people := days(q.Presence())
		for b.Loop() {
			s := activity.NewStickiness(q)
			for person := range people {
				s.AddPresence(people[person : person+1])
			}
			s.Answer()
		}
	})
}

func BenchmarkPaths(b *testing.B) {
	in, _ := month()
	for name, count := range map[string]paths.Count{"users": paths.Users, "totals": paths.Totals} {
		b.Run(name, func(b *testing.B) {
			q := paths.Question{
				Node: 1, Range: in, Window: query.Day, Depth: 5, Top: 5, Collapse: true, Count: count,
				Compare: querytest.ByCode,
			}
			measure(b, everything(), func(goroutines int) {
				pass(everything(), goroutines, func() *paths.Paths { return paths.New(q) }).Answer()
			})
		})
	}
}

func BenchmarkCohort(b *testing.B) {
	in, _ := month()
	q := cohorts.Question{Where: cohorts.Clause{Op: cohorts.And, Clauses: []cohorts.Clause{
		{Op: cohorts.Did, Marks: 1, Times: cohorts.Times{Min: 3, Max: 1 << 40}, Within: in},
		{Op: cohorts.Not, Clauses: []cohorts.Clause{{Op: cohorts.First, Marks: 4, Within: query.Range{From: in.From, To: in.From + 7*query.Day}}}},
		{Op: cohorts.Sequence, Steps: []funnel.Step{{Marks: 1}, {Marks: 2}}, Window: query.Day, Within: in},
	}}}
	measure(b, everything(), func(goroutines int) {
		pass(everything(), goroutines, func() *cohorts.Cohort { return cohorts.New(q) }).Answer()
	})
}
