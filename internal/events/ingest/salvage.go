package ingest

import (
	"bytes"
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/events/rollups"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// RefusedRow is a row that the database does not take, and why.
type RefusedRow struct {
	project, id uuid.UUID
	cause       error
}

// Salvage is Append for rows of which the database refuses some: it stores the others, marks those Refused, and returns
// them. It is one transaction, too, because it is one request: an event without a key that was stored by a request that
// failed would be stored once more when that is sent again.
func (s *Store) Salvage(ctx context.Context, rows []*Row, operations ...*OperationRow) (refused []RefusedRow, err error) {
	err = s.withPartitions(ctx, rows, func() error {
		err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) (err error) {
			inTx := postgres.WithTx(ctx, tx)
			if refused, err = s.salvageHalves(inTx, rows); err != nil {
				return err
			}
			more, err := s.salvageOperations(inTx, operations)
			if err != nil {
				return err
			}
			refused = append(refused, more...)
			return s.countStored(ctx, tx, rows)
		})
		if err != nil {
			refused = nil
			reset(rows, operations)
		}
		return err
	})
	return refused, err
}

// salvageHalves stores the rows in a savepoint, which is undone by itself when one of them is refused; then it halves
// them, down to that one.
func (s *Store) salvageHalves(ctx context.Context, rows []*Row) ([]RefusedRow, error) {
	unique, keyed := distinct(rows)
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error { return s.insertNew(ctx, tx, unique, keyed) })
	switch {
	case err == nil:
		markDuplicates(rows)
		return nil, nil
	case !postgres.IsData(err) || noPartition(err):
		return nil, err
	case len(rows) == 1:
		rows[0].outcome = Refused
		return []RefusedRow{{rows[0].ProjectID, rows[0].ID, err}}, nil
	}
	half := len(rows) / 2
	first, err := s.salvageHalves(ctx, rows[:half])
	if err != nil {
		return nil, err
	}
	second, err := s.salvageHalves(ctx, rows[half:])
	return append(first, second...), err
}

// countStored adds the rows that were stored to the arrivals and to the counts. The counts come last, because the rows of the
// rollups are the ones that transactions share: from here to the commit others that count the same names wait.
func (s *Store) countStored(ctx context.Context, tx pgx.Tx, rows []*Row) error {
	var counts rollups.Counts
	stored := make([]*Row, 0, len(rows))
	for _, row := range rows {
		if row.outcome == Stored {
			counts.Add(row.ProjectID, row.countedName(), row.TS)
			stored = append(stored, row)
		}
	}
	slices.SortStableFunc(stored, func(a, b *Row) int { return bytes.Compare(a.ProjectID[:], b.ProjectID[:]) })
	if err := s.arrive(ctx, tx, arrived(stored)); err != nil {
		return err
	}
	return rollups.Apply(ctx, tx, &counts)
}
