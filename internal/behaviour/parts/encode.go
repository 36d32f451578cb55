package parts

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// encoder makes the chunks of a part out of its sorted rows.
type encoder struct {
	builder *Builder
	ranks   []uint32
	header  *Header
	columns [][]byte

	ints  []int64
	remap []uint32 // by code of a column: the code in the chunk; 0 where it has none yet
	codes []uint32
	used  []uint32 // codes of the chunk's values in their order
}

// name appends the chunks of one name. A chunk that is the end of a name is at least half full, where there is so much.
func (e *encoder) name(start, end int, props []*column) {
	left := e.leftOut(start, end, props)
	for start < end {
		n := end - start
		if n > ChunkRows {
			chunks := (n + ChunkRows - 1) / ChunkRows
			n = (n + chunks - 1) / chunks
		}
		e.chunk(start, start+n, props, left)
		start += n
	}
}

// leftOut says which props of a name are not columns because it has more than MaxProps; nil when none are.
func (e *encoder) leftOut(start, end int, props []*column) []bool {
	if len(props) <= MaxProps {
		return nil
	}
	type use struct{ column, rows int }
	var uses []use
	for k, c := range props {
		n := 0
		for i := start; i < end; i++ {
			if c.at(e.builder.rows[i].at) != 0 {
				n++
			}
		}
		if n > 0 {
			uses = append(uses, use{k, n})
		}
	}
	if len(uses) <= MaxProps {
		return nil
	}
	slices.SortFunc(
		uses, func(x, y use) int { return cmp.Or(cmp.Compare(y.rows, x.rows), cmp.Compare(x.column, y.column)) },
	)
	left := make([]bool, len(props))
	for _, u := range uses[MaxProps:] {
		left[u.column] = true
	}
	return left
}

func (e *encoder) chunk(start, end int, props []*column, left []bool) {
	rows := e.builder.rows[start:end]
	c := Chunk{
		Name: e.builder.names.list[rows[0].name], Rows: len(rows),
		FirstPerson: rows[0].person, LastPerson: rows[len(rows)-1].person,
		MinTS: rows[0].ts, MaxTS: rows[0].ts, Columns: make([]Extent, len(e.columns)),
	}
	for i := range rows {
		c.MinTS, c.MaxTS = min(c.MinTS, rows[i].ts), max(c.MaxTS, rows[i].ts)
	}
	before := c.FirstPerson
	e.column(&c, ColPerson, len(rows), func(i int) int64 {
		step := rows[i].person - before
		before = rows[i].person
		return int64(step)
	})
	e.column(&c, ColTS, len(rows), func(i int) int64 { return rows[i].ts })
	e.column(&c, ColRank, len(rows), func(i int) int64 { return int64(e.ranks[start+i]) })
	e.column(&c, ColReceived, len(rows), func(i int) int64 { return rows[i].received - rows[i].ts })
	e.column(&c, ColTie, len(rows), func(i int) int64 { return int64(rows[i].tie) })
	for k, p := range props {
		e.prop(&c, FirstProp+k, p, rows, left != nil && left[k])
	}
	e.header.Chunks = append(e.header.Chunks, c)
}

// column appends the chunk's numbers to a column.
func (e *encoder) column(c *Chunk, column, rows int, at func(i int) int64) {
	e.ints = sized(e.ints, rows)
	for i := range e.ints {
		e.ints[i] = at(i)
	}
	start := len(e.columns[column])
	e.columns[column] = appendInts(e.columns[column], e.ints)
	e.close(c, column, start)
}

func (e *encoder) close(c *Chunk, column, start int) {
	data := e.columns[column][start:]
	c.Columns[column] = Extent{Offset: start, Length: len(data), Sum: checksum(data)}
}

// prop appends the chunk's values of a prop, or says that it is no column.
func (e *encoder) prop(c *Chunk, column int, p *column, rows []row, left bool) {
	start := len(e.columns[column])
	c.Columns[column].Offset = start
	if !e.collect(p, rows) {
		return
	}
	size, ok := e.dictionarySize(p)
	if left || p.left != 0 && int(p.left) < len(e.remap) && e.remap[p.left] != 0 {
		c.Columns[column].Left = true
		e.forget()
		return
	}
	if dst, better := e.numbers(e.columns[column], p, size); better {
		e.columns[column] = dst
	} else if ok || size <= maxDictionary*len(rows) {
		e.columns[column] = e.dictionary(e.columns[column], p)
	} else {
		c.Columns[column].Left = true
		e.forget()
		return
	}
	e.forget()
	e.close(c, column, start)
}

