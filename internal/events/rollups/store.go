package rollups

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
)

// Apply adds what c counted to event_counts, in one statement. Call it once in a transaction, last of all that locks:
// two calls could lock their rows in another order than one does, and deadlock. When it fails, roll back. tx is a
// transaction, or a pipeline that is one.
func Apply(ctx context.Context, tx db.DBTX, c *Counts) error {
	if c.Empty() {
		return nil
	}
	return add(ctx, tx, c.Rows())
}

// Subtract takes what c counted off event_counts, of one project, whose events were deleted in the same transaction. Lock before
// they are.
func Subtract(ctx context.Context, tx db.DBTX, c *Counts) error {
	if c.Empty() {
		return nil
	}
	rows := c.Rows()
	drop := db.CountsDropZeroParams{ProjectID: rows[0].ProjectID}
	for i := range rows {
		rows[i].Count = -rows[i].Count
		drop.Granularities = append(drop.Granularities, rows[i].Granularity)
		drop.Names, drop.Buckets = append(drop.Names, rows[i].Name), append(drop.Buckets, rows[i].Bucket)
	}
	if err := add(ctx, tx, rows); err != nil {
		return err
	}
	if err := db.New().CountsDropZero(ctx, tx, drop); err != nil {
		return fmt.Errorf("remove counts that came to nothing: %w", err)
	}
	return nil
}

// Lock keeps a repair of the counts of a project away until the transaction ends: it would add to a count what the transaction
// takes off.
func Lock(ctx context.Context, tx db.DBTX, projectID uuid.UUID) error {
	if err := db.New().RollupEraseLock(ctx, tx, projectID.String()); err != nil {
		return fmt.Errorf("lock the counts: %w", err)
	}
	return nil
}

// add adds rows, which are unique and in the order of Rows, to event_counts.
func add(ctx context.Context, tx db.DBTX, rows []Row) error {
	arg := db.CountsAddParams{
		ProjectIDs:    make([]uuid.UUID, len(rows)),
		Granularities: make([]int32, len(rows)),
		Names:         make([]string, len(rows)),
		Buckets:       make([]time.Time, len(rows)),
		Counts:        make([]int64, len(rows)),
	}
	for i := range rows {
		r := &rows[i]
		arg.ProjectIDs[i], arg.Granularities[i], arg.Names[i], arg.Buckets[i], arg.Counts[i] =
			r.ProjectID, r.Granularity, r.Name, r.Bucket, r.Count
	}
	if err := db.New().CountsAdd(ctx, tx, arg); err != nil {
		return fmt.Errorf("add %d counts: %w", len(rows), err)
	}
	return nil
}

// store is what a Proof reads and corrects.
type store struct {
	pool *pgxpool.Pool
	q    *db.Queries
}

func newStore(pool *pgxpool.Pool) store { return store{pool: pool, q: db.New()} }

// projects returns those that have events or counts, or could have them, without those that are being deleted: their
// events and their counts are removed one after the other, and disagree on the way.
func (s store) projects(ctx context.Context) ([]uuid.UUID, error) {
	all := make(map[uuid.UUID]struct{})
	for _, after := range []func(context.Context, db.DBTX, uuid.UUID) (uuid.UUID, error){s.q.RollupCountedAfter, s.q.RollupStoredAfter} {
		for at := (uuid.UUID{}); ; all[at] = struct{}{} {
			var err error
			if at, err = after(ctx, s.pool, at); errors.Is(err, pgx.ErrNoRows) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("find projects: %w", err)
			}
		}
	}
	known, err := s.q.RollupProjects(ctx, s.pool)
	if err != nil {
		return nil, fmt.Errorf("find projects: %w", err)
	}
	for _, p := range known {
		all[p.ID] = struct{}{}
		if p.Deleted {
			delete(all, p.ID)
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }), nil
}

func (s store) days(ctx context.Context, projectID uuid.UUID) ([]time.Time, error) {
	days, err := s.q.RollupDays(ctx, s.pool, projectID)
	if err != nil {
		return nil, fmt.Errorf("find the days of project %s: %w", projectID, err)
	}
	return days, nil
}

// beginner is a pool, or the connection that holds a repair lock.
type beginner interface {
	BeginTx(context.Context, pgx.TxOptions) (pgx.Tx, error)
}

