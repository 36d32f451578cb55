package query

import (
	"fmt"
	"slices"
	"time"

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/platform/zone"
)

const (
	defaultLimit = 24
	maxBuckets   = 10_000
	maxPoints    = 50_000 // of all series of a breakdown
)

// Events have a ts of 1971 at the earliest; the other bound keeps arithmetic away from the ends of int64 nanoseconds.
var (
	earliest = time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

// When is the time that a question asks about, as it was put: a range, or a number of buckets that end with the running one.
type When struct {
	Bucket    Bucket    // 1h when empty
	TZ        string    // UTC when empty
	WeekStart WeekStart // Monday when empty
	From      *time.Time
	To        *time.Time
	Limit     *int
}

// Home is what a project says of the calendar of its questions.
type Home struct {
	TZ        string
	WeekStart WeekStart
}

// At returns the span as it is meant in a project: with its zone and its week where it names none.
func (s When) At(home Home) When {
	if s.TZ == "" {
		s.TZ = home.TZ
	}
	if s.WeekStart == "" {
		s.WeekStart = home.WeekStart
	}
	return s
}

// Window is the buckets that an answer has.
type Window struct {
	Calendar
	TZ     string
	Bounds []int64 // the starts of the buckets and the end of the last, strictly increasing Unix seconds, whole minutes
}

// Buckets is how many there are.
func (w *Window) Buckets() int { return len(w.Bounds) - 1 }

// At returns a bound as a time of the zone.
func (w *Window) At(i int) time.Time { return time.Unix(w.Bounds[i], 0).In(w.Loc) }

// WeekStart is the day that weeks of the window begin with.
func (w *Window) WeekStart() WeekStart {
	if w.Week == time.Sunday {
		return Sunday
	}
	return Monday
}

// Whole is the bounds of the window as if it was one bucket.
func (w *Window) Whole() []int64 { return []int64{w.Bounds[0], w.Bounds[w.Buckets()]} }

// Incomplete returns the start of the first bucket that is not over, or nil when all are.
func (w *Window) Incomplete(now time.Time) *time.Time {
	// A bucket is over when its end is not after now.
	i, exact := slices.BinarySearch(w.Bounds, now.Unix())
	if !exact && i > 0 { // now is in the bucket before; with exact it is where bucket i begins, if there is one
		i--
	}
	if i >= w.Buckets() {
		return nil
	}
	t := w.At(i)
	return &t
}

// Resolve turns a span into the buckets of an answer with so many series. The error is an Invalid: everything that is wrong with
// the span, after what is wrong with the rest of the question.
func (s *When) Resolve(now time.Time, series int, rest Invalid) (*Window, error) {
	w := &Window{Calendar: Calendar{Bucket: s.Bucket, Loc: time.UTC, Week: s.WeekStart.day()}, TZ: s.TZ}
	var bad Invalid
	if w.Bucket == "" {
		w.Bucket = Bucket1h
	}
	if w.Bucket.Usual() == 0 {
		bad = append(bad, fault("bucket", contract.CodeEnum, "is not a bucket"))
	}
	if w.TZ == "" {
		w.TZ = "UTC"
	}
	var ok bool
	if w.Loc, ok = zone.Load(w.TZ); !ok {
		bad = append(bad, fault("tz", zone.Code, zone.Advice))
	}
	bad = append(bad, s.check(now)...)
	if bad = append(bad, rest...); len(bad) > 0 {
		return nil, bad
	}

	wrong := w.fill(s, now)
	if wrong == nil {
		wrong = w.checkPoints(s, series)
	}
	if wrong == nil {
		wrong = w.checkMinutes()
	}
	if wrong != nil {
		return nil, Invalid{*wrong}
	}
	return w, nil
}

// check holds from, to and limit to the rules that need no calendar.
func (s *When) check(now time.Time) (bad Invalid) {
	if s.Limit != nil {
		if s.From != nil || s.To != nil {
			bad = append(bad, fault("limit", CodeConflict, "cannot be combined with from or to: give either a range or a number of buckets"))
		}
		if *s.Limit < 1 || *s.Limit > maxBuckets {
			bad = append(bad, fault("limit", contract.CodeMaximum, fmt.Sprintf("must be from 1 to %d", maxBuckets)))
		}
	}
	if s.From == nil && s.To == nil {
		return bad
	}
	if s.To != nil && s.To.After(latest) {
		bad = append(bad, fault("to", contract.CodeMaximum, "must not be after "+latest.Format(time.RFC3339)))
	}
	switch {
	case s.From == nil:
		if s.Limit == nil {
			bad = append(bad, fault("from", contract.CodeRequired, "is required when to is given"))
		}
	case s.From.Before(earliest):
		bad = append(bad, fault("from", contract.CodeMinimum, "must not be before "+earliest.Format(time.RFC3339)))
	case s.To == nil && !s.From.Before(now):
		bad = append(bad, fault("from", CodeOrder, "must be before now ("+now.UTC().Format(time.RFC3339)+"), which is the end when to is absent"))
	case s.To != nil && !s.From.Before(*s.To):
		bad = append(bad, fault("from", CodeOrder, "must be before to"))
	}
	return bad
}

// fill sets the bounds.
func (w *Window) fill(s *When, now time.Time) *Fault {
	if s.From != nil {
		to := now
		if s.To != nil {
			to = *s.To
		}
		return w.between(*s.From, to)
	}
	limit := defaultLimit
	if s.Limit != nil {
		limit = *s.Limit
	}
	return w.last(limit, now)
}

// last sets the bounds of n buckets that end with the running one.
func (w *Window) last(n int, now time.Time) *Fault {
	w.Bounds = make([]int64, n+1)
	w.Bounds[n] = w.Next(now.Unix())
	for i := n - 1; i >= 0; i-- {
		if w.Bounds[i+1] <= earliest.Unix() {
			f := fault("limit", contract.CodeMaximum, fmt.Sprintf("reaches back before %s, where there are no events: ask for at most %d",
				earliest.Format(time.RFC3339), n-1-i))
			return &f
		}
		w.Bounds[i] = w.Floor(w.Bounds[i+1] - 1)
	}
	return nil
}

// between sets the bounds from the start of from's bucket to the end of the one that ends at to or contains it.
func (w *Window) between(from, to time.Time) *Fault {
	start, end := w.Floor(from.Unix()), to.Unix()
	if to.Nanosecond() > 0 {
		end++ // to is exclusive: the second that it lies in is part of the range
	}
	about := (end-start)/w.Bucket.Usual() + 1
	if about <= maxBuckets*5/4 { // no width is on average as far from the usual one as that
		w.Bounds = make([]int64, 1, about+2)
		w.Bounds[0] = start
		for at := start; at < end && len(w.Bounds) <= maxBuckets+1; {
			at = w.Next(at)
			w.Bounds = append(w.Bounds, at)
		}
		if len(w.Bounds)-1 <= maxBuckets {
			return nil
		}
	}
	f := fault("from", contract.CodeTooLarge, fmt.Sprintf("makes about %d buckets of %s up to the end of the range, and a reply has at most %d: %s",
		about, w.Bucket, maxBuckets, w.remedy(end-start, maxBuckets)))
	return &f
}

// checkPoints bounds the reply of a breakdown by what was asked, not by what there is: the same question must not fail
// one day because of the data of the next.
func (w *Window) checkPoints(s *When, series int) *Fault {
	points := series * w.Buckets()
	if points <= maxPoints {
		return nil
	}
	field := "from"
	if s.From == nil {
		field = "limit"
	}
	most := maxPoints / series
	f := fault(field, contract.CodeTooLarge, fmt.Sprintf("makes %d buckets in each of %d series, %d points, and a breakdown has at most %d: ask for at most %d buckets or a smaller top, or %s",
		w.Buckets(), series, points, maxPoints, most, w.remedy(w.Bounds[w.Buckets()]-w.Bounds[0], most)))
	return &f
}

// remedy says what to do about a range of so many seconds that makes more than most buckets.
func (w *Window) remedy(seconds int64, most int) string {
	for _, b := range Buckets {
		if b.Usual > w.Bucket.Usual() && seconds/b.Usual+2 <= int64(most) {
			return fmt.Sprintf("shorten the range or use buckets of %s", b.Bucket)
		}
	}
	return "shorten the range"
}

// checkMinutes refuses what counts by the minute cannot answer exactly. After 1970 that is only Liberia until 1972.
func (w *Window) checkMinutes() *Fault {
	for i, sec := range w.Bounds {
		if sec%60 != 0 {
			f := fault("tz", zone.Code, fmt.Sprintf("was not whole minutes from UTC at %s, and events are counted by the minute: use another zone or a later range",
				w.At(i).UTC().Format(time.RFC3339)))
			return &f
		}
	}
	return nil
}
