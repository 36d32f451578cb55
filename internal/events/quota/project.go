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
	loaded  time.Time // zero before the first time
	used    time.Time
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
	p.loaded, p.namesSince = time.Time{}, time.Time{}
}

// loadLocked reads what is not known yet. Run does so again for the projects in use.
func (k *Keeper) loadLocked(ctx context.Context, p *project, now time.Time) error {
	if p.loaded.IsZero() {
		known, err := k.store.load(ctx, dayOf(now), []uuid.UUID{p.id})
		if err != nil {
			return err
		}
		k.learnLocked(p, known[p.id], now)
	}
	if p.limits.EventNames == 0 || now.Sub(p.namesSince).Abs() < namesTime {
		return nil
	}
	names, err := k.store.names(ctx, p.id, maxNames)
	if err != nil {
		return fmt.Errorf("read the names of a project: %w", err)
	}
	p.names, p.namesSince = make(map[uint64]struct{}, len(names)), now
	for _, name := range names {
		p.names[maphash.String(k.seed, name)] = struct{}{}
	}
	return nil
}

// learnLocked takes over what the database says.
func (k *Keeper) learnLocked(p *project, l loaded, now time.Time) {
	p.limits = k.cfg.Defaults.with(l.Overrides)
	p.day, p.today = dayOf(now), l.events+p.unsaved.events
	p.bytes = l.bytes + p.unsaved.bytes
	p.loaded = now
}

// mayCount reports whether a name is counted by itself, and lets it in when there is room.
func (p *project) mayCount(name uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limits.EventNames == 0 {
		return true
	}
	if _, ok := p.names[name]; ok {
		return true
	}
	if len(p.names) >= p.limits.EventNames {
		return false
	}
	if p.names == nil {
		p.names = make(map[uint64]struct{})
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
