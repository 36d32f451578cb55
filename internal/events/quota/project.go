package quota

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/google/uuid"
)

// project is what this node knows of a project.
type project struct {
	id uuid.UUID

	mu      sync.Mutex
	limits  Limits
	day     time.Time // of today
	today   int64     // events stored that day: by all nodes when they were last asked, and by this one since
	bytes   int64     // of all events, in the same way
	unsaved stored    // what this node stored and has not written down
	used    time.Time
	tried   bool          // whether it was asked for
	loading chan struct{} // closed when the first answer is there; nil when nobody asks
	// names are the hashes of those that are counted by themselves: a name takes 8 bytes, however long it is. Two
	// names of one hash would let one too many through, which harms nobody.
	names      map[uint64]struct{}
	namesSince time.Time
}

type stored struct{ events, bytes int64 }

const (
	// idleTime is how long a project is remembered that sends nothing.
	idleTime = 10 * time.Minute
	// namesTime is how long names are taken from memory before they are read again: other nodes let some in, and
	// pruning removes some.
	namesTime = 10 * time.Minute
	// maxNames bounds the names of a project in memory. One that had more before there were limits keeps these.
	maxNames = 100_000
)

func (k *Keeper) project(id uuid.UUID) *project {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.projects[id]
	if !ok {
		p = &project{id: id}
		k.projects[id] = p
	}
	return p
}

// forget has a project read anew when it is next needed.
func (k *Keeper) forget(id uuid.UUID) {
	p := k.project(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried, p.namesSince = false, time.Time{}
}

// loadTime is how long the first request of a project waits for what the project may store. A database that is slow or
// away must not keep events waiting here: they are let in, and Sync reads it later.
const loadTime = time.Second

// load reads what is known of a project that this node has not seen before. Requests that come meanwhile wait for it.
func (k *Keeper) load(ctx context.Context, p *project, now time.Time) {
	p.mu.Lock()
	loading := p.loading
	if loading == nil && !p.tried {
		p.tried, p.loading = true, make(chan struct{})
		p.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTime)
		defer cancel()
		if err := k.read(ctx, p, now); err != nil {
			k.log.Warn("what a project may store is not known yet; its events are taken in", "project_id", p.id, "error", err)
		}
		p.mu.Lock()
		close(p.loading)
		p.loading = nil
	}
	p.mu.Unlock()
	if loading != nil {
		select {
		case <-loading:
		case <-ctx.Done():
		}
	}
}

// read asks the database for the limits and the usage of a project, and for its names.
func (k *Keeper) read(ctx context.Context, p *project, now time.Time) error {
	known, err := k.store.load(ctx, dayOf(now), []uuid.UUID{p.id})
	if err != nil {
		return err
	}
	p.mu.Lock()
	k.learnLocked(p, known[p.id], now)
	p.mu.Unlock()
	return k.readNames(ctx, p, now)
}

// readNames reads the names that are counted by themselves, unless they were read lately.
func (k *Keeper) readNames(ctx context.Context, p *project, now time.Time) error {
	p.mu.Lock()
	fresh := p.limits.EventNames == 0 || now.Sub(p.namesSince).Abs() < namesTime
	p.mu.Unlock()
	if fresh {
		return nil
	}
	names, err := k.store.names(ctx, p.id, maxNames)
	if err != nil {
		return fmt.Errorf("read the names of a project: %w", err)
	}
	hashes := make(map[uint64]struct{}, len(names))
	for _, name := range names {
		hashes[maphash.String(k.seed, name)] = struct{}{}
	}
	p.mu.Lock()
	p.names, p.namesSince = hashes, now
	p.mu.Unlock()
	return nil
}

// learnLocked takes over what the database says.
func (k *Keeper) learnLocked(p *project, l loaded, now time.Time) {
	p.limits = k.cfg.Defaults.with(l.Overrides)
	p.day, p.today = dayOf(now), l.events+p.unsaved.events
	p.bytes = l.bytes + p.unsaved.bytes
}

// mayCount reports whether a name is counted by itself, and lets it in when there is room.
func (p *project) mayCount(name uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limits.EventNames == 0 || p.names == nil { // no limit, or the names are not known yet
		return true
	}
	if _, ok := p.names[name]; ok {
		return true
	}
	if len(p.names) >= p.limits.EventNames {
		return false
	}
	p.names[name] = struct{}{}
	return true
}

func (p *project) add(events, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.today += events
	p.bytes += bytes
	p.unsaved.events += events
	p.unsaved.bytes += bytes
}
