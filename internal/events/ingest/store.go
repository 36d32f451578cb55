package ingest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/events/rollups"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// Store is the events in PostgreSQL.
type Store struct {
	pool *pgxpool.Pool
	q    *db.Queries

	cautious atomic.Int32 // flushes that are to expect duplicates

	preparing chan struct{} // holds the request whose partitions are made

	mu     sync.RWMutex
	months map[month]struct{} // that have a partition, as far as this process knows
}

// NewStore returns a Store on the pool.
func NewStore(pool *pgxpool.Pool) *Store {
	return &Store{pool: pool, q: db.New(), preparing: make(chan struct{}, 1), months: make(map[month]struct{})}
}

// writeTries bounds how often a write makes its partitions anew. They are dropped only when they are old and empty, once
// an hour: a second try is rare, and a third would take a clock that jumps.
const writeTries = 5

// Write stores the writes and their rollups in one transaction and marks each as stored or duplicate. On an error
// nothing is stored, or, when the connection was lost during the commit, it is not known.
func (s *Store) Write(ctx context.Context, writes []*write) error {
	return s.withPartitions(ctx, writes, func() error { return s.write(ctx, writes) })
}

// withPartitions runs a transaction that stores the writes when there are partitions for them. Prepare has made them, unless
// they were dropped since.
func (s *Store) withPartitions(ctx context.Context, writes []*write, fn func() error) error {
	for try := 1; ; try++ {
		missing := s.missing(len(writes), func(k int) time.Time { return writes[k].TS })
		if err := s.ensureMonths(ctx, missing); err != nil {
			return err
		}
		err := fn()
		if !noPartition(err) || try == writeTries {
			return err
		}
		// A partition that this process remembers was dropped, by the pruning of any node: it was empty.
		s.forgetMonths()
	}
}

func (s *Store) write(ctx context.Context, writes []*write) error {
	unique, keyed := distinct(writes)
	err := errDuplicates
	if len(keyed) == 0 && s.mayAssumeNew() {
		err = s.writeNew(ctx, unique)
	}
	if errors.Is(err, errDuplicates) {
		err = s.writeMixed(ctx, unique, keyed)
	}
	if err != nil {
		reset(writes)
		return err
	}
	markDuplicates(writes)
	return nil
}

// markDuplicates marks what is not stored once the others are.
func markDuplicates(writes []*write) {
	for _, w := range writes {
		if w.state == waiting {
			w.state = duplicate
		}
	}
}

// reset takes back the marks of a transaction that was undone.
func reset(writes []*write) {
	for _, w := range writes {
		w.state = waiting
	}
}

// errDuplicates is the answer of writeNew when it stored nothing because something was there, or may have been.
var errDuplicates = errors.New("some events are stored already")

const (
	// copyRows is from how many events on COPY is worth its round trips: at 50 one message is cheaper, at 125 COPY is.
	copyRows = 80
	// duplicatesPause is how many flushes look for duplicates after one was met by surprise: senders that send again
	// tend to go on doing so, and a write that fails has been for nothing.
	duplicatesPause = 16
)

func (s *Store) mayAssumeNew() bool { return s.cautious.Load() <= 0 || s.cautious.Add(-1) < 0 }

// writeNew stores events of which none is there yet, as nearly always: then the counts are known before, and few events
// go with them in one message.
func (s *Store) writeNew(ctx context.Context, writes []*write) error {
	var counts rollups.Counts
	for _, w := range writes {
		counts.Add(w.ProjectID, w.Name, w.TS)
	}
	var err error
	if len(writes) < copyRows {
		err = s.insertAll(ctx, writes, &counts)
	} else {
		err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
			if err := copyAll(ctx, tx, writes); err != nil {
				return err
			}
			return rollups.Apply(ctx, tx, &counts)
		})
	}
	// Without a reason it may be that, too: looking for duplicates stores the rest, or fails with the reason.
	if postgres.IsUnique(err, "") || postgres.IsUnexplained(err) {
		s.cautious.Store(duplicatesPause)
		return errDuplicates
	}
	if err != nil {
		return err
	}
	for _, w := range writes {
		w.state = stored
	}
	return nil
}

