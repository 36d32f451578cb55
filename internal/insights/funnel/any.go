package funnel

// anyOrder makes an attempt whose steps may be done in any order. An event counts when it fills one step more than those
// before it did, whichever step that is: taken as they come, every further step is done as early as it can be, because
// sets of events that can fill different steps form a matroid.
func (s *solver) anyOrder(v *view, a *attempt) {
	until := s.until(v, a)
	s.kinds.begin()
	s.kinds.add(v.fit[a.entry])
	lo := s.begin(v, a)
	for lo < v.len() && v.ts[lo] <= until {
		hi := v.momentEnd(lo+1, lo)
		bans := s.bans(v, lo, hi, a)
		if bans { // an event that fills a step excludes nothing, so those that could exclude come first
			s.takeAny(v, lo, hi, a, func(pos int) bool { return v.ban[pos] != 0 })
		}
		s.takeAny(v, lo, hi, a, func(pos int) bool { return !bans || v.ban[pos] == 0 })
		if a.done == s.steps {
			a.convert(s.steps - 1)
			return
		}
		for pos := lo; bans && pos < hi; pos++ {
			if v.ban[pos] != 0 && !a.uses(pos) {
				a.end, a.endPos = excluded, pos
				return
			}
		}
		lo = hi
	}
}

// bans says whether a moment has an event that can end an attempt in any order.
func (s *solver) bans(v *view, lo, hi int, a *attempt) bool {
	if len(s.q.Exclude) == 0 || v.ts[lo] <= v.ts[a.entry] || v.ts[lo] >= s.until(v, a) {
		return false
	}
	for pos := lo; pos < hi; pos++ {
		if v.ban[pos] != 0 {
			return true
		}
	}
	return false
}

// takeAny fills steps with some of the events of a moment.
func (s *solver) takeAny(v *view, lo, hi int, a *attempt, takes func(pos int) bool) {
	for pos := lo; pos < hi && a.done < s.steps; pos++ {
		if pos != a.entry && takes(pos) && s.kinds.add(s.fits(v, pos)) {
			a.fill(a.done, v.ts[pos], pos)
			a.last = v.ts[pos]
			a.done++
		}
	}
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
