package ratelimit

import (
	"context"
	"time"
)

const (
	// leaseShare of a bucket is taken at once: 1%.
	leaseShare = 100
	// leaseLife is how long tokens of a lease are good: after that an idle bucket is full again in any case.
	leaseLife = time.Minute
)

// lease is what this node has of a shared bucket. Times are in microseconds of this node's clock.
type lease struct {
	tokens int   // taken and not used yet
	until  int64 // when they are dropped
	shut   int64 // until then the shared bucket has none

	remaining int   // in the shared bucket, when last asked
	fullAt    int64 // of the shared bucket, when last asked
	used      int64
	asking    chan struct{} // closed when the answer has come; nil when nothing is asked
}

// Verdict is what becomes of one request.
type Verdict struct {
	Allowed    bool
	Remaining  int           // requests that may follow at once
	RetryAfter time.Duration // when it is not allowed
	Reset      time.Duration // until nothing has been used
}

func (g Grant) verdict() Verdict {
	return Verdict{Allowed: g.Tokens > 0, Remaining: g.Remaining, RetryAfter: g.RetryAfter, Reset: g.Reset}
}

// Allow takes one token for a request. It never fails. With Redis it answers from a lease, and asks for the next one
// before this one is used up.
func (s *State) Allow(ctx context.Context, key Key, r Rate) Verdict {
	if s.remote == nil {
		return s.local.take(key, r, 1).verdict()
	}
	size := max(1, r.PerMinute/leaseShare)
	for {
		l, mu := s.leases.lock(key)
		now := s.now().UnixMicro()
		l.used = now
		if now >= l.until {
			l.tokens = 0
		}
		switch {
		case l.tokens > 0:
			l.tokens--
			if l.tokens < size/2 && l.asking == nil && now >= l.shut {
				l.asking = make(chan struct{})
				go s.ask(context.WithoutCancel(ctx), key, r, size-l.tokens, l.asking)
			}
			v := Verdict{Allowed: true, Remaining: l.remaining + l.tokens, Reset: micro(max(0, l.fullAt-now))}
			mu.Unlock()
			return v
		case now < l.shut:
			v := Verdict{RetryAfter: micro(l.shut - now), Reset: micro(max(0, l.fullAt-now))}
			mu.Unlock()
			return v
		case l.asking != nil:
			answered := l.asking
			mu.Unlock()
			<-answered
		default:
			l.asking = make(chan struct{})
			answered := l.asking
			mu.Unlock()
			if !s.ask(ctx, key, r, size, answered) {
				return s.local.take(key, r, 1).verdict()
			}
		}
	}
}

// ask takes n tokens more, so that this node never holds more than a lease, and reports whether the shared bucket could be asked.
func (s *State) ask(ctx context.Context, key Key, r Rate, n int, answered chan struct{}) bool {
	g, err := s.remote.Take(ctx, key, r, n)
	l, mu := s.leases.lock(key)
	defer mu.Unlock()
	defer close(answered)
	if l.asking == answered { // else the entry was forgotten in the meantime, and this is another
		l.asking = nil
	}
	if err != nil {
		s.fallBack(ctx, "limits", err)
		return false
	}
	now := s.now().UnixMicro()
	l.remaining, l.fullAt = g.Remaining, now+g.Reset.Microseconds()
	if g.Tokens > 0 {
		l.tokens += g.Tokens
		l.until = now + leaseLife.Microseconds()
	} else {
		l.shut = now + g.RetryAfter.Microseconds()
	}
	return true
}
