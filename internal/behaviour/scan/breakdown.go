package scan

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"sync"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// MaxCombined is of how many values at most a breakdown has a group for each combination.
const MaxCombined = 3

// Rest is the code of all groups of a breakdown that are not shown. No dictionary gives it to a value.
const Rest uint32 = 1

// Key is the codes of a group's values in the dictionaries of its breakdown.
type Key [MaxCombined]uint32

// Breakdown gives groups codes: the values of one dictionary, or the combinations of those of several, at most MaxCombined.
// It is safe for concurrent use; Show is to be called between scans.
type Breakdown struct {
	By []*Dictionary

	mu    sync.Mutex
	codes map[Key]uint32
	keys  []Key
	shown map[uint32]bool // nil: all
}

// Show makes all groups but some one group, Rest.
func (b *Breakdown) Show(codes []uint32) {
	b.shown = make(map[uint32]bool, len(codes))
	for _, code := range codes {
		b.shown[code] = true
	}
}

// Code returns the code of a group, giving it one when it has none.
func (b *Breakdown) Code(key Key) uint32 {
	code := key[0]
	if len(b.By) > 1 {
		code = b.combined(key)
	}
	if b.shown != nil && !b.shown[code] {
		return Rest
	}
	return code
}

func (b *Breakdown) combined(key Key) uint32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	code, ok := b.codes[key]
	if !ok {
		if b.codes == nil {
			b.codes = make(map[Key]uint32)
		}
		code = Rest + 1 + uint32(len(b.keys))
		b.codes[key] = code
		b.keys = append(b.keys, key)
	}
	return code
}

