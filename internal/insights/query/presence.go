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
