package trends

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var allBuckets = []Bucket{Bucket1m, Bucket5m, Bucket15m, Bucket1h, Bucket1d, Bucket1w, Bucket1mo}

// zones has every kind of clock there has been since 1971: whole, half and quarter hours, changes at midnight, just
// after midnight, of half an hour, of a whole day, negative summer time, and none at all.
var zones = []string{
	"UTC", "Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Moscow", "Europe/Istanbul",
	"Europe/Chisinau", "Atlantic/Azores", "Atlantic/Reykjavik", "America/New_York", "America/Los_Angeles",
	"America/St_Johns", "America/Goose_Bay", "America/Moncton", "America/Sao_Paulo", "America/Havana",
	"America/Asuncion", "America/Santiago", "America/Caracas", "America/Scoresbysund", "America/Nuuk",
	"America/Argentina/San_Luis", "America/Anchorage", "America/Metlakatla", "Asia/Kathmandu", "Asia/Kolkata",
	"Asia/Tehran", "Asia/Beirut", "Asia/Amman", "Asia/Damascus", "Asia/Gaza", "Asia/Pyongyang", "Asia/Tokyo",
	"Asia/Dhaka", "Asia/Almaty", "Australia/Lord_Howe", "Australia/Eucla", "Australia/Adelaide", "Australia/Sydney",
	"Pacific/Apia", "Pacific/Fakaofo", "Pacific/Kwajalein", "Pacific/Kiritimati", "Pacific/Chatham",
	"Pacific/Auckland", "Pacific/Norfolk", "Pacific/Marquesas", "Africa/Casablanca", "Africa/Cairo",
	"Africa/Monrovia", "Africa/Windhoek", "Africa/Juba", "Antarctica/Troll", "Antarctica/Casey", "Antarctica/Vostok",
}

func load(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, ok := zone(name)
	if !ok {
		t.Fatalf("zone %s", name)
	}
	return loc
}

// changes returns up to 2101 when the clock of a zone was put forward or back, to the half day before, with the dates
// that today's rules give for the future.
func changes(loc *time.Location) (all []int64) {
	const step = 43_200
	before := offsetAt(earliest.Unix(), loc)
	for sec := earliest.Unix(); sec < 4_133_980_800; sec += step {
		if after := offsetAt(sec, loc); after != before {
			all = append(all, sec-step)
			before = after
		}
	}
	return all
}

