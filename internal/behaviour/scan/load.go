package scan

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// batchBytes is about how much of the columns is read at once.
const batchBytes = 2 << 20

// chunk is a chunk whose columns were read and are decoded when they are asked for. It is valid until the next one is.
type chunk struct {
	ref
	info   *parts.Chunk
	header *parts.Header
	data   [][]byte // by column; nil where it was not asked for

	reader   *reader
	persons  []uint32
	times    []int64
	decoded  []bool // of props
	resolved bool   // persons are those after links and merges
	acted    bool   // the reader has the groups of the rows
}

// reader reads chunks for one worker and keeps the memory they are decoded into.
type reader struct {
	plan   *plan
	source Source
	// columns appends the columns that are wanted of a chunk.
	columns func(columns []int, h *parts.Header, c *parts.Chunk) ([]int, error)

	persons  []uint32
	times    []int64
	received []int64
	props    []*parts.Prop // by column
	groups   []uint32
	codes    []uint32
	table    []uint32
}

// batch is some chunks with what was read of them.
type batch struct {
	chunks []chunk
	err    error
}

// each calls fn with every chunk in order. The next batch is read while fn works on one.
func (r *reader) each(ctx context.Context, refs []ref, fn func(*chunk) error) error {
	ctx, cancel := context.WithCancel(ctx)
	batches := make(chan batch, 1)
	go func() {
		defer close(batches)
		for start := 0; start < len(refs); {
			n, b := r.read(ctx, refs[start:])
			select {
			case batches <- b:
			case <-ctx.Done():
				return
			}
			if b.err != nil {
				return
			}
			start += n
		}
	}()
	// The source is of the caller's transaction: nothing may read it once this has returned.
	defer func() {
		cancel()
		for range batches {
		}
	}()
	for b := range batches {
		if b.err != nil {
			return b.err
		}
		for i := range b.chunks {
			if err := ctx.Err(); err != nil {
				return err
			}
			b.chunks[i].reader = r
			if err := fn(&b.chunks[i]); err != nil {
				return blame(b.chunks[i].part, err)
			}
		}
	}
	return ctx.Err()
}

// blame says which part is damaged, where that is the error.
func blame(part int, err error) error {
	if errors.Is(err, parts.ErrDamaged) {
		return &DamagedPart{part, err}
	}
	return err
}

// piece is a chunk of a batch in a column.
type piece struct{ chunk, column int }

// read reads the first of the chunks, as many as are a batch, and says how many those are.
func (r *reader) read(ctx context.Context, refs []ref) (int, batch) {
	var b batch
	var pieces []piece
	var columns []int
	size := 0
	for _, ref := range refs {
		if size >= batchBytes {
			break
		}
		h := r.plan.parts[ref.part]
		info := &h.Chunks[ref.chunk]
		var err error
		if columns, err = r.columns(columns[:0], h, info); err != nil {
			return 0, batch{err: err}
		}
		c := chunk{ref: ref, info: info, header: h, data: make([][]byte, columnsOf(h))}
		for _, k := range columns {
			switch e := &info.Columns[k]; {
			case e.Left:
				return 0, batch{err: &ErrNoColumn{info.Name, h.Props[k-parts.FirstProp]}}
			case e.Length == 0: // a prop that nobody has
				c.data[k] = []byte{}
			default:
				pieces = append(pieces, piece{len(b.chunks), k})
				size += e.Length
			}
		}
		b.chunks = append(b.chunks, c)
	}
	b.err = r.fetch(ctx, b.chunks, pieces)
	return len(b.chunks), b
}

