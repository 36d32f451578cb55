package query_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/query/querytest"
)

var allBuckets = []query.Bucket{query.Bucket1m, query.Bucket5m, query.Bucket15m, query.Bucket1h, query.Bucket1d, query.Bucket1w, query.Bucket1mo}

// reference says where buckets begin between two instants by looking at the clock at every half minute.
func reference(b query.Bucket, loc *time.Location, from, to int64) (starts []int64) {
	const step = 30 // the clock of Monrovia was changed at a half minute
	key := func(sec, day int64) [2]int64 {
		local := sec + offset(sec, loc)
		switch b {
		case query.Bucket1d:
			return [2]int64{day}
		case query.Bucket1w:
			d := time.Unix(day*86400, 0).UTC()
			year, week := d.ISOWeek()
			return [2]int64{int64(year), int64(week)}
		case query.Bucket1mo:
			d := time.Unix(day*86400, 0).UTC()
			return [2]int64{int64(d.Year()), int64(d.Month())}
		default:
			width := map[query.Bucket]int64{query.Bucket1m: 60, query.Bucket5m: 300, query.Bucket15m: 900, query.Bucket1h: 3600}[b]
			return [2]int64{offset(sec, loc), query.FloorDiv(local, width)}
		}
	}
	var day int64
	var last [2]int64
	for sec := from - 86400; sec < to; sec += step {
		// A date has begun once the clock has shown it, whatever the clock shows later.
		if shown := query.FloorDiv(sec+offset(sec, loc), 86400); sec == from-86400 || shown > day {
			day = shown
		}
		k := key(sec, day)
		if sec >= from && k != last {
			starts = append(starts, sec)
		}
		last = k
	}
	return starts
}

func TestBucketsAreWhatTheClockOnTheWallShows(t *testing.T) {
	t.Parallel()
	for _, name := range querytest.Zones {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc := querytest.Load(t, name)
			random := rand.New(rand.NewPCG(1, uint64(len(name))))
			moments := querytest.Changes(loc)
			random.Shuffle(len(moments), func(i, j int) { moments[i], moments[j] = moments[j], moments[i] })
			moments = moments[:min(len(moments), 4)]
			for range 2 { // and ordinary days
				moments = append(moments, querytest.Earliest.Unix()+random.Int64N(querytest.Latest.Unix()-querytest.Earliest.Unix())/30*30)
			}
			for _, moment := range moments {
				from, to := moment-2*3600, moment+38*3600
				for _, b := range allBuckets {
					checkAgainstReference(t, b, loc, from, to, random)
				}
			}
		})
	}
}

func checkAgainstReference(t *testing.T, b query.Bucket, loc *time.Location, from, to int64, random *rand.Rand) {
	t.Helper()
	want := reference(b, loc, from, to)
	c := query.Calendar{Bucket: b, Loc: loc, Week: time.Monday}
	var got []int64
	for at := c.Next(from - 1); at < to; at = c.Next(at) {
		got = append(got, at)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s in %s from %v: buckets begin at\n%v, by the clock at\n%v", b, loc, time.Unix(from, 0).In(loc), show(got, loc), show(want, loc))
	}
	for range 20 {
		sec := from + random.Int64N(to-from)
		i, exact := slices.BinarySearch(want, sec)
		if !exact {
			i--
		}
		if i < 0 {
			continue // it began before what the reference looked at
		}
		if start := c.Floor(sec); start != want[i] {
			t.Fatalf("%s in %s: floor(%v) = %v, want %v", b, loc, time.Unix(sec, 0).In(loc), time.Unix(start, 0).In(loc), time.Unix(want[i], 0).In(loc))
		}
	}
}

func show(secs []int64, loc *time.Location) (s []string) {
	for _, sec := range secs[:min(len(secs), 60)] {
		s = append(s, time.Unix(sec, 0).In(loc).Format("2006-01-02T15:04:05Z07:00"))
	}
	return s
}

