package ratelimit_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/platform/ratelimit"
	"github.com/bahagh/nimbus/internal/platform/redis"
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
func backends(t *testing.T, test func(t *testing.T, one, other ratelimit.Backend)) {
	t.Helper()
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		l := ratelimit.NewLocal(time.Now)
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
	backends(t, func(t *testing.T, one, other ratelimit.Backend) {
		rate := ratelimit.Rate{PerMinute: 30} // a token every 2 s
		key := ratelimit.Key{Group: "g", Subject: "s"}
		var mu sync.Mutex
		total := 0
		var wg sync.WaitGroup
		begun := time.Now()
		for _, b := range []ratelimit.Backend{one, other} {
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
		if g, err := other.Take(t.Context(), ratelimit.Key{Group: "g", Subject: "else"}, rate, 50); err != nil || g.Tokens != 30 || g.Remaining != 0 {
			t.Errorf("another key: %+v, %v; want all 30 of 50", g, err)
		}
		if g, err := other.Take(t.Context(), ratelimit.Key{Group: "gs", Subject: ""}, rate, 1); err != nil || g.Tokens != 1 || g.Remaining != 29 {
			t.Errorf("another group: %+v, %v", g, err)
		}
	})
}

func TestFailedAttemptsWaitLongerEachTimeOnEveryNode(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, one, other ratelimit.Backend) {
		s := ratelimit.Schedule{Free: 2, First: time.Hour, Longest: 3 * time.Hour, Forget: 24 * time.Hour}
		key := ratelimit.Key{Group: "login", Subject: "ada"}
		begin := func(b ratelimit.Backend) ratelimit.Attempt {
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
		for _, b := range []ratelimit.Backend{one, other} {
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
		if err := one.Undo(t.Context(), ratelimit.Key{Group: "login", Subject: "nobody"}); err != nil {
			t.Errorf("undo of what was not begun: %v", err)
		}
	})
}
