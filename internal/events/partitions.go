package events

import (
	"context"
	"fmt"
	"time"
)

// month is a calendar month of UTC, counted from the year 0.
type month int

func monthOf(t time.Time) month {
	y, m, _ := t.UTC().Date()
	return month(y*12 + int(m) - 1)
}

func (m month) start() time.Time {
	return time.Date(int(m)/12, time.Month(int(m)%12+1), 1, 0, 0, 0, 0, time.UTC)
}

// monthsAhead is how many months have a partition before their first event: making one in the middle of a flush
// would keep its requests waiting.
const monthsAhead = 2

// EnsurePartitions makes the partitions of this month and the next ones. It runs at the start and as a job.
func (s *Store) EnsurePartitions(ctx context.Context, now time.Time) error {
	for m := monthOf(now); m <= monthOf(now)+monthsAhead; m++ {
		if err := s.ensureMonth(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// ensureMonths makes the partitions that the writes need and that this process has not seen yet.
func (s *Store) ensureMonths(ctx context.Context, writes []*write) error {
	var missing []month
	last := month(-1)
	s.mu.RLock()
	for _, w := range writes {
		m := monthOf(w.TS)
		if m == last {
			continue
		}
		last = m
		if _, ok := s.months[m]; !ok {
			missing = append(missing, m)
		}
	}
	s.mu.RUnlock()
	for _, m := range missing {
		if err := s.ensureMonth(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) ensureMonth(ctx context.Context, m month) error {
	s.mu.RLock()
	_, ok := s.months[m]
	s.mu.RUnlock()
	if ok {
		return nil
	}
	if _, err := s.q.EventPartitionEnsure(ctx, s.pool, m.start()); err != nil {
		return fmt.Errorf("make the partition of %s: %w", m.start().Format("2006-01"), err)
	}
	s.mu.Lock()
	s.months[m] = struct{}{}
	s.mu.Unlock()
	return nil
}

func (s *Store) forgetMonths() {
	s.mu.Lock()
	clear(s.months)
	s.mu.Unlock()
}
