package shared_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/platform/redis"
	"github.com/bahagh/nimbus/internal/platform/shared"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func newRedis(t testing.TB, url string) *redis.Client {
	t.Helper()
	c, err := redis.Open(t.Context(), url, nimbustest.Patience, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// connected is newRedis, from when Redis has been found.
func connected(t *testing.T, url string) *redis.Client {
	t.Helper()
	c := newRedis(t, url)
	nimbustest.Eventually(t, "Redis to be found", func() bool { return c.Health() == nil })
	return c
}

// backends runs a test against each backend, as two nodes see it: the local backend is one node, which is both.
func backends(t *testing.T, test func(t *testing.T, one, other shared.Backend)) {
	t.Helper()
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		l := shared.NewLocal(time.Now)
		test(t, l, l)
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		url := nimbustest.Redis(t).URL
		test(t, connected(t, url), connected(t, url))
	})
}

func TestABucketIsSharedAndHoldsExactlyItsSize(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, one, other shared.Backend) {
		rate := shared.Rate{PerMinute: 30} // a token every 2 s
		key := shared.Key{Group: "g", Subject: "s"}
		var mu sync.Mutex
		total := 0
		var wg sync.WaitGroup
		begun := time.Now()
		for _, b := range []shared.Backend{one, other} {
			for range 20 {
				wg.Go(func() {
					g, err := b.Take(t.Context(), key, rate, 1)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					total += g.Tokens
				})
			}
		}
		wg.Wait()
		if most := 30 + refilled(begun, rate.PerMinute); total < 30 || total > most {
			t.Fatalf("%d tokens of a bucket of 30, want at most %d", total, most)
		}
		g, err := one.Take(t.Context(), key, rate, 30) // all that has come in the meantime
		if most := 30 + refilled(begun, rate.PerMinute) - total; err != nil || g.Tokens > most || g.Tokens == 0 && (g.RetryAfter <= 0 || g.RetryAfter > 2*time.Second) {
			t.Errorf("from an empty bucket: %+v, %v", g, err)
		}
		if g.Reset <= 58*time.Second || g.Reset > time.Minute {
			t.Errorf("an empty bucket is full in %s", g.Reset)
		}
		if g, err := other.Take(t.Context(), shared.Key{Group: "g", Subject: "else"}, rate, 50); err != nil || g.Tokens != 30 || g.Remaining != 0 {
			t.Errorf("another key: %+v, %v; want all 30 of 50", g, err)
		}
		if g, err := other.Take(t.Context(), shared.Key{Group: "gs", Subject: ""}, rate, 1); err != nil || g.Tokens != 1 || g.Remaining != 29 {
			t.Errorf("another group: %+v, %v", g, err)
		}
	})
}

func TestFailedAttemptsWaitLongerEachTimeOnEveryNode(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, one, other shared.Backend) {
		s := shared.Schedule{Free: 2, First: time.Hour, Longest: 3 * time.Hour, Forget: 24 * time.Hour}
		key := shared.Key{Group: "login", Subject: "ada"}
		begin := func(b shared.Backend) shared.Attempt {
			t.Helper()
			a, err := b.Begin(t.Context(), key, s)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		for i := range 3 {
			if a := begin(one); a.Wait != 0 || a.Known {
				t.Fatalf("attempt %d: %+v", i+1, a)
			}
		}
		for _, b := range []shared.Backend{one, other} {
			if a := begin(b); a.Wait <= 0 || a.Wait > time.Hour {
				t.Fatalf("after the third failure: %+v, want an hour", a)
			}
		}
		// Taken back, the third has not been; and the refused ones were not counted.
		if err := other.Undo(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if a := begin(one); a.Wait != 0 {
			t.Errorf("after the third was undone: %+v", a)
		}
		if err := one.Succeed(t.Context(), key, time.Hour); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if a := begin(other); a.Wait != 0 || !a.Known {
				t.Fatalf("attempt %d after a success: %+v", i+1, a)
			}
		}
		if a := begin(one); a.Wait == 0 || !a.Known {
			t.Errorf("a key that is known is slowed too: %+v", a)
		}
		if err := one.Undo(t.Context(), shared.Key{Group: "login", Subject: "nobody"}); err != nil {
			t.Errorf("undo of what was not begun: %v", err)
		}
	})
}