// The last days of leap years beyond the table of a zone are where time.ZoneBounds is wrong.
func TestBucketsTileTimeInEveryZone(t *testing.T) {
	t.Parallel()
	for _, name := range querytest.Zones {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc := querytest.Load(t, name)
			random := rand.New(rand.NewPCG(2, uint64(len(name))))
			var instants []time.Time
			for range 60 {
				instants = append(instants, time.Unix(querytest.Earliest.Unix()+random.Int64N(querytest.Latest.Unix()-querytest.Earliest.Unix()), random.Int64N(1e9)))
			}
			moments := querytest.Changes(loc)
			random.Shuffle(len(moments), func(i, j int) { moments[i], moments[j] = moments[j], moments[i] })
			for _, sec := range moments[:min(len(moments), 60)] {
				instants = append(instants, time.Unix(sec+random.Int64N(14*3600), random.Int64N(1e9)))
			}
			for _, year := range []int{1972, 2020, 2040, 2096, 2100, 2260} {
				instants = append(instants, time.Date(year, 12, 31, random.IntN(24), 59, 59, 999_999_999, time.UTC))
			}
			for _, instant := range instants {
				for _, b := range allBuckets {
					start, end := floor(b, instant, loc), next(b, instant, loc)
					if start.After(instant) || !end.After(instant) {
						t.Fatalf("%s: %v is not within its bucket [%v, %v)", b, instant.In(loc), start, end)
					}
					if again := floor(b, start, loc); !again.Equal(start) {
						t.Fatalf("%s: Floor(%v) = %v", b, start, again)
					}
					if of := next(b, start, loc); !of.Equal(end) {
						t.Fatalf("%s: Next(%v) = %v, want %v", b, start, of, end)
					}
					if first := floor(b, end, loc); !first.Equal(end) {
						t.Fatalf("%s: a gap or an overlap at %v: Floor = %v", b, end, first)
					}
					if last := floor(b, end.Add(-1), loc); !last.Equal(start) {
						t.Fatalf("%s: the end of [%v, %v) is in the bucket of %v", b, start, end, last)
					}
				}
			}
		})
	}
}

