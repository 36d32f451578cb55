package funnel

import (
	"cmp"
	"math/bits"
	"slices"
)

// filling is which steps an attempt has done, and with which events.
type filling struct {
	ok       bool
	done     int
	optional int
	last     int64 // the time of the last step that is not optional
	at       [MaxSteps]int64
	pos      [MaxSteps]int32
}

// fillings are, for each step, the best filling whose latest step it is. Two are kept, because which is the best
// depends on what follows: where no further required step does, the time of the last required one comes first; where
// one does, that time is forgotten.
type fillings struct {
	ending [MaxSteps]filling // best by last, optional, at, pos
	going  [MaxSteps]filling // best by optional, at, pos
}

// search makes an attempt that events can end (exclusions, a strict order) or that has optional steps. What can
// follow a filling depends only on its latest step, so that going from moment to moment it keeps the best filling for
// each step: a step done at once is not always the best, where a later event for it would have come after the
// excluded one.
func (s *solver) search(v *view, a *attempt) {
	until := s.until(v, a)
	f := &s.fillings
	for i := range s.steps {
		f.ending[i].ok, f.going[i].ok = false, false
	}
	best := filling{ok: true, done: 1, last: a.last, at: a.at, pos: a.pos}
	f.ending[0], f.going[0] = best, best
	lo := s.begin(v, a)
	for first := true; lo < v.len() && v.ts[lo] <= until && best.done < s.final; first = false {
		hi := v.momentEnd(lo+1, lo)
		if !s.moment(v, lo, hi, first, until, a.entry, &best) {
			break
		}
		lo = hi
	}
	a.done, a.last, a.at, a.pos = best.done, best.last, best.at, best.pos
	s.end(v, a, until)
}

// moment takes the events of one moment into all fillings and says whether one is left that can go on.
func (s *solver) moment(v *view, lo, hi int, first bool, until int64, entry int, best *filling) (alive bool) {
	fits, ban := s.momentFits(v, lo, hi), v.ban[lo:hi]
	if first || v.ts[lo] == until {
		ban = nil // no step was done before this moment; or it is the end of the window
	}
	s.match.begin(fits, ban, skipped(entry, lo, hi))
	can, bans := union(fits), union(ban)
	f := &s.fillings
	for to := s.steps - 1; to >= 0; to-- {
		var ending, going filling
		if (first || s.q.Order != Strict) && s.q.active(bans, to, to) == 0 {
			ending, going = f.ending[to], f.going[to]
		}
		if can&(1<<to) != 0 {
			s.arrive(to, v.ts[lo], lo, bans, &ending, &going, best)
		}
		f.ending[to], f.going[to] = ending, going
		alive = alive || ending.ok
	}
	return alive
}

// arrive continues the fillings whose latest step is before a step with events of this moment for all that is needed up
// to that step.
func (s *solver) arrive(to int, ts int64, lo int, bans uint32, ending, going, best *filling) {
	for from := to - 1; from >= 0; from-- {
		steps, possible := s.match.between(s.required, from, to)
		if !possible {
			return
		}
		if !s.fillings.going[from].ok {
			continue
		}
		last, next := s.continued(from, steps, 0, ts, lo)
		last.keep(best)
		if active := s.q.active(bans, from, to); active != 0 {
			if !s.match.spares(active, steps) {
				continue
			}
			last, next = s.continued(from, steps, active, ts, lo)
			last.keep(best)
		}
		if last.beats(ending, true) {
			*ending = last
		}
		if next.beats(going, false) {
			*going = next
		}
	}
}

// continued returns the best fillings whose latest step is from, with steps of this moment that spare some exclusions.
func (s *solver) continued(from int, steps, exclusions uint32, ts int64, lo int) (ending, going filling) {
	var events [MaxSteps]int32
	s.match.fill(exclusions, steps, &events)
	going = s.fillings.going[from]
	if steps&s.required == 0 {
		ending = s.fillings.ending[from]
	} else {
		ending = going
	}
	for _, f := range []*filling{&ending, &going} {
		f.take(steps, s.required, ts, lo, &events)
	}
	return ending, going
}

// take adds steps of one moment to a filling.
func (f *filling) take(steps, required uint32, ts int64, lo int, events *[MaxSteps]int32) {
	for ; steps != 0; steps &= steps - 1 {
		step := bits.TrailingZeros32(steps)
		f.at[step], f.pos[step] = ts, int32(lo)+events[step]
		if required&(1<<step) != 0 {
			f.done++
			f.last = ts
		} else {
			f.optional++
		}
	}
}

// beats says whether a filling is to be preferred to another with the same required steps.
func (f *filling) beats(other *filling, byLast bool) bool {
	switch {
	case !f.ok || !other.ok:
		return f.ok && !other.ok
	case byLast && f.last != other.last:
		return f.last < other.last
	case f.optional != other.optional:
		return f.optional > other.optional
	}
	if c := slices.Compare(f.at[:], other.at[:]); c != 0 {
		return c < 0
	}
	byOrder := func(a, b int32) int { return cmp.Compare(uint32(a), uint32(b)) } // a step that was not done is last
	return slices.CompareFunc(f.pos[:], other.pos[:], byOrder) < 0
}

// keep notes a filling if it is the best so far.
func (f *filling) keep(best *filling) {
	if f.done > best.done || f.done == best.done && f.beats(best, true) {
		*best = *f
	}
}

func union(masks []uint32) (all uint32) {
	for _, mask := range masks {
		all |= mask
	}
	return all
}

// end says how an attempt ended whose steps are known.
func (s *solver) end(v *view, a *attempt, until int64) {
	if a.done == s.final {
		a.convert(s.steps - 1)
		return
	}
	latest := a.entry
	for step := range s.steps {
		if a.pos[step] >= 0 && a.at[step] >= v.ts[latest] {
			latest = int(a.pos[step])
		}
	}
	lo, hi := v.moment(latest)
	for pos := lo; len(s.q.Exclude) > 0 && pos < v.len() && v.ts[pos] < until; pos++ {
		if v.ban[pos] != 0 && !a.uses(pos) && s.excludes(v, pos, a) {
			a.end, a.endPos = excluded, pos
			return
		}
	}
	if s.q.Order == Strict && hi < v.len() && v.ts[hi] <= until {
		a.end, a.endPos = interrupted, hi
	}
}

// excludes says whether an event lies between the steps of an exclusion that it fits.
func (s *solver) excludes(v *view, pos int, a *attempt) bool {
	for bans := v.ban[pos]; bans != 0; bans &= bans - 1 {
		x := &s.q.Exclude[bits.TrailingZeros32(bans)]
		if a.at[x.From] < v.ts[pos] && v.ts[pos] < a.at[x.To] {
			return true
		}
	}
	return false
}
