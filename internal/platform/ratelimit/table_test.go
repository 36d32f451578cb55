package ratelimit

import (
	"strconv"
	"testing"
	"time"
)

// Whoever sends from ever new addresses fills no memory, and does not push out those who are being limited.
func TestMemoryIsBoundedAndForgetsTheLeast(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	l := NewLocal(func() time.Time { return now })
	rate := Rate{PerMinute: 100}
	limited := Key{"address", "limited"}
	l.take(limited, rate, 100)
	for i := range shards * keysPerShard * 5 / 4 {
		l.take(Key{"address", strconv.Itoa(i)}, rate, 1)
	}
	if n := l.buckets.len(); n > shards*keysPerShard {
		t.Errorf("%d keys are remembered, want at most %d", n, shards*keysPerShard)
	}
	if g := l.take(limited, rate, 1); g.Tokens != 0 {
		t.Error("whoever had used up the limit was forgotten before those who had used little of it")
	}
}

func TestABucketFillsUpEvenlyAndNeverBeyondItsSize(t *testing.T) {
	t.Parallel()
	for _, perMinute := range []int{1, 7, 120, 10_000, MaxPerMinute} {
		now := time.Unix(1_700_000_000, 0)
		l := NewLocal(func() time.Time { return now })
		k, r := Key{"g", "s"}, Rate{perMinute}
		if g := l.take(k, r, perMinute+5); g.Tokens != perMinute || g.Remaining != 0 || g.RetryAfter != 0 {
			t.Fatalf("%d a minute: %+v from a full bucket", perMinute, g)
		}
		g := l.take(k, r, 1)
		if g.Tokens != 0 || g.RetryAfter != micro(r.Interval()) {
			t.Fatalf("%d a minute: %+v from an empty bucket, want to wait %s", perMinute, g, micro(r.Interval()))
		}
		now = now.Add(g.RetryAfter - time.Microsecond)
		if g := l.take(k, r, 1); g.Tokens != 0 || g.RetryAfter != time.Microsecond {
			t.Errorf("%d a minute: %+v a microsecond too early", perMinute, g)
		}
		now = now.Add(time.Microsecond)
		if g := l.take(k, r, 1); g.Tokens != 1 {
			t.Errorf("%d a minute: %+v after the time it was told to wait", perMinute, g)
		}
		now = now.Add(time.Hour)
		if g := l.take(k, r, 0); g.Remaining != perMinute || g.Reset != 0 || g.RetryAfter != 0 {
			t.Errorf("%d a minute: %+v after an hour of rest", perMinute, g)
		}
	}
}

func TestTheWaitGrowsToItsLongest(t *testing.T) {
	t.Parallel()
	s := Schedule{Free: 3, First: time.Second, Longest: 10 * time.Second}
	for failures, want := range []time.Duration{0, 0, 0, 0, 1, 2, 4, 8, 10, 10} {
		if got := s.Wait(failures); got != want*time.Second {
			t.Errorf("after %d failures: %s, want %s", failures, got, want*time.Second)
		}
	}
	if got := s.Wait(1 << 40); got != s.Longest {
		t.Errorf("after very many: %s", got)
	}
}

// A clock that was an hour ahead and is put right makes nobody wait for that hour.
func TestAClockThatIsSetBackLeavesNoMoreThanAnEmptyBucketAndTheLongestWait(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	l := NewLocal(func() time.Time { return now })
	k, r := Key{"g", "s"}, Rate{60}
	s := Schedule{First: time.Minute, Longest: 2 * time.Minute, Forget: 24 * time.Hour}
	l.take(k, r, 10)
	if _, err := l.Begin(t.Context(), k, s); err != nil {
		t.Fatal(err)
	}
	now = now.Add(-time.Hour)
	if g := l.take(k, r, 1); g.Tokens != 0 || g.RetryAfter != time.Second || g.Reset != time.Minute {
		t.Errorf("the bucket: %+v, want an empty one", g)
	}
	if a, err := l.Begin(t.Context(), k, s); err != nil || a.Wait != s.Longest {
		t.Errorf("the attempt: %+v, %v; want to wait %s", a, err, s.Longest)
	}
	now = now.Add(s.Longest)
	if g := l.take(k, r, 60); g.Tokens != 60 {
		t.Errorf("the bucket later: %+v, want a full one", g)
	}
	if a, err := l.Begin(t.Context(), k, s); err != nil || a.Wait != 0 {
		t.Errorf("the attempt after the wait: %+v, %v", a, err)
	}
}

func TestFailuresAreForgottenAfterAWhile(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	l := NewLocal(func() time.Time { return now })
	s := Schedule{Free: 1, First: time.Minute, Longest: time.Hour, Forget: 2 * time.Hour}
	k := Key{"login", "s"}
	wait := func() time.Duration {
		a, _ := l.Begin(t.Context(), k, s)
		return a.Wait
	}
	wait()
	wait()
	if got := wait(); got != time.Minute {
		t.Fatalf("after two failures: %s", got)
	}
	now = now.Add(time.Minute)
	if got := wait(); got != 0 {
		t.Fatalf("after the wait: %s", got)
	}
	if got := wait(); got != 2*time.Minute {
		t.Fatalf("after the third failure: %s", got)
	}
	now = now.Add(2*time.Hour + time.Second)
	wait()
	if got := wait(); got != 0 {
		t.Errorf("after a rest the first failure is free again, not %s", got)
	}
}

func (t *table[V]) len() int {
	n := 0
	for i := range t.shard {
		s := &t.shard[i]
		s.mu.Lock()
		n += len(s.entries)
		s.mu.Unlock()
	}
	return n
}
