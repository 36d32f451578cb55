package scan

import (
	"math"
	"strconv"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

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
	local  []uint32
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

// breakdown sets the groups of a chunk, and returns that of each row; nil when there is one.
func (w *measurer) breakdown(c *chunk) ([]uint32, error) {
	t, by := &w.cells, w.m.By
	t.groups = t.groups[:0]
	switch {
	case by == nil:
		t.groups = append(t.groups, 0)
		return nil, nil
	case by.ByName:
		t.groups = by.codesOf([]parts.Value{{Kind: parts.String, Text: c.info.Name}}, t.groups)
		return nil, nil
	}
	if k := c.header.Prop(by.Prop); k < 0 || len(c.data[k]) == 0 {
		t.groups = append(t.groups, 0)
		return nil, nil
	}
	p, err := c.prop(by.Prop)
	if err != nil {
		return nil, err
	}
	var codes []uint32
	codes, t.groups = by.local(p, t.local, t.groups)
	if p.Numbers != nil {
		t.local = codes
	}
	return codes, nil
}

// bucketRows says in which bucket each time is. Times out of the bounds, whose rows are not considered, are in the nearest.
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

// addNumbers adds the numbers of a chunk to the cells.
func (w *measurer) addNumbers(c *chunk) error {
	p, err := c.prop(w.m.Prop)
	if err != nil {
		return err
	}
	n := numbersOf(p)
	if n == nil {
		return nil
	}
	t := &w.cells
	if n.wide || w.m.Statistic == Distribution || !sumFits(n.most, c.info.Rows) {
		return w.addEach(c, n)
	}
	size := t.size()
	t.counts, t.sums, t.lows, t.highs = cleared(t.counts, size), cleared(t.sums, size), cleared(t.lows, size), cleared(t.highs, size)
	for i := range size {
		t.lows[i], t.highs[i] = math.MaxInt64, math.MinInt64
	}
	if t.all && !t.same && n.is == nil && p.Has == nil {
		t.addAll(n.mantissas)
	} else {
		t.each(c.info.Rows, func(row int, slot uint32) {
			if m, ok := n.at(row); ok {
				t.counts[slot]++
				t.sums[slot] += m
				t.lows[slot], t.highs[slot] = min(t.lows[slot], m), max(t.highs[slot], m)
			}
		})
	}
	for slot, count := range t.counts {
		if count == 0 {
			continue
		}
		code, bucket := t.cell(slot)
		g, err := w.group(code)
		if err != nil {
			return err
		}
		d := func(m int64) Decimal { return Decimal{mantissa: m, scale: n.scale} }
		g.Buckets[bucket].join(&Cell{Count: count, Sum: d(t.sums[slot]), Min: d(t.lows[slot]), Max: d(t.highs[slot])})
	}
	return nil
}

// addAll adds the numbers of all rows, where each has one.
func (t *tally) addAll(mantissas []int64) {
	slots, counts, sums, lows, highs := t.slots[:len(mantissas)], t.counts, t.sums, t.lows, t.highs
	for row, m := range mantissas {
		slot := slots[row]
		counts[slot]++
		sums[slot] += m
		lows[slot], highs[slot] = min(lows[slot], m), max(highs[slot], m)
	}
}

// each calls f for every considered row.
func (t *tally) each(rows int, f func(row int, slot uint32)) {
	n := rows
	if !t.all {
		n = len(t.selected)
	}
	for i := range n {
		row, slot := i, uint32(0)
		if !t.all {
			row = int(t.selected[i])
		}
		if !t.same {
			slot = t.slots[row]
		}
		f(row, slot)
	}
}

// addEach adds numbers one by one: those that are too large to be added up first, and those that are kept.
func (w *measurer) addEach(c *chunk, n *numbers) error {
	t := &w.cells
	var err error
	t.each(c.info.Rows, func(row int, slot uint32) {
		d, ok := n.decimal(row)
		if !ok || err != nil {
			return
		}
		code, bucket := t.cell(int(slot))
		var g *Group
		if g, err = w.group(code); err != nil {
			return
		}
		cell := &g.Buckets[bucket]
		if w.m.Statistic == Distribution {
			cell.Count++
			err = w.charge(cell.sample.add(n.float(row)))
			return
		}
		cell.join(&Cell{Count: 1, Sum: d, Min: d, Max: d})
	})
	return err
}

// numbers is a prop of a chunk as numbers.
type numbers struct {
	prop      *parts.Prop
	mantissas []int64 // by code, or by row
	is        []bool  // by code; nil: see prop.Has
	scale     int
	most      uint64 // the largest absolute mantissa
	wide      bool   // some number has too many digits for a mantissa
	decimals  []Decimal
}

// numbersOf returns nil when no row has a number.
func numbersOf(p *parts.Prop) *numbers {
	n := &numbers{prop: p}
	if p.Numbers != nil {
		n.mantissas, n.scale = p.Numbers, p.Scale
		lo, hi := int64(0), int64(0)
		for _, m := range p.Numbers {
			lo, hi = min(lo, m), max(hi, m)
		}
		n.most = max(uint64(-lo), uint64(hi))
		return n
	}
	n.is = make([]bool, len(p.Values))
	n.decimals, n.mantissas = make([]Decimal, len(p.Values)), make([]int64, len(p.Values))
	any := false
	for i, v := range p.Values {
		if v.Kind != parts.Number {
			continue
		}
		if n.decimals[i], n.is[i] = decimalOf(v.Text); n.is[i] {
			any = true
			n.scale = max(n.scale, n.decimals[i].scale)
		}
	}
	if !any {
		return nil
	}
	for i, d := range n.decimals {
		if !n.is[i] {
			continue
		}
		m := scaled(d.big(), n.scale-d.scale)
		if !m.IsInt64() || m.BitLen() > 62 {
			n.wide = true
			break
		}
		n.mantissas[i] = m.Int64()
		n.most = max(n.most, uint64(max(n.mantissas[i], -n.mantissas[i])))
	}
	return n
}

// at returns the mantissa of a row's number.
func (n *numbers) at(row int) (int64, bool) {
	if n.is != nil {
		code := n.prop.Codes[row]
		return n.mantissas[code], n.is[code]
	}
	return n.mantissas[row], n.prop.Has == nil || n.prop.Has[row] == parts.Number
}

func (n *numbers) decimal(row int) (Decimal, bool) {
	if n.is != nil {
		code := n.prop.Codes[row]
		return n.decimals[code], n.is[code]
	}
	m, ok := n.at(row)
	return Decimal{mantissa: m, scale: n.scale}, ok
}

// float returns a row's number as the nearest double, which PostgreSQL makes of a numeric.
func (n *numbers) float(row int) float64 {
	if n.is == nil {
		if m := n.mantissas[row]; max(m, -m) <= 1<<53 {
			return float64(m) / float64(pow10[n.scale]) // both are exact, so that this is the nearest
		}
	}
	d, _ := n.decimal(row)
	x, _ := strconv.ParseFloat(d.String(), 64)
	if math.Abs(x) < 1e-307 {
		return 0
	}
	return x
}

// pow10 are the powers of ten that a scale may have, all of them exact.
var pow10 = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()
