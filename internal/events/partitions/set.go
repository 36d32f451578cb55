package partitions

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Set is the partitions of a database, and those of them that this process knows to be there.
type Set struct {
	store  store
	making chan struct{} // holds the request whose partitions are made

	mu    sync.RWMutex
	known map[Partition]struct{}
}

// NewSet returns a Set on the pool.
func NewSet(pool *pgxpool.Pool) *Set {
	return &Set{store: newStore(pool), making: make(chan struct{}, 1), known: make(map[Partition]struct{})}
}

// monthsAhead is how many months have a partition before their first event: nobody has to wait for them.
const monthsAhead = 2

// EnsureAhead makes the partitions of this month and the next ones. It runs at the start and as a job.
func (s *Set) EnsureAhead(ctx context.Context, now time.Time) error {
	p := Month(now)
	for range monthsAhead + 1 {
		if err := s.ensure(ctx, p); err != nil {
			return err
		}
		p = Month(p.Until)
	}
	return nil
}

// prepareTime is how long a request waits for its partitions. Those that are made by then stay: sent again, it goes on.
const prepareTime = 15 * time.Second

// Prepare makes the partitions that n events need, before they wait in a queue: each takes some 10 ms, and every request
// that shared their transaction would wait for all of them. One caller at a time, so that the others keep their
// connections.
func (s *Set) Prepare(ctx context.Context, n int, ts func(k int) time.Time) error {
	missing := s.missing(n, ts)
	if len(missing) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, prepareTime)
	defer cancel()
	select {
	case s.making <- struct{}{}:
		defer func() { <-s.making }()
	case <-ctx.Done():
		return fmt.Errorf("wait for the partitions of other requests: %w", ctx.Err())
	}
	return s.ensureAll(ctx, missing)
}

// Ensure is Prepare without waiting for others.
func (s *Set) Ensure(ctx context.Context, n int, ts func(k int) time.Time) error {
	return s.ensureAll(ctx, s.missing(n, ts))
}

// missing returns the partitions of n events of which this process does not know that they are there.
func (s *Set) missing(n int, ts func(k int) time.Time) []Partition {
	var missing []Partition
	var last Partition
	s.mu.RLock()
	defer s.mu.RUnlock()
	for k := range n {
		at := ts(k)
		if last.Holds(at) {
			continue
		}
		last = Month(at)
		if _, ok := s.known[last]; !ok {
			missing = append(missing, last)
		}
	}
	return missing
}

func (s *Set) ensureAll(ctx context.Context, all []Partition) error {
	for _, p := range all {
		if err := s.ensure(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *Set) ensure(ctx context.Context, p Partition) error {
	s.mu.RLock()
	_, ok := s.known[p]
	s.mu.RUnlock()
	if ok {
		return nil
	}
	if err := s.store.ensure(ctx, p.From); err != nil {
		return err
	}
	s.mu.Lock()
	s.known[p] = struct{}{}
	s.mu.Unlock()
	return nil
}

// Forget forgets which partitions are there: one that this process remembered was dropped, by the pruning of any node.
func (s *Set) Forget() {
	s.mu.Lock()
	clear(s.known)
	s.mu.Unlock()
}

// List returns the partitions that are there, in the order of time.
func (s *Set) List(ctx context.Context) ([]Partition, error) { return s.store.list(ctx) }
