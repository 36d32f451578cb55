package trends

import (
	"fmt"
	"strings"
)

// Measure is what is measured of the events in a bucket.
type Measure string

// The measures.
const (
	Count Measure = "count"
	Users Measure = "users"
	Sum   Measure = "sum"
	Avg   Measure = "avg"
	Min   Measure = "min"
	Max   Measure = "max"
	P50   Measure = "p50"
	P90   Measure = "p90"
	P95   Measure = "p95"
	P99   Measure = "p99"
)

// numeric reports whether a property is measured, and not the events or the people.
func (m Measure) numeric() bool { return m != Count && m != Users }

// percentile returns the fraction of a percentile, 0 for another measure.
func (m Measure) percentile() float64 {
	switch m {
	case P50:
		return 0.5
	case P90:
		return 0.9
	case P95:
		return 0.95
	case P99:
		return 0.99
	default:
		return 0
	}
}

// additive reports whether nothing measures 0. Of the others it has no value: there is no average of nothing.
func (m Measure) additive() bool { return m == Count || m == Users || m == Sum }

// metric names what a reply measures.
func (m Measure) metric(prop string) string {
	if m.numeric() {
		return "props." + prop + "." + string(m)
	}
	if m == Users {
		return "events.users"
	}
	return "events.count"
}

// Definition says in every reply what its numbers mean.
func (m Measure) Definition(prop string) string {
	return m.what(prop) + " " + calendar
}

const calendar = "Buckets are half-open and follow the calendar of the time zone. An event that arrives late counts in the bucket of its ts."

func (m Measure) what(prop string) string {
	switch {
	case m == Count:
		return "The number of stored events whose ts lies in the bucket, each event once however often it was sent."
	case m == Users:
		return "The number of distinct people with an event whose ts lies in the bucket, counted exactly; the total is the " +
			"distinct people of the whole range and not the sum of the buckets. A person is a user_id with every anonymous_id that " +
			"came with it, and whoever was merged into it; an anonymous_id that came with none is a person of its own. Events with neither are left out."
	}
	of := fmt.Sprintf(" of props.%s over the stored events whose ts lies in the bucket and in which it is a number; the others are left out.", prop)
	switch m {
	case Sum:
		return "The sum" + of
	case Avg:
		return "The mean" + of
	case Min:
		return "The smallest value" + of
	case Max:
		return "The largest value" + of
	default:
		return "The " + strings.TrimPrefix(string(m), "p") + "th percentile" + of +
			" It is exact, and interpolated linearly between the two values nearest to it."
	}
}

// Breakdown is what one series each is shown for.
type Breakdown string

// The breakdowns.
const (
	NoBreakdown Breakdown = ""
	ByName      Breakdown = "name"
	ByProp      Breakdown = "prop"
)