// Key returns what a code stands for, unless that is Rest.
func (b *Breakdown) Key(code uint32) Key {
	if len(b.By) < 2 {
		return Key{code}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.keys[code-Rest-1]
}

// props appends the props that a breakdown reads.
func (b *Breakdown) props(to []string) []string {
	for _, d := range b.By {
		if d.ofEvents() && !slices.Contains(to, d.Prop) {
			to = append(to, d.Prop)
		}
	}
	return to
}

// byPerson says whether a breakdown has to know who did an event.
func (b *Breakdown) byPerson() bool {
	return b != nil && slices.ContainsFunc(b.By, func(d *Dictionary) bool { return d.ByPerson })
}

// breakdown sets the groups of a chunk, and returns that of each row; nil when there is one.
func (w *measurer) breakdown(c *chunk) ([]uint32, error) {
	t, by := &w.cells, w.m.By
	t.groups = t.groups[:0]
	if by == nil {
		t.groups = append(t.groups, 0)
		return nil, nil
	}
	if t.dims == nil {
		t.dims = make([]dimension, len(by.By))
	}
	for i, d := range by.By {
		if err := t.dims[i].read(c, d); err != nil {
			return nil, err
		}
	}
	if len(t.dims) == 1 {
		for _, code := range t.dims[0].table {
			t.groups = append(t.groups, by.Code(Key{code}))
		}
		return t.dims[0].codes, nil
	}
	codes, keys := t.dims[0].codes, make([]Key, len(t.dims[0].table))
	for i, code := range t.dims[0].table {
		keys[i] = Key{code}
	}
	for at := 1; at < len(t.dims); at++ {
		codes, keys = t.dims[at].join(codes, keys, at)
	}
	for _, key := range keys {
		t.groups = append(t.groups, by.Code(key))
	}
	return codes, nil
}

// dimension is the values of one dictionary in a chunk.
type dimension struct {
	codes  []uint32 // of each row in the table; nil: all have the first
	table  []uint32 // codes of the dictionary
	memory []uint32
	places []uint32 // of codes in the table, from 1
	joined []uint32
	seen   []uint32
}

func (m *dimension) read(c *chunk, d *Dictionary) error {
	m.codes, m.table = nil, m.table[:0]
	if d.ByName {
		m.table = d.codesOf([]parts.Value{{Kind: parts.String, Text: c.info.Name}}, m.table)
		return nil
	}
	if d.ByPerson {
		return m.readPeople(c, d)
	}
	if k := c.header.Prop(d.Prop); k < 0 || len(c.data[k]) == 0 {
		m.table = append(m.table, 0)
		return nil
	}
	p, err := c.prop(d.Prop)
	if err != nil {
		return err
	}
	m.codes, m.table = d.local(p, m.memory, m.table)
	if p.Numbers != nil || d.Edges != nil {
		m.memory = m.codes
	}
	return nil
}

// readPeople gives each row the value of the person who did it. Only those values are in the table that some row has.
func (m *dimension) readPeople(c *chunk, d *Dictionary) error {
	persons, err := c.people()
	if err != nil {
		return err
	}
	m.memory = sizedTo(m.memory, len(persons))
	m.places = sizedTo(m.places, max(d.Len(), 2+len(d.Edges)+1))
	clear(m.places)
	for i, no := range persons {
		code := d.Of(no)
		if m.places[code] == 0 {
			m.table = append(m.table, code)
			m.places[code] = uint32(len(m.table))
		}
		m.memory[i] = m.places[code] - 1
	}
	m.codes = m.memory
	return nil
}

// join makes combinations of those so far with the values of this dimension, which is number at. Only those that some row
// has come to be.
func (m *dimension) join(codes []uint32, keys []Key, at int) ([]uint32, []Key) {
	if m.codes == nil {
		for i := range keys {
			keys[i][at] = m.table[0]
		}
		return codes, keys
	}
	n := len(m.table)
	var sparse map[int]uint32 // in place of seen, where most combinations have no row
	if len(keys)*n > maxSlots {
		sparse = make(map[int]uint32)
	} else {
		m.seen = sizedTo(m.seen, len(keys)*n)
		clear(m.seen)
	}
	m.joined = sizedTo(m.joined, len(m.codes))
	var out []Key
	for i, code := range m.codes {
		before := 0
		if codes != nil {
			before = int(codes[i])
		}
		slot := before*n + int(code)
		var place uint32
		if sparse != nil {
			place = sparse[slot]
		} else {
			place = m.seen[slot]
		}
		if place == 0 {
			key := keys[before]
			key[at] = m.table[code]
			out = append(out, key)
			place = uint32(len(out))
			if sparse != nil {
				sparse[slot] = place
			} else {
				m.seen[slot] = place
			}
		}
		m.joined[i] = place - 1
	}
	return m.joined, out
}

// rangeCode is the code of the numbers below edge i and from the one before on.
func rangeCode(i int) uint32 { return Rest + 1 + uint32(i) }

// Range returns the edges of the range that a code stands for: from the first, below the second. Infinite where there is
// none.
func (d *Dictionary) Range(code uint32) (gte, lt float64) {
	gte, lt = math.Inf(-1), math.Inf(1)
	i := int(code - Rest - 1)
	if i > 0 {
		gte = d.Edges[i-1]
	}
	if i < len(d.Edges) {
		lt = d.Edges[i]
	}
	return gte, lt
}

// CodeOfRange returns the code of the range that begins at an edge, the first when from is not finite.
func (d *Dictionary) CodeOfRange(from float64) (code uint32, ok bool) {
	if math.IsInf(from, -1) {
		return rangeCode(0), true
	}
	i := slices.Index(d.Edges, from)
	return rangeCode(i + 1), i >= 0
}

// decimals are the edges as exact numbers.
func (d *Dictionary) decimals() []Decimal {
	out := make([]Decimal, len(d.Edges))
	for i, edge := range d.Edges {
		out[i], _ = decimalOf(plain(strconv.FormatFloat(edge, 'f', -1, 64)))
	}
	return out
}

// ranges returns the range of each row, and the codes of all ranges behind that of what is no number.
func (d *Dictionary) ranges(p *parts.Prop, memory, table []uint32) (codes, newTable []uint32) {
	table = append(table, 0)
	for i := range len(d.Edges) + 1 {
		table = append(table, rangeCode(i))
	}
	edges := d.decimals()
	if p.Numbers == nil {
		in := make([]uint32, len(p.Values))
		for i, v := range p.Values {
			if n, ok := decimalOf(v.Text); ok && v.Kind == parts.Number {
				in[i] = 1 + uint32(rangeOf(edges, n))
			}
		}
		codes = sizedTo(memory, len(p.Codes))
		for i, code := range p.Codes {
			codes[i] = in[code]
		}
		return codes, table
	}
	from := mantissas(edges, p.Scale)
	codes = sizedTo(memory, len(p.Numbers))
	for i, m := range p.Numbers {
		codes[i] = 0
		if p.Has == nil || p.Has[i] == parts.Number {
			at, exact := slices.BinarySearch(from, m)
			if exact {
				for at++; at < len(from) && from[at] == m; {
					at++
				}
			}
			codes[i] = 1 + uint32(at)
		}
	}
	return codes, table
}

func rangeOf(edges []Decimal, n Decimal) int {
	i := 0
	for i < len(edges) && n.Cmp(edges[i]) >= 0 {
		i++
	}
	return i
}

// mantissas are the smallest ones of a scale that are not below the edges. Two edges may have the same.
func mantissas(edges []Decimal, scale int) []int64 {
	out := make([]int64, len(edges))
	for i := range edges {
		up := new(big.Rat).Mul(edges[i].Rat(), new(big.Rat).SetInt(scaled(big.NewInt(1), scale)))
		n, rest := new(big.Int).DivMod(up.Num(), up.Denom(), new(big.Int))
		if rest.Sign() > 0 {
			n.Add(n, big.NewInt(1))
		}
		switch {
		case n.IsInt64():
			out[i] = n.Int64()
		case n.Sign() < 0:
			out[i] = math.MinInt64
		default:
			out[i] = math.MaxInt64 // no mantissa is that large
		}
	}
	return out
}
