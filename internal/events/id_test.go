package events

import (
	"testing"

	"github.com/google/uuid"
)

func TestNextID(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"00000000-0000-8000-8000-000000000000": "00000000-0000-8000-8000-000000000001",
		"00000000-0000-8000-8000-0000000000ff": "00000000-0000-8000-8000-000000000100",
		"00000000-0000-8000-bfff-ffffffffffff": "00000000-0000-8000-c000-000000000000",
	} {
		if got := NextID(uuid.MustParse(from)); got.String() != want {
			t.Errorf("after %s: %s, want %s", from, got, want)
		}
	}
}
