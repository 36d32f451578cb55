package parts

import (
	"math"
)

// DecodePersons reads the person numbers of a chunk into dst, which it makes longer when need be.
//
// Errors: ErrDamaged.
func (c *Chunk) DecodePersons(dst []uint32, b []byte) ([]uint32, error) {
	dst = sized(dst, c.Rows)
	if err := c.Columns[ColPerson].Check(b); err != nil {
		return dst, err
	}
	if rest, err := decodeInts(dst, b); err != nil || len(rest) > 0 {
		return dst, ErrDamaged
	}
	no := uint64(c.FirstPerson)
	for i, step := range dst {
		no += uint64(step)
		dst[i] = uint32(no)
	}
	if no != uint64(c.LastPerson) {
		return dst, ErrDamaged
	}
	return dst, nil
}

// DecodeTimes reads the times of a chunk into dst, in microseconds since 1970.
//
// Errors: ErrDamaged.
func (c *Chunk) DecodeTimes(dst []int64, b []byte) ([]int64, error) {
	return decodeColumn(c, ColTS, dst, b)
}

// DecodeReceived reads by how many microseconds each row was received after its ts.
//
// Errors: ErrDamaged.
func (c *Chunk) DecodeReceived(dst []int64, b []byte) ([]int64, error) {
	return decodeColumn(c, ColReceived, dst, b)
}

// DecodeRanks reads the place of each row among those of the same ts in the part.
//
// Errors: ErrDamaged.
func (c *Chunk) DecodeRanks(dst []uint32, b []byte) ([]uint32, error) {
	return decodeColumn(c, ColRank, dst, b)
}

// DecodeTies reads the bits of the ids behind their times.
//
// Errors: ErrDamaged.
func (c *Chunk) DecodeTies(dst []uint64, b []byte) ([]uint64, error) {
	return decodeColumn(c, ColTie, dst, b)
}

func decodeColumn[T int64 | uint32 | uint64](c *Chunk, column int, dst []T, b []byte) ([]T, error) {
	dst = sized(dst, c.Rows)
	if err := c.Columns[column].Check(b); err != nil {
		return dst, err
	}
	if rest, err := decodeInts(dst, b); err != nil || len(rest) > 0 {
		return dst, ErrDamaged
	}
	return dst, nil
}

// sized returns a slice of that length, the given one when it is large enough.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// The two ways a prop is kept.
const (
	formDictionary = iota
	formNumbers
)

// Codes of rows that have no number, in a column of numbers.
const (
	codeAbsent = iota
	codeNull
	codeNumber // and further: the number, less the smallest
)

// Prop is a prop of the rows of a chunk: codes into its dictionary, or numbers.
type Prop struct {
	Values []Value  // by code; the first is the absent value
	Codes  []uint32 // nil when Numbers are there

	Numbers []int64 // mantissas; nil when Codes are there
	Has     []Kind  // of each number whether it is one: Absent, Null or Number; nil when all are
	Scale   int     // digits of a mantissa behind the point
}

// DecodeProp reads a prop of a chunk into p, whose memory is used again. An empty extent is a prop that every row
// lacks.
//
// Errors: ErrDamaged.
func (c *Chunk) DecodeProp(p *Prop, column int, b []byte) error {
	if err := c.Columns[column].Check(b); err != nil {
		return err
	}
	values, codes, numbers, has := p.Values[:0], p.Codes, p.Numbers, p.Has
	*p = Prop{Values: append(values, Value{})}
	if len(b) == 0 {
		p.Codes = sized(codes, c.Rows)
		clear(p.Codes)
		return nil
	}
	r := reader{b: b}
	switch r.byte() {
	case formDictionary:
		p.Codes = sized(codes, c.Rows)
		return p.decodeDictionary(&r)
	case formNumbers:
		p.Numbers, p.Has = sized(numbers, c.Rows), has
		return p.decodeNumbers(&r)
	default:
		return ErrDamaged
	}
}

func (p *Prop) decodeDictionary(r *reader) error {
	n := r.count(2)
	text := string(r.bytes()) // once for all values, which are parts of it
	for range n {
		kind, length := Kind(r.byte()), r.uvarint()
		if kind < Null || kind > JSON || length > uint64(len(text)) {
			return ErrDamaged
		}
		p.Values = append(p.Values, Value{kind, text[:length]})
		text = text[length:]
	}
	if r.failed || text != "" {
		return ErrDamaged
	}
	rest, err := decodeInts(p.Codes, r.b)
	if err != nil || len(rest) > 0 {
		return ErrDamaged
	}
	largest := uint32(0)
	for _, code := range p.Codes {
		largest = max(largest, code)
	}
	if int(largest) > n {
		return ErrDamaged
	}
	return nil
}

func (p *Prop) decodeNumbers(r *reader) error {
	p.Scale = int(r.byte())
	full := r.byte() == 1
	least := r.varint()
	if r.failed || p.Scale > maxDigits {
		return ErrDamaged
	}
	rest, err := decodeInts(p.Numbers, r.b)
	if err != nil || len(rest) > 0 {
		return ErrDamaged
	}
	if full {
		p.Has = nil
		for i := range p.Numbers {
			p.Numbers[i] += least
		}
		return nil
	}
	p.Has = sized(p.Has, len(p.Numbers))
	for i, code := range p.Numbers {
		switch code {
		case codeAbsent:
			p.Has[i] = Absent
		case codeNull:
			p.Has[i] = Null
		default:
			p.Has[i] = Number
		}
		p.Numbers[i] += least - codeNumber
	}
	return nil
}

// maxMantissa bounds the mantissas of a column of numbers, so that no difference of two and no code of one overflows.
const maxMantissa = math.MaxInt64 / 4
