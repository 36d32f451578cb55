package funnel

import (
	"math"

	"github.com/bahagh/nimbus/internal/behaviour"
)

// never is the time of a step that was not done. It is later than every time.
const never = math.MaxInt64

// ending is how an attempt ended.
type ending uint8

const (
	timedOut ending = iota // or it may still go on
	converted
	excluded
	interrupted
)

// attempt is what became of one entry.
type attempt struct {
	entry int   // position of the entry
	done  int   // how many steps that are not optional were done
	last  int64 // the time of the last of them
	// at and pos are the time and the event of each step; in any order of the first, second … step done.
	at  [MaxSteps]int64
	pos [MaxSteps]int32
	// end and endPos are how it ended and the position of the event that ended it. A timed out attempt has none.
	end    ending
	endPos int
}

func (a *attempt) begin(v *view, entry int) {
	*a = attempt{entry: entry, done: 1, last: v.ts[entry], endPos: -1}
	for i := range a.at {
		a.at[i], a.pos[i] = never, -1
	}
	a.fill(0, v.ts[entry], entry)
}

func (a *attempt) fill(step int, ts int64, pos int) {
	a.at[step], a.pos[step] = ts, int32(pos)
}

// better says whether an attempt is to be preferred to another of the same person: it has more steps, then the
// earlier last step, then the later entry.
func (a *attempt) better(other *attempt) bool {
	if a.done != other.done {
		return a.done > other.done
	}
	if a.last != other.last {
		return a.last < other.last
	}
	return a.entry > other.entry
}

// solver makes attempts. Its memory serves one after another.
type solver struct {
	q        *Question
	steps    int
	final    int // the number of steps that convert
	simple   bool
	required uint32
	rows     []behaviour.Row // of the person at hand
	held     held            // the values of the attempt at hand
	floor    int             // the first position that the attempt at hand may use
	match    matcher
	fit      []uint32 // of the events of a moment, as they are for the attempt at hand
	kinds    kinds
	picked   []int32 // the events of an attempt in any order
	fillings fillings
}

func newSolver(q *Question) *solver {
	s := &solver{q: q, steps: len(q.Steps)}
	for _, step := range q.required() {
		s.required |= 1 << step
		s.final++
	}
	s.simple = q.Order == Ordered && len(q.Exclude) == 0 && s.final == s.steps
	return s
}

// attempt makes the attempt of the entry at a position.
func (s *solver) attempt(v *view, entry int, a *attempt) {
	a.begin(v, entry)
	if len(s.q.Hold) > 0 {
		s.held = s.q.held(&s.rows[v.row[entry]])
	}
	switch {
	case s.q.Order == Any:
		s.anyOrder(v, a)
	case s.simple:
		s.greedy(v, a)
	default:
		s.search(v, a)
	}
}

// fits returns the steps that an event can fill in the attempt at hand.
func (s *solver) fits(v *view, pos int) uint32 {
	if len(s.q.Hold) > 0 && s.q.held(&s.rows[v.row[pos]]) != s.held {
		return 0
	}
	return v.fit[pos]
}

// until returns the last instant at which a step of the attempt can be done.
func (s *solver) until(v *view, a *attempt) int64 { return v.ts[a.entry] + s.q.Window }

// begin returns the position of the first event that may be in the attempt: events of the entry's moment may be stored
// before it.
func (s *solver) begin(v *view, a *attempt) int {
	lo, _ := v.moment(a.entry)
	return max(lo, s.floor)
}

// momentFits returns the steps that each event of a moment can fill in the attempt at hand.
func (s *solver) momentFits(v *view, lo, hi int) []uint32 {
	if len(s.q.Hold) == 0 {
		return v.fit[lo:hi]
	}
	s.fit = s.fit[:0]
	for pos := lo; pos < hi; pos++ {
		s.fit = append(s.fit, s.fits(v, pos))
	}
	return s.fit
}

// greedy makes an attempt in which nothing can end it but time, and every step is needed: each step is done as soon
// as it can be, because that never hinders a later one.
func (s *solver) greedy(v *view, a *attempt) {
	until := s.until(v, a)
	lo := s.begin(v, a)
	for lo < v.len() && v.ts[lo] <= until && a.done < s.steps {
		hi := v.momentEnd(lo+1, lo)
		if hi == lo+1 {
			if lo != a.entry && s.fits(v, lo)&(1<<a.done) != 0 {
				a.fill(a.done, v.ts[lo], lo)
				a.done++
			}
		} else {
			s.advance(v, lo, hi, a)
		}
		lo = hi
	}
	a.last = a.at[a.done-1]
	if a.done == s.steps {
		a.convert(s.steps - 1)
	}
}

// advance does as many steps as a moment of several events allows.
func (s *solver) advance(v *view, lo, hi int, a *attempt) {
	s.match.begin(s.momentFits(v, lo, hi), nil, skipped(a.entry, lo, hi))
	n := s.match.chain(a.done, s.steps)
	if n == 0 {
		return
	}
	var events [MaxSteps]int32
	s.match.fill(0, (1<<n-1)<<a.done, &events)
	for range n {
		a.fill(a.done, v.ts[lo], lo+int(events[a.done]))
		a.done++
	}
}

// skipped returns the index of the entry in a moment, -1 when it is not in it.
func skipped(entry, lo, hi int) int {
	if entry < lo || entry >= hi {
		return -1
	}
	return entry - lo
}

// uses says whether an event fills a step of the attempt.
func (a *attempt) uses(pos int) bool {
	for _, used := range a.pos {
		if int(used) == pos {
			return true
		}
	}
	return false
}

// convert ends the attempt with its last step.
func (a *attempt) convert(last int) {
	a.end, a.endPos = converted, int(a.pos[last])
}
