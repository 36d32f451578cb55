package nimbustest

import (
	"testing"
	"time"
)

// Patience is the time-out of a wait in a test. It is so long that only a fault reaches it, however slow or busy the
// machine is.
const Patience = 2 * time.Minute

// Eventually waits until ok says true, by asking again and again.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", Patience, what)
		}
	}
}

// Await waits until the channel is closed, or something comes from it.
func Await(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(Patience):
		t.Fatalf("not within %s: %s", Patience, what)
	}
}
