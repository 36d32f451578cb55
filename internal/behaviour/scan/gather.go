package scan

import (
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// load keeps the rows of a chunk that belong to people of the range.
func (g *gatherer) load(c *chunk, r people) error {
	persons, err := c.allPersons()
	if err != nil {
		return err
	}
	kept, err := g.keep(c)
	if err != nil || kept.none {
		return err
	}
	if g.plan.Groups == nil {
		g.choose(persons, kept.rows, r)
	} else {
		if persons, err = c.people(); err != nil {
			return err
		}
		g.chooseGroups(persons, kept.rows, r)
	}
	if len(g.selected)+len(g.moved) == 0 {
		return nil
	}
	b := block{crowded: g.plan.crowded[dayOf(c.info.MinTS)], name: c.info.Name, own: len(g.selected), mark: kept.mark}
	for _, row := range g.moved {
		g.strays = append(g.strays, stray{person: persons[row], block: uint32(len(g.blocks)), row: uint32(len(g.selected))})
		g.selected = append(g.selected, row)
	}
	b.persons = gather(g, persons)
	times, err := c.allTimes()
	if err != nil {
		return err
	}
	b.times = gather(g, times)
	if kept.marks != nil {
		b.marks = gather(g, kept.marks)
	}
	if kept.hidden != nil {
		b.hidden = newRows(len(g.selected), false)
		for i, row := range g.selected {
			if kept.hidden.has(int(row)) {
				b.hidden[i>>6] |= 1 << (i & 63)
			}
		}
	}
	if err := g.loadOrder(c, &b); err != nil {
		return err
	}
	if err := g.loadValues(c, &b); err != nil {
		return err
	}
	if b.own > 0 {
		g.last = max(g.last, b.persons[b.own-1])
	}
	g.blocks = append(g.blocks, b)
	return g.charge(b.bytes() + int64(len(g.moved))*strayBytes)
}

func (g *gatherer) charge(n int64) error {
	if g.used += n; g.used > g.limit {
		return ErrTooLarge
	}
	return nil
}

func (b *block) bytes() int64 {
	n := 4*(cap(b.persons)+cap(b.sessions)) +
		8*(cap(b.times)+cap(b.ranks)+cap(b.received)+cap(b.ties)+cap(b.marks)+cap(b.hidden))
	for _, v := range b.values {
		n += 4 * cap(v)
	}
	return int64(n)
}

// keeps is what is kept of a chunk.
type keeps struct {
	none   bool
	rows   rowSet // nil: all
	mark   uint64
	marks  []uint64
	hidden rowSet
}

// keep evaluates the question's conditions on a chunk.
func (g *gatherer) keep(c *chunk) (keeps, error) {
	var k keeps
	p := g.plan
	considered, err := c.considered()
	if err != nil {
		return k, err
	}
	if !p.considers(c.info.Name) { // for the sessions
		k.rows, k.hidden = considered, newRows(c.info.Rows, true)
		return k, nil
	}
	shown, err := p.Filter.rows(c)
	if err != nil {
		return k, err
	}
	filtered := false
	for i, names := range p.matchers {
		if !names.has(c.info.Name) {
			continue
		}
		if p.Matchers[i].Filter == nil {
			k.mark |= 1 << i
			continue
		}
		rows, err := p.Matchers[i].Filter.rows(c)
		if err != nil {
			return k, err
		}
		if !filtered {
			k.marks, filtered = make([]uint64, c.info.Rows), true
		}
		for row := range k.marks {
			k.marks[row] |= rows[row>>6] >> (row & 63) & 1 << i
		}
	}
	for row := range k.marks {
		k.marks[row] |= k.mark
	}
	if p.OnlyMarked && k.mark == 0 {
		marked := newRows(c.info.Rows, false)
		for row, m := range k.marks {
			if m != 0 {
				marked[row>>6] |= 1 << (row & 63)
			}
		}
		shown = both(shown, marked)
	}
	if !p.Sessions {
		k.rows = both(considered, shown)
		return k, nil
	}
	k.rows = considered
	if shown != nil {
		k.hidden = newRows(c.info.Rows, true)
		for i := range k.hidden {
			k.hidden[i] &^= shown[i]
		}
	}
	return k, nil
}

// choose puts the rows of people in the range into selected, and those that may be theirs by a link or a merge into
// moved.
func (g *gatherer) choose(persons []uint32, kept rowSet, r people) {
	g.selected, g.moved, g.adjacent = g.selected[:0], g.moved[:0], false
	id := g.plan.identity
	if len(g.plan.moved) == 0 {
		lo, _ := slices.BinarySearchFunc(persons, r.lo, func(no uint32, lo uint64) int { return compare(uint64(no), lo) })
		hi, _ := slices.BinarySearchFunc(persons, r.hi, func(no uint32, hi uint64) int { return compare(uint64(no), hi) })
		g.selected = sizedTo(g.selected, hi-lo)
		if kept == nil {
			for i := range g.selected {
				g.selected[i] = uint32(lo + i)
			}
			g.adjacent = g.plan.Only == nil
		} else {
			n := 0
			for row := lo; row < hi; row++ {
				g.selected[n] = uint32(row)
				n += int(kept[row>>6] >> (row & 63) & 1)
			}
			g.selected = g.selected[:n]
		}
		g.onlyAsked(persons)
		return
	}
	for row, no := range persons {
		if kept != nil && !kept.has(row) {
			continue
		}
		to := id.Canonical(no)
		split, splits := id.Splits[no]
		switch {
		case to == no && !splits:
			if r.has(no) && g.plan.asks(no) {
				g.selected = append(g.selected, uint32(row))
			}
		case r.has(to) || splits && r.has(split.To):
			g.moved = append(g.moved, uint32(row))
		}
	}
}

// onlyAsked drops the selected rows of people who are not considered. The rows of a person are neighbours.
func (g *gatherer) onlyAsked(persons []uint32) {
	if g.plan.Only == nil {
		return
	}
	n, last, asked := 0, uint32(0), false
	for _, row := range g.selected {
		if no := persons[row]; no != last {
			last, asked = no, g.plan.Only.Has(no)
		}
		if asked {
			g.selected[n] = row
			n++
		}
	}
	g.selected = g.selected[:n]
}

func compare(x, y uint64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	default:
		return 0
	}
}

