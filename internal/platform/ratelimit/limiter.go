package ratelimit

import (
	"context"
	"time"
)

// Key names something that is limited. Group tells apart subjects of different kinds.
type Key struct{ Group, Subject string }

// Rate is a token bucket: it holds PerMinute tokens and is filled up evenly, at PerMinute tokens a minute.
type Rate struct{ PerMinute int }

// MaxPerMinute is the highest limit: above it, whole microseconds are too coarse to be exact.
const MaxPerMinute = 2_000_000

// Interval is the time in which a token comes back, in whole microseconds, so that both backends compute exactly the
// same. It is rounded up: never more than the limit.
func (r Rate) Interval() int64 {
	const minute = int64(time.Minute / time.Microsecond)
	return (minute + int64(r.PerMinute) - 1) / int64(r.PerMinute)
}

// Grant is the answer to a wish for tokens.
type Grant struct {
	Tokens     int           // how many are granted, from none to all that were wanted
	Remaining  int           // tokens left in the bucket
	RetryAfter time.Duration // until there is a token; 0 when some were granted
	Reset      time.Duration // until the bucket is full again
}

// Limiter grants tokens. Its keys are independent of each other.
type Limiter interface {
	// Take takes up to n tokens out of the bucket of the key: all that are there, when there are fewer.
	Take(ctx context.Context, key Key, r Rate, n int) (Grant, error)
}

// bucket is the state of GCRA: the time at which the bucket will be full, in microseconds. After a clock was set back it is
// empty at worst. The script in internal/platform/redis does the same arithmetic.
type bucket struct{ fullAt int64 }

func (b *bucket) take(now int64, r Rate, n int) Grant {
	interval := r.Interval()
	full := min(max(b.fullAt, now), now+int64(r.PerMinute)*interval)
	missing := (full - now + interval - 1) / interval
	room := int64(r.PerMinute) - missing
	granted := max(0, min(int64(n), room))
	b.fullAt = full + granted*interval
	g := Grant{Tokens: int(granted), Remaining: int(max(0, room-granted)), Reset: micro(b.fullAt - now)}
	if granted == 0 && n > 0 {
		g.RetryAfter = micro(full - now - (int64(r.PerMinute)-1)*interval)
	}
	return g
}

func micro(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// Take implements Limiter. It has no error.
func (l *Local) Take(_ context.Context, key Key, r Rate, n int) (Grant, error) {
	return l.take(key, r, n), nil
}

func (l *Local) take(key Key, r Rate, n int) Grant {
	now := l.now().UnixMicro()
	b, mu := l.buckets.lock(key)
	defer mu.Unlock()
	return b.take(now, r, n)
}
