package query

import "math/bits"

// Periods of a person may come as bits instead of rows: bit i is set when he did a thing in period i. That is all that
// uniques, lifecycle, stickiness and retention by the calendar need, and far less to read than every event.

// NextBit returns the first set bit at or after one, -1 when there is none.
func NextBit(words []uint64, from int) int {
	i := from / 64
	if i >= len(words) {
		return -1
	}
	word := words[i] >> (from % 64) << (from % 64)
	for word == 0 {
		if i++; i == len(words) {
			return -1
		}
		word = words[i]
	}
	return i*64 + bits.TrailingZeros64(word)
}

// LastBit returns the last set bit, -1 when there is none.
func LastBit(words []uint64) int {
	for i := len(words) - 1; i >= 0; i-- {
		if words[i] != 0 {
			return i*64 + bits.Len64(words[i]) - 1
		}
	}
	return -1
}

// Columns counts how often each bit of some words was set, 64 of them at once: it keeps the counts as binary numbers that
// stand upright, a plane for each digit, so that most additions touch two planes.
type Columns struct {
	words  int
	planes [][]uint64
}

// NewColumns returns the counts of so many words of bits, all 0.
func NewColumns(words int) Columns { return Columns{words: words} }

// Add counts the set bits of one of the words.
func (c *Columns) Add(word int, bits uint64) {
	for digit := 0; bits != 0; digit++ {
		if digit == len(c.planes) {
			c.planes = append(c.planes, make([]uint64, c.words))
		}
		plane := &c.planes[digit][word]
		*plane, bits = *plane^bits, *plane&bits
	}
}

// Count returns how often a bit was set.
func (c *Columns) Count(bit int) (n int) {
	for digit, plane := range c.planes {
		n += int(plane[bit/64]>>(bit%64)&1) << digit
	}
	return n
}

// Shifted returns a word of bits that are shifted down by n: bit i is bit i+n of the words.
func Shifted(words []uint64, word, n int) uint64 {
	word += n / 64
	if word >= len(words) {
		return 0
	}
	bits := words[word] >> (n % 64)
	if word+1 < len(words) {
		bits |= words[word+1] << (64 - n%64) // a shift by 64 leaves nothing
	}
	return bits
}
