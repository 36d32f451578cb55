package scan

import (
	"math"
	"slices"
)

// sample is numbers with how often each is there.
type sample struct {
	numbers []float64 // ascending, each once
	times   []uint32
	total   int64
	pending []float64 // to come to the others, in any order
}

// samplePending is how many numbers are collected at least before they are sorted in.
const samplePending = 1024

// add adds a number and says by how many bytes the sample grew.
func (s *sample) add(x float64) (grown int64) {
	if len(s.pending) >= max(samplePending, len(s.numbers)/4) {
		before := s.bytes()
		s.settle()
		grown = s.bytes() - before
	}
	before := cap(s.pending)
	s.pending = append(s.pending, x)
	return grown + 8*int64(cap(s.pending)-before)
}

func (s *sample) bytes() int64 { return 8*int64(cap(s.numbers)+cap(s.pending)) + 4*int64(cap(s.times)) }

// settle sorts the pending numbers in.
func (s *sample) settle() {
	if len(s.pending) == 0 {
		return
	}
	slices.Sort(s.pending)
	times := make([]uint32, 0, len(s.pending))
	for i, x := range s.pending {
		if i > 0 && x == s.pending[i-1] {
			times[len(times)-1]++
			continue
		}
		times = append(times, 1)
	}
	s.merge(slices.Compact(s.pending), times)
	s.pending = s.pending[:0]
}

// merge adds numbers that are ascending, each so many times.
func (s *sample) merge(numbers []float64, times []uint32) {
	fresh := 0
	for i, j := 0, 0; j < len(numbers); j++ {
		for i < len(s.numbers) && s.numbers[i] < numbers[j] {
			i++
		}
		if i == len(s.numbers) || s.numbers[i] != numbers[j] {
			fresh++
		}
	}
	all, each := make([]float64, 0, len(s.numbers)+fresh), make([]uint32, 0, len(s.numbers)+fresh)
	i := 0
	for j, x := range numbers {
		for i < len(s.numbers) && s.numbers[i] < x {
			all, each = append(all, s.numbers[i]), append(each, s.times[i])
			i++
		}
		n := times[j]
		s.total += int64(n)
		if i < len(s.numbers) && s.numbers[i] == x {
			n += s.times[i]
			i++
		}
		all, each = append(all, x), append(each, n)
	}
	s.numbers, s.times = append(all, s.numbers[i:]...), append(each, s.times[i:]...)
}

func (s *sample) join(x *sample) {
	s.settle()
	x.settle()
	if len(x.numbers) > 0 {
		s.merge(x.numbers, x.times)
	}
}

// percentile is percentile_cont of PostgreSQL.
func (s *sample) percentile(p float64) float64 {
	s.settle()
	at := p * float64(s.total-1)
	lo, hi := s.at(int64(math.Floor(at))), s.at(int64(math.Ceil(at)))
	if lo == hi {
		return lo
	}
	return lo + (at-math.Floor(at))*(hi-lo)
}

// at returns the number in a place of the sorted ones.
func (s *sample) at(place int64) float64 {
	for i, n := range s.times {
		if place -= int64(n); place < 0 {
			return s.numbers[i]
		}
	}
	return s.numbers[len(s.numbers)-1]
}
