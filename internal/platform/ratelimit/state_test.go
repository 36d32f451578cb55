package ratelimit_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/bahagh/nimbus/internal/platform/ratelimit"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func newState(remote ratelimit.Backend) *ratelimit.State {
	return ratelimit.New(remote, time.Now, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
}

// burst asks n times at once on each node and returns how many were let through.
func burst(t *testing.T, n int, key ratelimit.Key, r ratelimit.Rate, nodes ...*ratelimit.State) int {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	allowed := 0
	for _, s := range nodes {
		for range 8 {
			wg.Go(func() {
				for range n / 8 {
					v := s.Allow(t.Context(), key, r)
					if !v.Allowed && (v.RetryAfter <= 0 || v.RetryAfter > time.Minute) {
						t.Errorf("refused without a time to wait: %+v", v)
					}
					if v.Allowed {
						mu.Lock()
						allowed++
						mu.Unlock()
					}
				}
			})
		}
	}
	wg.Wait()
	return allowed
}

// refilled is at most what a bucket has got since a time.
func refilled(since time.Time, perMinute int) int {
	return int(time.Since(since)*time.Duration(perMinute)/time.Minute) + 1
}

// All nodes together never let more through than the bucket gives, and waste at most a lease each.
func TestNodesShareALimitToWithinALease(t *testing.T) {
	t.Parallel()
	url := nimbustest.Redis(t).URL
	for _, perMinute := range []int{40, 2000} {
		var nodes []*ratelimit.State
		for range 3 {
			nodes = append(nodes, newState(connected(t, url)))
		}
		begun := time.Now()
		got := burst(t, perMinute, ratelimit.Key{Group: "g", Subject: "s"}, ratelimit.Rate{PerMinute: perMinute}, nodes...)
		most := perMinute + refilled(begun, perMinute)
		if least := perMinute - 3*perMinute/100; got < least || got > most {
			t.Errorf("%d of %d requests, want %d to %d", got, 3*perMinute, least, most)
		}
		url = nimbustest.Redis(t).URL
	}
}

func TestWithoutRedisEachNodeLimitsAloneAndTogetherAgainAfterwards(t *testing.T) {
	t.Parallel()
	srv := nimbustest.Redis(t)
	srv.Kill()
	one, other := newRedis(t, srv.URL), newRedis(t, srv.URL)
	nodes := []*ratelimit.State{newState(one), newState(other)}
	rate := ratelimit.Rate{PerMinute: 40}
	begun := time.Now()
	if got := burst(t, 64, ratelimit.Key{Group: "g", Subject: "alone"}, rate, nodes...); got < 80 || got > 80+2*refilled(begun, rate.PerMinute) {
		t.Errorf("two nodes alone let %d through, want 40 each", got)
	}
	srv.Start()
	nimbustest.Eventually(t, "Redis", func() bool { return one.Health() == nil && other.Health() == nil })
	begun = time.Now()
	if got := burst(t, 64, ratelimit.Key{Group: "g", Subject: "together"}, rate, nodes...); got < 39 || got > 40+refilled(begun, rate.PerMinute) {
		t.Errorf("two nodes together let %d through, want 40", got)
	}
	sch := ratelimit.Schedule{First: time.Hour, Longest: time.Hour, Forget: time.Hour}
	key := ratelimit.Key{Group: "login", Subject: "s"}
	if a, err := nodes[0].Begin(t.Context(), key, sch); err != nil || a.Wait != 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	if a, err := nodes[1].Begin(t.Context(), key, sch); err != nil || a.Wait == 0 {
		t.Errorf("the other node does not know of the failure: %+v, %v", a, err)
	}
	srv.Kill()
	nimbustest.Eventually(t, "the loss to be noticed", func() bool { return one.Health() != nil })
	for i := range 2 {
		if a, err := nodes[0].Begin(t.Context(), key, sch); err != nil || (a.Wait == 0) != (i == 0) {
			t.Errorf("attempt %d of a node alone: %+v, %v", i+1, a, err)
		}
	}
	if err := nodes[0].Undo(t.Context(), key); err != nil {
		t.Error(err)
	}
	if err := nodes[0].Succeed(t.Context(), key, time.Hour); err != nil {
		t.Error(err)
	}
}

func TestFallingBackIsCounted(t *testing.T) {
	t.Parallel()
	srv := nimbustest.Redis(t)
	srv.Kill()
	reg := prometheus.NewRegistry()
	s := ratelimit.New(newRedis(t, srv.URL), time.Now, reg, slog.New(slog.DiscardHandler))
	s.Allow(t.Context(), ratelimit.Key{}, ratelimit.Rate{PerMinute: 1})
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`# HELP nimbus_shared_fallbacks_total Questions to the shared state that this node answered alone, because Redis was away.
# TYPE nimbus_shared_fallbacks_total counter
nimbus_shared_fallbacks_total{use="attempts"} 0
nimbus_shared_fallbacks_total{use="limits"} 1
`), "nimbus_shared_fallbacks_total"); err != nil {
		t.Error(err)
	}
}

func BenchmarkAllow(b *testing.B) {
	key, rate := ratelimit.Key{Group: "ingest", Subject: "nk_0123456789abcdef"}, ratelimit.Rate{PerMinute: ratelimit.MaxPerMinute}
	run := func(b *testing.B, s *ratelimit.State) {
		b.ReportAllocs()
		for b.Loop() {
			s.Allow(b.Context(), key, rate)
		}
	}
	b.Run("local", func(b *testing.B) { run(b, newState(nil)) })
	b.Run("redis", func(b *testing.B) { run(b, newState(newRedis(b, nimbustest.Redis(b).URL))) })
}
