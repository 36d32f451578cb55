package partitions

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/platform/postgres"
)

const (
	// emptyMonthsKept is how many months before this one keep their partition when it is empty: events come late, and a
	// partition that is dropped and made again each time is only in the way.
	emptyMonthsKept = 2
	// lockTries is how often one run tries to have events for itself. Each try may keep ingestion waiting for a
	// moment, so they are few and apart; the next run tries again.
	lockTries = 5
	lockPause = 200 * time.Millisecond
	// mergedBytes bounds what one merge rewrites while nobody can read or write events: some tens of milliseconds.
	mergedBytes = 4 << 20
	// mergedPartitions bounds the locks of one merge.
	mergedPartitions = 64
)

// Tidy drops the partitions of past months that hold nothing, and merges old ones that hold little. One that is in
// use all the time is left to the next run.
func (s *Set) Tidy(ctx context.Context, now time.Time) error {
	all, err := s.List(ctx)
	if err != nil {
		return err
	}
	keep := Month(now).From.AddDate(0, -emptyMonthsKept, 0)
	for _, p := range all {
		if p.Until.After(keep) {
			continue
		}
		if err := s.dropIfEmpty(ctx, p); err != nil && !postgres.IsNoTable(err) { // another process was faster
			return fmt.Errorf("drop the partition %s: %w", p.Name(), err)
		}
	}
	return s.mergeSmall(ctx, now)
}

// dropIfEmpty drops a partition if it holds nothing. Whether it does is first asked without keeping anybody waiting;
// then VACUUM gives back the space of what was deleted, so that the function that drops it need only look at its
// size.
func (s *Set) dropIfEmpty(ctx context.Context, p Partition) error {
	table := pgx.Identifier{p.Name()}.Sanitize()
	var used bool
	if err := s.store.pool.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+table+")").Scan(&used); err != nil || used {
		return err
	}
	if _, err := s.store.pool.Exec(ctx, "VACUUM (SKIP_LOCKED) "+table); err != nil {
		return err
	}
	return alone(ctx, func() error { return s.store.dropEmpty(ctx, p) })
}

// mergeSmall merges neighbours that a new database would have as one partition, as long as they are small.
func (s *Set) mergeSmall(ctx context.Context, now time.Time) error {
	all, err := s.store.sizes(ctx)
	if err != nil {
		return err
	}
	for _, within := range mergeable(all, now) {
		err := alone(ctx, func() error { return s.store.merge(ctx, within, mergedBytes) })
		if err != nil && !postgres.IsNoTable(err) {
			return fmt.Errorf("merge the partitions of %s: %w", within.Name(), err)
		}
	}
	return nil
}

// The groups of partitions that may be merged are the years, and this one.
const old = 1

// group returns what a new database would have as one partition with p; 0 when p stays as it is.
func group(p Partition, now time.Time) int {
	switch year := p.From.Year(); {
	case !p.Until.After(yearsSince(now)):
		return old
	case p.From.Before(monthsSince(now)) && p.Until.Add(-1).Year() == year:
		return year
	default:
		return 0
	}
}

// mergeable returns the times of which the partitions are to be merged: neighbours of one group, so many that they
// are no more than mergedBytes together.
func mergeable(all []sized, now time.Time) []Partition {
	var out []Partition
	for len(all) > 0 {
		of, n, bytes := group(all[0].Partition, now), 1, all[0].bytes
		for n < min(len(all), mergedPartitions) && of != 0 &&
			group(all[n].Partition, now) == of && bytes+all[n].bytes <= mergedBytes {
			bytes += all[n].bytes
			n++
		}
		if n > 1 {
			out = append(out, Partition{all[0].From, all[n-1].Until})
		}
		all = all[n:]
	}
	return out
}

// alone calls what needs all of events for itself until it has got that, or has tried often enough.
func alone(ctx context.Context, fn func() error) error {
	for try := 1; ; try++ {
		err := fn()
		if !postgres.IsRetryable(err) {
			return err
		}
		if try == lockTries {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPause):
		}
	}
}
