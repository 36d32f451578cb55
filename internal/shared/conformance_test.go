package shared_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/nimbustest"
	"github.com/bahagh/nimbus/internal/redis"
	"github.com/bahagh/nimbus/internal/shared"
)

// patient is a time-out for tests of what is answered, on a machine with other work.
const patient = 10 * time.Second

func newRedis(t testing.TB, url string, timeout time.Duration) *redis.Client {
	t.Helper()
	c, err := redis.Open(t.Context(), url, timeout, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
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
		test(t, newRedis(t, url, patient), newRedis(t, url, patient))
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
		most := 30 + 1 + int(time.Since(begun)/(2*time.Second))
		if total < 30 || total > most {
			t.Fatalf("%d tokens of a bucket of 30, want at most %d", total, most)
		}
		g, err := one.Take(t.Context(), key, rate, 5)
		if err != nil || g.Tokens > 1 || g.Tokens == 0 && (g.RetryAfter <= 0 || g.RetryAfter > 2*time.Second) {
			t.Errorf("from an empty bucket: %+v, %v", g, err)
		}
		if g.Reset < 55*time.Second || g.Reset > time.Minute+2*time.Second {
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
			if a := begin(b); a.Wait <= 59*time.Minute || a.Wait > time.Hour {
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

func TestAMessageReachesEachSubscriptionOnceAndInOrder(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, one, other shared.Backend) {
		const n = 500
		type listener struct {
			got  []string
			done chan struct{}
		}
		var listeners []*listener
		for _, b := range []shared.Backend{one, other, other} {
			l := &listener{done: make(chan struct{})}
			listeners = append(listeners, l)
			stop := b.Subscribe("c", func(m []byte) {
				if l.got = append(l.got, string(m)); len(l.got) == n {
					close(l.done)
				}
			}, func() { t.Error("told of a loss") })
			t.Cleanup(stop)
		}
		unheard := other.Subscribe("d", func(m []byte) { t.Errorf("a message of another channel: %s", m) }, func() {})
		t.Cleanup(unheard)
		var want []string
		for i := range n {
			want = append(want, fmt.Sprint(i, "\x00\xff"))
			if err := one.Publish(t.Context(), "c", []byte(want[i])); err != nil {
				t.Fatal(err)
			}
		}
		for i, l := range listeners {
			select {
			case <-l.done:
				if !slices.Equal(l.got, want) {
					t.Errorf("listener %d got %d messages in another order", i, len(l.got))
				}
			case <-time.After(patient):
				t.Fatalf("listener %d does not get its messages", i)
			}
		}
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
		eventually(t, "the fast receiver, which the slow one must not hold up", func() bool {
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
		await(t, "the slow receiver's notice", told)
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
		await(t, "the message for the second subscription", heard)
	})
}

func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patient):
		t.Fatalf("waited in vain for %s", what)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}
