package ingest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/events/arrivals"
	"github.com/bahagh/nimbus/internal/events/partitions"
	"github.com/bahagh/nimbus/internal/events/rollups"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// Store writes events into PostgreSQL.
type Store struct {
	pool       *pgxpool.Pool
	q          *db.Queries
	partitions *partitions.Set
	arrive     func(ctx context.Context, tx db.DBTX, stored []arrivals.Event) error
	cautious   atomic.Int32 // flushes that are to expect duplicates
}

// NewStore returns a Store on the pool.
func NewStore(pool *pgxpool.Pool) *Store {
	return &Store{pool: pool, q: db.New(), partitions: partitions.NewSet(pool), arrive: arrivals.Append}
}

// EnsurePartitions makes the partitions of this month and the next ones. It runs at the start and as a job.
func (s *Store) EnsurePartitions(ctx context.Context, now time.Time) error {
	return s.partitions.EnsureAhead(ctx, now)
}

// Prepare makes the partitions that the rows need.
func (s *Store) Prepare(ctx context.Context, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	return s.partitions.Prepare(ctx, rows[0].ReceivedAt, len(rows), func(k int) time.Time { return rows[k].TS })
}

// appendTries bounds how often Append makes its partitions anew. They are dropped only when they are old and empty,
// once an hour: a second try is rare, and a third would take a clock that jumps.
const appendTries = 5

// Append stores the rows, their counts and the operations in one transaction and marks each as Stored or Duplicate. On an
// error nothing is stored, or, when the connection was lost during the commit, it is not known.
func (s *Store) Append(ctx context.Context, rows []*Row, operations ...*OperationRow) error {
	return s.withPartitions(ctx, rows, func() error { return s.appendTx(ctx, rows, operations) })
}

// withPartitions runs a transaction that stores the rows when there are partitions for them. Prepare has made them,
// unless they were dropped since.
func (s *Store) withPartitions(ctx context.Context, rows []*Row, fn func() error) error {
	if len(rows) == 0 {
		return fn()
	}
	for try := 1; ; try++ {
		err := s.partitions.Ensure(ctx, rows[0].ReceivedAt, len(rows), func(k int) time.Time { return rows[k].TS })
		if err != nil {
			return err
		}
		err = fn()
		if !noPartition(err) || try == appendTries {
			return err
		}
		s.partitions.Forget()
	}
}

// appendTx takes the fast transaction when all rows are likely to be new, and the careful one else.
func (s *Store) appendTx(ctx context.Context, rows []*Row, operations []*OperationRow) error {
	if len(rows)+len(operations) == 0 {
		return nil
	}
	unique, keyed := distinct(rows)
	err := errDuplicates
	if len(keyed) == 0 && len(rows) > 0 && s.mayAssumeNew() {
		err = s.appendAssumingNew(ctx, unique, operations)
	}
	if errors.Is(err, errDuplicates) {
		reset(nil, operations)
		err = s.appendDeduplicating(ctx, unique, keyed, operations)
	}
	if err != nil {
		reset(rows, operations)
		return err
	}
	markDuplicates(rows)
	markDuplicateOperations(operations)
	return nil
}

// markDuplicates marks the rows that are not stored once the others are.
func markDuplicates(rows []*Row) {
	for _, row := range rows {
		if row.outcome == waiting {
			row.outcome = Duplicate
		}
	}
}

// reset takes back the marks of a transaction that was undone.
func reset(rows []*Row, operations []*OperationRow) {
	for _, row := range rows {
		row.outcome = waiting
	}
	for _, o := range operations {
		o.outcome = waiting
	}
}

// errDuplicates is the answer of appendAssumingNew when it stored nothing because a row was there, or may have been.
var errDuplicates = errors.New("some events are stored already")

const (
	// copyRows is from how many events on COPY is worth its round trips: at 50 one message is cheaper, at 125 COPY is.
	copyRows = 80
	// duplicatesPause is how many flushes look for duplicates after one was met unexpectedly: senders that send again
	// tend to go on doing so, and a transaction that fails was work for nothing.
	duplicatesPause = 16
)

func (s *Store) mayAssumeNew() bool { return s.cautious.Load() <= 0 || s.cautious.Add(-1) < 0 }

