package funnel

import (
	"cmp"
	"slices"
)

// anyOrder makes an attempt whose steps may be done in any order.
//
// An excluded event that fills a step ends nothing, so using it can be worth more than an earlier event. Hence the
// attempt is made once for each moment that may end it, with all excluded events before that moment; those are not
// more than steps.
func (s *solver) anyOrder(v *view, a *attempt) {
	until := s.until(v, a)
	if len(s.q.Exclude) == 0 {
		s.anyUntil(v, a, never)
	} else {
		entry := *a
		found := s.anyUntil(v, a, never)
		for pos := a.entry; pos < v.len() && v.ts[pos] < until; pos++ {
			if v.ban[pos] == 0 || v.ts[pos] == v.ts[a.entry] {
				continue
			}
			try := entry
			if !s.anyUntil(v, &try, v.ts[pos]) {
				break
			}
			if !found || try.beats(a) {
				*a, found = try, true
			}
		}
	}
	if a.done == s.steps {
		a.convert(s.steps - 1)
		return
	}
	for pos := a.entry; len(s.q.Exclude) > 0 && pos < v.len() && v.ts[pos] < until; pos++ {
		if v.ban[pos] != 0 && v.ts[pos] > v.ts[a.entry] && !a.uses(pos) {
			a.end, a.endPos = excluded, pos
			return
		}
	}
}

// anyUntil fills steps with all excluded events before an end, and with what else fills one more step up to and with
// the end. It says whether that is possible. Events are taken as they come: every further step is done as early as it
// can be, because sets of events that can fill different steps form a matroid.
func (s *solver) anyUntil(v *view, a *attempt, end int64) bool {
	until := s.until(v, a)
	needed := func(pos int) bool {
		return v.ban[pos] != 0 && v.ts[pos] > v.ts[a.entry] && v.ts[pos] < min(end, until)
	}
	s.picked = s.picked[:0]
	s.kinds.begin()
	s.kinds.add(v.fit[a.entry])
	for pos := a.entry; len(s.q.Exclude) > 0 && pos < v.len() && v.ts[pos] < min(end, until); pos++ {
		if !needed(pos) {
			continue
		}
		if !s.kinds.add(s.fits(v, pos)) {
			return false
		}
		s.picked = append(s.picked, int32(pos))
	}
	for pos := s.begin(v, a); pos < v.len() && v.ts[pos] <= min(end, until) && len(s.picked)+1 < s.steps; pos++ {
		if s.kinds.full(v.rest[pos]) {
			break // without this a person with many entries would be looked at once for each of them
		}
		if pos != a.entry && !needed(pos) && s.kinds.add(s.fits(v, pos)) {
			s.picked = append(s.picked, int32(pos))
		}
	}
	slices.Sort(s.picked)
	for _, pos := range s.picked {
		a.fill(a.done, v.ts[pos], int(pos))
		a.last = v.ts[pos]
		a.done++
	}
	return true
}

// beats says whether an attempt is to be preferred to another of the same entry.
func (a *attempt) beats(other *attempt) bool {
	if a.done != other.done {
		return a.done > other.done
	}
	if a.last != other.last {
		return a.last < other.last
	}
	return cmp.Or(slices.Compare(a.at[:], other.at[:]), slices.Compare(a.pos[:a.done], other.pos[:a.done])) < 0
}

// kinds are the events taken so far, by the steps that each can fill, and the steps that they are assigned to.
type kinds struct {
	fit   []uint32
	owner [MaxSteps]int8 // the event that a step is assigned to, -1 for none
}

func (k *kinds) begin() {
	k.fit = k.fit[:0]
	for i := range k.owner {
		k.owner[i] = -1
	}
}

// full says whether no event that can fill some of these steps can fill one step more.
func (k *kinds) full(steps uint32) bool {
	var filled uint32
	for step, event := range k.owner {
		if event >= 0 {
			filled |= 1 << step
		}
	}
	return (steps|union(k.fit))&^filled == 0
}

// add takes one more event if it fills one step more.
func (k *kinds) add(fit uint32) bool {
	k.fit = append(k.fit, fit)
	var seen uint32
	if k.augment(len(k.fit)-1, &seen) {
		return true
	}
	k.fit = k.fit[:len(k.fit)-1]
	return false
}

func (k *kinds) augment(event int, seen *uint32) bool {
	for step := range k.owner {
		bit := uint32(1) << step
		if k.fit[event]&bit == 0 || *seen&bit != 0 {
			continue
		}
		*seen |= bit
		if k.owner[step] < 0 || k.augment(int(k.owner[step]), seen) {
			k.owner[step] = int8(event)
			return true
		}
	}
	return false
}
