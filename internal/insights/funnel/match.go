package funnel

import "math/bits"

// matcher assigns the events of one moment to steps, each event to one. Events of one moment may be taken in any
// sequence, so that which steps they can fill together is a matching in a bipartite graph (Kuhn's algorithm).
type matcher struct {
	fit   []uint32 // the steps that each event of the moment can fill
	ban   []uint32 // the exclusions that each is excluded by; none when nothing can be excluded
	owner []int8   // the step that an event is assigned to
	seen  []bool
	kinds kinds
}

// Owners that are no steps.
const (
	free  int8 = -1
	fixed int8 = -2 // the event may not be assigned again
)

// begin takes the events of a moment, of which one may not be assigned: skip, or none when it is -1.
func (m *matcher) begin(fit, ban []uint32, skip int) {
	m.fit, m.ban = fit, ban
	if cap(m.owner) < len(fit) {
		m.owner, m.seen = make([]int8, 2*len(fit)), make([]bool, 2*len(fit))
	}
	m.owner, m.seen = m.owner[:len(fit)], m.seen[:len(fit)]
	for i := range m.owner {
		m.owner[i] = free
	}
	if skip >= 0 {
		m.owner[skip] = fixed
	}
}

// clear takes the assignments back.
func (m *matcher) clear() {
	for i, owner := range m.owner {
		if owner >= 0 {
			m.owner[i] = free
		}
	}
}

// add assigns an event to one more step and says whether that was possible. The steps assigned before keep an event,
// though it may become another.
func (m *matcher) add(step int) bool {
	for i, fit := range m.fit { // the usual case
		if fit&(1<<step) != 0 && m.owner[i] == free {
			m.owner[i] = int8(step)
			return true
		}
	}
	clear(m.seen)
	return m.augment(step)
}

func (m *matcher) augment(step int) bool {
	for i, fit := range m.fit {
		if fit&(1<<step) == 0 || m.seen[i] || m.owner[i] == fixed {
			continue
		}
		m.seen[i] = true
		if m.owner[i] == free || m.augment(int(m.owner[i])) {
			m.owner[i] = int8(step)
			return true
		}
	}
	return false
}

// addAll assigns events to all the steps of a set and says whether that was possible.
func (m *matcher) addAll(steps uint32) bool {
	for ; steps != 0; steps &= steps - 1 {
		if !m.add(bits.TrailingZeros32(steps)) {
			return false
		}
	}
	return true
}

// chain returns how many steps in a row, from one on and before limit, the moment can fill.
func (m *matcher) chain(step, limit int) int {
	m.clear()
	n := 0
	for step+n < limit && m.add(step+n) {
		n++
	}
	return n
}

// between returns the steps after one and up to another that the moment can fill: all that are required, the other
// itself, and as many of the optional ones as there are events for.
func (m *matcher) between(required uint32, from, to int) (steps uint32, possible bool) {
	m.clear()
	within := uint32(1)<<(to+1) - uint32(1)<<(from+1)
	steps = within&required | 1<<to
	if !m.addAll(steps) {
		return 0, false
	}
	for rest := within &^ steps; rest != 0; rest &= rest - 1 {
		if step := bits.TrailingZeros32(rest); m.add(step) {
			steps |= 1 << step
		}
	}
	return steps, true
}

// spares says whether events can be assigned to all the steps of a set so that every event that one of the exclusions
// is about is used for a step: such an event excludes nothing. The assignment is made.
func (m *matcher) spares(exclusions, steps uint32) bool {
	m.clear()
	if exclusions != 0 {
		m.kinds.begin()
		var used [MaxSteps]int // the events that must be used, as kinds numbers them
		for i, ban := range m.ban {
			if ban&exclusions == 0 || m.owner[i] == fixed {
				continue
			}
			if !m.kinds.add(m.fit[i] & steps) {
				return false
			}
			used[len(m.kinds.fit)-1] = i
		}
		for step, event := range m.kinds.owner {
			if event >= 0 {
				m.owner[used[event]] = int8(step)
				steps &^= 1 << step
			}
		}
	}
	return m.addAll(steps)
}

// fill writes which event each step of a set gets: the first step the first event that leaves the others possible,
// and so on. The exclusions must be spared by the set.
func (m *matcher) fill(exclusions, steps uint32, events *[MaxSteps]int32) {
	m.clear()
	for rest := steps; rest != 0; {
		step := bits.TrailingZeros32(rest)
		rest &= rest - 1
		for i, fit := range m.fit {
			if fit&(1<<step) == 0 || m.owner[i] == fixed {
				continue
			}
			m.owner[i] = fixed
			if m.spares(exclusions, rest) {
				events[step] = int32(i)
				break
			}
			m.owner[i] = free
		}
	}
	for ; steps != 0; steps &= steps - 1 {
		m.owner[events[bits.TrailingZeros32(steps)]] = free
	}
	m.clear()
}
