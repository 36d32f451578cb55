package ingest

import (
	"fmt"
	"sync"
	"time"

	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// failing is what the database has had to say since it last took events.
type failing struct {
	flushes int       // that failed, one after the other
	first   time.Time // when the first of them did
	last    time.Time
	cause   error // of the last one
}

// failingFlushes is how many flushes must fail before ingestion is not healthy: one that fails alone was unlucky, as
// when its connection was ended.
const failingFlushes = 3

// noteFlush remembers how a flush ended. A database that refuses rows is at work, but has not shown that it can store
// any.
func (b *Batcher) noteFlush(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.failing = failing{}
	case !postgres.IsData(err):
		b.metrics.failures.Inc()
		f := &b.failing
		f.last, f.cause = b.now(), err
		if f.flushes == 0 {
			f.first = f.last
		}
		f.flushes++
	}
}

// Health says why ingestion is not healthy, or nil.
//
// When flushes fail it is unhealthy until one succeeds, or until none was tried for RetryTime: senders that are kept
// away while it is unhealthy must come back at some time, because nothing else tells whether it is over.
func (b *Batcher) Health() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.alive < b.cfg.Flushers && !b.closed {
		return fmt.Errorf("%d of %d flushers are dead", b.cfg.Flushers-b.alive, b.cfg.Flushers)
	}
	if age := b.oldestLocked(); age > b.cfg.StalledTime {
		return fmt.Errorf("the oldest request has been waiting for %s", age.Round(time.Second))
	}
	if f := &b.failing; f.flushes >= failingFlushes && b.now().Sub(f.last) < b.cfg.RetryTime {
		since := b.now().Sub(f.first).Round(time.Second)
		if postgres.IsDiskFull(f.cause) {
			return fmt.Errorf("disk full: for %s the database has had no room for events, which are answered with 503; "+
				"free or add space where it keeps its data, and they are taken again without a restart", since)
		}
		return fmt.Errorf("for %s the database has stored no events, which are answered with 503; the log says why", since)
	}
	return nil
}

// oldestLocked returns how long the oldest batch has waited, queued or being written.
func (b *Batcher) oldestLocked() time.Duration {
	var oldest time.Time
	if len(b.queue) > 0 {
		oldest = b.queue[0].enqueued
	}
	for x := range b.inFlight {
		if oldest.IsZero() || x.enqueued.Before(oldest) {
			oldest = x.enqueued
		}
	}
	if oldest.IsZero() {
		return 0
	}
	return b.now().Sub(oldest)
}

// Busy returns a function that says whether transactions ran for more than half of the time since it was asked last. What can
// wait yields to ingestion by it.
func (b *Batcher) Busy() func() bool {
	var mu sync.Mutex
	asked, before := b.now(), b.flushTime.Load()
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		now, total := b.now(), b.flushTime.Load()
		busy := 2*time.Duration(total-before) > now.Sub(asked)
		asked, before = now, total
		return busy
	}
}