func sizedTo(s []uint32, n int) []uint32 {
	if cap(s) < n {
		return make([]uint32, n, max(n, parts.ChunkRows))
	}
	return s[:n]
}

// gather returns the values of the selected rows.
func gather[T any](g *gatherer, of []T) []T {
	out := make([]T, len(g.selected))
	if g.adjacent && len(out) > 0 {
		copy(out, of[g.selected[0]:])
		return out
	}
	for i, row := range g.selected {
		out[i] = of[row]
	}
	return out
}

// loadOrder keeps what orders rows of equal ts.
func (g *gatherer) loadOrder(c *chunk, b *block) error {
	var err error
	if c.data[parts.ColReceived] != nil && c.data[parts.ColTie] != nil {
		if g.received, err = c.info.DecodeReceived(g.received, c.data[parts.ColReceived]); err != nil {
			return err
		}
		if g.ties, err = c.info.DecodeTies(g.ties, c.data[parts.ColTie]); err != nil {
			return err
		}
		b.received, b.ties = gather(g, g.received), gather(g, g.ties)
	}
	if c.data[parts.ColRank] == nil {
		return nil
	}
	if g.ranks, err = c.info.DecodeRanks(g.ranks, c.data[parts.ColRank]); err != nil {
		return err
	}
	for i, row := range g.selected {
		if rank := g.ranks[row]; rank != 0 {
			b.ranked, b.ranks = append(b.ranked, uint32(i)), append(b.ranks, rank)
		}
	}
	return nil
}

// loadValues keeps the codes of the question's values.
func (g *gatherer) loadValues(c *chunk, b *block) error {
	if g.plan.considers(b.name) {
		for i, d := range g.plan.Values {
			same, each, err := g.codesOf(c, d)
			if err != nil {
				return err
			}
			b.value[i] = same
			if each != nil {
				b.values[i] = gather(g, each)
			}
		}
	}
	if g.sessions == nil {
		return nil
	}
	_, each, err := g.codesOf(c, g.sessions)
	if each != nil {
		b.sessions = gather(g, each)
	}
	return err
}

// codesOf returns the codes of a chunk's rows in a dictionary: one for all rows, or one for each.
func (g *gatherer) codesOf(c *chunk, d *Dictionary) (same uint32, each []uint32, err error) {
	if d.ByPerson { // known when the person is put together
		return 0, nil, nil
	}
	if d.ByName {
		g.table = d.codesOf([]parts.Value{{Kind: parts.String, Text: c.info.Name}}, g.table[:0])
		return g.table[0], nil, nil
	}
	if k := c.header.Prop(d.Prop); k < 0 || len(c.data[k]) == 0 {
		return 0, nil, nil
	}
	p, err := c.prop(d.Prop)
	if err != nil {
		return 0, nil, err
	}
	g.codes, g.table = d.encode(p, g.codes, g.table)
	return 0, g.codes, nil
}

// resolve gives the rows that are somebody else's to those people, and orders them by person.
func (g *gatherer) resolve(r people) {
	if len(g.strays) == 0 {
		return
	}
	kept := g.strays[:0]
	for _, s := range g.strays {
		b := &g.blocks[s.block]
		to := g.plan.identity.Canonical(s.person)
		if split, ok := g.plan.identity.Splits[s.person]; ok && !split.Before(
			b.times[s.row], b.times[s.row]+b.received[s.row], b.ties[s.row],
		) {
			to = split.To
		}
		if s.person = to; r.has(to) && g.plan.asks(to) {
			kept = append(kept, s)
			g.last = max(g.last, to)
		}
	}
	g.strays = kept
	slices.SortStableFunc(g.strays, func(x, y stray) int { return compare(uint64(x.person), uint64(y.person)) })
}
