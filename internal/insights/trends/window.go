package trends

import (
	"fmt"
	"slices"
	"time"

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/query"
)

const (
	defaultLimit = 24
	defaultTop   = 10
	maxBuckets   = 10_000
	maxPoints    = 50_000 // of all series of a breakdown
)

// Codes of this operation's field errors, beside those of the contract.
const (
	codeTimeZone = "time_zone"
	codeConflict = "conflict"
	codeOrder    = "order"
)

// Events have a ts of 1971 at the earliest; the other bound keeps arithmetic away from the ends of int64 nanoseconds.
var (
	earliest = time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Ask is a question as the caller put it.
type Ask struct {
	Bucket        query.Bucket // 1h when empty
	TZ            string       // UTC when empty
	From          *time.Time
	To            *time.Time
	Limit         *int
	Names         []string // all when empty; repeating one changes nothing
	Props         []byte   // a JSON object that the props contain; nil means any
	Filter        *Filter  // nil means any
	Measure       Measure  // Count when empty
	Prop          string   // what a numeric measure measures
	Breakdown     Breakdown
	BreakdownProp string
	Top           int // groups of a breakdown; 10 when 0
}

// measure is what is asked for.
func (a *Ask) measure() Measure {
	if a.Measure == "" {
		return Count
	}
	return a.Measure
}

// inRollups reports whether the counts by name and time answer it.
func (a *Ask) inRollups() bool {
	return a.measure() == Count && a.Props == nil && a.Filter == nil && a.Breakdown != ByProp
}

// Window is the buckets that an answer has.
type Window struct {
	Bucket query.Bucket
	TZ     string
	Loc    *time.Location
	Bounds []int64 // the starts of the buckets and the end of the last, strictly increasing Unix seconds, whole minutes
}

// calendar cuts time into the window's buckets. Weeks begin on Monday.
func (w *Window) calendar() query.Calendar {
	return query.Calendar{Bucket: w.Bucket, Loc: w.Loc, Week: time.Monday}
}

// Buckets is how many there are.
func (w *Window) Buckets() int { return len(w.Bounds) - 1 }

// At returns a bound as a time of the zone.
func (w *Window) At(i int) time.Time { return time.Unix(w.Bounds[i], 0).In(w.Loc) }

// incomplete returns the index of the first bucket that is not over, or -1.
func (w *Window) incomplete(now time.Time) int {
	// A bucket is over when its end is not after now.
	i, exact := slices.BinarySearch(w.Bounds, now.Unix())
	switch {
	case exact: // now is where bucket i begins, if there is one
	case i == 0: // all of it lies ahead
	default:
		i--
	}
	if i >= w.Buckets() {
		return -1
	}
	return i
}

// Resolve turns what was asked into buckets. The error is a *problem.Error that names every bad parameter.
func Resolve(ask *Ask, now time.Time) (*Window, error) {
	w := &Window{Bucket: ask.Bucket, TZ: ask.TZ, Loc: time.UTC}
	var bad []contract.FieldError
	if w.Bucket == "" {
		w.Bucket = query.Bucket1h
	}
	if w.Bucket.Usual() == 0 {
		bad = append(bad, field("bucket", contract.CodeEnum, "is not a bucket"))
	}
	if w.TZ == "" {
		w.TZ = "UTC"
	}
	var ok bool
	if w.Loc, ok = query.Zone(w.TZ); !ok {
		bad = append(bad, field("tz", codeTimeZone, "is not a time zone: give the name of one in the IANA database, such as Europe/Berlin"))
	}
	bad = append(bad, checkProps(ask)...)
	bad = append(bad, checkRange(ask, now)...)
	if len(bad) > 0 {
		return nil, problem.Invalid(bad...)
	}

	var tooWide *contract.FieldError
	if ask.From == nil {
		limit := defaultLimit
		if ask.Limit != nil {
			limit = *ask.Limit
		}
		tooWide = w.last(limit, now)
	} else {
		to := now
		if ask.To != nil {
			to = *ask.To
		}
		tooWide = w.between(*ask.From, to)
	}
	if tooWide == nil {
		tooWide = w.checkPoints(ask)
	}
	if tooWide == nil {
		tooWide = w.checkMinutes()
	}
	if tooWide != nil {
		return nil, problem.Invalid(*tooWide)
	}
	return w, nil
}

// checkProps holds the names of props to what they are for.
func checkProps(ask *Ask) (bad []contract.FieldError) {
	switch numeric := ask.measure().numeric(); {
	case numeric && ask.Prop == "":
		bad = append(bad, field("prop", contract.CodeRequired, "is required when measure is "+string(ask.Measure)+": name the number in props to measure"))
	case !numeric && ask.Prop != "":
		bad = append(bad, field("prop", codeConflict, "is only allowed with a measure of numbers, such as sum; "+string(ask.measure())+" measures no prop"))
	}
	switch by := ask.Breakdown == ByProp; {
	case by && ask.BreakdownProp == "":
		bad = append(bad, field("breakdown_prop", contract.CodeRequired, "is required when breakdown is prop"))
	case !by && ask.BreakdownProp != "":
		bad = append(bad, field("breakdown_prop", codeConflict, "is only allowed when breakdown is prop"))
	}
	return bad
}

// checkRange holds from, to and limit to the rules that need no calendar.
func checkRange(ask *Ask, now time.Time) (bad []contract.FieldError) {
	if ask.Limit != nil {
		if ask.From != nil || ask.To != nil {
			bad = append(bad, field("limit", codeConflict, "cannot be combined with from or to: give either a range or a number of buckets"))
		}
		if *ask.Limit < 1 || *ask.Limit > maxBuckets {
			bad = append(bad, field("limit", contract.CodeMaximum, fmt.Sprintf("must be from 1 to %d", maxBuckets)))
		}
	}
	if ask.From == nil && ask.To == nil {
		return bad
	}
	if ask.To != nil && ask.To.After(latest) {
		bad = append(bad, field("to", contract.CodeMaximum, "must not be after "+latest.Format(time.RFC3339)))
	}
	switch {
	case ask.From == nil:
		if ask.Limit == nil {
			bad = append(bad, field("from", contract.CodeRequired, "is required when to is given"))
		}
	case ask.From.Before(earliest):
		bad = append(bad, field("from", contract.CodeMinimum, "must not be before "+earliest.Format(time.RFC3339)))
	case ask.To == nil && !ask.From.Before(now):
		bad = append(bad, field("from", codeOrder, "must be before now ("+now.UTC().Format(time.RFC3339)+"), which is the end when to is absent"))
	case ask.To != nil && !ask.From.Before(*ask.To):
		bad = append(bad, field("from", codeOrder, "must be before to"))
	}
	return bad
}

// last sets the bounds of n buckets that end with the running one.
func (w *Window) last(n int, now time.Time) *contract.FieldError {
	w.Bounds = make([]int64, n+1)
	w.Bounds[n] = w.calendar().Next(now.Unix())
	for i := n - 1; i >= 0; i-- {
		if w.Bounds[i+1] <= earliest.Unix() {
			f := field("limit", contract.CodeMaximum, fmt.Sprintf("reaches back before %s, where there are no events: ask for at most %d",
				earliest.Format(time.RFC3339), n-1-i))
			return &f
		}
		w.Bounds[i] = w.calendar().Floor(w.Bounds[i+1] - 1)
	}
	return nil
}

// between sets the bounds from the start of from's bucket to the end of the one that ends at to or contains it.
func (w *Window) between(from, to time.Time) *contract.FieldError {
	start, end := w.calendar().Floor(from.Unix()), to.Unix()
	if to.Nanosecond() > 0 {
		end++ // to is exclusive: the second that it lies in is part of the range
	}
	about := (end-start)/w.Bucket.Usual() + 1
	if about <= maxBuckets*5/4 { // no width is on average as far from the usual one as that
		w.Bounds = make([]int64, 1, about+2)
		w.Bounds[0] = start
		for at := start; at < end && len(w.Bounds) <= maxBuckets+1; {
			at = w.calendar().Next(at)
			w.Bounds = append(w.Bounds, at)
		}
		if len(w.Bounds)-1 <= maxBuckets {
			return nil
		}
	}
	f := field("from", contract.CodeTooLarge, fmt.Sprintf("makes about %d buckets of %s up to the end of the range, and a reply has at most %d: %s",
		about, w.Bucket, maxBuckets, w.remedy(end-start, maxBuckets)))
	return &f
}

// checkPoints bounds the reply of a breakdown by what was asked, not by what there is: the same question must not fail
// one day because of the data of the next.
func (w *Window) checkPoints(ask *Ask) *contract.FieldError {
	if ask.Breakdown == NoBreakdown {
		return nil
	}
	series := ask.top() + 2 // and the rest, and the total
	if n := len(distinct(ask.Names)); ask.Breakdown == ByName && n > 0 && n <= ask.top() {
		series = n + 1
	}
	points := series * w.Buckets()
	if points <= maxPoints {
		return nil
	}
	parameter := "from"
	if ask.From == nil {
		parameter = "limit"
	}
	most := maxPoints / series
	f := field(parameter, contract.CodeTooLarge, fmt.Sprintf("makes %d buckets in each of %d series, %d points, and a breakdown has at most %d: ask for at most %d buckets or a smaller top, or %s",
		w.Buckets(), series, points, maxPoints, most, w.remedy(w.Bounds[w.Buckets()]-w.Bounds[0], most)))
	return &f
}

// remedy says what to do about a range of so many seconds that makes more than most buckets.
func (w *Window) remedy(seconds int64, most int) string {
	for _, b := range query.Buckets {
		if b.Usual > w.Bucket.Usual() && seconds/b.Usual+2 <= int64(most) {
			return fmt.Sprintf("shorten the range or use buckets of %s", b.Bucket)
		}
	}
	return "shorten the range"
}

// checkMinutes refuses what counts by the minute cannot answer exactly. After 1970 that is only Liberia until 1972.
func (w *Window) checkMinutes() *contract.FieldError {
	for i, sec := range w.Bounds {
		if sec%60 != 0 {
			f := field("tz", codeTimeZone, fmt.Sprintf("was not whole minutes from UTC at %s, and events are counted by the minute: use another zone or a later range",
				w.At(i).UTC().Format(time.RFC3339)))
			return &f
		}
	}
	return nil
}

// top is how many groups a breakdown shows.
func (a *Ask) top() int {
	if a.Top <= 0 {
		return defaultTop
	}
	return a.Top
}

// distinct returns the names sorted and each once, so that no event counts twice.
func distinct(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

func field(parameter, code, detail string) contract.FieldError {
	return contract.FieldError{In: contract.InQuery, Pointer: "/" + parameter, Code: code, Detail: detail, Item: -1}
}
