package ratelimit

import (
	"context"
	"time"
)

// Schedule says how failed attempts are slowed: the first Free cost nothing, each one after that makes the next wait
// twice as long, from First up to Longest. After Forget without an attempt the count begins anew.
type Schedule struct {
	Free           int
	First, Longest time.Duration
	Forget         time.Duration
}

// Wait is how long to wait after this many failures.
func (s Schedule) Wait(failures int) time.Duration {
	over := failures - s.Free
	if over <= 0 {
		return 0
	}
	wait := s.First
	for ; over > 1 && wait < s.Longest; over-- {
		wait *= 2
	}
	return min(wait, s.Longest)
}

// Attempt is the answer to the beginning of an attempt.
type Attempt struct {
	Wait  time.Duration // 0: go on, it is counted as failed until it is undone; else: not yet, and not counted
	Known bool          // the key has succeeded before, and that is remembered
}

// Attempts counts failures, such as wrong passwords.
type Attempts interface {
	// Begin counts a failure in advance, or says how long to wait.
	Begin(ctx context.Context, key Key, s Schedule) (Attempt, error)
	// Undo takes back one failure that Begin counted.
	Undo(ctx context.Context, key Key) error
	// Succeed forgets the failures of the key, and remembers for a while that it has succeeded.
	Succeed(ctx context.Context, key Key, remember time.Duration) error
}

// attempts is the state of a key; times are in microseconds.
type attempts struct {
	failures   int
	last       int64 // when the last attempt began
	openAt     int64 // when the next one may
	knownUntil int64
}

func (a *attempts) begin(now int64, s Schedule) Attempt {
	out := Attempt{Known: a.knownUntil > now}
	if now-a.last > s.Forget.Microseconds() {
		a.failures, a.openAt = 0, 0
	}
	a.openAt = min(a.openAt, now+s.Longest.Microseconds()) // also after the clock was set back
	if a.openAt > now {
		out.Wait = micro(a.openAt - now)
		return out
	}
	a.failures++
	a.last = now
	a.openAt = now + s.Wait(a.failures).Microseconds()
	return out
}

// Begin implements Attempts.
func (l *Local) Begin(_ context.Context, key Key, s Schedule) (Attempt, error) {
	a, mu := l.attempts.lock(key)
	defer mu.Unlock()
	return a.begin(l.now().UnixMicro(), s), nil
}

// Undo implements Attempts.
func (l *Local) Undo(_ context.Context, key Key) error {
	a, mu := l.attempts.lock(key)
	defer mu.Unlock()
	a.failures, a.openAt = max(0, a.failures-1), 0
	return nil
}

// Succeed implements Attempts.
func (l *Local) Succeed(_ context.Context, key Key, remember time.Duration) error {
	a, mu := l.attempts.lock(key)
	defer mu.Unlock()
	*a = attempts{knownUntil: l.now().Add(remember).UnixMicro()}
	return nil
}