// writeMixed stores the events that are not there yet, marking them, and counts them, in one transaction.
func (s *Store) writeMixed(ctx context.Context, writes, keyed []*write) error {
	return postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := s.insertNew(ctx, tx, writes, keyed); err != nil {
			return err
		}
		return countStored(ctx, tx, writes)
	})
}

// insertAll stores events and their counts in one round trip.
func (s *Store) insertAll(ctx context.Context, writes []*write, counts *rollups.Counts) error {
	var p postgres.Pipeline
	if err := s.q.EventsInsertAll(ctx, &p, db.EventsInsertAllParams(insertParams(writes))); err != nil {
		return fmt.Errorf("insert events: %w", err)
	}
	if err := rollups.Apply(ctx, &p, counts); err != nil {
		return err
	}
	if err := p.Commit(ctx, s.pool); err != nil {
		return fmt.Errorf("insert and count events: %w", err)
	}
	return nil
}

var copyColumns = []string{"project_id", "id", "ts", "received_at", "seq", "name", "user_id", "anonymous_id", "props"}

// copyAll stores events by COPY, which writes whole pages where INSERT writes row by row.
func copyAll(ctx context.Context, tx pgx.Tx, writes []*write) error {
	err := postgres.Copy(ctx, tx, "events", copyColumns, len(writes), func(k int, r *postgres.CopyRow) {
		w := writes[k]
		r.UUID(w.ProjectID)
		r.UUID(w.ID)
		r.Time(w.TS)
		r.Time(w.ReceivedAt)
		r.Int64(w.Seq)
		r.Text(w.Name)
		r.OptionalText(w.UserID)
		r.OptionalText(w.AnonymousID)
		r.JSONB(w.Props)
	})
	if err != nil {
		return fmt.Errorf("copy events: %w", err)
	}
	return nil
}