// reference says where buckets begin between two instants by looking at the clock at every half minute.
func reference(b Bucket, loc *time.Location, from, to int64) (starts []int64) {
	const step = 30 // the clock of Monrovia was changed at a half minute
	key := func(sec, day int64) [2]int64 {
		local := sec + offsetAt(sec, loc)
		switch b {
		case Bucket1d:
			return [2]int64{day}
		case Bucket1w:
			d := time.Unix(day*86400, 0).UTC()
			year, week := d.ISOWeek()
			return [2]int64{int64(year), int64(week)}
		case Bucket1mo:
			d := time.Unix(day*86400, 0).UTC()
			return [2]int64{int64(d.Year()), int64(d.Month())}
		default:
			width := map[Bucket]int64{Bucket1m: 60, Bucket5m: 300, Bucket15m: 900, Bucket1h: 3600}[b]
			return [2]int64{offsetAt(sec, loc), floorDiv(local, width)}
		}
	}
	var day int64
	var last [2]int64
	for sec := from - 86400; sec < to; sec += step {
		// A date has begun once the clock has shown it, whatever the clock shows later.
		if shown := floorDiv(sec+offsetAt(sec, loc), 86400); sec == from-86400 || shown > day {
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
	for _, name := range zones {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc := load(t, name)
			random := rand.New(rand.NewPCG(1, uint64(len(name))))
			moments := changes(loc)
			random.Shuffle(len(moments), func(i, j int) { moments[i], moments[j] = moments[j], moments[i] })
			moments = moments[:min(len(moments), 4)]
			for range 2 { // and ordinary days
				moments = append(moments, earliest.Unix()+random.Int64N(latest.Unix()-earliest.Unix())/30*30)
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

func checkAgainstReference(t *testing.T, b Bucket, loc *time.Location, from, to int64, random *rand.Rand) {
	t.Helper()
	want := reference(b, loc, from, to)
	var got []int64
	for at := b.next(from-1, loc); at < to; at = b.next(at, loc) {
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
		if floor := b.floor(sec, loc); floor != want[i] {
			t.Fatalf("%s in %s: floor(%v) = %v, want %v", b, loc, time.Unix(sec, 0).In(loc), time.Unix(floor, 0).In(loc), time.Unix(want[i], 0).In(loc))
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
	for _, name := range zones {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc := load(t, name)
			random := rand.New(rand.NewPCG(2, uint64(len(name))))
			var instants []time.Time
			for range 60 {
				instants = append(instants, time.Unix(earliest.Unix()+random.Int64N(latest.Unix()-earliest.Unix()), random.Int64N(1e9)))
			}
			moments := changes(loc)
			random.Shuffle(len(moments), func(i, j int) { moments[i], moments[j] = moments[j], moments[i] })
			for _, sec := range moments[:min(len(moments), 60)] {
				instants = append(instants, time.Unix(sec+random.Int64N(14*3600), random.Int64N(1e9)))
			}
			for _, year := range []int{1972, 2020, 2040, 2096, 2100, 2260} {
				instants = append(instants, time.Date(year, 12, 31, random.IntN(24), 59, 59, 999_999_999, time.UTC))
			}
			for _, instant := range instants {
				for _, b := range allBuckets {
					floor, next := b.Floor(instant, loc), b.Next(instant, loc)
					if floor.After(instant) || !next.After(instant) {
						t.Fatalf("%s: %v is not within its bucket [%v, %v)", b, instant.In(loc), floor, next)
					}
					if again := b.Floor(floor, loc); !again.Equal(floor) {
						t.Fatalf("%s: Floor(%v) = %v", b, floor, again)
					}
					if of := b.Next(floor, loc); !of.Equal(next) {
						t.Fatalf("%s: Next(%v) = %v, want %v", b, floor, of, next)
					}
					if first := b.Floor(next, loc); !first.Equal(next) {
						t.Fatalf("%s: a gap or an overlap at %v: Floor = %v", b, next, first)
					}
					if last := b.Floor(next.Add(-1), loc); !last.Equal(floor) {
						t.Fatalf("%s: the end of [%v, %v) is in the bucket of %v", b, floor, next, last)
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
		bucket Bucket
		from   string   // UTC
		want   []string // starts, from the bucket of from on
	}{
		{"Europe/Berlin", Bucket1h, "2026-03-29T00:00:00Z", []string{"03-29 01:00 +01:00", "03-29 03:00 +02:00", "03-29 04:00 +02:00"}},
		{"Europe/Berlin", Bucket1h, "2026-10-25T00:00:00Z", []string{"10-25 02:00 +02:00", "10-25 02:00 +01:00", "10-25 03:00 +01:00"}},
		{"Europe/Berlin", Bucket1d, "2026-03-28T23:00:00Z", []string{"03-29 00:00 +01:00", "03-30 00:00 +02:00"}},
		{"Europe/Berlin", Bucket1mo, "2026-03-10T00:00:00Z", []string{"03-01 00:00 +01:00", "04-01 00:00 +02:00"}},
		{"Europe/Berlin", Bucket1w, "2026-03-25T12:00:00Z", []string{"03-23 00:00 +01:00", "03-30 00:00 +02:00"}},
		// Midnight did not exist.
		{"America/Sao_Paulo", Bucket1d, "2018-11-03T12:00:00Z", []string{"11-03 00:00 -03:00", "11-04 01:00 -02:00", "11-05 00:00 -02:00"}},
		{"America/Sao_Paulo", Bucket1h, "2018-11-04T02:30:00Z", []string{"11-03 23:00 -03:00", "11-04 01:00 -02:00", "11-04 02:00 -02:00"}},
		{"Asia/Beirut", Bucket1d, "2024-03-30T12:00:00Z", []string{"03-30 00:00 +02:00", "03-31 01:00 +03:00", "04-01 00:00 +03:00"}},
		{"America/Havana", Bucket1d, "2024-03-09T12:00:00Z", []string{"03-09 00:00 -05:00", "03-10 01:00 -04:00", "03-11 00:00 -04:00"}},
		// The last hour of the day came twice; the day went on.
		{"America/Sao_Paulo", Bucket1d, "2018-02-17T12:00:00Z", []string{"02-17 00:00 -02:00", "02-18 00:00 -03:00"}},
		{"America/Sao_Paulo", Bucket1h, "2018-02-18T01:30:00Z", []string{"02-17 23:00 -02:00", "02-17 23:00 -03:00", "02-18 00:00 -03:00"}},
		// The first hour came twice: Havana goes from 01:00 back to 00:00 and stays on the date.
		{"America/Havana", Bucket1d, "2024-11-03T04:30:00Z", []string{"11-03 00:00 -04:00", "11-04 00:00 -05:00"}},
		{"America/Havana", Bucket1h, "2024-11-03T04:30:00Z", []string{"11-03 00:00 -04:00", "11-03 00:00 -05:00", "11-03 01:00 -05:00"}},
		// At 00:01 back to 23:01 of a date that was over.
		{"America/St_Johns", Bucket1d, "2010-11-06T12:00:00Z", []string{"11-06 00:00 -02:30", "11-07 00:00 -02:30", "11-08 00:00 -03:30"}},
		{"America/St_Johns", Bucket1h, "2010-11-07T01:30:00Z", []string{"11-06 23:00 -02:30", "11-07 00:00 -02:30", "11-06 23:01 -03:30", "11-07 00:00 -03:30"}},
		// Half an hour.
		{"Australia/Lord_Howe", Bucket1h, "2026-10-03T15:00:00Z", []string{"10-04 01:00 +10:30", "10-04 02:30 +11:00", "10-04 03:00 +11:00"}},
		{"Australia/Lord_Howe", Bucket1h, "2026-04-04T14:30:00Z", []string{"04-05 01:00 +11:00", "04-05 01:30 +10:30", "04-05 02:00 +10:30"}},
		{"Australia/Lord_Howe", Bucket15m, "2026-04-04T14:45:00Z", []string{"04-05 01:45 +11:00", "04-05 01:30 +10:30", "04-05 01:45 +10:30", "04-05 02:00 +10:30"}},
		// A date that was left out.
		{"Pacific/Apia", Bucket1d, "2011-12-29T12:00:00Z", []string{"12-29 00:00 -10:00", "12-31 00:00 +14:00", "01-01 00:00 +14:00"}},
		{"Pacific/Apia", Bucket1w, "2011-12-29T12:00:00Z", []string{"12-26 00:00 -10:00", "01-02 00:00 +14:00"}},
		{"Pacific/Kwajalein", Bucket1d, "1993-08-21T11:00:00Z", []string{"08-20 00:00 -12:00", "08-22 00:00 +12:00", "08-23 00:00 +12:00"}},
		// A zone that gave itself a new name, not a new time.
		{"Europe/London", Bucket1d, "1971-10-30T12:00:00Z", []string{"10-30 00:00 +01:00", "10-31 00:00 +01:00", "11-01 00:00 +00:00"}},
		{"Asia/Kathmandu", Bucket1h, "2026-01-01T00:00:00Z", []string{"01-01 05:00 +05:45", "01-01 06:00 +05:45"}},
		{"Asia/Kathmandu", Bucket15m, "2026-01-01T00:00:00Z", []string{"01-01 05:45 +05:45", "01-01 06:00 +05:45"}},
	} {
		t.Run(fmt.Sprintf("%s/%s/%s", c.zone, c.bucket, c.from), func(t *testing.T) {
			t.Parallel()
			loc := load(t, c.zone)
			from, err := time.Parse(time.RFC3339, c.from)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for at := c.bucket.Floor(from, loc); len(got) < len(c.want); at = c.bucket.Next(at, loc) {
				got = append(got, at.Format(layout))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
