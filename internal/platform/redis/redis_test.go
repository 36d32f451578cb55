package redis

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/bahagh/nimbus/internal/platform/ratelimit"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// short is a time-out for calls that get no answer; where one is expected it is nimbustest.Patience.
const short = 50 * time.Millisecond

func open(t *testing.T, url string, timeout time.Duration) *Client {
	t.Helper()
	c, err := Open(t.Context(), url, timeout, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// connected is open with time for every call, from when Redis has been found.
func connected(t *testing.T, url string) *Client {
	t.Helper()
	c := open(t, url, nimbustest.Patience)
	nimbustest.Eventually(t, "Redis to be found", func() bool { return c.Health() == nil })
	return c
}

// The script and its twin give the same verdict to the same requests at the same times: the twin is asked at the time,
// by Redis's clock, at which Redis decided.
func TestTheScriptAndTheLocalBucketDecideTheSame(t *testing.T) {
	t.Parallel()
	c := connected(t, nimbustest.Redis(t).URL)
	var at int64
	local := ratelimit.NewLocal(func() time.Time { return time.UnixMicro(at) })
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	refused := 0
	for round := range 40 {
		key := ratelimit.Key{Group: "g", Subject: string(rune('a' + round))}
		// From buckets that fill up while the test looks on to some that do not.
		rate := ratelimit.Rate{PerMinute: 1 + int(r.ExpFloat64()*50_000)}
		for range 50 {
			n := r.IntN(rate.PerMinute/8 + 2)
			got, err := c.take(t.Context(), *c.client.Load(), keyOf("limit", key), rate, n)
			if err != nil {
				t.Fatal(err)
			}
			at = got.at
			want, err := local.Take(t.Context(), key, rate, n)
			if err != nil || got.Grant != want {
				t.Fatalf("seed %d, rate %d, %d tokens: Redis %+v, local %+v (%v)", seed, rate.PerMinute, n, got.Grant, want, err)
			}
			if n > 0 && got.Tokens == 0 {
				refused++
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused: the test compares too little")
	}
}

// A clock of Redis that was an hour ahead and is put right makes nobody wait for that hour.
func TestAClockThatIsSetBackLeavesNoMoreThanAnEmptyBucketAndTheLongestWait(t *testing.T) {
	t.Parallel()
	c := connected(t, nimbustest.Redis(t).URL)
	ctx, key, rate := t.Context(), ratelimit.Key{Group: "g", Subject: "s"}, ratelimit.Rate{PerMinute: 60_000}
	s := ratelimit.Schedule{First: time.Millisecond, Longest: 10 * time.Millisecond, Forget: 24 * time.Hour}
	client := *c.client.Load()
	before, err := c.take(ctx, client, keyOf("limit", key), rate, 1)
	if err != nil {
		t.Fatal(err)
	}
	ahead := strconv.FormatInt(before.at+time.Hour.Microseconds(), 10)
	for _, words := range [][]string{{"SET", keyOf("limit", key), ahead}, {"HSET", keyOf("attempts", key), "failures", "1", "last", ahead, "open", ahead}} {
		if err := client.Do(ctx, client.B().Arbitrary(words...).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	if g, err := c.Take(ctx, key, rate, 1); err != nil || g.Tokens != 0 || g.RetryAfter != time.Millisecond || g.Reset != time.Minute {
		t.Errorf("the bucket: %+v, %v; want an empty one", g, err)
	}
	if a, err := c.Begin(ctx, key, s); err != nil || a.Wait != s.Longest {
		t.Errorf("the attempt: %+v, %v; want to wait %s", a, err, s.Longest)
	}
	nimbustest.Eventually(t, "a token and the next attempt", func() bool {
		g, err := c.Take(ctx, key, rate, 1)
		a, aerr := c.Begin(ctx, key, s)
		return err == nil && aerr == nil && g.Tokens == 1 && a.Wait == 0
	})
}

func TestEveryKeyExpires(t *testing.T) {
	t.Parallel()
	c := connected(t, nimbustest.Redis(t).URL)
	ctx := t.Context()
	key := ratelimit.Key{Group: "g", Subject: "s"}
	sch := ratelimit.Schedule{First: time.Second, Longest: time.Minute, Forget: time.Hour}
	if _, err := c.Take(ctx, key, ratelimit.Rate{PerMinute: 10}, 3); err != nil {
		t.Fatal(err)
	}
	for _, k := range []ratelimit.Key{key, {Group: "g", Subject: "known"}} {
		if _, err := c.Begin(ctx, k, sch); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Succeed(ctx, ratelimit.Key{Group: "g", Subject: "known"}, 30*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := c.Undo(ctx, ratelimit.Key{Group: "g", Subject: "never begun"}); err != nil {
		t.Fatal(err)
	}
	client := *c.client.Load()
	keys, err := client.Do(ctx, client.B().Keys().Pattern("*:g:*").Build()).AsStrSlice()
	if err != nil || len(keys) != 3 {
		t.Fatalf("keys %q, %v", keys, err)
	}
	for _, k := range keys {
		ms, err := client.Do(ctx, client.B().Pttl().Key(k).Build()).AsInt64()
		if err != nil || ms <= 0 || !strings.HasPrefix(k, "nimbus:") {
			t.Errorf("%s expires in %d ms, %v", k, ms, err)
		}
	}
}

func TestAHangingRedisCostsOneTimeOutAndHeals(t *testing.T) {
	t.Parallel()
	srv := nimbustest.Redis(t)
	c := open(t, srv.URL, short)
	key := ratelimit.Key{Group: "g", Subject: "s"}
	take := func() error {
		_, err := c.Take(t.Context(), key, ratelimit.Rate{PerMinute: 1000}, 1)
		return err
	}
	nimbustest.Eventually(t, "an answer", func() bool { return take() == nil })
	before := testutil.ToFloat64(c.failures)
	srv.Hang()
	for range 1000 {
		if take() == nil {
			t.Fatal("an answer from a server that is stopped")
		}
	}
	// One waits for its time-out, unless the probe has noticed before it, and the others for nothing.
	if timeOuts := testutil.ToFloat64(c.failures) - before; timeOuts > 1 {
		t.Errorf("%v of 1000 calls of a hanging Redis waited for their time-out", timeOuts)
	}
	if c.Health() == nil {
		t.Error("a hanging Redis is healthy")
	}
	srv.Resume()
	nimbustest.Eventually(t, "Redis to count again", func() bool { return take() == nil && c.Health() == nil })
}

// A stop must not wait for a server that answers nobody.
func TestClosingDoesNotWaitForAHangingRedis(t *testing.T) {
	t.Parallel()
	srv := nimbustest.Redis(t)
	c, err := Open(t.Context(), srv.URL, short, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stop := c.Subscribe("c", func([]byte) {}, func() {})
	defer stop()
	srv.Hang()
	_ = c.Publish(t.Context(), "c", nil) // waits in the connection for an answer
	closed := make(chan struct{})
	go func() { c.Close(); close(closed) }()
	nimbustest.Await(t, "it is closed while Redis hangs", closed)
}

func TestARedisThatRefusesToWriteIsAway(t *testing.T) {
	t.Parallel()
	c := connected(t, nimbustest.Redis(t).URL)
	client := *c.client.Load()
	do := func(words ...string) {
		t.Helper()
		if err := client.Do(t.Context(), client.B().Arbitrary(words...).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	do("REPLICAOF", "127.0.0.1", "1") // a replica answers PING, and takes no writes
	nimbustest.Eventually(t, "the refusal to be noticed", func() bool { return c.Health() != nil })
	do("REPLICAOF", "NO", "ONE")
	nimbustest.Eventually(t, "it to heal", func() bool { return c.Health() == nil })
}

func TestAStartDoesNotNeedRedis(t *testing.T) {
	t.Parallel()
	srv := nimbustest.Redis(t)
	srv.Kill()
	c := open(t, srv.URL, nimbustest.Patience)
	if c.Health() == nil {
		t.Fatal("healthy without a server")
	}
	got, told := make(chan string, 10), make(chan struct{}, 10)
	defer c.Subscribe("c", func(m []byte) { got <- string(m) }, func() { told <- struct{}{} })()
	if err := c.Publish(t.Context(), "c", []byte("alone")); err == nil {
		t.Error("published to nodes that cannot have heard it")
	}
	if m := <-got; m != "alone" {
		t.Errorf("this node's own subscription got %q", m)
	}
	srv.Start()
	nimbustest.Eventually(t, "Redis to be found", func() bool { return c.Health() == nil })
	nimbustest.Await(t, "it is told that messages may be missing", told)
}

// After a connection was lost, on the side of the listener or of the publisher, the listener is told, and what is
// published after that arrives.
func TestListenersAreToldWhatALostConnectionMayHaveCost(t *testing.T) {
	t.Parallel()
	srv := nimbustest.Redis(t)
	one, other := connected(t, srv.URL), connected(t, srv.URL)
	got, told := make(chan string, 1000), make(chan struct{}, 1000)
	defer other.Subscribe("c", func(m []byte) { got <- string(m) }, func() { told <- struct{}{} })()
	wait := func(what string, ch <-chan struct{}) {
		t.Helper()
		nimbustest.Await(t, "the listener is told "+what, ch)
	}
	nimbustest.Eventually(t, "the listener hears the publisher", func() bool {
		_ = one.Publish(t.Context(), "c", []byte("ready")) // again, if it fails
		return len(got) > 0
	})
	for len(told) > 0 {
		<-told // on a busy machine the subscription may have been late, which is told too
	}
	client := *one.client.Load()
	if err := client.Do(t.Context(), client.B().Arbitrary("CLIENT", "KILL", "TYPE", "pubsub").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	wait("of its own lost connection", told)
	if err := one.Publish(t.Context(), "c", []byte("heard")); err != nil {
		t.Fatal(err)
	}
	heard := func(want string) {
		t.Helper()
		for m := "ready"; m != want; m = <-got {
			if m != "ready" {
				t.Fatalf("got %q", m)
			}
		}
	}
	heard("heard")
	one.fail() // as after a time-out of the publisher alone
	if err := one.Publish(t.Context(), "c", []byte("unheard")); err == nil {
		t.Fatal("published while the way was closed")
	}
	wait("that the publisher's connection was lost", told)
	if err := one.Publish(t.Context(), "c", []byte("again")); err != nil {
		t.Fatal(err)
	}
	heard("again")
	srv.Kill()
	srv.Start()
	wait("of the server's restart", told)
}

func TestAURLThatCannotBeOneIsRefusedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"localhost:6379", "http://x", "redis://:secret@", "redis://:secret@x:y:z/"} {
		if err := Check(url); err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if Check("http://x") == nil || Check("localhost:6379") == nil {
		t.Error("a URL of another kind is taken")
	}
	for _, url := range []string{"redis://localhost:6379/1", "rediss://u:p@h:1", "unix:///tmp/x.sock"} {
		if err := Check(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A Redis that is full and evicts nothing refuses what is written, and nothing else: limits are each node's own until there is
// room, and messages go on from node to node.
func TestAFullRedisStillCarriesMessages(t *testing.T) {
	t.Parallel()
	url := nimbustest.Redis(t).URL
	one, other := connected(t, url), connected(t, url)
	maxmemory := func(bytes string) {
		t.Helper()
		client := *one.client.Load()
		if err := client.Do(t.Context(), client.B().ConfigSet().ParameterValue().ParameterValue("maxmemory", bytes).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan string, 10)
	defer other.Subscribe("c", func(m []byte) { got <- string(m) }, func() {})()
	maxmemory("1")
	if _, err := one.Take(t.Context(), ratelimit.Key{Group: "g", Subject: "s"}, ratelimit.Rate{PerMinute: 10}, 1); !errors.Is(err, ratelimit.ErrUnavailable) {
		t.Errorf("a token of a full Redis: %v", err)
	}
	for _, m := range []string{"a", "b"} {
		if err := one.Publish(t.Context(), "c", []byte(m)); err != nil {
			t.Errorf("publish while it is full: %v", err)
		}
		if heard := <-got; heard != m {
			t.Errorf("heard %q, want %q", heard, m)
		}
	}
	nimbustest.Eventually(t, "health says that it is full", func() bool {
		err := one.Health()
		return err != nil && strings.Contains(err.Error(), "full")
	})
	maxmemory("0")
	nimbustest.Eventually(t, "limits are shared again", func() bool {
		_, err := one.Take(t.Context(), ratelimit.Key{Group: "g", Subject: "s"}, ratelimit.Rate{PerMinute: 10}, 1)
		return err == nil && one.Health() == nil
	})
}
