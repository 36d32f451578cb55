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
	turned     time.Time // when Watch last came round, by the monotonic clock; zero before it has begun
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
	ok = ok && time.Since(c.turned) < leaseTime
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

// listening says whether changes are heard from now on. What was remembered before is forgotten.
func (c *keyCache) listening(live bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = live
	c.turned = time.Now()
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

// Live reports whether keys are remembered: whether this node hears of changes.
func (k *Keys) Live() bool {
	k.cache.mu.RLock()
	defer k.cache.mu.RUnlock()
	return k.cache.live
}

// Forget makes the next request of each key look it up again. Whoever changes a key on this node calls it after the
// commit, so that the change is in force before its answer; the other nodes hear of it from the database.
func (k *Keys) Forget() { k.cache.forget() }

const (
	keysChannel = "nimbus_keys" // as the triggers of the schema have it
	// quietTime is how long the connection may be silent before it is asked whether it is still there, and answerTime how
	// long it may take to say so. Together they are how long a key that has stopped can go on at a node whose connection
	// hangs; one of a node that hears stops within milliseconds.
	quietTime  = 2 * time.Second
	answerTime = 2 * time.Second
	// leaseTime is how long the cache is believed after Watch last came round: a process that was stopped for a while must
	// not serve from before.
	leaseTime   = quietTime + answerTime + time.Second
	connectTime = 10 * time.Second
	retryTime   = time.Second
	// stalledTime is many times what Watch takes to come round, whatever the database does.
	stalledTime = time.Minute
)

// turn notes that Watch is alive.
func (c *keyCache) turn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turned = time.Now()
}

// WatchAge is how long ago Watch last came round: heard of a change, asked whether its connection is there, or failed
// and began anew. It is 0 before Watch has begun.
func (k *Keys) WatchAge() time.Duration {
	k.cache.mu.RLock()
	defer k.cache.mu.RUnlock()
	if k.cache.turned.IsZero() {
		return 0
	}
	return time.Since(k.cache.turned)
}

// Health is an error when Watch hangs. While it merely does not hear of changes keys are looked up, which is slower and
// no reason to stop serving.
func (k *Keys) Health() error {
	if age := k.WatchAge(); age > stalledTime {
		return fmt.Errorf("the loop that listens for changes of keys has not come round for %s", age.Round(time.Second))
	}
	return nil
}

// Watch keeps the cache right until ctx ends: it listens for changes on a connection of its own. When the connection is
// lost the cache is emptied and stays so until there is a new one.
func (k *Keys) Watch(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) {
	for ctx.Err() == nil {
		k.cache.turn()
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
	if err := hears(begin, own, pool); err != nil {
		return err
	}
	k.cache.listening(true)
	for {
		k.cache.turn()
		wait, cancel := context.WithTimeout(ctx, quietTime)
		heard, err := own.WaitForNotification(wait)
		cancel()
		switch {
		case err == nil && heard.Payload != "": // another node tries whether it hears
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

// hears tries the channel. Behind a pooler that gives each transaction another connection LISTEN succeeds, and nothing is
// heard: a key that stopped would go on here.
func hears(ctx context.Context, listener *pgx.Conn, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	probe := rand.Text()
	if _, err := pool.Exec(ctx, "SELECT pg_notify($1, $2)", keysChannel, probe); err != nil {
		return fmt.Errorf("try the channel: %w", err)
	}
	for {
		heard, err := listener.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("nothing is heard; does a pooler in transaction mode stand before PostgreSQL? %w", err)
		}
		if heard.Payload == probe {
			return nil
		}
	}
}