// appendAssumingNew stores events of which none is there yet, which is nearly always so: then the counts are known
// before, and few events go with them in one message.
func (s *Store) appendAssumingNew(ctx context.Context, rows []*Row, operations []*OperationRow) error {
	var counts rollups.Counts
	for _, row := range rows {
		counts.Add(row.ProjectID, row.countedName(), row.TS)
	}
	var err error
	if len(rows) < copyRows && len(operations) == 0 {
		err = s.insertAll(ctx, rows, &counts)
	} else {
		err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
			if err := copyAll(ctx, tx, rows); err != nil {
				return err
			}
			if err := s.arrive(ctx, tx, arrived(rows)); err != nil {
				return err
			}
			if err := s.insertOperations(ctx, tx, operations); err != nil {
				return err
			}
			return rollups.Apply(ctx, tx, &counts)
		})
	}
	// PostgreSQL may fail without giving a reason, and a duplicate may be the reason: the careful transaction stores
	// the others, or fails with what is wrong.
	if postgres.IsUnique(err, "") || postgres.IsUnexplained(err) {
		s.cautious.Store(duplicatesPause)
		return errDuplicates
	}
	if err != nil {
		return err
	}
	for _, row := range rows {
		row.outcome = Stored
	}
	return nil
}

// appendDeduplicating stores the events that are not there yet, marks them, and counts them, in one transaction.
func (s *Store) appendDeduplicating(ctx context.Context, rows, keyed []*Row, operations []*OperationRow) error {
	return postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := s.insertNew(ctx, tx, rows, keyed); err != nil {
			return err
		}
		if err := s.insertOperations(ctx, tx, operations); err != nil {
			return err
		}
		return s.countStored(ctx, tx, rows)
	})
}

// arrived is what the rows' arrival says. They are in the order of their projects.
func arrived(rows []*Row) []arrivals.Event {
	events := make([]arrivals.Event, len(rows))
	for k, row := range rows {
		events[k] = arrivals.Event{ProjectID: row.ProjectID, ID: row.ID, TS: row.TS}
	}
	return events
}

// insertAll stores events, their arrival and their counts in one round trip.
func (s *Store) insertAll(ctx context.Context, rows []*Row, counts *rollups.Counts) error {
	var p postgres.Pipeline
	if err := s.q.EventsInsertAll(ctx, &p, db.EventsInsertAllParams(insertParams(rows))); err != nil {
		return fmt.Errorf("insert events: %w", err)
	}
	if err := s.arrive(ctx, &p, arrived(rows)); err != nil {
		return err
	}
	if err := rollups.Apply(ctx, &p, counts); err != nil {
		return err
	}
	if err := p.Commit(ctx, s.pool); err != nil {
		return fmt.Errorf("insert and count events: %w", err)
	}
	return nil
}

var copyColumns = []string{
	"project_id", "id", "ts", "received_at", "seq", "name", "user_id", "anonymous_id", "props", "counted_as_other",
}

// copyAll stores events by COPY, which writes whole pages where INSERT writes row by row.
func copyAll(ctx context.Context, tx pgx.Tx, rows []*Row) error {
	columns := copyColumns
	marked := slices.ContainsFunc(rows, func(row *Row) bool { return row.CountedAsOther })
	if !marked { // as nearly always: then the column need not be sent
		columns = columns[:len(columns)-1]
	}
	err := postgres.Copy(ctx, tx, "events", columns, len(rows), func(k int, r *postgres.CopyRow) {
		row := rows[k]
		r.UUID(row.ProjectID)
		r.UUID(row.ID)
		r.Time(row.TS)
		r.Time(row.ReceivedAt)
		r.Int64(row.Seq)
		r.Text(row.Name)
		r.OptionalText(row.UserID)
		r.OptionalText(row.AnonymousID)
		r.JSONB(row.Props)
		if marked {
			r.OptionalBool(row.CountedAsOther)
		}
	})
	if err != nil {
		return fmt.Errorf("copy events: %w", err)
	}
	return nil
}

