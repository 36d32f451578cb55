package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/platform/postgres"
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

// monthsAhead is how many months have a partition before their first event: nobody has to wait for them.
const monthsAhead = 2

// EnsurePartitions makes the partitions of this month and the next ones. It runs at the start and as a job.
func (s *Store) EnsurePartitions(ctx context.Context, now time.Time) error {
	var months []month
	for m := monthOf(now); m <= monthOf(now)+monthsAhead; m++ {
		months = append(months, m)
	}
	return s.ensureMonths(ctx, months)
}

// prepareTime is how long a request waits for its partitions. Those that are made by then stay: sent again, it goes on.
const prepareTime = 15 * time.Second

// Prepare makes the partitions that a request needs before it waits in the queue: they take some 10 ms each, its events may
// be of hundreds of months, and whoever shares its flush would wait for all of them. One request at a time, so that the
// others keep their connections.
func (s *Store) Prepare(ctx context.Context, writes []write) error {
	missing := s.missing(len(writes), func(k int) time.Time { return writes[k].TS })
	if len(missing) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, prepareTime)
	defer cancel()
	select {
	case s.preparing <- struct{}{}:
		defer func() { <-s.preparing }()
	case <-ctx.Done():
		return fmt.Errorf("wait for the partitions of other requests: %w", ctx.Err())
	}
	return s.ensureMonths(ctx, missing)
}

// missing returns the months of n events of which this process does not know that they have a partition.
func (s *Store) missing(n int, ts func(k int) time.Time) []month {
	var missing []month
	last := month(-1)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for k := range n {
		m := monthOf(ts(k))
		if m == last {
			continue
		}
		last = m
		if _, ok := s.months[m]; !ok {
			missing = append(missing, m)
		}
	}
	return missing
}

func (s *Store) ensureMonths(ctx context.Context, months []month) error {
	for _, m := range months {
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

const (
	// emptyMonthsKept is how many months before this one keep their partition when it is empty: events come late, and a
	// partition that is dropped and made again each time is only in the way.
	emptyMonthsKept = 2
	// dropTries is how often a partition is tried to be dropped in one turn. Each try may keep ingestion waiting
	// for a moment, so they are few and apart; the next turn tries again.
	dropTries = 5
	dropPause = 200 * time.Millisecond
)

// dropEmptyPartitions drops the partitions of past months that hold nothing. One that others use all the time is left to
// the next turn.
func (s *Store) dropEmptyPartitions(ctx context.Context, now time.Time) error {
	names, err := s.q.EventPartitions(ctx, s.pool)
	if err != nil {
		return fmt.Errorf("list partitions: %w", err)
	}
	for _, name := range names {
		start, err := time.Parse("events_200601", name)
		if err != nil {
			return fmt.Errorf("the partition %s is of no month: %w", name, err)
		}
		if monthOf(start) >= monthOf(now)-emptyMonthsKept {
			continue
		}
		err = s.dropIfEmpty(ctx, name, start)
		if err != nil && !postgres.IsNoTable(err) { // another process was faster
			return fmt.Errorf("drop the partition %s: %w", name, err)
		}
	}
	return nil
}

// dropIfEmpty drops a partition if it holds nothing. Whether it does is first asked without keeping anybody waiting; then
// VACUUM gives back the space of what was deleted, so that the function that drops it need only look at its size.
func (s *Store) dropIfEmpty(ctx context.Context, name string, start time.Time) error {
	table := pgx.Identifier{name}.Sanitize()
	var used bool
	if err := s.pool.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+table+")").Scan(&used); err != nil || used {
		return err
	}
	if _, err := s.pool.Exec(ctx, "VACUUM (SKIP_LOCKED) "+table); err != nil {
		return err
	}
	for try := 1; ; try++ {
		_, err := s.q.EventPartitionDropEmpty(ctx, s.pool, start)
		if !postgres.IsRetryable(err) {
			return err
		}
		if try == dropTries {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(dropPause):
		}
	}
}
