package memory

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestABoundGetsSmallerWithTheLimitDownToOneRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ limit, usual, least, want int64 }{
		{0, 96 << 20, 24 << 20, 96 << 20}, // no limit
		{2 << 30, 96 << 20, 24 << 20, 96 << 20},
		{1 << 30, 96 << 20, 24 << 20, 96 << 20},
		{512 << 20, 96 << 20, 24 << 20, 48 << 20},
		{64 << 20, 96 << 20, 24 << 20, 24 << 20},
	} {
		if got := Bound(tt.limit, tt.usual, tt.least); got != tt.want {
			t.Errorf("Bound(%d, %d, %d) = %d, want %d", tt.limit, tt.usual, tt.least, got, tt.want)
		}
	}
}

func TestPostgresHasItsPartOfALimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		bytes    uint64
		embedded bool
		want     int64
	}{
		{1 << 30, false, 1 << 30}, {1 << 30, true, 768 << 20}, {256 << 20, true, 128 << 20},
		{math.MaxUint64, false, 0}, {0x7FFFFFFFFFFFF000, true, 0}, // what cgroups of version 1 say for none
	} {
		if got := limited(tt.bytes, tt.embedded); got != tt.want {
			t.Errorf("limited(%d, %t) = %d, want %d", tt.bytes, tt.embedded, got, tt.want)
		}
	}
}

func TestAnOperatorsOwnLimitStays(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "300MiB")
	before := debug.SetMemoryLimit(300 << 20) // as the runtime has done when it read the variable
	defer debug.SetMemoryLimit(before)
	if got := Apply(true); got != 300<<20 || debug.SetMemoryLimit(-1) != 300<<20 {
		t.Errorf("Apply() = %d and Go has %d", got, debug.SetMemoryLimit(-1))
	}
}