// fetch reads pieces. Neighbours in a column are read at once.
func (r *reader) fetch(ctx context.Context, chunks []chunk, pieces []piece) error {
	slices.SortStableFunc(pieces, func(x, y piece) int {
		return cmp.Or(cmp.Compare(chunks[x.chunk].part, chunks[y.chunk].part), cmp.Compare(x.column, y.column))
	})
	var wanted []parts.Slice
	var members [][]piece
	for _, p := range pieces {
		c := &chunks[p.chunk]
		e := c.info.Columns[p.column]
		adjoins := func(w parts.Slice) bool {
			return w.Part == c.part && w.Column == p.column && w.Offset+w.Length == e.Offset
		}
		if n := len(wanted) - 1; n >= 0 && adjoins(wanted[n]) {
			wanted[n].Length += e.Length
			members[n] = append(members[n], p)
			continue
		}
		wanted = append(wanted, parts.Slice{Part: c.part, Column: p.column, Offset: e.Offset, Length: e.Length})
		members = append(members, []piece{p})
	}
	if len(wanted) == 0 {
		return nil
	}
	err := r.source.Read(ctx, wanted, func(i int, data []byte) error {
		if len(data) != wanted[i].Length {
			return blame(wanted[i].Part, parts.ErrDamaged)
		}
		for _, p := range members[i] {
			n := chunks[p.chunk].info.Columns[p.column].Length
			chunks[p.chunk].data[p.column] = data[:n:n]
			data = data[n:]
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range pieces {
		if c := &chunks[p.chunk]; c.data[p.column] == nil { // it was not there
			return blame(c.part, parts.ErrDamaged)
		}
	}
	return nil
}

// columnsOf is how many columns a part has.
func columnsOf(h *parts.Header) int { return parts.FirstProp + len(h.Props) }

func (c *chunk) allPersons() ([]uint32, error) {
	if c.persons == nil {
		var err error
		if c.reader.persons, err = c.info.DecodePersons(c.reader.persons, c.data[parts.ColPerson]); err != nil {
			return nil, err
		}
		c.persons = c.reader.persons
	}
	return c.persons, nil
}

func (c *chunk) allTimes() ([]int64, error) {
	if c.times == nil {
		var err error
		if c.reader.times, err = c.info.DecodeTimes(c.reader.times, c.data[parts.ColTS]); err != nil {
			return nil, err
		}
		c.times = c.reader.times
	}
	return c.times, nil
}

// absent is the prop of rows that do not have it.
var absentValues = []parts.Value{{}}

// prop returns a prop that was asked for.
func (c *chunk) prop(name string) (*parts.Prop, error) {
	column := c.header.Prop(name)
	if column < 0 {
		return &parts.Prop{Values: absentValues, Codes: make([]uint32, c.info.Rows)}, nil
	}
	for len(c.reader.props) <= column {
		c.reader.props = append(c.reader.props, &parts.Prop{})
	}
	if c.decoded == nil {
		c.decoded = make([]bool, len(c.data))
	}
	p := c.reader.props[column]
	if !c.decoded[column] {
		if err := c.info.DecodeProp(p, column, c.data[column]); err != nil {
			return nil, err
		}
		c.decoded[column] = true
	}
	return p, nil
}

// timed says whether rows of the chunk may be out of the range, so that their times have to be read.
func (p *plan) timed(c *parts.Chunk) bool { return c.MinTS < p.From || c.MaxTS >= p.to }

// dated says whether rows of the part may have been received too late to be known.
func (p *plan) dated(h *parts.Header) bool { return p.AsOf != 0 && h.MaxReceived >= p.AsOf }

// considered returns the rows of a chunk that are in the range and known; nil stands for all of them.
func (c *chunk) considered() (rowSet, error) {
	p := c.reader.plan
	timed, dated := p.timed(c.info), p.dated(c.header)
	if !timed && !dated {
		return nil, nil
	}
	times, err := c.allTimes()
	if err != nil {
		return nil, err
	}
	limit := int64(math.MaxInt64)
	if dated {
		if c.reader.received, err = c.info.DecodeReceived(c.reader.received, c.data[parts.ColReceived]); err != nil {
			return nil, err
		}
		limit = p.AsOf
	}
	out := newRows(len(times), false)
	for i, ts := range times {
		if ts >= p.From && ts < p.to && (!dated || ts+c.reader.received[i] < limit) {
			out[i>>6] |= 1 << (i & 63)
		}
	}
	return out, nil
}

// people returns who did each row after links and merges, or in which group it was done where those are counted.
func (c *chunk) people() ([]uint32, error) {
	if c.reader.plan.Groups != nil {
		return c.actors()
	}
	return c.identified()
}

// identified returns who did each row after links and merges.
func (c *chunk) identified() ([]uint32, error) {
	persons, err := c.allPersons()
	plan := c.reader.plan
	if err != nil || len(plan.moved) == 0 || c.resolved {
		return persons, err
	}
	c.resolved = true
	id := plan.identity
	if !plan.splits(c.info) {
		for i, no := range persons {
			persons[i] = id.Canonical(no)
		}
		return persons, nil
	}
	times, err := c.allTimes()
	if err != nil {
		return nil, err
	}
	received, err := c.info.DecodeReceived(nil, c.data[parts.ColReceived])
	if err != nil {
		return nil, err
	}
	ties, err := c.info.DecodeTies(nil, c.data[parts.ColTie])
	if err != nil {
		return nil, err
	}
	for i, no := range persons {
		if s, ok := id.Splits[no]; ok && !s.Before(times[i], times[i]+received[i], ties[i]) {
			persons[i] = s.To
			continue
		}
		persons[i] = id.Canonical(no)
	}
	return persons, nil
}

// both returns the rows that are in both; nil stands for all.
func both(x, y rowSet) rowSet {
	if x == nil {
		return y
	}
	if y != nil {
		for i := range x {
			x[i] &= y[i]
		}
	}
	return x
}

// propColumns appends the columns of some props; a prop that the part does not have has none.
func propColumns(columns []int, h *parts.Header, props []string) []int {
	for _, name := range props {
		if k := h.Prop(name); k >= 0 && !slices.Contains(columns, k) {
			columns = append(columns, k)
		}
	}
	return columns
}
