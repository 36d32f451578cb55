package query

import "slices"

// Durations are microseconds, in no order.
type Durations []int64

// Times is the summary of durations, in seconds.
type Times struct {
	N                           int
	Mean, Median, P90, Min, Max float64
}

// Summary returns the summary of the durations, whose sequence it changes, or nil when there are none.
func (d Durations) Summary() *Times {
	if len(d) == 0 {
		return nil
	}
	var whole, rest int64 // of seconds and of microseconds: a sum of many long durations does not fit one int64
	least, most := d[0], d[0]
	for _, v := range d {
		whole += v / Second
		rest += v % Second
		least, most = min(least, v), max(most, v)
	}
	return &Times{
		N:      len(d),
		Mean:   (float64(whole) + float64(rest)/float64(Second)) / float64(len(d)),
		Median: d.percentile(0.5),
		P90:    d.percentile(0.9),
		Min:    seconds(least),
		Max:    seconds(most),
	}
}

// percentile interpolates between the two durations around it, as percentile_cont does.
func (d Durations) percentile(p float64) float64 {
	at := p * float64(len(d)-1)
	low := int(at)
	d.place(low)
	value := seconds(d[low])
	if low+1 < len(d) {
		value += (at - float64(low)) * seconds(slices.Min(d[low+1:])-d[low])
	}
	return value
}

// place puts the k-th smallest duration where it would be if all were sorted, with no larger one before it and no
// smaller one after (quickselect). Sorting would take several times as long.
func (d Durations) place(k int) {
	for lo, hi := 0, len(d)-1; lo < hi; {
		pivot := median(d[lo], d[lo+(hi-lo)/2], d[hi])
		i, j := lo, hi
		for i <= j {
			for d[i] < pivot {
				i++
			}
			for d[j] > pivot {
				j--
			}
			if i <= j {
				d[i], d[j] = d[j], d[i]
				i++
				j--
			}
		}
		switch { // everything between j and i is the pivot
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return
		}
	}
}

func median(a, b, c int64) int64 { return max(min(a, b), min(max(a, b), c)) }

// Histogram counts durations by edges, in microseconds and increasing: counts[i] are those from edge i up to the
// next, the last without end, and under are those below the first.
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