// listener keeps what one subscription was told.
type listener struct {
	mu     sync.Mutex
	got    []string
	losses int
}

func (l *listener) receive(m []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, string(m))
}

func (l *listener) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.losses++
}

// told returns what it has got of a round, and whether it was told of a loss.
func (l *listener) told(round string) (got []string, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.got {
		if strings.HasPrefix(m, round) {
			got = append(got, m)
		}
	}
	return got, l.losses > 0
}

func (l *listener) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got, l.losses = nil, 0
}

func TestAMessageReachesEachSubscriptionOnceAndInOrder(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, one, other shared.Backend) {
		const n = 500
		var listeners []*listener
		for _, b := range []shared.Backend{one, other, other} {
			l := &listener{}
			listeners = append(listeners, l)
			t.Cleanup(b.Subscribe("c", l.receive, l.lost))
		}
		unheard := other.Subscribe("d", func(m []byte) { t.Errorf("a message of another channel: %s", m) }, func() {})
		t.Cleanup(unheard)
		// Where a machine is so busy that a connection comes late or is given up, that is told, and the round does not count.
		rounds := 0
		nimbustest.Eventually(t, "a round without a loss", func() bool {
			rounds++
			round := fmt.Sprint("round ", rounds, ": ")
			var want []string
			for i := range n {
				want = append(want, fmt.Sprint(round, i, "\x00\xff"))
				if one.Publish(t.Context(), "c", []byte(want[i])) != nil {
					return false
				}
			}
			lost := false
			for i, l := range listeners {
				var got []string
				nimbustest.Eventually(t, fmt.Sprintf("listener %d gets its messages", i), func() bool {
					var loss bool
					got, loss = l.told(round)
					lost = lost || loss
					return lost || len(got) >= n
				})
				if !lost && !slices.Equal(got, want) {
					t.Errorf("listener %d got %d messages in another order", i, len(got))
				}
			}
			for _, l := range listeners {
				l.forget()
			}
			return !lost
		})
	})
}

func TestASlowReceiverIsToldAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, one, other shared.Backend) {
		block, told := make(chan struct{}), make(chan struct{}, 1)
		stop := other.Subscribe("c", func([]byte) { <-block }, func() {
			select {
			case told <- struct{}{}:
			default:
			}
		})
		defer stop()
		last := make(chan struct{})
		closeLast := sync.OnceFunc(func() { close(last) })
		stopFast := one.Subscribe("c", func(m []byte) {
			if string(m) == "last" {
				closeLast()
			}
		}, func() {})
		defer stopFast()
		for range 2000 {
			if err := one.Publish(t.Context(), "c", []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		nimbustest.Eventually(t, "the fast receiver, which the slow one must not hold up", func() bool {
			if err := one.Publish(t.Context(), "c", []byte("last")); err != nil {
				t.Fatal(err)
			}
			select {
			case <-last:
				return true
			default:
				return false
			}
		})
		close(block)
		nimbustest.Await(t, "the slow receiver's notice", told)
	})
}

func TestAfterStopNothingIsReceived(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, one, other shared.Backend) {
		stop := other.Subscribe("c", func([]byte) { t.Error("received after stop") }, func() {})
		stop()
		stop() // twice does no harm
		heard := make(chan struct{})
		again := other.Subscribe("c", func([]byte) { close(heard) }, func() {})
		defer again()
		if err := one.Publish(t.Context(), "c", nil); err != nil {
			t.Fatal(err)
		}
		nimbustest.Await(t, "the message for the second subscription", heard)
	})
}
