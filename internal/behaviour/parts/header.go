package parts

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
)

// ErrDamaged says that bytes are not what was written: nothing that was read of them may be used.
var ErrDamaged = errors.New("the part is damaged")

// ErrVersion says that a part was written by a later version: it must be built anew.
var ErrVersion = errors.New("the part has a format that this version does not know")

// version is the first byte of every header.
const version = 1

// ChunkRows is how many rows of one name a chunk has at most: large enough that a dictionary pays, small enough that a
// range of people is few of them.
const ChunkRows = 16384

// The columns that every part has. Those of props follow.
const (
	ColPerson   = iota // person numbers, ascending; 0 is nobody
	ColTS              // microseconds since 1970
	ColRank            // place among the rows of the same ts in the part
	ColReceived        // received_at less ts, in microseconds
	ColTie             // the bits of the id behind its time
	FirstProp
)

// Header says what is in a part and where.
type Header struct {
	Rows        int
	MinTS       int64
	MaxTS       int64
	MaxReceived int64    // microseconds since 1970: nothing in the part was received later
	Props       []string // the prop of column FirstProp + i, in byte order
	Chunks      []Chunk  // ordered by (name, person)
}

// Chunk is rows of one name.
type Chunk struct {
	Name        string
	Rows        int
	FirstPerson uint32
	LastPerson  uint32
	MinTS       int64
	MaxTS       int64
	Columns     []Extent // by column
}

// Extent is where the chunk is in a column. The chunk of a prop which none of its rows has is empty.
type Extent struct {
	Offset int
	Length int
	Sum    uint32
	// Left says that rows of the chunk have the prop, and that it is no column.
	Left bool
}

// Slice is a piece of a column of one of several parts.
type Slice struct {
	Part   int // index
	Column int
	Offset int
	Length int
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// Check returns the chunk of a column, ErrDamaged when it is not what was written.
func (e Extent) Check(b []byte) error {
	if len(b) != e.Length || checksum(b) != e.Sum {
		return ErrDamaged
	}
	return nil
}

// Append appends the header's encoding.
func (h *Header) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, version)
	dst = binary.AppendVarint(dst, h.MinTS)
	dst = binary.AppendUvarint(dst, uint64(h.MaxTS-h.MinTS))
	dst = binary.AppendVarint(dst, h.MaxReceived)
	dst = binary.AppendUvarint(dst, uint64(len(h.Props)))
	for _, p := range h.Props {
		dst = appendText(dst, p)
	}
	dst = binary.AppendUvarint(dst, uint64(len(h.Chunks)))
	name := ""
	for i := range h.Chunks {
		c := &h.Chunks[i]
		if i > 0 && c.Name == name {
			dst = append(dst, 0) // no event has the empty name
		} else {
			dst = appendText(dst, c.Name)
		}
		name = c.Name
		dst = c.append(dst, h)
	}
	return binary.LittleEndian.AppendUint32(dst, checksum(dst[start:]))
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// The states of an extent; from stateWritten on it is the length more than that.
const (
	stateEmpty = iota
	stateLeft
	stateWritten
)

func (c *Chunk) append(dst []byte, h *Header) []byte {
	dst = binary.AppendUvarint(dst, uint64(c.Rows))
	dst = binary.AppendUvarint(dst, uint64(c.FirstPerson))
	dst = binary.AppendUvarint(dst, uint64(c.LastPerson-c.FirstPerson))
	dst = binary.AppendUvarint(dst, uint64(c.MinTS-h.MinTS))
	dst = binary.AppendUvarint(dst, uint64(c.MaxTS-c.MinTS))
	for _, e := range c.Columns {
		switch {
		case e.Left:
			dst = binary.AppendUvarint(dst, stateLeft)
		case e.Length == 0:
			dst = binary.AppendUvarint(dst, stateEmpty)
		default:
			dst = binary.AppendUvarint(dst, uint64(e.Length)+stateWritten)
			dst = binary.LittleEndian.AppendUint32(dst, e.Sum)
		}
	}
	return dst
}

// ParseHeader reads a header. Its strings alias nothing of b.
//
// Errors: ErrDamaged, ErrVersion.
func ParseHeader(b []byte) (*Header, error) {
	if len(b) < 5 || checksum(b[:len(b)-4]) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, ErrDamaged
	}
	r := reader{b: b[:len(b)-4]}
	if r.byte() != version {
		return nil, ErrVersion
	}
	h := &Header{MinTS: r.varint()}
	h.MaxTS = h.MinTS + int64(r.uvarint())
	h.MaxReceived = r.varint()
	h.Props = make([]string, r.count(1))
	for i := range h.Props {
		h.Props[i] = string(r.bytes())
	}
	columns := FirstProp + len(h.Props)
	n := r.count(6 + columns)
	h.Chunks = make([]Chunk, n)
	extents := make([]Extent, n*columns)
	ends := make([]int, columns)
	name := ""
	for i := range h.Chunks {
		c := &h.Chunks[i]
		if text := r.bytes(); len(text) > 0 {
			name = string(text)
		}
		c.Name, c.Columns = name, extents[i*columns:(i+1)*columns]
		if !c.parse(&r, h, ends) {
			return nil, ErrDamaged
		}
		h.Rows += c.Rows
	}
	if r.failed || len(r.b) > 0 || h.MaxTS < h.MinTS {
		return nil, ErrDamaged
	}
	return h, nil
}

// parse reads what follows the name. ends are those of the columns so far.
func (c *Chunk) parse(r *reader, h *Header, ends []int) bool {
	rows, first, persons := r.uvarint(), r.uvarint(), r.uvarint()
	if rows < 1 || rows > ChunkRows || first > math.MaxUint32 || persons > math.MaxUint32-first {
		return false
	}
	c.Rows, c.FirstPerson, c.LastPerson = int(rows), uint32(first), uint32(first+persons)
	c.MinTS = h.MinTS + int64(r.uvarint())
	c.MaxTS = c.MinTS + int64(r.uvarint())
	if c.MinTS < h.MinTS || c.MaxTS < c.MinTS || c.MaxTS > h.MaxTS {
		return false
	}
	for k := range c.Columns {
		e := &c.Columns[k]
		e.Offset = ends[k]
		switch state := r.uvarint(); state {
		case stateEmpty:
			if k < FirstProp {
				return false
			}
		case stateLeft:
			e.Left = true
			if k < FirstProp {
				return false
			}
		default:
			if state-stateWritten > math.MaxInt32 || ends[k] > math.MaxInt32 {
				return false
			}
			e.Length = int(state - stateWritten)
			if len(r.b) < 4 {
				return false
			}
			e.Sum = binary.LittleEndian.Uint32(r.b)
			r.b = r.b[4:]
			ends[k] += e.Length
		}
	}
	return !r.failed
}

// Prop returns the column of a prop, -1 when no row of the part has it.
func (h *Header) Prop(name string) int {
	lo, hi := 0, len(h.Props)
	for lo < hi {
		mid := (lo + hi) / 2
		if h.Props[mid] < name {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(h.Props) && h.Props[lo] == name {
		return FirstProp + lo
	}
	return -1
}
