package parts

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Tally is what events have of a prop: how many of which type, in what range, with which values.
type Tally struct {
	Name string // of the events; empty for events of any name
	Prop string // empty for the events themselves: then only Events, First and Last are told
	// Events is how many have the prop, those whose value is null included.
	Events      int64
	First, Last int64 // ts of those, in microseconds since 1970
	// How many of each type. Structures are lists and objects; Large are those that are too long or too deep for a part.
	Nulls, Booleans, Numbers, Strings, Structures, Large int64
	// Min and Max are of the numbers: infinite, and Min the larger, when there are none.
	Min, Max float64
	// Values are the most frequent true, false, numbers and strings, the most frequent first, and Unlisted how many events
	// have one that is not among them.
	Values   []Counted
	Unlisted int64
}

// Counted is a value and how many events have it.
type Counted struct {
	Value  Value
	Events int64
}

// Compare orders the more frequent value first, and of equally frequent ones by type and text.
func (c Counted) Compare(other Counted) int {
	return cmp.Or(cmp.Compare(other.Events, c.Events), cmp.Compare(c.Value.Kind, other.Value.Kind),
		strings.Compare(c.Value.Text, other.Value.Text))
}

// Merge adds other events to the tally. At most maxValues are listed: those that are left out are Unlisted from then on,
// so that the counts of listed ones are lower bounds once anything is.
func (t *Tally) Merge(other *Tally, maxValues int) {
	if t.Events == 0 {
		name, prop := t.Name, t.Prop
		*t = *other
		t.Name, t.Prop, t.Values = name, prop, slices.Clone(other.Values)
		t.limit(maxValues)
		return
	}
	t.Events += other.Events
	t.First, t.Last = min(t.First, other.First), max(t.Last, other.Last)
	t.Nulls, t.Booleans, t.Numbers = t.Nulls+other.Nulls, t.Booleans+other.Booleans, t.Numbers+other.Numbers
	t.Strings, t.Structures, t.Large = t.Strings+other.Strings, t.Structures+other.Structures, t.Large+other.Large
	t.Min, t.Max = min(t.Min, other.Min), max(t.Max, other.Max)
	t.Unlisted += other.Unlisted
	at := make(map[Value]int, len(t.Values))
	for i := range t.Values {
		at[t.Values[i].Value] = i
	}
	for _, c := range other.Values {
		if i, ok := at[c.Value]; ok {
			t.Values[i].Events += c.Events
		} else {
			t.Values = append(t.Values, c)
		}
	}
	t.limit(maxValues)
}

// limit lists the most frequent values only.
func (t *Tally) limit(maxValues int) {
	slices.SortFunc(t.Values, Counted.Compare)
	for len(t.Values) > maxValues {
		t.Unlisted += t.Values[len(t.Values)-1].Events
		t.Values = t.Values[:len(t.Values)-1]
	}
}

// Tallies says of each name that was added since the last Encode, and of all of them together, what the events have: first
// the events themselves, then each of their props but one whose name is empty. It is to be called before Encode.
func (b *Builder) Tallies(maxValues int) []Tally {
	if len(b.rows) == 0 {
		return nil
	}
	byName := make([][]uint32, len(b.names.list))
	all := make([]uint32, len(b.rows))
	for i := range b.rows {
		byName[b.rows[i].name] = append(byName[b.rows[i].name], uint32(i))
		all[i] = uint32(i)
	}
	t := tallier{builder: b, maxValues: maxValues}
	for code, rows := range byName {
		t.name(b.names.list[code], rows)
	}
	t.name("", all)
	return t.tallies
}

type tallier struct {
	builder   *Builder
	maxValues int
	tallies   []Tally
	counts    []int64  // by code of the column that is counted; 0 between two
	used      []uint32 // the codes that are counted
}

func (t *tallier) name(name string, rows []uint32) {
	t.tallies = append(t.tallies, Tally{Name: name, Min: math.Inf(1), Max: math.Inf(-1)})
	whole := &t.tallies[len(t.tallies)-1]
	for _, i := range rows {
		whole.seen(t.builder.rows[i].ts)
	}
	for _, c := range t.builder.list {
		if c.name == "" {
			continue
		}
		if tally := t.column(name, c, rows); tally.Events > 0 {
			t.tallies = append(t.tallies, tally)
		}
	}
}

func (t *Tally) seen(ts int64) {
	if t.Events == 0 {
		t.First, t.Last = ts, ts
	}
	t.Events++
	t.First, t.Last = min(t.First, ts), max(t.Last, ts)
}

func (t *tallier) column(name string, c *column, rows []uint32) Tally {
	tally := Tally{Name: name, Prop: c.name, Min: math.Inf(1), Max: math.Inf(-1)}
	if n := len(c.values.list); len(t.counts) < n {
		t.counts = append(t.counts, make([]int64, n-len(t.counts))...)
	}
	t.used = t.used[:0]
	for _, i := range rows {
		r := &t.builder.rows[i]
		code := c.at(r.at)
		if code == 0 {
			continue
		}
		tally.seen(r.ts)
		if t.counts[code] == 0 {
			t.used = append(t.used, code)
		}
		t.counts[code]++
	}
	for _, code := range t.used {
		tally.count(c.values.list[code], t.counts[code])
		t.counts[code] = 0
	}
	if len(tally.Values) > t.maxValues {
		// Of values that hardly repeat, which ones come first says nothing.
		tally.Values = slices.DeleteFunc(tally.Values, func(v Counted) bool {
			if v.Events == 1 {
				tally.Unlisted++
			}
			return v.Events == 1
		})
	}
	tally.limit(t.maxValues)
	return tally
}

// count takes a value that so many events have.
func (t *Tally) count(v Value, n int64) {
	switch v.Kind {
	case Null:
		t.Nulls += n
		return
	case JSON:
		t.Structures += n
		return
	case leftKind:
		t.Large += n
		return
	case Number:
		t.Numbers += n
		if f, err := strconv.ParseFloat(v.Text, 64); err == nil {
			t.Min, t.Max = min(t.Min, f), max(t.Max, f)
		}
	case String:
		t.Strings += n
	case Absent, False, True:
		t.Booleans += n
	}
	t.Values = append(t.Values, Counted{v, n})
}
