package bus_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/platform/bus"
	"github.com/bahagh/nimbus/internal/platform/redis"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// connected is a client of Redis, from when Redis has been found.
func connected(t *testing.T, url string) *redis.Client {
	t.Helper()
	c, err := redis.Open(t.Context(), url, nimbustest.Patience, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	nimbustest.Eventually(t, "Redis to be found", func() bool { return c.Health() == nil })
	return c
}

// backends runs a test against each bus, as two nodes see it: that of this process is one node, which is both.
func backends(t *testing.T, test func(t *testing.T, one, other bus.Bus)) {
	t.Helper()
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		var h bus.Hub
		test(t, &h, &h)
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		url := nimbustest.Redis(t).URL
		test(t, connected(t, url), connected(t, url))
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
	backends(t, func(t *testing.T, one, other bus.Bus) {
		const n = 500
		var listeners []*listener
		for _, b := range []bus.Bus{one, other, other} {
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
	backends(t, func(t *testing.T, one, other bus.Bus) {
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
	backends(t, func(t *testing.T, one, other bus.Bus) {
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
