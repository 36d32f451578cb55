package ingest

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/events/rollups"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// Refusal is an event that the database does not take, and why.
type Refusal struct {
	*write
	cause error
}

// Salvage is Write for events of which the database refuses some: it stores the others, marks those refused, and returns
// them. It is one transaction, too, because it is one request: an event without a key that was stored by a request that
// failed would be stored once more when that is sent again.
func (s *Store) Salvage(ctx context.Context, writes []*write) (refused []Refusal, err error) {
	err = s.withPartitions(ctx, writes, func() error {
		err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) (err error) {
			if refused, err = s.sift(postgres.WithTx(ctx, tx), writes); err != nil {
				return err
			}
			return countStored(ctx, tx, writes)
		})
		if err != nil {
			refused = nil
			reset(writes)
		}
		return err
	})
	return refused, err
}

// sift stores the writes in a part of the transaction that is undone by itself when one of them is refused; then it halves
// them, down to that one.
func (s *Store) sift(ctx context.Context, writes []*write) ([]Refusal, error) {
	unique, keyed := distinct(writes)
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error { return s.insertNew(ctx, tx, unique, keyed) })
	switch {
	case err == nil:
		markDuplicates(writes)
		return nil, nil
	case !postgres.IsData(err) || noPartition(err):
		return nil, err
	case len(writes) == 1:
		writes[0].state = refused
		return []Refusal{{writes[0], err}}, nil
	}
	half := len(writes) / 2
	first, err := s.sift(ctx, writes[:half])
	if err != nil {
		return nil, err
	}
	second, err := s.sift(ctx, writes[half:])
	return append(first, second...), err
}

// countStored adds the writes that were stored to the counts. It comes last, because the rows of the rollups are the ones that
// transactions share: from here to the commit others that count the same names wait.
func countStored(ctx context.Context, tx pgx.Tx, writes []*write) error {
	var counts rollups.Counts
	for _, w := range writes {
		if w.state == stored {
			counts.Add(w.ProjectID, w.Name, w.TS)
		}
	}
	return rollups.Apply(ctx, tx, &counts)
}
