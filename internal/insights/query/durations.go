package query

import "slices"

// Durations are microseconds, in no order.
type Durations []int64

// Times is the summary of durations, in seconds.
type Times struct {
	N                           int
	Mean, Median, P90, Min, Max float64
}

// Summary returns the summary of the durations, which it sorts, or nil when there are none.
func (d Durations) Summary() *Times {
	if len(d) == 0 {
		return nil
	}
	slices.Sort(d)
	var whole, rest int64 // of seconds and of microseconds: a sum of many long durations does not fit one int64
	for _, v := range d {
		whole += v / Second
		rest += v % Second
	}
	n := float64(len(d))
	return &Times{
		N:      len(d),
		Mean:   (float64(whole) + float64(rest)/float64(Second)) / n,
		Median: d.percentile(0.5),
		P90:    d.percentile(0.9),
		Min:    seconds(d[0]),
		Max:    seconds(d[len(d)-1]),
	}
}

// percentile interpolates between the two durations around it, as percentile_cont does. The durations are sorted.
func (d Durations) percentile(p float64) float64 {
	at := p * float64(len(d)-1)
	low := int(at)
	high := min(low+1, len(d)-1)
	return seconds(d[low]) + (at-float64(low))*seconds(d[high]-d[low])
}

// Histogram counts durations by edges, in microseconds and increasing: counts[i] are those from edge i up to the next, the
// last without end, and under are those below the first.
func (d Durations) Histogram(edges []int64) (under int, counts []int) {
	counts = make([]int, len(edges))
	for _, v := range d {
		i, exact := slices.BinarySearch(edges, v)
		if !exact {
			i--
		}
		if i < 0 {
			under++
		} else {
			counts[i]++
		}
	}
	return under, counts
}

func seconds(us int64) float64 { return float64(us) / float64(Second) }