// collect gives the values of a prop in some rows codes of their own. It is false when no row has the prop.
func (e *encoder) collect(p *column, rows []row) bool {
	e.codes = sized(e.codes, len(rows))
	if n := len(p.values.list); len(e.remap) < n {
		e.remap = append(e.remap, make([]uint32, n-len(e.remap))...)
	}
	e.used = append(e.used[:0], 0)
	for i := range rows {
		code := p.at(rows[i].at)
		if code != 0 && e.remap[code] == 0 {
			e.remap[code] = uint32(len(e.used))
			e.used = append(e.used, code)
		}
		e.codes[i] = e.remap[code]
	}
	return len(e.used) > 1
}

// forget makes remap ready for the next chunk.
func (e *encoder) forget() {
	for _, code := range e.used {
		e.remap[code] = 0
	}
}

// dictionarySize is how many bytes the values take, and whether that is little in any case.
func (e *encoder) dictionarySize(p *column) (size int, small bool) {
	for _, code := range e.used[1:] {
		size += len(p.values.list[code].Text) + 2
	}
	return size, size <= smallDictionary
}

func (e *encoder) dictionary(dst []byte, p *column) []byte {
	dst = append(dst, formDictionary)
	dst = binary.AppendUvarint(dst, uint64(len(e.used)-1))
	size := 0
	for _, code := range e.used[1:] {
		size += len(p.values.list[code].Text)
	}
	dst = binary.AppendUvarint(dst, uint64(size))
	for _, code := range e.used[1:] {
		dst = append(dst, p.values.list[code].Text...)
	}
	for _, code := range e.used[1:] {
		v := p.values.list[code]
		dst = append(dst, byte(v.Kind))
		dst = binary.AppendUvarint(dst, uint64(len(v.Text)))
	}
	e.ints = sized(e.ints, len(e.codes))
	for i, code := range e.codes {
		e.ints[i] = int64(code)
	}
	return appendInts(dst, e.ints)
}

// numbers appends the chunk's values as numbers, if they are numbers and that is shorter than a dictionary of so many
// bytes.
func (e *encoder) numbers(dst []byte, p *column, dictionarySize int) ([]byte, bool) {
	mantissas, scale, least, ok := e.mantissas(p)
	if !ok {
		return dst, false
	}
	start := len(dst)
	full := !slices.Contains(e.codes, 0) && !slices.Contains(mantissas, nullMantissa)
	dst = append(dst, formNumbers, byte(scale))
	if full {
		dst = append(dst, 1)
	} else {
		dst = append(dst, 0)
	}
	dst = binary.AppendVarint(dst, least)
	e.ints = sized(e.ints, len(e.codes))
	for i, code := range e.codes {
		switch m := mantissas[code]; {
		case full:
			e.ints[i] = m - least
		case code == 0:
			e.ints[i] = codeAbsent
		case m == nullMantissa:
			e.ints[i] = codeNull
		default:
			e.ints[i] = m - least + codeNumber
		}
	}
	dst = appendInts(dst, e.ints)
	width := 0
	for 1<<width < len(e.used) {
		width++
	}
	return dst, len(dst)-start < dictionarySize+(len(e.codes)*width+7)/8
}

// nullMantissa stands for null among mantissas.
const nullMantissa = -1 << 63

// mantissas returns the values by code as mantissas of one scale, and the smallest of them. It is false when one is no
// number, or has too many digits.
func (e *encoder) mantissas(p *column) (mantissas []int64, scale int, least int64, ok bool) {
	for _, code := range e.used[1:] {
		v := p.values.list[code]
		if v.Kind == Null {
			continue
		}
		_, s, ok := Mantissa(v.Text)
		if v.Kind != Number || !ok {
			return nil, 0, 0, false
		}
		scale = max(scale, s)
	}
	mantissas = make([]int64, len(e.used))
	first := true
	for i, code := range e.used[1:] {
		v := p.values.list[code]
		if v.Kind == Null {
			mantissas[i+1] = nullMantissa
			continue
		}
		m, s, _ := Mantissa(v.Text)
		factor := pow10[scale-s]
		if m > maxMantissa/factor || m < -maxMantissa/factor {
			return nil, 0, 0, false
		}
		m *= factor
		mantissas[i+1] = m
		if first || m < least {
			least, first = m, false
		}
	}
	return mantissas, scale, least, !first
}
