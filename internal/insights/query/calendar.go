package query

import (
	"math"
	"time"
	_ "time/tzdata" // zones must mean the same on a machine that has none installed
)

// Bucket is the width of a calendar bucket, as the contract writes it.
//
// Minutes, quarters and hours are cut where the wall clock of the zone shows a multiple of them, and where the clock
// was changed: the hour that is repeated in autumn is two buckets. Days, weeks and months begin at the first instant of
// their first local date: where the clock goes from 24:00 to 01:00, that is 01:00. A date that a zone left out has no
// bucket, and a date that the clock came back to does not begin again.
type Bucket string

// The buckets.
const (
	Bucket1m  Bucket = "1m"
	Bucket5m  Bucket = "5m"
	Bucket15m Bucket = "15m"
	Bucket1h  Bucket = "1h"
	Bucket1d  Bucket = "1d"
	Bucket1w  Bucket = "1w"
	Bucket1mo Bucket = "1mo"
)

// Buckets is all of them with their usual width, in seconds, narrowest first.
var Buckets = []struct {
	Bucket Bucket
	Usual  int64
}{
	{Bucket1m, 60}, {Bucket5m, 300}, {Bucket15m, 900}, {Bucket1h, 3600},
	{Bucket1d, daySeconds}, {Bucket1w, 7 * daySeconds}, {Bucket1mo, 2_629_746},
}

const daySeconds = 86400

// Usual is about how many seconds a bucket lasts, 0 for a word that is no bucket.
func (b Bucket) Usual() int64 {
	for _, known := range Buckets {
		if known.Bucket == b {
			return known.Usual
		}
	}
	return 0
}

// Calendar cuts time into the periods of a zone.
type Calendar struct {
	Bucket Bucket
	Loc    *time.Location
	// Week is the day that weeks begin with.
	Week time.Weekday
}

// Floor returns the start of the period that an instant is in. Floor and Next work on Unix seconds: changes of the
// clock happen on whole seconds.
func (c Calendar) Floor(sec int64) int64 {
	loc := c.Loc
	if c.Bucket.dates() {
		first, _ := c.days(dayOf(sec, loc))
		return dayStart(first, loc)
	}
	width, offset := c.Bucket.Usual(), offsetAt(sec, loc)
	start := FloorDiv(sec+offset, width)*width - offset
	// A change of the clock within what would be the bucket cuts it. Some bounds of the zone change only the name.
	for at := sec; ; {
		lo, _ := zoneBounds(at, loc)
		if lo <= start {
			return start
		}
		if offsetAt(lo-1, loc) != offset {
			return lo
		}
		at = lo - 1
	}
}

// Next returns the end of the period that an instant is in, which is the start of the one after it.
func (c Calendar) Next(sec int64) int64 {
	loc := c.Loc
	if c.Bucket.dates() {
		_, after := c.days(dayOf(sec, loc))
		return dayStart(after, loc)
	}
	width, offset := c.Bucket.Usual(), offsetAt(sec, loc)
	end := FloorDiv(sec+offset, width)*width + width - offset
	for at := sec; ; {
		_, hi := zoneBounds(at, loc)
		if hi >= end {
			return end
		}
		if offsetAt(hi, loc) != offset {
			return hi
		}
		at = hi
	}
}

// dates says whether the bucket is made of dates and not of what the clock shows.
func (b Bucket) dates() bool { return b == Bucket1d || b == Bucket1w || b == Bucket1mo }

// days returns the first date of the period that a date is in, and the first date after the period.
func (c Calendar) days(day int64) (first, after int64) {
	switch c.Bucket {
	case Bucket1w:
		shift := int64(time.Thursday - c.Week) // day 0 was a Thursday
		start := FloorDiv(day+shift, 7)*7 - shift
		return start, start + 7
	case Bucket1mo:
		y, m, _ := time.Unix(day*daySeconds, 0).UTC().Date()
		return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC).Unix() / daySeconds,
			time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC).Unix() / daySeconds
	default:
		return day, day + 1
	}
}

// dayOf returns the latest local date, in days since 1970, that has begun. That is the date the clock shows, but where
// the clock was put back across midnight it is the date after.
func dayOf(sec int64, loc *time.Location) int64 {
	day := FloorDiv(sec+offsetAt(sec, loc), daySeconds)
	for dayStart(day+1, loc) <= sec {
		day++
	}
	return day
}

// dayStart returns the first instant at which the clock shows this local date or a later one.
func dayStart(day int64, loc *time.Location) int64 {
	midnight := day * daySeconds // as the clock shows it
	// No clock is, or was, two days from UTC: the search begins where the date has not come yet.
	for at := midnight - 2*daySeconds; ; {
		start := max(at, midnight-offsetAt(at, loc))
		_, hi := zoneBounds(at, loc)
		if start < hi {
			return start
		}
		at = hi
	}
}

// offsetAt is how many seconds the clock is ahead of UTC.
func offsetAt(sec int64, loc *time.Location) int64 {
	_, offset := time.Unix(sec, 0).In(loc).Zone()
	return int64(offset)
}

// zoneBounds returns a range around sec, [lo, hi), in which the clock was not changed. It need not be the widest.
func zoneBounds(sec int64, loc *time.Location) (lo, hi int64) {
	start, end := time.Unix(sec, 0).In(loc).ZoneBounds()
	lo, hi = math.MinInt64, math.MaxInt64
	if !start.IsZero() {
		lo = start.Unix()
	}
	if !end.IsZero() {
		hi = end.Unix()
	}
	if hi <= sec {
		// Beyond the last change that a zone's file lists, time (Go 1.26) takes every year for 365 days long and, on
		// the last day of a leap year, says that the range ended when that day began. It ends with the day. Without
		// this the loops above would not.
		hi = FloorDiv(sec, daySeconds)*daySeconds + daySeconds
	}
	return lo, hi
}

// FloorDiv rounds towards the past, also before 1970, where integer division would round towards the future.
func FloorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
