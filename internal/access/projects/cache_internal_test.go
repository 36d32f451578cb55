package projects

import (
	"sync"
	"testing"
	"time"
)

// What was loaded before a change and comes back after it must not be remembered.
func TestALookupThatAChangeOvertookIsNotRemembered(t *testing.T) {
	t.Parallel()
	var c keyCache
	c.listening(true)
	loads := 0
	load := func() (int, bool, error) {
		loads++
		if loads == 1 {
			c.forget() // the change arrives while the old row is on its way
		}
		return loads, true, nil
	}
	for _, want := range []int{1, 2, 2} {
		if got, found, err := cached(&c, byID, "k", load); got != want || !found || err != nil {
			t.Errorf("got %d, %v, %v; want %d", got, found, err, want)
		}
	}
}

// A change on this node and the end of the connection that receives the changes of others come at the same time: a key that
// is cached from then on would never be dropped.
func TestAChangeDoesNotMakeANodeWithoutNotificationsCacheKeys(t *testing.T) {
	t.Parallel()
	var k Keys
	changed, stop := make(chan struct{}), make(chan struct{})
	var changes sync.WaitGroup
	changes.Go(func() {
		for {
			k.Forget()
			select {
			case changed <- struct{}{}:
			case <-stop:
				return
			}
		}
	})
	for range 20_000 {
		k.cache.listening(true)
		<-changed
		k.cache.listening(false) // while the next change is under way
		<-changed
		if k.Live() {
			t.Error("nobody listens, and keys are remembered")
			break
		}
	}
	close(stop)
	changes.Wait()
}

// A process that was stopped, or whose watch hangs, must not serve from before: what is remembered holds as long as a lease.
func TestTheCacheIsBelievedOnlyWhileTheWatchHasAHeartbeat(t *testing.T) {
	t.Parallel()
	var c keyCache
	c.listening(true)
	loads := 0
	load := func() (int, bool, error) { loads++; return loads, true, nil }
	ask := func(want int) {
		t.Helper()
		if got, _, err := cached(&c, byID, "k", load); got != want || err != nil {
			t.Errorf("got %d, %v; want %d", got, err, want)
		}
	}
	ask(1)
	ask(1)
	c.heartbeat = c.heartbeat.Add(-leaseTime)
	ask(2)
	ask(3)
	c.beat()
	ask(3)
	if leaseTime > 5*time.Second {
		t.Errorf("SECURITY.md says five seconds, and it is %s", leaseTime)
	}
}
