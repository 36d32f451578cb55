package scan

import "math"

// tally is the rows of a chunk by slot: one for each group and bucket that the chunk may have.
type tally struct {
	groups  []uint32 // codes in the breakdown, by the chunk's own
	first   int      // bucket
	buckets int      // how many, from the first
	sparse  []uint64 // by slot, where there are too many groups and buckets for each to have one; nil: all have

	same  bool     // all rows are in slot 0
	slots []uint32 // of each row, when they are not

	selected []uint32 // rows considered, when not all are
	all      bool

	memory []uint32 // of slots
	dims   []dimension
	inRow  []uint32 // bucket of each row
	counts []int64
	sums   []int64
	lows   []int64
	highs  []int64
}

// maxSlots is for how many groups and buckets a chunk has slots, without looking at which of them it has.
const maxSlots = 1 << 16

// cell returns the group and the bucket of a slot.
func (t *tally) cell(slot int) (group uint32, bucket int) {
	at := uint64(slot)
	if t.sparse != nil {
		at = t.sparse[slot]
	}
	return t.groups[at/uint64(t.buckets)], t.first + int(at%uint64(t.buckets))
}

// size is how many slots there are.
func (t *tally) size() int {
	if t.sparse != nil {
		return len(t.sparse)
	}
	return len(t.groups) * t.buckets
}

// add adds a chunk to the measure.
func (w *measurer) add(c *chunk) error {
	if ok, err := w.sort(c); err != nil || !ok {
		return err
	}
	switch w.m.Statistic {
	case Events:
		return w.addEvents(c)
	case Persons:
		return w.addPeople(c)
	default:
		return w.addNumbers(c)
	}
}

// sort finds out which rows are considered and in which slot each is. It is false when there are none.
func (w *measurer) sort(c *chunk) (bool, error) {
	t := &w.cells
	rows, err := c.considered()
	if err != nil {
		return false, err
	}
	fit, err := w.m.Filter.rows(c)
	if err != nil {
		return false, err
	}
	rows = both(rows, fit)
	marked, err := w.marked(c)
	if err != nil {
		return false, err
	}
	rows = both(rows, marked)
	if rows, err = w.asked(c, rows); err != nil {
		return false, err
	}
	if t.all = rows == nil; !t.all {
		if t.selected = rows.list(t.selected[:0]); len(t.selected) == 0 {
			return false, nil
		}
	}
	first, last := w.bucketsOf(c.info)
	t.first, t.buckets, t.sparse, t.same = first, last-first+1, nil, false
	codes, err := w.breakdown(c)
	if err != nil {
		return false, err
	}
	if t.buckets == 1 {
		t.slots, t.same = codes, codes == nil
		return true, nil
	}
	times, err := c.allTimes()
	if err != nil {
		return false, err
	}
	t.inRow = sizedTo(t.inRow, len(times))
	bucketRows(t.inRow, times, w.m.Bounds[first:last+2])
	t.combine(codes)
	return true, nil
}

// marked returns the rows that fit a matcher, where only those count; nil stands for all.
func (w *measurer) marked(c *chunk) (rowSet, error) {
	if !w.m.OnlyMarked {
		return nil, nil
	}
	out := newRows(c.info.Rows, false)
	for i, names := range w.plan.matchers {
		if !names.has(c.info.Name) {
			continue
		}
		fit, err := w.m.Matchers[i].Filter.rows(c)
		if fit == nil || err != nil {
			return nil, err
		}
		for k := range out {
			out[k] |= fit[k]
		}
	}
	return out, nil
}

// asked leaves out the rows of people who are not considered, and those of nobody, or of no group; nil stands for all.
func (w *measurer) asked(c *chunk, rows rowSet) (rowSet, error) {
	if w.m.Only == nil && w.m.Groups == nil {
		return rows, nil
	}
	persons, err := c.people()
	if err != nil {
		return nil, err
	}
	if rows == nil {
		rows = newRows(c.info.Rows, true)
	}
	last, asked := uint32(0), false
	for i, no := range persons {
		if no != last {
			last, asked = no, no != 0 && (w.m.Groups != nil || w.m.Only.Has(no))
		}
		if !asked {
			rows[i>>6] &^= 1 << (i & 63)
		}
	}
	return rows, nil
}

