package trends

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/query/querytest"
)

func TestPlanCoversEachBucketWithTheFewestRows(t *testing.T) {
	t.Parallel()
	const day, hour = daySeconds, int64(3600)
	kathmandu := 18*hour + 900 // midnight there, in seconds of the UTC day
	for _, c := range []struct {
		name   string
		bounds []int64
		want   []Run
	}{
		{"nothing", nil, nil},
		{"UTC days are one run", []int64{0, day, 2 * day, 3 * day}, []Run{{day, 0, 3 * day}}},
		{"hours, even when a day is full", []int64{0, hour, 2 * hour, day, 2 * day}, []Run{{3600, 0, day}, {day, day, 2 * day}}},
		{"days an hour off are hours, across the bounds", []int64{-hour, day - hour, 2*day - hour}, []Run{{3600, -hour, 2*day - hour}}},
		{"weeks an hour off are days with hours around", []int64{-hour, 7*day - hour, 14*day - hour},
			[]Run{{3600, -hour, 0}, {day, 0, 6 * day}, {3600, 6 * day, 7 * day}, {day, 7 * day, 13 * day}, {3600, 13 * day, 14*day - hour}}},
		{"a day of quarter hours off is hours with minutes around", []int64{kathmandu, kathmandu + day, kathmandu + 2*day},
			[]Run{{60, kathmandu, 19 * hour}, {3600, 19 * hour, day + 18*hour}, {60, day + 18*hour, day + 19*hour},
				{3600, day + 19*hour, 2*day + 18*hour}, {60, 2*day + 18*hour, kathmandu + 2*day}}},
		{"hours of quarter hours off are minutes", []int64{900, 900 + hour, 900 + 2*hour}, []Run{{60, 900, 900 + 2*hour}}},
		{"minutes within an hour", []int64{120, 180}, []Run{{60, 120, 180}}},
		{"before 1970", []int64{-2*day - 60, -day + 60}, []Run{{60, -2*day - 60, -2 * day}, {day, -2 * day, -day}, {60, -day, -day + 60}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := Plan(c.bounds); !slices.Equal(got, c.want) {
				t.Errorf("Plan(%v) =\n%v, want\n%v", c.bounds, got, c.want)
			}
		})
	}
}

// table is the rollups of a handful of events, as event_counts has them.
type table map[[2]int64]int64 // granularity and bucket

func rollup(events []int64) table {
	rows := table{}
	for _, sec := range events {
		for _, g := range granularities {
			rows[[2]int64{g, query.FloorDiv(sec, g) * g}]++
		}
	}
	return rows
}

// read answers as CountsSeries and the folder do.
func (rows table) read(t *testing.T, bounds []int64) []int64 {
	t.Helper()
	series, f := make([]int64, len(bounds)-1), folder{bounds: bounds}
	runs := Plan(bounds)
	keys := make([][2]int64, 0, len(rows))
	for key := range rows {
		keys = append(keys, key)
	}
	for _, key := range keys { // in the order of a map: any
		for _, r := range runs {
			if r.Granularity == key[0] && key[1] >= r.From && key[1] < r.To {
				i := f.bucket(key[1])
				if key[1] < bounds[i] || key[1]+key[0] > bounds[i+1] {
					t.Fatalf("row %v lies across a bound of bucket %d [%d, %d)", key, i, bounds[i], bounds[i+1])
				}
				series[i] += rows[key]
			}
		}
	}
	return series
}

func TestAnAnswerFromRollupsIsTheCountOfTheEvents(t *testing.T) {
	t.Parallel()
	for _, name := range querytest.Zones {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc, random := querytest.Load(t, name), rand.New(rand.NewPCG(3, uint64(len(name))))
			moments := querytest.Changes(loc)
			random.Shuffle(len(moments), func(i, j int) { moments[i], moments[j] = moments[j], moments[i] })
			for range 3 {
				moments = append([]int64{earliest.Unix() + 400*daySeconds + random.Int64N(200*365*daySeconds)}, moments...)
			}
			for _, moment := range moments[:min(len(moments), 7)] {
				for _, b := range query.Buckets {
					checkPlan(t, b.Bucket, loc, moment, random)
				}
			}
		})
	}
}

