package query

import (
	"path"
	"slices"
	"strings"
	"time"
)

// Microseconds of the units that questions are asked in.
const (
	Second int64 = 1_000_000
	Hour         = 3600 * Second
	Day          = 24 * Hour
)

// Range is [From, To) in microseconds since 1970, UTC.
type Range struct{ From, To int64 }

// Has says whether an instant is in the range.
func (r Range) Has(at int64) bool { return r.From <= at && at < r.To }

// Clip returns the part of the range that is in another.
func (r Range) Clip(other Range) Range {
	return Range{max(r.From, other.From), min(r.To, other.To)}
}

// Bounds returns the starts of the periods that meet the range, and the end of the last, in microseconds. A range that
// begins or ends within a period has all of it. An empty range has no period and one bound.
func (c Calendar) Bounds(r Range) []int64 {
	at := c.Floor(FloorDiv(r.From, Second))
	bounds := []int64{at * Second}
	for at*Second < r.To && r.From < r.To {
		at = c.Next(at)
		bounds = append(bounds, at*Second)
	}
	return bounds
}

// Extend adds n periods after the last bound.
func (c Calendar) Extend(bounds []int64, n int) []int64 {
	at := bounds[len(bounds)-1] / Second
	for range n {
		at = c.Next(at)
		bounds = append(bounds, at*Second)
	}
	return bounds
}

// Before returns the start of the period that ends at a bound.
func (c Calendar) Before(bound int64) int64 {
	return c.Floor(bound/Second-1) * Second
}

// PeriodOf returns the index of the period between bounds that an instant is in; it must not be before the first.
// len(bounds)-1 stands for everything after the last.
func PeriodOf(bounds []int64, at int64) int {
	i, exact := slices.BinarySearch(bounds, at)
	if !exact {
		i--
	}
	return i
}

// Zone loads a zone of the IANA database. The machine's own zone, by whatever name, is none: it would mean something
// else on each node. Zones that count leap seconds disagree with every timestamp we have.
func Zone(name string) (*time.Location, bool) {
	switch name {
	case "", "Local", "localtime", "posixrules":
		return nil, false
	}
	if strings.HasPrefix(name, "right/") || strings.HasPrefix(name, "posix/") || path.Clean(name) != name {
		return nil, false
	}
	loc, err := time.LoadLocation(name)
	return loc, err == nil
}
