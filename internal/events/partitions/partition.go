package partitions

import "time"

// Partition is a table of events: those from a time up to, not including, another. Both are the beginning of a month of
// UTC.
type Partition struct{ From, Until time.Time }

const nameLayout = "events_200601"

// Month is the partition of the month of a time.
func Month(at time.Time) Partition {
	y, m, _ := at.UTC().Date()
	from := time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	return Partition{from, from.AddDate(0, 1, 0)}
}

// Parse reads the name of a table; false when it is none of a partition.
func Parse(name string) (Partition, bool) {
	from, err := time.Parse(nameLayout, name)
	return Month(from), err == nil
}

// Name is the name of the table.
func (p Partition) Name() string { return p.From.Format(nameLayout) }

// Holds reports whether an event of this time belongs into the partition.
func (p Partition) Holds(at time.Time) bool { return !at.Before(p.From) && at.Before(p.Until) }
