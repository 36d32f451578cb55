package projects

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// keyCache remembers keys while the database promises to say when one changes. When nobody listens it is empty and
// stays empty: a key that was rotated must not live on because a message was lost.
type keyCache struct {
	mu         sync.RWMutex
	live       bool
	generation uint64 // counts the times everything was forgotten
	entries    map[cacheKey]any
	heartbeat  time.Time // the last heartbeat of Watch, by the monotonic clock; zero before it has begun
}

type cacheKey struct {
	kind lookup
	text string
}

// lookup is by what a key was looked for.
type lookup byte

const (
	byID lookup = iota
	bySecret
	byWriteKey
)

// maxCachedKeys bounds the memory; a server with more keys in use at once forgets them all now and then.
const maxCachedKeys = 50_000

// cached returns what is remembered, else loads it and remembers it if it was found. What was loaded before a change
// and arrives after it is not remembered: that is what the generation is for.
func cached[T any](c *keyCache, kind lookup, text string, load func() (T, bool, error)) (T, bool, error) {
	key := cacheKey{kind, text}
	c.mu.RLock()
	entry, ok := c.entries[key]
	ok = ok && time.Since(c.heartbeat) < leaseTime
	generation := c.generation
	c.mu.RUnlock()
	if ok {
		value, _ := entry.(T)
		return value, true, nil
	}
	value, found, err := load()
	if err != nil || !found {
		return value, found, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live && c.generation == generation {
		if len(c.entries) >= maxCachedKeys {
			clear(c.entries)
		}
		c.entries[key] = value
	}
	return value, true, nil
}

// listening says whether changes are received from now on. Everything cached before is dropped.
func (c *keyCache) listening(live bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = live
	c.heartbeat = time.Now()
	c.empty()
}

// forget empties the cache.
func (c *keyCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.empty()
}

// empty wants the lock held.
func (c *keyCache) empty() {
	c.generation++
	c.entries = make(map[cacheKey]any)
}

// Live reports whether keys are cached: whether this node receives changes.
func (k *Keys) Live() bool {
	k.cache.mu.RLock()
	defer k.cache.mu.RUnlock()
	return k.cache.live
}

// Forget empties the cache. Code that changes a key on this node calls it after the commit, so that the change is in force
// before its answer; the database notifies the other nodes.
func (k *Keys) Forget() { k.cache.forget() }

const (
	keysChannel = "nimbus_keys" // as the triggers of the schema have it
	// quietTime is how long the connection may be silent before it is asked whether it is still there, and answerTime how
	// long it may take to say so. Together they are how long a key that has stopped can go on at a node whose connection
	// hangs; where notifications arrive it stops within milliseconds.
	quietTime  = 2 * time.Second
	answerTime = 2 * time.Second
	// leaseTime is how long the cache is believed after the last heartbeat of Watch: a process that was stopped for a while must
	// not serve from before.
	leaseTime   = quietTime + answerTime + time.Second
	connectTime = 10 * time.Second
	retryTime   = time.Second
	// stalledTime is many times the interval between two heartbeats, whatever the database does.
	stalledTime = time.Minute
)

// beat is the heartbeat of Watch.
func (c *keyCache) beat() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heartbeat = time.Now()
}

// WatchAge is the time since the last heartbeat of Watch: it received a change, pinged its connection, or failed and began
// anew. It is 0 before Watch has begun.
func (k *Keys) WatchAge() time.Duration {
	k.cache.mu.RLock()
	defer k.cache.mu.RUnlock()
	if k.cache.heartbeat.IsZero() {
		return 0
	}
	return time.Since(k.cache.heartbeat)
}

// Health is an error when Watch hangs. While it merely receives no changes keys are looked up, which is slower and
// no reason to stop serving.
func (k *Keys) Health() error {
	if age := k.WatchAge(); age > stalledTime {
		return fmt.Errorf("the loop that listens for changes of keys has had no heartbeat for %s", age.Round(time.Second))
	}
	return nil
}

// Watch keeps the cache right until ctx ends: it listens for changes on a connection of its own. When the connection is
// lost the cache is emptied and stays so until there is a new one.
func (k *Keys) Watch(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) {
	for ctx.Err() == nil {
		k.cache.beat()
		err := k.listen(ctx, pool)
		k.cache.listening(false)
		if ctx.Err() != nil {
			return
		}
		log.Warn("not listening for changes of keys; looking each one up until that works again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryTime):
		}
	}
}

func (k *Keys) listen(ctx context.Context, pool *pgxpool.Pool) error {
	// A database that hangs without closing anything must not hang this loop: it would never notice the next one.
	begin, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	conn, err := pool.Acquire(begin)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	own := conn.Hijack() // it never goes back: it would hand its messages to someone who does not expect them
	defer func() {
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
		defer cancel()
		_ = own.Close(bye) // the server notices the end of the connection in any case
	}()
	if _, err := own.Exec(begin, "LISTEN "+keysChannel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := testChannel(begin, own, pool); err != nil {
		return err
	}
	k.cache.listening(true)
	for {
		k.cache.beat()
		wait, cancel := context.WithTimeout(ctx, quietTime)
		notification, err := own.WaitForNotification(wait)
		cancel()
		switch {
		case err == nil && notification.Payload != "": // the test of another node
		case err == nil:
			k.cache.forget()
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			ask, cancel := context.WithTimeout(ctx, answerTime)
			err := own.Ping(ask)
			cancel()
			if err != nil {
				return fmt.Errorf("the connection is gone: %w", err)
			}
		default:
			return fmt.Errorf("wait for changes: %w", err)
		}
	}
}

// testChannel sends a notification to itself. Behind a pooler that gives each transaction another connection LISTEN succeeds
// and no notification arrives: a revoked key would go on here.
func testChannel(ctx context.Context, listener *pgx.Conn, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	probe := rand.Text()
	if _, err := pool.Exec(ctx, "SELECT pg_notify($1, $2)", keysChannel, probe); err != nil {
		return fmt.Errorf("try the channel: %w", err)
	}
	for {
		notification, err := listener.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("no notification arrives; does a pooler in transaction mode stand before PostgreSQL? %w", err)
		}
		if notification.Payload == probe {
			return nil
		}
	}
}