func checkPlan(t *testing.T, b query.Bucket, loc *time.Location, moment int64, random *rand.Rand) {
	t.Helper()
	w := &Window{Bucket: b, Loc: loc}
	n := 1 + random.IntN(40)
	from := time.Unix(moment-random.Int64N(int64(n)*b.Usual()), random.Int64N(2)*500)
	to := from.Add(time.Duration(int64(n)*b.Usual()-random.Int64N(b.Usual())) * time.Second)
	if bad := w.between(from, to); bad != nil {
		t.Fatal(bad)
	}
	if w.checkMinutes() != nil {
		return
	}
	bounds := w.Bounds
	span := bounds[w.Buckets()] - bounds[0]
	events := make([]int64, 0, 400)
	want := make([]int64, w.Buckets())
	for range 100 {
		events = append(events, bounds[0]-span/8+random.Int64N(span+span/4)) // some outside
	}
	for _, bound := range bounds[:min(len(bounds), 40)] {
		events = append(events, bound, bound-1)
	}
	for _, sec := range events {
		for i := range want {
			if sec >= bounds[i] && sec < bounds[i+1] {
				want[i]++
			}
		}
	}
	if got := rollup(events).read(t, bounds); !slices.Equal(got, want) {
		t.Fatalf("%s in %s from %v: %v, want %v", b, loc, w.At(0), got, want)
	}
	checkFewest(t, bounds)
}

// checkFewest finds, for each bucket, the fewest rows by trying the widest that fits at each step.
func checkFewest(t *testing.T, bounds []int64) {
	t.Helper()
	var want int64
	for i := 1; i < len(bounds); i++ {
		for at := bounds[i-1]; at < bounds[i]; want++ {
			width := int64(60)
			for _, g := range granularities {
				if query.FloorDiv(at, g)*g == at && at+g <= bounds[i] {
					width = g
					break
				}
			}
			at += width
		}
	}
	runs := Plan(bounds)
	if got := rowsOf(runs); got != want {
		t.Fatalf("a plan of %d rows where %d do", got, want)
	}
	at := bounds[0]
	for i, r := range runs {
		if r.From != at || r.To <= r.From || i > 0 && runs[i-1].Granularity == r.Granularity {
			t.Fatalf("run %d does not follow the one before: %v", i, runs)
		}
		at = r.To
	}
	if at != bounds[len(bounds)-1] {
		t.Fatalf("the runs end at %d, the bounds at %d", at, bounds[len(bounds)-1])
	}
}

// BenchmarkPlanAndFold is everything but the database for 30 days by the hour.
func BenchmarkPlanAndFold(b *testing.B) {
	now := time.Date(2026, 4, 10, 12, 30, 0, 0, time.UTC)
	limit := 720
	for _, tz := range []string{"UTC", "Europe/Berlin", "Asia/Kathmandu"} {
		b.Run(fmt.Sprintf("%dh/%s", limit, tz), func(b *testing.B) {
			w, err := Resolve(&Ask{TZ: tz, Limit: &limit}, now)
			if err != nil {
				b.Fatal(err)
			}
			var rows []int64
			for _, r := range Plan(w.Bounds) {
				for at := r.From; at < r.To; at += r.Granularity {
					rows = append(rows, at)
				}
			}
			b.ReportAllocs()
			b.ReportMetric(float64(len(rows)), "rows")
			for b.Loop() {
				w, err := Resolve(&Ask{TZ: tz, Limit: &limit}, now)
				if err != nil {
					b.Fatal(err)
				}
				Plan(w.Bounds)
				series, f := make([]int64, w.Buckets()), folder{bounds: w.Bounds}
				for _, row := range rows {
					series[f.bucket(row)]++
				}
			}
		})
	}
}
