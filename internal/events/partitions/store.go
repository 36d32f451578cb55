package partitions

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
)

type store struct {
	pool *pgxpool.Pool
	q    *db.Queries
}

func newStore(pool *pgxpool.Pool) store { return store{pool: pool, q: db.New()} }

func (s store) ensure(ctx context.Context, month time.Time) error {
	if _, err := s.q.EventPartitionEnsure(ctx, s.pool, month); err != nil {
		return fmt.Errorf("make the partition of %s: %w", month.Format("2006-01"), err)
	}
	return nil
}

func (s store) list(ctx context.Context) ([]Partition, error) {
	names, err := s.q.EventPartitions(ctx, s.pool)
	if err != nil {
		return nil, fmt.Errorf("list partitions: %w", err)
	}
	out := make([]Partition, len(names))
	for k, name := range names {
		var ok bool
		if out[k], ok = Parse(name); !ok {
			return nil, fmt.Errorf("the partition %s is of no time", name)
		}
	}
	return out, nil
}
