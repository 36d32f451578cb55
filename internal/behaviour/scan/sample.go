package scan

import (
	"math"
	"slices"
)

// sample is numbers with how often each is there.
type sample struct {
	numbers []float64
	times   []int64 // nil: once each
}

// sampleSize is how many numbers are collected before equal ones are put together.
const sampleSize = 4096

// add adds a number and says by how many bytes the sample grew.
func (s *sample) add(x float64) int64 {
	before := s.bytes()
	if len(s.numbers) == cap(s.numbers) && len(s.numbers) >= sampleSize {
		s.compact()
	}
	s.numbers = append(s.numbers, x)
	if s.times != nil {
		s.times = append(s.times, 1)
	}
	return s.bytes() - before
}

func (s *sample) bytes() int64 { return 8 * int64(cap(s.numbers)+cap(s.times)) }

func (s *sample) join(x *sample) {
	if len(x.numbers) == 0 {
		return
	}
	s.spread()
	s.numbers = append(s.numbers, x.numbers...)
	if x.times != nil {
		s.times = append(s.times, x.times...)
		return
	}
	for range x.numbers {
		s.times = append(s.times, 1)
	}
}

func (s *sample) spread() {
	for len(s.times) < len(s.numbers) {
		s.times = append(s.times, 1)
	}
}

// compact sorts the numbers and puts equal ones together.
func (s *sample) compact() {
	s.spread()
	order := make([]int, len(s.numbers))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int {
		switch {
		case s.numbers[x] < s.numbers[y]:
			return -1
		case s.numbers[x] > s.numbers[y]:
			return 1
		default:
			return 0
		}
	})
	numbers, times := make([]float64, 0, len(order)), make([]int64, 0, len(order))
	for _, i := range order {
		if n := len(numbers); n > 0 && numbers[n-1] == s.numbers[i] {
			times[n-1] += s.times[i]
			continue
		}
		numbers, times = append(numbers, s.numbers[i]), append(times, s.times[i])
	}
	if len(numbers) > len(s.numbers)/2 { // hardly any are equal: room for as many again, before they are looked at again
		numbers, times = slices.Grow(numbers, len(numbers)), slices.Grow(times, len(times))
	}
	s.numbers, s.times = numbers, times
}

// percentile is percentile_cont of PostgreSQL.
func (s *sample) percentile(p float64) float64 {
	s.compact()
	total := int64(0)
	for _, n := range s.times {
		total += n
	}
	at := p * float64(total-1)
	lo, hi := s.at(int64(math.Floor(at))), s.at(int64(math.Ceil(at)))
	if lo == hi {
		return lo
	}
	return lo + (at-math.Floor(at))*(hi-lo)
}

// at returns the number in a place of the sorted ones.
func (s *sample) at(place int64) float64 {
	for i, n := range s.times {
		if place -= n; place < 0 {
			return s.numbers[i]
		}
	}
	return s.numbers[len(s.numbers)-1]
}
