package ingest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// insertOperations stores the operations that are not there yet, and marks those. They are inserted in the order of the
// primary key, so that two transactions with the same operations do not wait for each other.
func (s *Store) insertOperations(ctx context.Context, tx pgx.Tx, operations []*OperationRow) error {
	if len(operations) == 0 {
		return nil
	}
	unique := distinctOperations(operations)
	arg, err := operationParams(unique)
	if err != nil {
		return err
	}
	inserted, err := s.q.ProfileOperationsInsert(ctx, tx, arg)
	if err != nil {
		return fmt.Errorf("insert profile operations: %w", err)
	}
	isNew := make(map[uuid.UUID]struct{}, len(inserted))
	for _, id := range inserted {
		isNew[id] = struct{}{}
	}
	for _, o := range unique {
		if _, ok := isNew[o.ID]; ok {
			o.outcome = Stored
		}
	}
	return nil
}

// distinctOperations returns one operation of each id, the first, in the order of the primary key.
func distinctOperations(operations []*OperationRow) []*OperationRow {
	unique := slices.Clone(operations)
	slices.SortStableFunc(unique, func(a, b *OperationRow) int {
		return cmp.Or(bytes.Compare(a.ProjectID[:], b.ProjectID[:]), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return slices.CompactFunc(unique, func(a, b *OperationRow) bool { return a.ID == b.ID && a.ProjectID == b.ProjectID })
}

func operationParams(operations []*OperationRow) (db.ProfileOperationsInsertParams, error) {
	n := len(operations)
	p := db.ProfileOperationsInsertParams{
		ProjectIDs: make([]uuid.UUID, n), OperationIDs: make([]uuid.UUID, n), TS: make([]time.Time, n), ReceivedAt: make([]time.Time, n),
		Positions: make([]int32, n), Kinds: make([]int16, n), GroupTypes: make([]string, n), Keys: make([]string, n),
		AnonymousIDs: make([]string, n), Ops: make([]string, n), Props: make([]json.RawMessage, n), Names: make([]json.RawMessage, n),
	}
	for k, o := range operations {
		names := []byte("[]")
		if len(o.Names) > 0 {
			var err error
			if names, err = json.Marshal(o.Names); err != nil {
				return p, fmt.Errorf("write names: %w", err)
			}
		}
		p.ProjectIDs[k], p.OperationIDs[k], p.TS[k], p.ReceivedAt[k] = o.ProjectID, o.ID, o.TS, o.ReceivedAt
		p.Positions[k], p.Kinds[k], p.GroupTypes[k], p.Keys[k] = int32(o.Position), int16(o.Of.Kind), o.Of.GroupType, o.Of.Key
		p.AnonymousIDs[k], p.Ops[k], p.Props[k], p.Names[k] = o.AnonymousID, string(o.Op), o.Props, names
	}
	return p, nil
}

// markDuplicateOperations marks the operations that are not stored once the others are.
func markDuplicateOperations(operations []*OperationRow) {
	for _, o := range operations {
		if o.outcome == waiting {
			o.outcome = Duplicate
		}
	}
}

// salvageOperations is salvageHalves for operations.
func (s *Store) salvageOperations(ctx context.Context, operations []*OperationRow) ([]RefusedRow, error) {
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error { return s.insertOperations(ctx, tx, operations) })
	switch {
	case err == nil:
		markDuplicateOperations(operations)
		return nil, nil
	case !postgres.IsData(err):
		return nil, err
	case len(operations) == 1:
		operations[0].outcome = Refused
		return []RefusedRow{{operations[0].ProjectID, operations[0].ID, err}}, nil
	}
	half := len(operations) / 2
	first, err := s.salvageOperations(ctx, operations[:half])
	if err != nil {
		return nil, err
	}
	second, err := s.salvageOperations(ctx, operations[half:])
	return append(first, second...), err
}
