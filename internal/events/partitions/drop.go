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
	// dropTries is how often one run tries to drop a partition. Each try may keep ingestion waiting for a moment, so they
	// are few and apart; the next run tries again.
	dropTries = 5
	dropPause = 200 * time.Millisecond
)

// DropEmpty drops the partitions of past months that hold nothing. One that is in use all the time is left to the next run.
func (s *Set) DropEmpty(ctx context.Context, now time.Time) error {
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
	return nil
}

// dropIfEmpty drops a partition if it holds nothing. Whether it does is first asked without keeping anybody waiting; then
// VACUUM gives back the space of what was deleted, so that the function that drops it need only look at its size.
func (s *Set) dropIfEmpty(ctx context.Context, p Partition) error {
	table := pgx.Identifier{p.Name()}.Sanitize()
	var used bool
	if err := s.store.pool.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+table+")").Scan(&used); err != nil || used {
		return err
	}
	if _, err := s.store.pool.Exec(ctx, "VACUUM (SKIP_LOCKED) "+table); err != nil {
		return err
	}
	for try := 1; ; try++ {
		_, err := s.store.q.EventPartitionDropEmpty(ctx, s.store.pool, p.From)
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
