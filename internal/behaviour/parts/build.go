package parts

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// The caps of a part. What is beyond them is no column, and questions about it read the events.
const (
	// MaxProps is how many props of a name are columns: the most used ones.
	MaxProps = 200
	// maxColumns is how many props of all names are: each is a row of its own in the database.
	maxColumns = 1000
	// maxValue is how long a value may be, in bytes.
	maxValue = 1024
	// maxDepth is how deep lists and objects may be in each other.
	maxDepth = 4
	// maxDictionary is how many bytes of values a chunk may have for each of its rows: more is a prop of which every event
	// has a value of its own. smallDictionary is allowed in any case.
	maxDictionary   = 16
	smallDictionary = 4096
)

// Event is an event as a part takes it.
type Event struct {
	ID       uuid.UUID
	Person   uint32 // 0: nobody's
	TS       int64  // microseconds since 1970
	Received int64  // microseconds since 1970
	Name     string
	Props    []byte // the text of a jsonb object
}

// Tie returns the bits of an event id that follow its time, as they order.
func Tie(id uuid.UUID) uint64 {
	// 12 bits beside the version, then the first 52 of the 62 beside the variant.
	return uint64(binary.BigEndian.Uint16(id[6:])&0xfff)<<52 | binary.BigEndian.Uint64(id[8:])&(1<<62-1)>>10
}

// Builder collects the rows of a part. Its memory is used again after Encode.
type Builder struct {
	rows  []row
	names dictionary[string]
	props map[string]*column
	list  []*column
}

type row struct {
	ts       int64
	received int64
	tie      uint64
	person   uint32
	name     uint32
	at       uint32 // place in the columns of props
}

// column is a prop while it is collected: a code for each row so far, 0 where it is absent.
type column struct {
	name   string
	values dictionary[Value]
	raw    map[string]uint32 // codes by the value's text as it came, which saves reading it again
	codes  []uint32
	left   uint32 // the code of values that are too long or too deep to be kept; 0 while there is none
}

// dictionary numbers distinct values in the order in which they come.
type dictionary[T comparable] struct {
	codes map[T]uint32
	list  []T
}

func (d *dictionary[T]) code(v T) uint32 {
	code, ok := d.codes[v]
	if !ok {
		if d.codes == nil {
			d.codes = make(map[T]uint32)
		}
		code = uint32(len(d.list))
		d.codes[v] = code
		d.list = append(d.list, v)
	}
	return code
}

// Rows is how many rows were added since the last Encode.
func (b *Builder) Rows() int { return len(b.rows) }

// Bytes is about how much memory the rows take.
func (b *Builder) Bytes() int {
	n := cap(b.rows) * 40
	for _, c := range b.list {
		n += cap(c.codes)*4 + len(c.values.list)*100
	}
	return n
}

// Add adds an event.
func (b *Builder) Add(e *Event) error {
	at := len(b.rows)
	b.rows = append(b.rows, row{
		ts: e.TS, received: e.Received, tie: Tie(e.ID), person: e.Person, name: b.names.code(e.Name), at: uint32(at),
	})
	err := eachMember(e.Props, func(key, value []byte) error {
		c, err := b.member(key)
		if err != nil {
			return err
		}
		return c.add(at, value)
	})
	if err != nil {
		return fmt.Errorf("event %s: %w", e.ID, err)
	}
	return nil
}

