package auth

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// storeEvery is how often uses are stored: "last used" is true to the minute.
const storeEvery = time.Minute

// Uses remembers when keys or sessions were last used, and stores it now and then, so that using one costs no write.
type Uses[K comparable] struct {
	store func(ctx context.Context, ids []K, usedAts []time.Time) error

	mu   sync.Mutex
	last map[K]time.Time
}

// NewUses returns a Uses that stores with store.
func NewUses[K comparable](store func(ctx context.Context, ids []K, usedAts []time.Time) error) *Uses[K] {
	return &Uses[K]{store: store, last: make(map[K]time.Time)}
}

// Note remembers a use. It never waits for the database.
func (u *Uses[K]) Note(id K, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last[id] = at
}

// Store stores what was noted since the last time. What could not be stored is dropped: the next use tells as much.
func (u *Uses[K]) Store(ctx context.Context) error {
	u.mu.Lock()
	noted := u.last
	u.last = make(map[K]time.Time, len(noted))
	u.mu.Unlock()
	if len(noted) == 0 {
		return nil
	}
	ids, ats := make([]K, 0, len(noted)), make([]time.Time, 0, len(noted))
	for id, at := range noted {
		ids, ats = append(ids, id), append(ats, at)
	}
	return u.store(ctx, ids, ats)
}

// Run stores every minute until ctx ends, and then once more.
func (u *Uses[K]) Run(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(storeEvery)
	defer ticker.Stop()
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-ticker.C:
		}
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		if err := u.Store(limited); err != nil {
			log.Warn("when keys and sessions were last used was not stored", "error", err)
		}
		cancel()
	}
}
