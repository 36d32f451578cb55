package rollups

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The granularities: the width of a bucket in seconds, always of UTC.
const (
	MinuteSeconds = 60
	HourSeconds   = 3600
	DaySeconds    = 86400
)

// Total is the name under which all events of a project are counted together. No event has it.
const Total = ""

// Other is the name under which events are counted whose own would be one too many for their project. They are marked
// in their rows (counted_as_other), and the functions of the database know the name.
const Other = "$other"

// Counts groups stored events in memory. The zero value is ready. It is not for concurrent use.
type Counts struct {
	groups map[group]int32 // to the index in counts
	counts []int64
	last   group // events arrive in runs of one name and minute: most need no look-up
	lastAt int32 // index in counts, meaningful when counts is not empty
}

// group is a comparable struct and not a joined string: names may contain any separator, and joining allocates.
type group struct {
	projectID uuid.UUID
	minute    int64 // minutes since 1970
	name      string
}

// Row is one row of event_counts.
type Row struct {
	ProjectID   uuid.UUID
	Granularity int32 // in seconds
	Name        string
	Bucket      time.Time // UTC
	Count       int64
}

// Add counts one stored event. It keeps name; one that aliases a request's body keeps that body alive.
func (c *Counts) Add(projectID uuid.UUID, name string, ts time.Time) {
	minute := floorDiv(ts.Unix(), MinuteSeconds)
	if len(c.counts) > 0 && c.last.minute == minute && c.last.name == name && c.last.projectID == projectID {
		c.counts[c.lastAt]++
		return
	}
	key := group{projectID: projectID, minute: minute, name: name}
	at, ok := c.groups[key]
	if !ok {
		if c.groups == nil {
			c.groups = make(map[group]int32)
		}
		at = int32(len(c.counts)) // a group needs 56 bytes: memory ends long before int32 does
		c.groups[key] = at
		c.counts = append(c.counts, 0)
	}
	c.counts[at]++
	c.last, c.lastAt = key, at
}

// Empty reports whether nothing was counted.
func (c *Counts) Empty() bool { return len(c.counts) == 0 }

// Rows returns what event_counts grows by: unique rows in the order of its primary key (project, granularity, name,
// bucket), the project as PostgreSQL orders uuids and the name byte by byte. The order of names need not be that of
// the database's collation: transactions do not deadlock as long as all of them use the same one.
func (c *Counts) Rows() []Row {
	minutes := c.minutes()
	rows := make([]Row, 0, len(minutes)*2)
	for len(minutes) > 0 {
		project := minutes[0].projectID
		n := 1
		for n < len(minutes) && minutes[n].projectID == project {
			n++
		}
		start := len(rows)
		for _, m := range minutes[:n] {
			rows = append(rows, Row{ProjectID: project, Granularity: MinuteSeconds, Name: m.name,
				Bucket: time.Unix(m.minute*MinuteSeconds, 0).UTC(), Count: m.count})
		}
		rows, start = appendWider(rows, start, HourSeconds)
		rows, _ = appendWider(rows, start, DaySeconds)
		minutes = minutes[n:]
	}
	return rows
}

type counted struct {
	group
	count int64
}

// minutes returns the groups and their totals, unique and sorted by project, name and minute.
func (c *Counts) minutes() []counted {
	all := make([]counted, 0, 2*len(c.groups))
	totals := make(map[group]int64, len(c.groups)/4)
	for key, at := range c.groups {
		all = append(all, counted{key, c.counts[at]})
		key.name = Total
		totals[key] += c.counts[at]
	}
	for key, count := range totals {
		all = append(all, counted{key, count})
	}
	slices.SortFunc(all, func(a, b counted) int {
		if order := bytes.Compare(a.projectID[:], b.projectID[:]); order != 0 {
			return order
		}
		if order := strings.Compare(a.name, b.name); order != 0 {
			return order
		}
		return cmp.Compare(a.minute, b.minute)
	})
	return all
}

// appendWider appends the rows from start on again, summed up in buckets of seconds, and returns where they begin.
// Rows of one wide bucket are neighbours, because they are sorted by name and time.
func appendWider(rows []Row, start int, seconds int64) ([]Row, int) {
	end := len(rows)
	for i := start; i < end; i++ {
		r := rows[i]
		bucket := floorDiv(r.Bucket.Unix(), seconds) * seconds
		if n := len(rows) - 1; n >= end && rows[n].Name == r.Name && rows[n].Bucket.Unix() == bucket {
			rows[n].Count += r.Count
			continue
		}
		r.Granularity, r.Bucket = int32(seconds), time.Unix(bucket, 0).UTC()
		rows = append(rows, r)
	}
	return rows, end
}

// floorDiv rounds towards the past, also before 1970, where integer division would round towards the future.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