// member returns the column of a key as it stands in the JSON.
func (b *Builder) member(key []byte) (*column, error) {
	if c, ok := b.props[string(key)]; ok && !strings.Contains(c.name, `\`) {
		return c, nil
	}
	name, err := unquote(key)
	if err != nil {
		return nil, err
	}
	return b.prop(name), nil
}

func (b *Builder) prop(name string) *column {
	c, ok := b.props[name]
	if !ok {
		if b.props == nil {
			b.props = make(map[string]*column)
		}
		c = &column{name: name, raw: make(map[string]uint32)}
		c.values.code(Value{})
		b.props[name] = c
		b.list = append(b.list, c)
	}
	return c
}

func (c *column) add(at int, text []byte) error {
	code, ok := c.raw[string(text)]
	if !ok {
		if len(text) > maxValue || tooDeep(text) {
			code = c.leave()
		} else {
			v, err := ParseValue(text)
			if err != nil {
				return err
			}
			code = c.values.code(v)
			c.raw[string(text)] = code
		}
	}
	c.set(at, code)
	return nil
}

// leave returns the code of values that are not kept.
func (c *column) leave() uint32 {
	if c.left == 0 {
		c.left = c.values.code(Value{Kind: leftKind})
	}
	return c.left
}

// leftKind is no kind of JSON: it stands for a value that is not kept.
const leftKind Kind = 255

func (c *column) set(at int, code uint32) {
	for len(c.codes) < at {
		c.codes = append(c.codes, 0)
	}
	c.codes = append(c.codes[:at], code)
}

func (c *column) at(at uint32) uint32 {
	if int(at) < len(c.codes) {
		return c.codes[at]
	}
	return 0
}

func tooDeep(text []byte) bool {
	if text[0] != '{' && text[0] != '[' {
		return false
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			if i = endOfString(text, i) - 1; i < 0 {
				return true
			}
		case '{', '[':
			if depth++; depth > maxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// Part is a part as it is stored.
type Part struct {
	Header  *Header
	Columns [][]byte // by column; that of a prop which is kept of no chunk is empty
}

// Size is how many bytes the columns take.
func (p *Part) Size() int {
	n := 0
	for _, c := range p.Columns {
		n += len(c)
	}
	return n
}

// Chunk returns what the part has of a chunk of a column.
func (p *Part) Chunk(chunk, column int) []byte {
	e := &p.Header.Chunks[chunk].Columns[column]
	return p.Columns[column][e.Offset : e.Offset+e.Length]
}

// Check reads everything that the part has.
//
// Errors: ErrDamaged.
func (p *Part) Check() error {
	var b Builder
	for i := range p.Header.Chunks {
		err := b.AddChunk(p.Header, i, func(column int) ([]byte, error) { return p.Chunk(i, column), nil })
		if err != nil {
			return err
		}
		if _, err := p.Header.Chunks[i].DecodeRanks(nil, p.Chunk(i, ColRank)); err != nil {
			return err
		}
		b.reset()
	}
	return nil
}

// Encode returns the rows that were added as a part, duplicates left out, and empties the builder. Without rows there
// is none: it returns nil.
func (b *Builder) Encode() *Part {
	if len(b.rows) == 0 {
		return nil
	}
	b.order()
	e := encoder{builder: b, ranks: b.ranks()}
	e.header = &Header{Rows: len(b.rows), MinTS: b.rows[0].ts, MaxTS: b.rows[0].ts, MaxReceived: b.rows[0].received}
	for i := range b.rows {
		r := &b.rows[i]
		e.header.MinTS, e.header.MaxTS = min(e.header.MinTS, r.ts), max(e.header.MaxTS, r.ts)
		e.header.MaxReceived = max(e.header.MaxReceived, r.received)
	}
	kept := b.keptProps()
	for _, c := range kept {
		e.header.Props = append(e.header.Props, c.name)
	}
	e.columns = make([][]byte, FirstProp+len(kept))
	for start := 0; start < len(b.rows); {
		end := start + 1
		for end < len(b.rows) && b.rows[end].name == b.rows[start].name {
			end++
		}
		e.name(start, end, kept)
		start = end
	}
	part := &Part{Header: e.header, Columns: e.columns}
	b.reset()
	return part
}

func (b *Builder) reset() {
	*b = Builder{rows: b.rows[:0]}
}

// order sorts the rows as the part has them and removes duplicates.
func (b *Builder) order() {
	byName := make([]uint32, len(b.names.list)) // place of each name among the sorted
	sorted := slices.Clone(b.names.list)
	slices.Sort(sorted)
	for i, name := range sorted {
		byName[b.names.codes[name]] = uint32(i)
	}
	for i := range b.rows {
		b.rows[i].name = byName[b.rows[i].name]
	}
	b.names.list = sorted
	slices.SortFunc(b.rows, func(x, y row) int {
		if x.name != y.name {
			return cmp.Compare(x.name, y.name)
		}
		if x.person != y.person {
			return cmp.Compare(x.person, y.person)
		}
		if x.ts != y.ts {
			return cmp.Compare(x.ts, y.ts)
		}
		return cmp.Or(cmp.Compare(x.tie, y.tie), cmp.Compare(x.received, y.received))
	})
	b.rows = slices.CompactFunc(b.rows, func(x, y row) bool { return sameMoment(&x, &y) && x.tie == y.tie })
	for start := 0; start < len(b.rows); {
		end := start + 1
		for end < len(b.rows) && sameMoment(&b.rows[start], &b.rows[end]) {
			end++
		}
		if end-start > 1 {
			slices.SortFunc(b.rows[start:end], func(x, y row) int {
				return cmp.Or(cmp.Compare(x.received, y.received), cmp.Compare(x.tie, y.tie))
			})
		}
		start = end
	}
}

func sameMoment(x, y *row) bool { return x.ts == y.ts && x.person == y.person && x.name == y.name }

// ranks returns the place of each row among those of the same ts. It is over all people, because links and merges make
// two of them one after the part was written.
func (b *Builder) ranks() []uint32 {
	type key struct {
		ts  int64
		row uint32
	}
	keys := make([]key, len(b.rows))
	for i := range b.rows {
		keys[i] = key{b.rows[i].ts, uint32(i)}
	}
	slices.SortFunc(keys, func(x, y key) int {
		if x.ts != y.ts {
			return cmp.Compare(x.ts, y.ts)
		}
		r, s := &b.rows[x.row], &b.rows[y.row]
		return cmp.Or(cmp.Compare(r.received, s.received), cmp.Compare(r.tie, s.tie), cmp.Compare(x.row, y.row))
	})
	ranks := make([]uint32, len(keys))
	for i := 1; i < len(keys); i++ {
		if keys[i].ts == keys[i-1].ts {
			ranks[keys[i].row] = ranks[keys[i-1].row] + 1
		}
	}
	return ranks
}

// keptProps returns the columns that become columns of the part, in order of their names: the most used ones when there
// are too many.
func (b *Builder) keptProps() []*column {
	kept := slices.Clone(b.list)
	if len(kept) > maxColumns {
		uses := make(map[*column]int, len(kept))
		for _, c := range kept {
			for _, code := range c.codes {
				if code != 0 {
					uses[c]++
				}
			}
		}
		slices.SortFunc(kept, func(x, y *column) int {
			return cmp.Or(cmp.Compare(uses[y], uses[x]), strings.Compare(x.name, y.name))
		})
		// The others are left out, and the header has to say that they are: they keep a place in it.
	}
	for i, c := range kept {
		if i >= maxColumns {
			c.dropAll()
		}
	}
	slices.SortFunc(kept, func(x, y *column) int { return strings.Compare(x.name, y.name) })
	return kept
}

// dropAll makes every value of a column one that is not kept.
func (c *column) dropAll() {
	left := c.leave()
	for i, code := range c.codes {
		if code != 0 {
			c.codes[i] = left
		}
	}
}
