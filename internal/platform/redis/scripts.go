package redis

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/bahagh/nimbus/internal/platform/ratelimit"
)

// GCRA, as ratelimit.bucket has it. Its last result is the time it was decided at, by which a test holds the two together.
var takeScript = rueidis.NewLuaScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local interval, size, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local stored = tonumber(redis.call('GET', KEYS[1])) or 0
local full = math.min(math.max(stored, now), now + size * interval)
local room = size - math.floor((full - now + interval - 1) / interval)
local granted = math.max(0, math.min(n, room))
local after = full + granted * interval
if granted > 0 or full < stored then
  redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000) + 1)
end
local wait = 0
if granted == 0 and n > 0 then wait = full - now - (size - 1) * interval end
return {granted, math.max(0, room - granted), wait, after - now, now}
`)

// The attempts of ratelimit.attempts: failures, the last attempt, when the next may begin, until when success is known.
var beginScript = rueidis.NewLuaScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local free, first, longest, forget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local v = redis.call('HMGET', KEYS[1], 'failures', 'last', 'open', 'known')
local failures, last, open, known = tonumber(v[1]) or 0, tonumber(v[2]) or 0, tonumber(v[3]) or 0, tonumber(v[4]) or 0
local is_known = 0
if known > now then is_known = 1 end
if now - last > forget then failures, open = 0, 0 end
if open > now + longest then
  open = now + longest
  redis.call('HSET', KEYS[1], 'open', string.format('%.0f', open))
end
if open > now then return {open - now, is_known} end
failures = failures + 1
local wait = 0
if failures > free then
  wait = first
  for _ = 2, failures - free do
    if wait >= longest then break end
    wait = wait * 2
  end
  wait = math.min(wait, longest)
end
redis.call('HSET', KEYS[1], 'failures', failures, 'last', string.format('%.0f', now), 'open', string.format('%.0f', now + wait))
redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(forget, known - now) / 1000))
return {0, is_known}
`)

var undoScript = rueidis.NewLuaScript(`
local failures = tonumber(redis.call('HGET', KEYS[1], 'failures')) or 0
if failures > 0 then redis.call('HSET', KEYS[1], 'failures', failures - 1, 'open', 0) end
return 0
`)

var succeedScript = rueidis.NewLuaScript(`
local t = redis.call('TIME')
local known = t[1] * 1000000 + t[2] + tonumber(ARGV[1])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'known', string.format('%.0f', known))
redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[1]) / 1000))
return 0
`)

func keyOf(kind string, k ratelimit.Key) string {
	return "nimbus:" + kind + ":" + k.Group + ":" + k.Subject
}

func micros(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }

// errReply is a reply that our own script cannot have given.
var errReply = errors.New("a script of another form answered")

// run executes a script with at least so many results.
func run(ctx context.Context, client rueidis.Client, script *rueidis.Lua, key string, want int, args ...string) ([]int64, error) {
	v, err := script.Exec(ctx, client, []string{key}, args).AsIntSlice()
	if err == nil && len(v) < want {
		err = errReply
	}
	return v, err
}

// granted is a grant and when it was decided, in microseconds of Redis's clock.
type granted struct {
	ratelimit.Grant
	at int64
}

func (c *Client) take(ctx context.Context, client rueidis.Client, key string, r ratelimit.Rate, n int) (granted, error) {
	v, err := run(ctx, client, takeScript, key, 5, strconv.FormatInt(r.Interval(), 10), strconv.Itoa(r.PerMinute), strconv.Itoa(n))
	if err != nil {
		return granted{}, err
	}
	return granted{ratelimit.Grant{Tokens: int(v[0]), Remaining: int(v[1]), RetryAfter: time.Duration(v[2]) * time.Microsecond,
		Reset: time.Duration(v[3]) * time.Microsecond}, v[4]}, nil
}

// Take implements ratelimit.Limiter.
func (c *Client) Take(ctx context.Context, key ratelimit.Key, r ratelimit.Rate, n int) (ratelimit.Grant, error) {
	var g granted
	err := c.write(ctx, func(ctx context.Context, client rueidis.Client) (err error) {
		g, err = c.take(ctx, client, keyOf("limit", key), r, n)
		return err
	})
	return g.Grant, err
}

// Begin implements ratelimit.Attempts.
func (c *Client) Begin(ctx context.Context, key ratelimit.Key, s ratelimit.Schedule) (ratelimit.Attempt, error) {
	var out ratelimit.Attempt
	err := c.write(ctx, func(ctx context.Context, client rueidis.Client) error {
		v, err := run(ctx, client, beginScript, keyOf("attempts", key), 2,
			strconv.Itoa(s.Free), micros(s.First), micros(s.Longest), micros(s.Forget))
		if err == nil {
			out = ratelimit.Attempt{Wait: time.Duration(v[0]) * time.Microsecond, Known: v[1] == 1}
		}
		return err
	})
	return out, err
}

// Undo implements ratelimit.Attempts.
func (c *Client) Undo(ctx context.Context, key ratelimit.Key) error {
	return c.write(ctx, func(ctx context.Context, client rueidis.Client) error {
		return undoScript.Exec(ctx, client, []string{keyOf("attempts", key)}, nil).Error()
	})
}

// Succeed implements ratelimit.Attempts.
func (c *Client) Succeed(ctx context.Context, key ratelimit.Key, remember time.Duration) error {
	return c.write(ctx, func(ctx context.Context, client rueidis.Client) error {
		return succeedScript.Exec(ctx, client, []string{keyOf("attempts", key)}, []string{micros(remember)}).Error()
	})
}
