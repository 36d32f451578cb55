package parts_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

func TestIntegersComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	cases := [][]int64{nil, {0}, {math.MinInt64}, {math.MaxInt64, math.MinInt64}, {-1, 1}, {5, 5, 5}, {0, 1 << 62, 7}}
	for range 300 {
		v := make([]int64, random.IntN(200))
		bits, unit := random.IntN(63), []int64{1, 1000, 7}[random.IntN(3)]
		for i := range v {
			v[i] = random.Int64N(1<<bits) * unit
			if random.IntN(30) == 0 {
				v[i] = random.Int64() - random.Int64()
			}
		}
		cases = append(cases, v)
	}
	for _, v := range cases {
		size, back, err := parts.Ints(v)
		if err != nil || !slices.Equal(back, v) {
			t.Fatalf("%v came back as %v in %d bytes: %v", v, back, size, err)
		}
	}
}

func TestOneLargeNumberDoesNotMakeTheOthersLarge(t *testing.T) {
	t.Parallel()
	v := make([]int64, 1000)
	for i := range v {
		v[i] = int64(i % 4)
	}
	v[500] = 1 << 50
	if size, _, _ := parts.Ints(v); size > 280 {
		t.Errorf("1000 numbers of two bits and one of 50 take %d bytes", size)
	}
}

func FuzzIntegers(f *testing.F) {
	f.Add(10, []byte{0, 1, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	f.Add(3, []byte{0, 1, 64, 1, 2, 3})
	f.Fuzz(func(_ *testing.T, n int, b []byte) {
		_ = parts.DecodeInts(n&0x3fff, b)
	})
}

// FuzzHeader takes what has the right checksum and means nothing.
func FuzzHeader(f *testing.F) {
	f.Add(encode(f, history(rand.New(rand.NewPCG(1, 1)), 50)).Header.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parts.ParseHeader(b)
		h, err := parts.ParseHeader(parts.Sealed(b))
		if err != nil {
			return
		}
		again, err := parts.ParseHeader(h.Append(nil))
		if err != nil || again.Rows != h.Rows || len(again.Chunks) != len(h.Chunks) {
			t.Fatalf("a header that was read is not one when it is written again: %v", err)
		}
	})
}

func FuzzColumns(f *testing.F) {
	p := encode(f, history(rand.New(rand.NewPCG(1, 1)), 50))
	c := p.Header.Chunks[0]
	for k := range p.Columns {
		f.Add(p.Chunk(0, k))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := c
		c.Columns = slices.Clone(c.Columns)
		for k := range c.Columns {
			c.Seal(k, b)
		}
		_, _ = c.DecodePersons(nil, b)
		_, _ = c.DecodeTimes(nil, b)
		_, _ = c.DecodeRanks(nil, b)
		_, _ = c.DecodeTies(nil, b)
		var prop parts.Prop
		if c.DecodeProp(&prop, parts.FirstProp, b) != nil {
			return
		}
		for i := range c.Rows {
			_ = prop.Value(i)
		}
	})
}

// FuzzProps takes anything for the props of an event: what is no JSON object is refused.
func FuzzProps(f *testing.F) {
	f.Add([]byte(`{"a": 1, "b": "x", "c": [1, {"d": null}]}`))
	f.Add([]byte(`{"a": "`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		var builder parts.Builder
		_ = builder.Add(&parts.Event{Name: "a", Props: b})
	})
}
