package measures

import (
	"math"

	"github.com/bahagh/nimbus/internal/behaviour/scan"
)

// Measure is what is measured of the events of a line.
type Measure string

// The measures, as the contract writes them.
const (
	Count        Measure = "count"
	Users        Measure = "users"
	Sum          Measure = "sum"
	Avg          Measure = "avg"
	Min          Measure = "min"
	Max          Measure = "max"
	P50          Measure = "p50"
	P90          Measure = "p90"
	P95          Measure = "p95"
	P99          Measure = "p99"
	PerPersonAvg Measure = "per_person_avg"
	PerPersonP50 Measure = "per_person_p50"
	PerPersonP90 Measure = "per_person_p90"
)

// Numeric says whether a number in props is measured.
func (m Measure) Numeric() bool {
	switch m {
	case Sum, Avg, Min, Max, P50, P90, P95, P99:
		return true
	default:
		return false
	}
}

// PerPerson says whether it is measured how many events a person did.
func (m Measure) PerPerson() bool { return m == PerPersonAvg || m == PerPersonP50 || m == PerPersonP90 }

// Percentile returns the fraction of a percentile, 0 for another measure.
func (m Measure) Percentile() float64 {
	switch m {
	case P50, PerPersonP50:
		return 0.5
	case P90, PerPersonP90:
		return 0.9
	case P95:
		return 0.95
	case P99:
		return 0.99
	default:
		return 0
	}
}

// Nothing is what is measured of no event: there is no mean of nothing.
func (m Measure) Nothing() float64 {
	if m == Count || m == Users || m == Sum {
		return 0
	}
	return math.NaN()
}

// Statistic is what a scan measures by columns for it.
func (m Measure) Statistic() scan.Statistic {
	switch m {
	case Sum, Avg, Min, Max:
		return scan.Numbers
	case P50, P90, P95, P99:
		return scan.Distribution
	case Users:
		return scan.Persons
	default:
		return scan.Events
	}
}

// Of returns the measure of a cell of its statistic; NaN when nothing was measured.
func (m Measure) Of(c *scan.Cell) float64 {
	switch {
	case m == Count || m == Users:
		return float64(c.Count)
	case c.Count == 0:
		return m.Nothing()
	case m == Sum:
		return c.Sum.Float()
	case m == Avg:
		return c.Sum.Over(c.Count)
	case m == Min:
		return c.Min.Float()
	case m == Max:
		return c.Max.Float()
	default:
		return c.Percentile(m.Percentile())
	}
}

// Line is one series of a question.
type Line struct {
	Label      string // of its events
	Measure    Measure
	Prop       string // the path of the number, as it was written
	FirstTime  bool   // only the first event of each person ever
	Cumulative bool   // from the start of the range on
	Rolling    int    // days that end with the bucket, whose people are counted; 0: the bucket's
}

// ByPerson says whether the line needs to know what one person did, so that People measures it and not a scan by columns.
func (l *Line) ByPerson() bool {
	return l.FirstTime || l.Rolling > 0 || l.Measure.PerPerson() || l.Cumulative && l.Measure == Users
}

// Row is the numbers of a line, NaN where nothing was measured.
type Row struct {
	Total  float64
	Values []float64 // one for each bucket
}

// Table is a line, measured.
type Table struct {
	All    Row
	Groups map[uint32]Row // by the code of the breakdown
}

// Blank is the numbers of a group that the line has no event of.
func (l *Line) Blank(buckets int) Row {
	r := Row{Total: l.Measure.Nothing(), Values: make([]float64, buckets)}
	for i := range r.Values {
		r.Values[i] = r.Total
	}
	return r
}

// Table makes a table of what a scan measured by columns.
func (l *Line) Table(r *scan.Result) *Table {
	t := &Table{All: l.row(r.All), Groups: make(map[uint32]Row, len(r.Groups))}
	for code, g := range r.Groups {
		t.Groups[code] = l.row(g)
	}
	return t
}

func (l *Line) row(g *scan.Group) Row {
	if l.Cumulative {
		g.Accumulate()
	}
	out := Row{Total: l.Measure.Of(&g.Whole), Values: make([]float64, len(g.Buckets))}
	for i := range g.Buckets {
		out.Values[i] = l.Measure.Of(&g.Buckets[i])
	}
	return out
}