// insertNew stores the events that are not there yet.
func (s *Store) insertNew(ctx context.Context, tx pgx.Tx, writes, keyed []*write) error {
	fresh := writes
	if len(keyed) > 0 {
		var err error
		if fresh, err = s.claimKeys(ctx, tx, writes, keyed); err != nil {
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
		for _, w := range fresh {
			w.state = stored
		}
		return nil
	}
	isNew := make(map[uuid.UUID]struct{}, len(inserted))
	for _, id := range inserted {
		isNew[id] = struct{}{}
	}
	for _, w := range fresh {
		if _, ok := isNew[w.ID]; ok {
			w.state = stored
		}
	}
	return nil
}

// distinct returns one write of each id in the order of the primary key, and one of each idempotency key that must be
// claimed. The others stay unmarked and are duplicates once that one is committed. The order keeps two transactions with the
// same events from waiting for each other, and makes neighbours in the index neighbours in time.
//
// The same event may come with its ts and without, when it is that of the request: then the one with it is stored, whoever
// had the key before, and the key is claimed all the same, for the next time it comes without.
func distinct(writes []*write) (unique, keyed []*write) {
	unique = slices.Clone(writes)
	slices.SortFunc(unique, func(a, b *write) int {
		return cmp.Or(bytes.Compare(a.ProjectID[:], b.ProjectID[:]), bytes.Compare(a.ID[:], b.ID[:]), bytes.Compare(a.keyHash[:], b.keyHash[:]))
	})
	seen := make(map[uuid.UUID]struct{})
	unique = slices.DeleteFunc(unique, func(w *write) bool {
		if w.keyHash == (uuid.UUID{}) {
			return false
		}
		if _, ok := seen[w.keyHash]; ok {
			return true
		}
		seen[w.keyHash] = struct{}{}
		keyed = append(keyed, w)
		return false
	})
	return slices.CompactFunc(unique, func(a, b *write) bool { return a.ID == b.ID && a.ProjectID == b.ProjectID }), keyed
}

// claimKeys takes the keys of the events that came without a ts, and returns the writes without those whose key was
// taken before. They are taken in the order of their hashes: the same keys come back with other times, so in the order
// of the events two transactions could wait for each other.
func (s *Store) claimKeys(ctx context.Context, tx pgx.Tx, unique, keyed []*write) ([]*write, error) {
	slices.SortFunc(keyed, func(a, b *write) int {
		return cmp.Or(bytes.Compare(a.ProjectID[:], b.ProjectID[:]), bytes.Compare(a.keyHash[:], b.keyHash[:]))
	})
	projectIDs, hashes := make([]uuid.UUID, len(keyed)), make([]uuid.UUID, len(keyed))
	for k, w := range keyed {
		projectIDs[k], hashes[k] = w.ProjectID, w.keyHash
	}
	claimed, err := s.q.EventKeysClaim(ctx, tx, projectIDs, hashes)
	if err != nil {
		return nil, fmt.Errorf("claim idempotency keys: %w", err)
	}
	fresh := make(map[uuid.UUID]struct{}, len(claimed))
	for _, h := range claimed {
		fresh[h] = struct{}{}
	}
	out := unique[:0:0]
	for _, w := range unique {
		if _, ok := fresh[w.keyHash]; ok || w.keyHash == (uuid.UUID{}) {
			out = append(out, w)
		}
	}
	return out, nil
}

func insertParams(writes []*write) db.EventsInsertParams {
	n := len(writes)
	p := db.EventsInsertParams{
		ProjectIDs: make([]uuid.UUID, n), EventIDs: make([]uuid.UUID, n), TS: make([]time.Time, n), ReceivedAt: make([]time.Time, n),
		Seq:   make([]int64, n),
		Names: make([]string, n), UserIDs: make([]string, n), AnonymousIDs: make([]string, n), Props: make([]json.RawMessage, n),
	}
	for k, w := range writes {
		p.ProjectIDs[k], p.EventIDs[k], p.TS[k], p.ReceivedAt[k], p.Seq[k] = w.ProjectID, w.ID, w.TS, w.ReceivedAt, w.Seq
		p.Names[k], p.UserIDs[k], p.AnonymousIDs[k], p.Props[k] = w.Name, w.UserID, w.AnonymousID, w.Props
	}
	return p
}

// eventsStep returns where a step of pruneRows events ends that starts at from, and whether there are more before the
// end; when there are not, the step ends there.
func (s *Store) eventsStep(ctx context.Context, tx pgx.Tx, project, from, before uuid.UUID) (end uuid.UUID, more bool, err error) {
	end, err = s.q.EventsStep(ctx, tx, db.EventsStepParams{ProjectID: project, IDFrom: from, IDTo: before, Events: pruneRows})
	if errors.Is(err, pgx.ErrNoRows) {
		return before, false, nil
	}
	if err != nil {
		return end, false, fmt.Errorf("find the oldest events: %w", err)
	}
	return end, true, nil
}

// keysStep returns where a step of pruneRows keys ends that starts at from, nil when it is the last.
func (s *Store) keysStep(ctx context.Context, tx pgx.Tx, project, from uuid.UUID) (*uuid.UUID, error) {
	end, err := s.q.EventKeysStep(ctx, tx, project, from, pruneRows)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find idempotency keys: %w", err)
	}
	return &end, nil
}

// deleteKeys deletes the keys of a step that were claimed before a time; a nil end is the end of all keys.
func (s *Store) deleteKeys(ctx context.Context, tx pgx.Tx, project, from uuid.UUID, end *uuid.UUID, before time.Time) error {
	_, err := s.q.EventKeysDelete(ctx, tx, db.EventKeysDeleteParams{ProjectID: project, KeyFrom: from, KeyTo: end, Before: before})
	if err != nil {
		return fmt.Errorf("delete idempotency keys: %w", err)
	}
	return nil
}

func noPartition(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23514" && pg.ConstraintName == ""
}