// bucketRows says in which bucket each time is. Times out of the bounds, whose rows are not considered, are in the
// nearest.
func bucketRows(dst []uint32, times, bounds []int64) {
	n := len(bounds) - 1
	width := bounds[1] - bounds[0]
	even := true
	for i := range n {
		even = even && bounds[i+1]-bounds[i] == width
	}
	switch {
	case n == 2:
		for i, ts := range times {
			dst[i] = 0
			if ts >= bounds[1] {
				dst[i] = 1
			}
		}
	case even:
		for i, ts := range times {
			dst[i] = uint32(min(max(ts-bounds[0], 0)/width, int64(n-1)))
		}
	default:
		for i, ts := range times {
			lo, hi := 0, n-1
			for lo < hi {
				if mid := (lo + hi) / 2; ts < bounds[mid+1] {
					hi = mid
				} else {
					lo = mid + 1
				}
			}
			dst[i] = uint32(lo)
		}
	}
}

// combine makes slots of groups and buckets.
func (t *tally) combine(codes []uint32) {
	t.memory = sizedTo(t.memory, len(t.inRow))
	t.slots = t.memory
	n := uint64(t.buckets)
	if len(t.groups)*t.buckets <= maxSlots {
		copy(t.slots, t.inRow)
		for i, code := range codes {
			t.slots[i] += code * uint32(n)
		}
		return
	}
	t.sparse = []uint64{}
	slots := make(map[uint64]uint32)
	for i, b := range t.inRow {
		at := uint64(b)
		if codes != nil {
			at += uint64(codes[i]) * n
		}
		slot, ok := slots[at]
		if !ok {
			slot = uint32(len(t.sparse))
			slots[at] = slot
			t.sparse = append(t.sparse, at)
		}
		t.slots[i] = slot
	}
}

// countRows counts the considered rows of each slot.
func (t *tally) countRows(rows int) {
	t.counts = cleared(t.counts, t.size())
	switch {
	case t.same && t.all:
		t.counts[0] = int64(rows)
	case t.same:
		t.counts[0] = int64(len(t.selected))
	case t.all:
		for _, slot := range t.slots {
			t.counts[slot]++
		}
	default:
		for _, row := range t.selected {
			t.counts[t.slots[row]]++
		}
	}
}

func cleared(s []int64, n int) []int64 {
	if cap(s) < n {
		return make([]int64, n)
	}
	s = s[:n]
	clear(s)
	return s
}

func (w *measurer) addEvents(c *chunk) error {
	t := &w.cells
	t.countRows(c.info.Rows)
	for slot, n := range t.counts {
		if n == 0 {
			continue
		}
		code, bucket := t.cell(slot)
		g, err := w.group(code)
		if err != nil {
			return err
		}
		g.Buckets[bucket].Count += n
	}
	return nil
}

// addPeople adds the people of a chunk to the sets of their groups and buckets.
func (w *measurer) addPeople(c *chunk) error {
	persons, err := c.people()
	if err != nil {
		return err
	}
	t := &w.cells
	sets := make([]*personSet, t.size())
	base, span := uint32(w.people.lo), w.span()
	n := len(persons)
	if !t.all {
		n = len(t.selected)
	}
	if t.same && t.all {
		if set := w.onlySet(); set != nil {
			set.addAll(persons, base, span)
			return nil
		}
	}
	lastPerson, lastSlot := uint32(0), uint32(math.MaxUint32)
	for i := range n {
		row := i
		if !t.all {
			row = int(t.selected[i])
		}
		no, slot := persons[row], uint32(0)
		if !t.same {
			slot = t.slots[row]
		}
		if no == lastPerson && slot == lastSlot || uint64(no)-uint64(base) >= span { // wraps around below base
			continue
		}
		lastPerson, lastSlot = no, slot
		set := sets[slot]
		if set == nil {
			if set, err = w.set(int(slot)); err != nil {
				return err
			}
			sets[slot] = set
		}
		if set.bits != nil {
			at := no - base
			set.bits[at>>6] |= 1 << (at & 63)
		} else if grown := set.add(no, base, span); grown != 0 {
			if err := w.charge(grown); err != nil {
				return err
			}
		}
	}
	return nil
}

// onlySet returns the set of the first slot, if it is one of bits.
func (w *measurer) onlySet() *personSet {
	code, bucket := w.cells.cell(0)
	if set := w.sets[uint64(code)<<32|uint64(bucket)]; set != nil && set.bits != nil {
		return set
	}
	return nil
}

// set returns the set of a slot's group and bucket.
func (w *measurer) set(slot int) (*personSet, error) {
	code, bucket := w.cells.cell(slot)
	if _, err := w.group(code); err != nil {
		return nil, err
	}
	key := uint64(code)<<32 | uint64(bucket)
	set := w.sets[key]
	if set == nil {
		set = &personSet{}
		w.sets[key] = set
		return set, w.charge(setBytes)
	}
	return set, nil
}

const setBytes = 80