// insertNew stores the events that are not there yet.
func (s *Store) insertNew(ctx context.Context, tx pgx.Tx, rows, keyed []*Row) error {
	fresh := rows
	if len(keyed) > 0 {
		var err error
		if fresh, err = s.claimKeys(ctx, tx, rows, keyed); err != nil {
			return err
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	inserted, err := s.q.EventsInsert(ctx, tx, insertParams(fresh))
	if err != nil {
		return fmt.Errorf("insert events: %w", err)
	}
	if len(inserted) == len(fresh) {
		for _, row := range fresh {
			row.outcome = Stored
		}
		return nil
	}
	isNew := make(map[uuid.UUID]struct{}, len(inserted))
	for _, id := range inserted {
		isNew[id] = struct{}{}
	}
	for _, row := range fresh {
		if _, ok := isNew[row.ID]; ok {
			row.outcome = Stored
		}
	}
	return nil
}

// distinct returns one row of each id in the order of the primary key, and one of each idempotency key that must be
// claimed. The others stay unmarked and are duplicates once that one is committed. The order keeps two transactions
// with the same events from waiting for each other, and makes neighbours in the index neighbours in time.
//
// The same event may come with its ts and without, when it is that of the request: then the one with it is stored,
// whichever had the key before, and the key is claimed all the same, for the next time it comes without.
func distinct(rows []*Row) (unique, keyed []*Row) {
	unique = slices.Clone(rows)
	slices.SortFunc(unique, func(a, b *Row) int {
		return cmp.Or(bytes.Compare(a.ProjectID[:], b.ProjectID[:]), bytes.Compare(a.ID[:], b.ID[:]),
			bytes.Compare(a.KeyHash[:], b.KeyHash[:]))
	})
	seen := make(map[uuid.UUID]struct{})
	unique = slices.DeleteFunc(unique, func(row *Row) bool {
		if row.KeyHash == (uuid.UUID{}) {
			return false
		}
		if _, ok := seen[row.KeyHash]; ok {
			return true
		}
		seen[row.KeyHash] = struct{}{}
		keyed = append(keyed, row)
		return false
	})
	return slices.CompactFunc(unique, func(a, b *Row) bool { return a.ID == b.ID && a.ProjectID == b.ProjectID }), keyed
}

// claimKeys takes the keys of the events that came without a ts, and returns the rows without those whose key was
// taken before. They are taken in the order of their hashes: the same keys come back with other times, so in the order
// of the events two transactions could wait for each other.
func (s *Store) claimKeys(ctx context.Context, tx pgx.Tx, unique, keyed []*Row) ([]*Row, error) {
	slices.SortFunc(keyed, func(a, b *Row) int {
		return cmp.Or(bytes.Compare(a.ProjectID[:], b.ProjectID[:]), bytes.Compare(a.KeyHash[:], b.KeyHash[:]))
	})
	projectIDs, hashes := make([]uuid.UUID, len(keyed)), make([]uuid.UUID, len(keyed))
	for k, row := range keyed {
		projectIDs[k], hashes[k] = row.ProjectID, row.KeyHash
	}
	claimed, err := s.q.EventKeysClaim(ctx, tx, projectIDs, hashes)
	if err != nil {
		return nil, fmt.Errorf("claim idempotency keys: %w", err)
	}
	fresh := make(map[uuid.UUID]struct{}, len(claimed))
	for _, h := range claimed {
		fresh[h] = struct{}{}
	}
	if err := s.dropKnown(ctx, tx, keyed, fresh); err != nil {
		return nil, err
	}
	out := unique[:0:0]
	for _, row := range unique {
		if _, ok := fresh[row.KeyHash]; ok || row.KeyHash == (uuid.UUID{}) {
			out = append(out, row)
		}
	}
	return out, nil
}

// dropKnown takes the events out of fresh that an earlier attempt has stored with the time that they were sent with: that one
// looked right, and so claimed no key.
func (s *Store) dropKnown(ctx context.Context, tx pgx.Tx, keyed []*Row, fresh map[uuid.UUID]struct{}) error {
	var projectIDs, ids []uuid.UUID
	for _, row := range keyed {
		if _, ok := fresh[row.KeyHash]; ok && row.SentID != (uuid.UUID{}) {
			projectIDs, ids = append(projectIDs, row.ProjectID), append(ids, row.SentID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	known, err := s.q.EventsKnown(ctx, tx, projectIDs, ids)
	if err != nil {
		return fmt.Errorf("look for events by the time they were sent with: %w", err)
	}
	for _, row := range keyed {
		if slices.Contains(known, row.SentID) {
			delete(fresh, row.KeyHash)
		}
	}
	return nil
}

func insertParams(rows []*Row) db.EventsInsertParams {
	n := len(rows)
	p := db.EventsInsertParams{
		ProjectIDs: make([]uuid.UUID, n), EventIDs: make([]uuid.UUID, n), TS: make([]time.Time, n), ReceivedAt: make([]time.Time, n),
		Seq:   make([]int64, n),
		Names: make([]string, n), UserIDs: make([]string, n), AnonymousIDs: make([]string, n), Props: make([]json.RawMessage, n),
		CountedAsOther: make([]bool, n),
	}
	for k, row := range rows {
		p.ProjectIDs[k], p.EventIDs[k], p.TS[k], p.ReceivedAt[k], p.Seq[k] = row.ProjectID, row.ID, row.TS, row.ReceivedAt, row.Seq
		p.CountedAsOther[k] = row.CountedAsOther
		p.Names[k], p.UserIDs[k], p.AnonymousIDs[k], p.Props[k] = row.Name, row.UserID, row.AnonymousID, row.Props
	}
	return p
}

func noPartition(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23514" && pg.ConstraintName == ""
}
