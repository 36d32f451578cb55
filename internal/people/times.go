package people

import (
	"context"
	"iter"
	"math"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/events"
)

// Times says who had a profile when: whether the last that was said of a person before a moment was something else than a delete.
type Times struct {
	since   []int64                          // by person, in microseconds since 1970; never is math.MaxInt64
	changed map[uint32][]behaviour.Operation // of those who lost a profile, or have a part of an id: all that was said, in the order
}

// ReadTimes returns the times of the people of an identity, by what was known before as_of, in microseconds since 1970.
func ReadTimes(ctx context.Context, v *behaviour.View, id *behaviour.Identity, asOf int64) (*Times, error) {
	t := &Times{changed: map[uint32][]behaviour.Operation{}}
	err := v.ProfileTimes(ctx, asOf, func(p behaviour.ProfileTime) {
		if p.No == 0 { // nobody's any more
			return
		}
		person := id.Canonical(p.No)
		t.said(person, p.Since)
		split, splits := id.Splits[p.No]
		if splits || p.Deleted {
			t.changed[person] = nil
		}
		if splits {
			t.changed[split.To] = nil
			t.said(split.To, p.Since)
		}
	})
	if err != nil || len(t.changed) == 0 {
		return t, err
	}
	var numbers []uint32
	for person := range t.changed {
		numbers = append(numbers, id.Of(person)...)
	}
	keys, err := v.Keys(ctx, numbers)
	if err != nil {
		return nil, err
	}
	no, of := make(map[events.Subject]uint32, len(keys)), make([]events.Subject, 0, len(keys))
	for n, k := range keys {
		no[k.Subject()], of = n, append(of, k.Subject())
	}
	operations, err := v.Operations(ctx, of)
	for i := range operations {
		o := &operations[i]
		ts, received := o.TS.UnixMicro(), o.ReceivedAt.UnixMicro()
		if ts >= asOf || received >= asOf {
			continue
		}
		n := no[o.Of]
		person := id.Canonical(n)
		if split, ok := id.Splits[n]; ok && !split.BeforeID(ts, received, o.ID) {
			person = split.To
		}
		if _, ok := t.changed[person]; ok {
			t.changed[person] = append(t.changed[person], *o)
		}
	}
	return t, err
}

// said says that something was said of a person.
func (t *Times) said(person uint32, at int64) {
	for int(person) >= len(t.since) {
		t.since = append(t.since, math.MaxInt64)
	}
	t.since[person] = min(t.since[person], at)
}

// Had says whether a person had a profile at a moment, by what was said before it.
func (t *Times) Had(person uint32, at int64) bool {
	operations, changed := t.changed[person]
	if !changed {
		return int(person) < len(t.since) && t.since[person] < at
	}
	had := false
	for i := range operations {
		if operations[i].TS.UnixMicro() < at {
			had = operations[i].Op != Delete
		}
	}
	return had
}

// All yields everybody who had a profile at some time.
func (t *Times) All() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for person, since := range t.since {
			if since != math.MaxInt64 && !yield(uint32(person)) {
				return
			}
		}
	}
}
