package quota

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

const (
	// syncEvery is how often a node writes down what was stored and reads what others stored.
	syncEvery = 5 * time.Second
	// syncTime bounds one of that.
	syncTime = 10 * time.Second
	// lastSyncTime bounds the one of a process that ends: what is not written down then is not counted.
	lastSyncTime = 2 * time.Second
)

// Run keeps the Keeper up to date until ctx ends, and writes down the rest then.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.syncAndLog(ctx, syncTime)
		case <-ctx.Done():
			k.syncAndLog(context.WithoutCancel(ctx), lastSyncTime)
			return
		}
	}
}

func (k *Keeper) syncAndLog(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := k.Sync(ctx); err != nil && !errors.Is(err, context.Canceled) {
		k.log.Warn("the usage of projects was not written down; it is tried again", "error", err)
	}
}

// Sync writes down what this node stored, and reads what all have stored.
func (k *Keeper) Sync(ctx context.Context) error {
	k.syncing.Lock()
	defer k.syncing.Unlock()
	now := k.cfg.Now()
	active := k.active(now)
	if len(active) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(active))
	took := make([]stored, len(active))
	for n, p := range active {
		p.mu.Lock()
		ids[n], took[n] = p.id, p.unsaved
		p.mu.Unlock()
	}
	if err := k.store.add(ctx, dayOf(now), ids, took); err != nil {
		return err
	}
	for n, p := range active {
		p.mu.Lock()
		p.unsaved.events -= took[n].events
		p.unsaved.bytes -= took[n].bytes
		p.mu.Unlock()
	}
	known, err := k.store.load(ctx, dayOf(now), ids)
	if err != nil {
		return err
	}
	var failed []error
	for _, p := range active {
		p.mu.Lock()
		k.learnLocked(p, known[p.id], now)
		p.tried = true
		p.mu.Unlock()
		failed = append(failed, k.readNames(ctx, p, now))
	}
	return errors.Join(failed...)
}

// active returns the projects in use, and forgets those that are not and have nothing to write down.
func (k *Keeper) active(now time.Time) []*project {
	k.mu.Lock()
	defer k.mu.Unlock()
	var active []*project
	for id, p := range k.projects {
		p.mu.Lock()
		idle := now.Sub(p.used).Abs() > idleTime && p.unsaved == stored{}
		p.mu.Unlock()
		if idle {
			delete(k.projects, id)
			continue
		}
		active = append(active, p)
	}
	return active
}

const (
	// countBytes is what a count takes on disk, with its index.
	countBytes = 150
	// operationBytes is what an operation on a profile takes, with its indexes and its part of the profile.
	operationBytes = 400
	// eventBytes is what an event takes while nothing is known of a project's own.
	eventBytes = 300
	// measuredAgain is how long a measurement holds of a project that stores nothing: pruning may have removed some.
	measuredAgain = 24 * time.Hour
	// usageDays is how long the usage of a day is kept.
	usageDays = 400
)

// Measure counts what the projects in use have stored, and deletes the usage of days long gone. It runs as a job.
func (k *Keeper) Measure(ctx context.Context, now time.Time) error {
	due, err := k.store.due(ctx, now.Add(-measuredAgain), dayOf(now).AddDate(0, 0, -1))
	if err != nil {
		return err
	}
	var failed []error
	for _, id := range due {
		if err := k.store.measure(ctx, id, now); err != nil {
			failed = append(failed, fmt.Errorf("measure project %s: %w", id, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(append(failed, k.store.prune(ctx, dayOf(now).AddDate(0, 0, -usageDays)))...)
}