func TestBucketsAroundChangesOfTheClock(t *testing.T) {
	t.Parallel()
	const layout = "01-02 15:04 -07:00"
	for _, c := range []struct {
		zone   string
		bucket query.Bucket
		from   string   // UTC
		want   []string // starts, from the bucket of from on
	}{
		{"Europe/Berlin", query.Bucket1h, "2026-03-29T00:00:00Z", []string{"03-29 01:00 +01:00", "03-29 03:00 +02:00", "03-29 04:00 +02:00"}},
		{"Europe/Berlin", query.Bucket1h, "2026-10-25T00:00:00Z", []string{"10-25 02:00 +02:00", "10-25 02:00 +01:00", "10-25 03:00 +01:00"}},
		{"Europe/Berlin", query.Bucket1d, "2026-03-28T23:00:00Z", []string{"03-29 00:00 +01:00", "03-30 00:00 +02:00"}},
		{"Europe/Berlin", query.Bucket1mo, "2026-03-10T00:00:00Z", []string{"03-01 00:00 +01:00", "04-01 00:00 +02:00"}},
		{"Europe/Berlin", query.Bucket1w, "2026-03-25T12:00:00Z", []string{"03-23 00:00 +01:00", "03-30 00:00 +02:00"}},
		// Midnight did not exist.
		{"America/Sao_Paulo", query.Bucket1d, "2018-11-03T12:00:00Z", []string{"11-03 00:00 -03:00", "11-04 01:00 -02:00", "11-05 00:00 -02:00"}},
		{"America/Sao_Paulo", query.Bucket1h, "2018-11-04T02:30:00Z", []string{"11-03 23:00 -03:00", "11-04 01:00 -02:00", "11-04 02:00 -02:00"}},
		{"Asia/Beirut", query.Bucket1d, "2024-03-30T12:00:00Z", []string{"03-30 00:00 +02:00", "03-31 01:00 +03:00", "04-01 00:00 +03:00"}},
		{"America/Havana", query.Bucket1d, "2024-03-09T12:00:00Z", []string{"03-09 00:00 -05:00", "03-10 01:00 -04:00", "03-11 00:00 -04:00"}},
		// The last hour of the day came twice; the day went on.
		{"America/Sao_Paulo", query.Bucket1d, "2018-02-17T12:00:00Z", []string{"02-17 00:00 -02:00", "02-18 00:00 -03:00"}},
		{"America/Sao_Paulo", query.Bucket1h, "2018-02-18T01:30:00Z", []string{"02-17 23:00 -02:00", "02-17 23:00 -03:00", "02-18 00:00 -03:00"}},
		// The first hour came twice: Havana goes from 01:00 back to 00:00 and stays on the date.
		{"America/Havana", query.Bucket1d, "2024-11-03T04:30:00Z", []string{"11-03 00:00 -04:00", "11-04 00:00 -05:00"}},
		{"America/Havana", query.Bucket1h, "2024-11-03T04:30:00Z", []string{"11-03 00:00 -04:00", "11-03 00:00 -05:00", "11-03 01:00 -05:00"}},
		// At 00:01 back to 23:01 of a date that was over.
		{"America/St_Johns", query.Bucket1d, "2010-11-06T12:00:00Z", []string{"11-06 00:00 -02:30", "11-07 00:00 -02:30", "11-08 00:00 -03:30"}},
		{"America/St_Johns", query.Bucket1h, "2010-11-07T01:30:00Z", []string{"11-06 23:00 -02:30", "11-07 00:00 -02:30", "11-06 23:01 -03:30", "11-07 00:00 -03:30"}},
		// Half an hour.
		{"Australia/Lord_Howe", query.Bucket1h, "2026-10-03T15:00:00Z", []string{"10-04 01:00 +10:30", "10-04 02:30 +11:00", "10-04 03:00 +11:00"}},
		{"Australia/Lord_Howe", query.Bucket1h, "2026-04-04T14:30:00Z", []string{"04-05 01:00 +11:00", "04-05 01:30 +10:30", "04-05 02:00 +10:30"}},
		{"Australia/Lord_Howe", query.Bucket15m, "2026-04-04T14:45:00Z", []string{"04-05 01:45 +11:00", "04-05 01:30 +10:30", "04-05 01:45 +10:30", "04-05 02:00 +10:30"}},
		// A date that was left out.
		{"Pacific/Apia", query.Bucket1d, "2011-12-29T12:00:00Z", []string{"12-29 00:00 -10:00", "12-31 00:00 +14:00", "01-01 00:00 +14:00"}},
		{"Pacific/Apia", query.Bucket1w, "2011-12-29T12:00:00Z", []string{"12-26 00:00 -10:00", "01-02 00:00 +14:00"}},
		{"Pacific/Kwajalein", query.Bucket1d, "1993-08-21T11:00:00Z", []string{"08-20 00:00 -12:00", "08-22 00:00 +12:00", "08-23 00:00 +12:00"}},
		// A zone that gave itself a new name, not a new time.
		{"Europe/London", query.Bucket1d, "1971-10-30T12:00:00Z", []string{"10-30 00:00 +01:00", "10-31 00:00 +01:00", "11-01 00:00 +00:00"}},
		{"Asia/Kathmandu", query.Bucket1h, "2026-01-01T00:00:00Z", []string{"01-01 05:00 +05:45", "01-01 06:00 +05:45"}},
		{"Asia/Kathmandu", query.Bucket15m, "2026-01-01T00:00:00Z", []string{"01-01 05:45 +05:45", "01-01 06:00 +05:45"}},
	} {
		t.Run(fmt.Sprintf("%s/%s/%s", c.zone, c.bucket, c.from), func(t *testing.T) {
			t.Parallel()
			loc := querytest.Load(t, c.zone)
			from, err := time.Parse(time.RFC3339, c.from)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for at := floor(c.bucket, from, loc); len(got) < len(c.want); at = next(c.bucket, at, loc) {
				got = append(got, at.Format(layout))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// floor returns the start of the bucket that t is in.
func floor(b query.Bucket, t time.Time, loc *time.Location) time.Time {
	return time.Unix(query.Calendar{Bucket: b, Loc: loc, Week: time.Monday}.Floor(t.Unix()), 0).In(loc)
}

// next returns the end of the bucket that t is in, which is the start of the one after it.
func next(b query.Bucket, t time.Time, loc *time.Location) time.Time {
	return time.Unix(query.Calendar{Bucket: b, Loc: loc, Week: time.Monday}.Next(t.Unix()), 0).In(loc)
}

func offset(sec int64, loc *time.Location) int64 {
	_, offset := time.Unix(sec, 0).In(loc).Zone()
	return int64(offset)
}

func TestWeeksBeginWhenTheyAreSaidTo(t *testing.T) {
	t.Parallel()
	loc := querytest.Load(t, "Africa/Cairo") // midnight did not exist on Friday, 26 April 2024
	at := func(day, hour int) int64 { return time.Date(2024, 4, day, hour, 0, 0, 0, loc).Unix() }
	for week, want := range map[time.Weekday][2]int64{
		time.Monday: {at(22, 0), at(29, 0)}, time.Sunday: {at(21, 0), at(28, 0)}, time.Saturday: {at(20, 0), at(27, 0)},
		time.Friday: {at(26, 1), time.Date(2024, 5, 3, 0, 0, 0, 0, loc).Unix()},
	} {
		c := query.Calendar{Bucket: query.Bucket1w, Loc: loc, Week: week}
		if got := [2]int64{c.Floor(at(26, 12)), c.Next(at(26, 12))}; got != want {
			t.Errorf("a week from %s is %v, want %v", week, show(got[:], loc), show(want[:], loc))
		}
	}
}

func TestPeriodsOfARange(t *testing.T) {
	t.Parallel()
	loc := querytest.Load(t, "America/Havana") // midnight came twice on 3 November 2024
	c := query.Calendar{Bucket: query.Bucket1d, Loc: loc, Week: time.Monday}
	at := func(day, hour int) int64 { return time.Date(2024, 11, day, hour, 0, 0, 0, loc).UnixMicro() }
	bounds := c.Bounds(query.Range{From: at(2, 5), To: at(3, 12)})
	if want := []int64{at(2, 0), at(3, 0), at(4, 0)}; !slices.Equal(bounds, want) {
		t.Fatalf("bounds %v, want %v", bounds, want)
	}
	if long := bounds[2] - bounds[1]; long != 25*query.Hour {
		t.Errorf("the day lasts %d hours, want 25", long/query.Hour)
	}
	if got := c.Bounds(query.Range{From: at(2, 0), To: at(3, 0)}); !slices.Equal(got, bounds[:2]) {
		t.Errorf("a whole day has bounds %v, want %v", got, bounds[:2])
	}
	if got := c.Bounds(query.Range{From: at(2, 5), To: at(2, 5)}); len(got) != 1 {
		t.Errorf("no time has bounds %v", got)
	}
	if got := c.Extend(slices.Clone(bounds), 2); !slices.Equal(got, append(bounds[:3:3], at(5, 0), at(6, 0))) {
		t.Errorf("two days more: %v", got)
	}
	if got := c.Before(bounds[2]); got != bounds[1] {
		t.Errorf("the period before %d begins at %d, want %d", bounds[2], got, bounds[1])
	}
	for i, at := range []int64{bounds[0], bounds[1] - 1, bounds[1], bounds[2], bounds[2] + query.Day} {
		if got, want := query.PeriodOf(bounds, at), []int{0, 0, 1, 2, 2}[i]; got != want {
			t.Errorf("%d is in period %d, want %d", at, got, want)
		}
	}
}
