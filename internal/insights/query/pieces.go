package query

// Pieces covers buckets whose bounds lie within hours, as those of an hour do in a zone that is half an hour off: with whole hours
// and, for each bound, the minutes of its hour on the shorter side of it. That is 30 rows of minutes for a bucket at most, where Plan
// takes 60. What each piece has is to be summed: see Piecewise.
func Pieces(bounds []int64) []Run {
	var runs []Run
	last := bounds[len(bounds)-1]
	for at := FloorDiv(bounds[0], hourSeconds) * hourSeconds; at < last; at += hourSeconds {
		runs = append(runs, Run{hourSeconds, at, at + hourSeconds})
	}
	for _, b := range bounds {
		if p, _ := piece(b); p.From < p.To {
			runs = append(runs, p)
		}
	}
	return runs
}

const hourSeconds = 3600

// piece is the minutes of the bound's hour on the shorter side of it, which is the one before it or after.
func piece(bound int64) (p Run, after bool) {
	hour := FloorDiv(bound, hourSeconds) * hourSeconds
	if bound-hour > hourSeconds/2 {
		return Run{60, bound, hour + hourSeconds}, true
	}
	return Run{60, hour, bound}, false
}

// Piecewise returns the sum of each bucket from those of the pieces: of sums, by the piece.
func Piecewise(bounds []int64, sums map[Run]int64) []int64 {
	// until is what there is from the first hour on until a bound.
	at, hours := FloorDiv(bounds[0], hourSeconds)*hourSeconds, int64(0)
	until := func(bound int64) int64 {
		for ; at+hourSeconds <= bound; at += hourSeconds {
			hours += sums[Run{hourSeconds, at, at + hourSeconds}]
		}
		p, after := piece(bound)
		if after {
			return hours + sums[Run{hourSeconds, at, at + hourSeconds}] - sums[p]
		}
		return hours + sums[p]
	}
	series, before := make([]int64, len(bounds)-1), until(bounds[0])
	for i := range series {
		now := until(bounds[i+1])
		series[i], before = now-before, now
	}
	return series
}
