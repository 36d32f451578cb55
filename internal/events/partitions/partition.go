package partitions

import (
	"strings"
	"time"
)

// Partition is a table of events: those from a time up to, not including, another. Both are the beginning of a month of
// UTC.
type Partition struct{ From, Until time.Time }

const (
	monthLayout = "200601"
	namePrefix  = "events_"
)

// Month is the partition of the month of a time.
func Month(at time.Time) Partition {
	y, m, _ := at.UTC().Date()
	from := time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	return Partition{from, from.AddDate(0, 1, 0)}
}

// Parse reads the name of a table; false when it is none of a partition.
func Parse(name string) (Partition, bool) {
	months, ok := strings.CutPrefix(name, namePrefix)
	first, end, several := strings.Cut(months, "_")
	from, err := time.Parse(monthLayout, first)
	if !ok || err != nil {
		return Partition{}, false
	}
	p := Month(from)
	if several {
		if p.Until, err = time.Parse(monthLayout, end); err != nil || !p.Until.After(from) {
			return Partition{}, false
		}
	}
	return p, p.Name() == name
}

// Name is the name of the table: the first month, and the month after the last when it holds several.
func (p Partition) Name() string {
	if p.IsMonth() {
		return namePrefix + p.From.Format(monthLayout)
	}
	return namePrefix + p.From.Format(monthLayout) + "_" + p.Until.Format(monthLayout)
}

// IsMonth reports whether the partition holds one month.
func (p Partition) IsMonth() bool { return p == Month(p.From) }

// Holds reports whether an event of this time belongs into the partition.
func (p Partition) Holds(at time.Time) bool { return !at.Before(p.From) && at.Before(p.Until) }

// yearsKept is how many years before the last one have a partition of their own.
const yearsKept = 10

// monthsSince and yearsSince are from when on, at a time, new partitions hold a month, and a year. Both are the
// beginning of a year, so that no year is half of both.
func monthsSince(now time.Time) time.Time {
	return time.Date(now.UTC().Year()-1, 1, 1, 0, 0, 0, 0, time.UTC)
}

func yearsSince(now time.Time) time.Time { return monthsSince(now).AddDate(-yearsKept, 0, 0) }
