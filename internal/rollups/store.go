package rollups

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/postgres"
)

// Apply adds what c counted to event_counts, in one statement. Call it once in a transaction, last of all that locks:
// two calls could lock their rows in another order than one does, and deadlock. When it fails, roll back.
func Apply(ctx context.Context, tx pgx.Tx, c *Counts) error {
	if c.Empty() {
		return nil
	}
	return add(ctx, tx, c.Rows())
}

// add adds rows, which are unique and in the order of Rows, to event_counts.
func add(ctx context.Context, tx pgx.Tx, rows []Row) error {
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

func (s store) projects(ctx context.Context) ([]uuid.UUID, error) {
	ids, err := s.q.RollupProjects(ctx, s.pool)
	if err != nil {
		return nil, fmt.Errorf("find projects: %w", err)
	}
	return ids, nil
}

func (s store) days(ctx context.Context, projectID uuid.UUID) ([]time.Time, error) {
	days, err := s.q.RollupDays(ctx, s.pool, projectID)
	if err != nil {
		return nil, fmt.Errorf("find the days of project %s: %w", projectID, err)
	}
	return days, nil
}

// differences returns the first differences of a slice, in the order of Rows, and how many there are.
func (s store) differences(ctx context.Context, tx db.DBTX, of slice, first int32) ([]Difference, int64, error) {
	rows, err := s.q.RollupDifferences(ctx, tx, db.RollupDifferencesParams{
		ProjectID: of.projectID, Since: of.day, Until: of.day.Add(24 * time.Hour), MaxRows: first,
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

const (
	// The snapshot of the comparison must be taken after the repair lock is held, so each statement needs its own,
	// whatever the database's default is.
	readCommitted = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
	// While a correction waits for a count, ingestion may wait for those it has already; so it waits briefly. It does not
	// count for the repair lock, of which ingestion knows nothing.
	waitBriefly = "SET LOCAL lock_timeout = '250ms'"
)

// repair corrects at most repairRows differences of a slice in one transaction, and returns them and how many are left.
func (s store) repair(ctx context.Context, of slice) (done []Difference, left int64, err error) {
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, readCommitted); err != nil {
			return fmt.Errorf("begin a repair: %w", err)
		}
		if err := s.q.RollupRepairLock(ctx, tx, of.projectID.String()); err != nil {
			return fmt.Errorf("wait for another repair: %w", err)
		}
		found, total, err := s.differences(ctx, tx, of, repairRows)
		if err != nil || len(found) == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, waitBriefly); err != nil {
			return fmt.Errorf("limit the wait for locks: %w", err)
		}
		done, left = found, total-int64(len(found))
		return s.correct(ctx, tx, found)
	})
	if err != nil {
		return nil, 0, err
	}
	return done, left, nil
}

// correct adds to each count what it lacks, and removes those that come to nothing.
func (s store) correct(ctx context.Context, tx pgx.Tx, found []Difference) error {
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
