package events_test

import (
	"testing"

	"github.com/bahagh/nimbus/internal/events"
)

func TestJunkIDs(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"": true, " ": true, "null": true, "NULL": true, " Undefined\n": true, "anonymous": true, "0": true, "-1": true, "true": true,
		"[object Object]": true, "00000000-0000-0000-0000-000000000000": true, "NaN": true, "<nil>": true, "guest": true,
		"1": false, "00": false, "user_1": false, "nullified": false, "00000000-0000-0000-0000-000000000001": false, "anna": false,
	} {
		if got := events.Junk(id); got != want {
			t.Errorf("junk %q: %t, want %t", id, got, want)
		}
	}
}
