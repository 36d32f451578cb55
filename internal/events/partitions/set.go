package partitions

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Set is the partitions of a database, and those of them that this process knows to be there.
type Set struct {
	store  store
	making chan struct{} // holds the request whose partitions are made

	mu    sync.RWMutex
	known []Partition // in no order; they are few
}

// NewSet returns a Set on the pool.
func NewSet(pool *pgxpool.Pool) *Set {
	return &Set{store: newStore(pool), making: make(chan struct{}, 1)}
}

// monthsAhead is how many months have a partition before their first event: nobody has to wait for them.
const monthsAhead = 2

// EnsureAhead makes the partitions of this month and the next ones. It runs at the start and as a job.
func (s *Set) EnsureAhead(ctx context.Context, now time.Time) error {
	month := Month(now).From
	return s.Ensure(ctx, now, 1+monthsAhead, func(k int) time.Time { return month.AddDate(0, k, 0) })
}

// prepareTime is how long a request waits for its partitions. Those that are made by then stay: sent again, it goes on.
const prepareTime = 15 * time.Second

// Prepare makes the partitions that n events need, before they wait in a queue: each takes some 10 ms, and every
// request that shared their transaction would wait for all of them. One caller at a time, so that the others keep
// their connections. now decides how long a time a new partition holds.
func (s *Set) Prepare(ctx context.Context, now time.Time, n int, ts func(k int) time.Time) error {
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
	return s.ensureAll(ctx, now, missing)
}

// Ensure is Prepare without waiting for others.
func (s *Set) Ensure(ctx context.Context, now time.Time, n int, ts func(k int) time.Time) error {
	return s.ensureAll(ctx, now, s.missing(n, ts))
}

// missing returns a time of each month of n events of which this process does not know that it has a partition.
func (s *Set) missing(n int, ts func(k int) time.Time) []time.Time {
	var missing []time.Time
	var last Partition
	s.mu.RLock()
	defer s.mu.RUnlock()
	for k := range n {
		at := ts(k)
		if last.Holds(at) {
			continue
		}
		var ok bool
		if last, ok = s.findLocked(at); !ok {
			last = Month(at)
			missing = append(missing, at)
		}
	}
	return missing
}

func (s *Set) findLocked(at time.Time) (Partition, bool) {
	for _, p := range s.known {
		if p.Holds(at) {
			return p, true
		}
	}
	return Partition{}, false
}

func (s *Set) ensureAll(ctx context.Context, now time.Time, times []time.Time) error {
	for _, at := range times {
		if err := s.ensure(ctx, now, at); err != nil {
			return err
		}
	}
	return nil
}

func (s *Set) ensure(ctx context.Context, now, at time.Time) error {
	s.mu.RLock()
	_, ok := s.findLocked(at)
	s.mu.RUnlock()
	if ok {
		return nil
	}
	p, err := s.store.ensure(ctx, now, at)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.known, p) {
		s.known = append(s.known, p)
	}
	return nil
}

// Forget forgets which partitions are there: one that this process remembered was dropped, by the pruning of any node.
func (s *Set) Forget() {
	s.mu.Lock()
	s.known = nil
	s.mu.Unlock()
}

// List returns the partitions that are there, in the order of time.
func (s *Set) List(ctx context.Context) ([]Partition, error) {
	sizes, err := s.store.sizes(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Partition, len(sizes))
	for k := range sizes {
		out[k] = sizes[k].Partition
	}
	return out, nil
}
