package scan

import (
	"math"
	"strconv"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

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
	t.counts, t.sums, t.lows, t.highs = cleared(
		t.counts, size,
	), cleared(t.sums, size), cleared(t.lows, size), cleared(t.highs, size)
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
		g.Buckets[bucket].Join(&Cell{Count: count, Sum: d(t.sums[slot]), Min: d(t.lows[slot]), Max: d(t.highs[slot])})
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
		cell.Join(&Cell{Count: 1, Sum: d, Min: d, Max: d})
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
	return normal(x)
}

// normal is 0 for what is nearly 0: PostgreSQL has no double for it.
func normal(x float64) float64 {
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
