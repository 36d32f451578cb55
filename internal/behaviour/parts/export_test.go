package parts

import (
	"bytes"
	"encoding/binary"
)

// WithVersion returns a header as a later version would begin it.
func WithVersion(header []byte, v byte) []byte {
	header = bytes.Clone(header[:len(header)-4])
	header[0] = v
	return binary.LittleEndian.AppendUint32(header, checksum(header))
}

// Ints encodes integers and decodes them.
func Ints(v []int64) (size int, back []int64, err error) {
	b := appendInts(nil, v)
	back = make([]int64, len(v))
	rest, err := decodeInts(back, b)
	if err == nil && len(rest) > 0 {
		err = ErrDamaged
	}
	return len(b), back, err
}

// DecodeInts decodes so many integers of anything.
func DecodeInts(n int, b []byte) error {
	_, err := decodeInts(make([]int64, n), b)
	return err
}

// Sealed returns a header of anything that has the right checksum.
func Sealed(b []byte) []byte { return binary.LittleEndian.AppendUint32(bytes.Clone(b), checksum(b)) }

// Seal makes the checksum of a chunk of a column that of other bytes.
func (c *Chunk) Seal(column int, b []byte) {
	c.Columns[column].Length, c.Columns[column].Sum = len(b), checksum(b)
}
