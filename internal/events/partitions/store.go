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

// ensure returns the partition of a time, which is made when there is none.
func (s store) ensure(ctx context.Context, now, at time.Time) (Partition, error) {
	name, err := s.q.EventPartitionEnsure(ctx, s.pool, at, monthsSince(now), yearsSince(now))
	if err != nil {
		return Partition{}, fmt.Errorf("make the partition of %s: %w", at.Format(time.DateOnly), err)
	}
	p, ok := Parse(name)
	if !ok {
		return Partition{}, fmt.Errorf("the partition %s is of no time", name)
	}
	return p, nil
}

// sized is a partition and the bytes of its rows.
type sized struct {
	Partition
	bytes int64
}

// sizes returns the partitions in the order of time.
func (s store) sizes(ctx context.Context) ([]sized, error) {
	rows, err := s.q.EventPartitions(ctx, s.pool)
	if err != nil {
		return nil, fmt.Errorf("list partitions: %w", err)
	}
	out := make([]sized, len(rows))
	for k, r := range rows {
		p, ok := Parse(r.Name)
		if !ok {
			return nil, fmt.Errorf("the partition %s is of no time", r.Name)
		}
		out[k] = sized{p, r.Bytes}
	}
	return out, nil
}

func (s store) dropEmpty(ctx context.Context, p Partition) error {
	_, err := s.q.EventPartitionDropEmpty(ctx, s.pool, p.Name())
	return err
}

// merge makes one partition of those within a time, if they have no more bytes together.
func (s store) merge(ctx context.Context, within Partition, maxBytes int64) error {
	_, err := s.q.EventPartitionsMerge(ctx, s.pool, within.From, within.Until, maxBytes)
	return err
}
