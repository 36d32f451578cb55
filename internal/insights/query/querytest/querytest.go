// Package querytest is what the tests of all kinds of questions about people share.
package querytest

import "github.com/bahagh/nimbus/internal/behaviour"

// Operator counts people, or finds those behind the number at a C.
type Operator[T, C any] interface {
	Add(p *behaviour.Person)
	Merge(other T)
	Collect(at C)
}

// Pass hands the people to two operators in turn and merges them. With a coordinate it makes them find who is behind it.
func Pass[T Operator[T, C], C any](people []*behaviour.Person, fresh func() T, at *C) T {
	halves := [2]T{fresh(), fresh()}
	for i, half := range halves {
		if at != nil {
			half.Collect(*at)
		}
		for k := i; k < len(people); k += len(halves) {
			half.Add(people[k])
		}
	}
	halves[0].Merge(halves[1])
	return halves[0]
}

// ByCode orders values by their codes.
func ByCode(a, b uint32) int { return int(a) - int(b) }
