package parts

import (
	"encoding/binary"
	"math/bits"
)

// maxPacked is how many bits a packed value may have: 8 bytes are loaded at a time, and up to 7 bits of them belong to
// the values before. Wider ones are stored as whole 8 bytes.
const maxPacked = 57

// wide is the width of values that are stored whole.
const wide = 64

// appendInts appends integers: the smallest, the unit of which all distances to it are multiples, and the distances in
// so many bits each. A distance that needs more is an exception: its low bits are packed with the others, the rest
// stands before them.
func appendInts(dst []byte, v []int64) []byte {
	least, unit := frame(v)
	width, exceptions := packedWidth(v, least, unit)
	dst = binary.AppendVarint(dst, least)
	dst = binary.AppendUvarint(dst, unit)
	dst = append(dst, byte(width))
	dst = binary.AppendUvarint(dst, uint64(exceptions))
	if exceptions > 0 {
		last := 0
		for i, x := range v {
			if high := (uint64(x-least) / unit) >> width; high != 0 {
				dst = binary.AppendUvarint(dst, uint64(i-last))
				dst = binary.AppendUvarint(dst, high)
				last = i
			}
		}
	}
	if width == wide {
		for _, x := range v {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(x-least)/unit)
		}
		return dst
	}
	var word uint64
	filled := 0
	for _, x := range v {
		u := (uint64(x-least) / unit) & (1<<width - 1)
		word |= u << filled
		if filled += width; filled >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, word)
			filled -= 64
			word = u >> (width - filled)
		}
	}
	for ; filled > 0; filled -= 8 {
		dst = append(dst, byte(word))
		word >>= 8
	}
	return dst
}

// frame returns the smallest value and the largest unit of which every distance to it is a multiple: times are mostly
// whole milliseconds, and often whole seconds.
func frame(v []int64) (least int64, unit uint64) {
	if len(v) == 0 {
		return 0, 1
	}
	least = v[0]
	for _, x := range v {
		least = min(least, x)
	}
	for _, x := range v {
		if unit == 1 {
			return least, 1
		}
		unit = gcd(uint64(x-least), unit)
	}
	return least, max(unit, 1)
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// packedWidth chooses the width that makes the whole smallest, and says how many values do not fit.
func packedWidth(v []int64, least int64, unit uint64) (width, exceptions int) {
	var lengths [65]int
	for _, x := range v {
		lengths[bits.Len64(uint64(x-least)/unit)]++
	}
	best, above := -1, 0
	for w := wide; w >= 0; w-- {
		// An exception costs its place, mostly one byte, and its high bits by sevens.
		cost := len(v) * w
		for l := w + 1; l <= wide; l++ {
			cost += lengths[l] * 8 * (1 + (l-w+6)/7)
		}
		if (w <= maxPacked || w == wide) && (best < 0 || cost <= best) {
			best, width, exceptions = cost, w, above
		}
		above += lengths[w]
	}
	return width, exceptions
}

// decodeInts fills dst with the integers that stand at the beginning of b and returns what follows them.
func decodeInts[T int64 | uint32 | uint64](dst []T, b []byte) ([]byte, error) {
	r := reader{b: b}
	least, unit, width, exceptions := r.varint(), r.uvarint(), int(r.byte()), r.uvarint()
	if r.failed || width > maxPacked && width != wide || exceptions > uint64(len(dst)) {
		return nil, ErrDamaged
	}
	patches := r.b
	for range exceptions {
		r.uvarint()
		r.uvarint()
	}
	size := (len(dst)*width + 7) / 8
	if r.failed || len(r.b) < size {
		return nil, ErrDamaged
	}
	unpack(dst, r.b[:size], width, uint64(least), unit)
	if exceptions > 0 {
		p, at := reader{b: patches}, uint64(0)
		for range exceptions {
			at += p.uvarint()
			high := p.uvarint()
			if at >= uint64(len(dst)) {
				return nil, ErrDamaged
			}
			dst[at] += T((high << width) * unit)
		}
	}
	return r.b[size:], nil
}

// unpack reads packed values. b holds exactly those of dst.
func unpack[T int64 | uint32 | uint64](dst []T, b []byte, width int, least, unit uint64) {
	switch width {
	case 0:
		for i := range dst {
			dst[i] = T(least)
		}
		return
	case 8:
		for i, x := range b[:len(dst)] {
			dst[i] = T(least + uint64(x)*unit)
		}
		return
	case wide:
		for i := range dst {
			dst[i] = T(least + binary.LittleEndian.Uint64(b[8*i:])*unit)
		}
		return
	}
	mask := uint64(1)<<width - 1
	i := 0
	switch {
	case len(b) < 8:
	case width <= 14:
		i = unpack4(dst, b, width, mask, least, unit)
	case width <= 28:
		i = unpack2(dst, b, width, mask, least, unit)
	default:
		whole := min(len(dst), ((len(b)-8)*8)/width+1) // values that can be read by loading 8 bytes
		at := 0
		for ; i < whole; i++ {
			u := binary.LittleEndian.Uint64(b[at>>3:]) >> (at & 7) & mask
			dst[i] = T(least + u*unit)
			at += width
		}
	}
	for ; i < len(dst); i++ {
		var last [16]byte
		at := i * width
		copy(last[:], b[at>>3:])
		dst[i] = T(least + (binary.LittleEndian.Uint64(last[:])>>(at&7)&mask)*unit)
	}
}

// unpack4 reads packed values of at most 14 bits, of which 8 bytes hold four wherever they begin, and says how many it
// read.
func unpack4[T int64 | uint32 | uint64](dst []T, b []byte, width int, mask, least, unit uint64) int {
	groups := min(len(dst)/4, ((len(b)-8)*8)/(4*width)+1)
	at, w2, w3 := 0, 2*width, 3*width
	for g := range groups {
		word := binary.LittleEndian.Uint64(b[at>>3:]) >> (at & 7)
		d := dst[4*g : 4*g+4 : 4*g+4]
		d[0] = T(least + word&mask*unit)
		d[1] = T(least + word>>(width&63)&mask*unit)
		d[2] = T(least + word>>(w2&63)&mask*unit)
		d[3] = T(least + word>>(w3&63)&mask*unit)
		at += 4 * width
	}
	return 4 * groups
}

// unpack2 does the same for values of at most 28 bits, of which 8 bytes hold two.
func unpack2[T int64 | uint32 | uint64](dst []T, b []byte, width int, mask, least, unit uint64) int {
	groups := min(len(dst)/2, ((len(b)-8)*8)/(2*width)+1)
	at := 0
	for g := range groups {
		word := binary.LittleEndian.Uint64(b[at>>3:]) >> (at & 7)
		d := dst[2*g : 2*g+2 : 2*g+2]
		d[0] = T(least + word&mask*unit)
		d[1] = T(least + word>>(width&63)&mask*unit)
		at += 2 * width
	}
	return 2 * groups
}

// reader reads the parts of an encoding one after the other and remembers when one was not there.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) fail() { r.b, r.failed = nil, true }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	x := r.b[0]
	r.b = r.b[1:]
	return x
}

func (r *reader) uvarint() uint64 {
	x, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return x
}

func (r *reader) varint() int64 {
	x, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return x
}

// count reads a number of things of which each takes at least so many bytes more, so that it bounds what is allocated.
func (r *reader) count(each int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/max(each, 1)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte {
	n := r.count(1)
	x := r.b[:n]
	r.b = r.b[n:]
	return x
}
