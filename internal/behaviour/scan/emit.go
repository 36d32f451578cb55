package scan

import (
	"cmp"
	"context"
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour"
)

// stepRows is about how many rows are put in order at once: so many that their entries stay in a core's cache.
const stepRows = 16384

// stepPeople is how many numbers are looked at at once, where few of them have rows.
const stepPeople = 1 << 17

// emit puts the people of a range together, some numbers at a time, and hands them on: those before the number that it returns.
func (g *gatherer) emit(ctx context.Context, r people) (uint64, error) {
	rows := len(g.strays)
	for i := range g.blocks {
		rows += g.blocks[i].own
	}
	if rows == 0 {
		return r.hi, nil
	}
	step := min(max((uint64(g.last)-r.lo+1)*stepRows/uint64(rows), 1), stepPeople)
	pos, next := make([]int, len(g.blocks)), make([]int, len(g.blocks))
	strays := g.strays
	for lo := r.lo; lo <= uint64(g.last); lo += step {
		if err := ctx.Err(); err != nil {
			return lo, err
		}
		hi := min(lo+step, uint64(g.last)+1)
		mine := 0
		for mine < len(strays) && uint64(strays[mine].person) < hi {
			mine++
		}
		if err := g.scatter(uint32(lo), uint32(hi-1), pos, next, strays[:mine]); err != nil {
			return lo, err
		}
		pos, next, strays = next, pos, strays[mine:]
		start := uint32(0)
		for i, end := range g.counts {
			if end > start {
				if err := g.hand(uint32(lo)+uint32(i), g.entries[start:end]); err != nil {
					return r.hi, err
				}
			}
			start = end
		}
	}
	return r.hi, nil
}

// scatter sorts the rows of the people from lo to last by person: those of person lo + i end at counts[i] in entries.
// pos is where the blocks stand, next where they stand afterwards.
func (g *gatherer) scatter(lo, last uint32, pos, next []int, strays []stray) error {
	n := int(last-lo) + 1
	g.counts = sizedTo(g.counts, n)
	clear(g.counts)
	counts := g.counts
	for k := range g.blocks {
		b := &g.blocks[k]
		i := pos[k]
		persons := b.persons[i:b.own]
		for _, no := range persons {
			if no > last {
				break
			}
			counts[no-lo]++
			i++
		}
		next[k] = i
	}
	for _, s := range strays {
		counts[s.person-lo]++
	}
	total, most := uint32(0), uint32(0)
	for i, c := range counts {
		counts[i] = total
		total, most = total+c, max(most, c)
	}
	size := cap(g.entries)
	if int(total) > size {
		size = int(total + total/4)
	}
	more := int64(size-cap(g.entries)) * entryBytes
	rows := max(0, int64(most+most/4)-int64(cap(g.person.Rows))) * g.plan.personBytes() // which hand will take
	if g.used+more+rows > g.limit {
		return ErrTooLarge
	}
	if more > 0 {
		g.used += more
		g.entries = make([]entry, size)
	}
	g.entries = g.entries[:total]
	for k := range g.blocks {
		b := &g.blocks[k]
		from, to := pos[k], next[k]
		persons, times := b.persons[from:to], b.times[from:to]
		for i, no := range persons {
			at := counts[no-lo]
			counts[no-lo] = at + 1
			g.entries[at] = entry{times[i], uint32(k), uint32(from + i)}
		}
	}
	for _, s := range strays {
		at := counts[s.person-lo]
		counts[s.person-lo] = at + 1
		g.entries[at] = entry{g.blocks[s.block].times[s.row], s.block, s.row}
	}
	return nil
}

// hand puts a person's rows in order and hands him on.
func (g *gatherer) hand(no uint32, entries []entry) error {
	g.sort(entries)
	if cap(g.person.Rows) < len(entries) {
		size := len(entries) + len(entries)/4
		if err := g.charge(int64(size-cap(g.person.Rows)) * g.plan.personBytes()); err != nil {
			return err
		}
		g.person.Rows = make([]behaviour.Row, 0, size)
	}
	rows := g.person.Rows[:0]
	session := uint32(0)
	g.cut.Reset()
	for i := range entries {
		e := &entries[i]
		b := &g.blocks[e.block]
		if b.crowded && i > 0 && g.same(&entries[i-1], e) {
			continue
		}
		if g.plan.Sessions {
			session = g.cut.Add(e.ts, b.session(e.row))
		}
		if b.hidden != nil && b.hidden.has(int(e.row)) {
			continue
		}
		rows = rows[:len(rows)+1]
		r := &rows[len(rows)-1]
		r.TS, r.Marks, r.Session, r.Values = e.ts, b.mark, session, b.value
		if b.marks != nil {
			r.Marks = b.marks[e.row]
		}
		for v := range g.plan.Values {
			if b.values[v] != nil {
				r.Values[v] = b.values[v][e.row]
			}
		}
	}
	for v, d := range g.plan.Values {
		if code := d.Of(no); code != 0 {
			for i := range rows {
				rows[i].Values[v] = code
			}
		}
	}
	g.person.No, g.person.Rows, g.person.Sessions = no, rows, g.cut.Sessions
	if len(rows) == 0 {
		return nil
	}
	return g.yield(&g.person)
}

// sort puts entries in the order. They come day by day, so that most people's need little of it.
func (g *gatherer) sort(entries []entry) {
	if len(entries) > 64 {
		slices.SortFunc(entries, func(x, y entry) int { return g.order(&x, &y) })
		return
	}
	for i := 1; i < len(entries); i++ {
		e := entries[i]
		k := i
		for k > 0 && (entries[k-1].ts > e.ts || entries[k-1].ts == e.ts && g.order(&entries[k-1], &e) > 0) {
			entries[k] = entries[k-1]
			k--
		}
		entries[k] = e
	}
}

// order compares by (ts, received_at, id).
func (g *gatherer) order(x, y *entry) int {
	if x.ts != y.ts {
		return cmp.Compare(x.ts, y.ts)
	}
	a, b := &g.blocks[x.block], &g.blocks[y.block]
	if a.received != nil && b.received != nil {
		return cmp.Or(cmp.Compare(a.received[x.row], b.received[y.row]), cmp.Compare(a.ties[x.row], b.ties[y.row]),
			cmp.Compare(a.name, b.name))
	}
	return cmp.Compare(a.rank(x.row), b.rank(y.row))
}

func (b *block) rank(row uint32) uint32 {
	if at, ok := slices.BinarySearch(b.ranked, row); ok {
		return b.ranks[at]
	}
	return 0
}

// same says whether two entries, neighbours in the order, are one event that two parts have.
func (g *gatherer) same(x, y *entry) bool {
	a, b := &g.blocks[x.block], &g.blocks[y.block]
	return x.ts == y.ts && a.crowded && a.ties[x.row] == b.ties[y.row] && a.name == b.name
}

func (b *block) session(row uint32) uint32 {
	if b.sessions == nil {
		return 0
	}
	return b.sessions[row]
}