// countInMemory is for a comparison. Where the planner knows little of the day, it would sort its events by name, on
// disk, to count them, and take twice as long; and compiling the query costs more than it saves on most days.
const countInMemory = "SET LOCAL enable_sort = off; SET LOCAL work_mem = '64MB'; SET LOCAL jit = off"

// differences returns the first differences of a slice, in the order of Rows, and how many there are.
func (s store) differences(ctx context.Context, on beginner, of slice, first int32) ([]Difference, int64, error) {
	var rows []db.RollupDifferencesRow
	oneSnapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, on, oneSnapshot, func(tx pgx.Tx) (err error) {
		if _, err := tx.Exec(ctx, countInMemory); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
		rows, err = s.q.RollupDifferences(ctx, tx, db.RollupDifferencesParams{
			ProjectID: of.projectID, Since: of.day, Until: of.day.Add(24 * time.Hour), MaxRows: first,
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		// Asked by itself: Citus could not send a query to the project's worker that reads a table of the
		// coordinator, too.
		deleted, err := s.q.RollupProjectDeleted(ctx, tx, of.projectID)
		if deleted {
			rows = nil // its events go before its counts
		}
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("compare: %w", err)
	}
	if len(rows) == 0 {
		return nil, 0, nil
	}
	out := make([]Difference, len(rows))
	for i := range rows {
		r := &rows[i]
		out[i] = Difference{ProjectID: of.projectID, Granularity: r.Granularity, Name: r.Name, Bucket: r.Bucket.UTC(),
			There: r.There, Has: r.Has, Should: r.Should}
	}
	return out, rows[0].Differences, nil
}

// unlockTimeout bounds the only thing done after the caller's context has ended.
const unlockTimeout = 5 * time.Second

// repairing calls fn with a connection that holds the project's repair lock. When the connection is lost, so is the
// lock, but nothing can be corrected over it any more either.
func (s store) repairing(ctx context.Context, projectID uuid.UUID, fn func(*pgxpool.Conn) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Release()
	defer func() {
		// Also after a failure to lock, because it is not known then. A connection that may have the lock still must
		// not go back to the pool.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer cancel()
		if held, err := s.q.RollupRepairUnlock(ctx, conn, projectID.String()); err != nil || !held {
			_ = conn.Conn().Close(ctx)
		}
	}()
	if err := s.q.RollupRepairLock(ctx, conn, projectID.String()); err != nil {
		return fmt.Errorf("wait for another repair: %w", err)
	}
	return fn(conn)
}

// waitBriefly is for corrections: while one waits for a count, ingestion may wait for those it has already.
const waitBriefly = "SET LOCAL lock_timeout = '250ms'"

// correct adds to each count what it lacks, and removes those that come to nothing, in one transaction. It is READ
// COMMITTED, whatever the database's default is: an upsert then adds to the newest version of a row, and does not fail
// because ingestion was there first.
func (s store) correct(ctx context.Context, conn *pgxpool.Conn, found []Difference) error {
	err := pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, waitBriefly); err != nil {
			return fmt.Errorf("limit the wait for locks: %w", err)
		}
		return s.addMissing(ctx, tx, found)
	})
	if err != nil {
		return fmt.Errorf("correct %d counts: %w", len(found), err)
	}
	return nil
}

func (s store) addMissing(ctx context.Context, tx pgx.Tx, found []Difference) error {
	rows := make([]Row, len(found))
	drop := db.CountsDropZeroParams{ProjectID: found[0].ProjectID}
	for i := range found {
		d := &found[i]
		rows[i] = Row{ProjectID: d.ProjectID, Granularity: d.Granularity, Name: d.Name, Bucket: d.Bucket, Count: d.Should - d.Has}
		if d.Should == 0 {
			drop.Granularities = append(drop.Granularities, d.Granularity)
			drop.Names = append(drop.Names, d.Name)
			drop.Buckets = append(drop.Buckets, d.Bucket)
		}
	}
	if err := add(ctx, tx, rows); err != nil {
		return err
	}
	if len(drop.Names) == 0 {
		return nil
	}
	if err := s.q.CountsDropZero(ctx, tx, drop); err != nil {
		return fmt.Errorf("remove counts that came to nothing: %w", err)
	}
	return nil
}
