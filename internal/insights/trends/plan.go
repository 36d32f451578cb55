package trends

import (
	"slices"

	"github.com/bahagh/nimbus/internal/insights/query"
)

const daySeconds = 86400

// Run is a half-open range of rollup rows of one granularity, in Unix seconds. From and To are multiples of it.
type Run struct {
	Granularity int64 // seconds: 60, 3600 or 86400
	From, To    int64
}

// granularities are those of event_counts, widest first; each is a multiple of the next.
var granularities = []int64{daySeconds, 3600, 60}

// Plan covers the buckets between the bounds, which must be strictly increasing and whole minutes, with the fewest
// rows of event_counts: UTC days where a bucket contains whole ones, hours in what is left of it, and minutes in what
// is left of that. No row lies across a bound. Runs are in order of time, and those of one granularity that touch are
// one run, so that most questions need few of them.
func Plan(bounds []int64) []Run {
	var runs []Run
	for i := 1; i < len(bounds); i++ {
		runs = cover(runs, bounds[i-1], bounds[i], granularities)
	}
	return runs
}

// cover appends the fewest rows for [from, to): as many as fit of the widest granularity, the narrower ones around.
func cover(runs []Run, from, to int64, widths []int64) []Run {
	if from >= to {
		return runs
	}
	width := widths[0]
	lo, hi := -query.FloorDiv(-from, width)*width, query.FloorDiv(to, width)*width
	if len(widths) == 1 {
		return appendRun(runs, Run{width, from, to})
	}
	if lo >= hi {
		return cover(runs, from, to, widths[1:])
	}
	runs = cover(runs, from, lo, widths[1:])
	runs = appendRun(runs, Run{width, lo, hi})
	return cover(runs, hi, to, widths[1:])
}

func appendRun(runs []Run, r Run) []Run {
	if n := len(runs) - 1; n >= 0 && runs[n].Granularity == r.Granularity && runs[n].To == r.From {
		runs[n].To = r.To
		return runs
	}
	return append(runs, r)
}

// rowsOf is how many rows the runs have for one name at most: as many as there are when something happened in each.
func rowsOf(runs []Run) int64 {
	var n int64
	for _, r := range runs {
		n += (r.To - r.From) / r.Granularity
	}
	return n
}

// folder adds rows to the buckets they are in.
type folder struct {
	bounds []int64 // one more than buckets
	at     int     // the bucket of the last row; rows often come in order
}

// bucket returns the index of the bucket that a row beginning at sec is in. The row must be one of the plan's.
func (f *folder) bucket(sec int64) int {
	if sec >= f.bounds[f.at] {
		if sec < f.bounds[f.at+1] {
			return f.at
		}
		if f.at+2 < len(f.bounds) && sec < f.bounds[f.at+2] {
			f.at++
			return f.at
		}
	}
	i, exact := slices.BinarySearch(f.bounds, sec)
	if !exact {
		i--
	}
	f.at = i
	return i
}
