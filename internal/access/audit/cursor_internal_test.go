package audit

import (
	"errors"
	"testing"
)

func TestACursorThatWeDidNotMakeIsRefused(t *testing.T) {
	t.Parallel()
	for _, cursor := range []string{"x", "!", "AAAA", encodeCursor(position{}) + "A", "____________________________________"} {
		if p, err := decodeCursor(cursor); !errors.Is(err, errCursor) {
			t.Errorf("%q: %v, %v", cursor, p, err)
		}
	}
}
