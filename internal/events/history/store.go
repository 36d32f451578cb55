package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/partitions"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// Store reads the stored events, keeps the indexes by person, and deletes what is too old.
type Store struct {
	pool       *pgxpool.Pool
	q          *db.Queries
	partitions *partitions.Set
	pruned     func(ctx context.Context, project uuid.UUID, oldest time.Time) error // see OnPrune; may be nil
}

// NewStore returns a Store on the pool.
func NewStore(pool *pgxpool.Pool) *Store {
	return &Store{pool: pool, q: db.New(), partitions: partitions.NewSet(pool)}
}

// list returns one page, one event more than the page has when there are more. A filter that only reading tells may
// search everything there is for one event, so it may take no longer than limit.
func (s *Store) list(ctx context.Context, f *Filter, limit time.Duration) ([]events.Event, error) {
	switch {
	case f.UserID != nil:
		return s.personsList(ctx, f, limit)
	case f.Names == nil && f.Props == nil:
		return s.page(ctx, s.pool, f, f.span(), f.Limit+1)
	}
	var out []events.Event
	err := postgres.InSnapshot(ctx, s.pool, limit, func(tx pgx.Tx) (err error) {
		out, err = s.page(ctx, tx, f, f.span(), f.Limit+1)
		return err
	})
	return out, err
}

// days returns the first and the last UTC day on which a project has events; without any, a last day before the first.
func (s *Store) days(ctx context.Context, project uuid.UUID) (first, last time.Time, err error) {
	d, err := s.q.EventDays(ctx, s.pool, project)
	if errors.Is(err, pgx.ErrNoRows) {
		return events.End, events.Beginning, nil
	}
	if err != nil {
		return first, last, fmt.Errorf("find the days with events: %w", err)
	}
	return d.First.UTC(), d.Last.UTC(), nil
}

// errTooSlow is the answer when a page took longer than it may.
var errTooSlow = errors.New("the time was up")

// personsList is list for one person. Which indexes there are is asked before: the answer may be out of date in any
// case.
func (s *Store) personsList(ctx context.Context, f *Filter, limit time.Duration) ([]events.Event, error) {
	valid, err := s.personIndexes(ctx, s.pool)
	if err != nil {
		return nil, err
	}
	var out []events.Event
	err = postgres.InSnapshot(ctx, s.pool, limit, func(tx pgx.Tx) (err error) {
		// Each statement is one piece of the page; together they may take no longer than one.
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		out, err = s.timeline(ctx, tx, f, pieces(valid))
		if err != nil && ctx.Err() != nil {
			err = errors.Join(errTooSlow, err)
		}
		return err
	}, personSettings...)
	return out, err
}

// ownPlan has every query planned for its own arguments. PostgreSQL goes over to one plan for any range after a few,
// and that one locks every partition there is.
type ownPlan struct{ db.DBTX }

func (p ownPlan) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return p.DBTX.Query(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
}

func (p ownPlan) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return p.DBTX.QueryRow(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
}

// page returns at most so many events of a span, the first ones in the order of the filter.
func (s *Store) page(ctx context.Context, tx db.DBTX, f *Filter, ids span, limit int) ([]events.Event, error) {
	p := db.EventsNewestFirstParams{
		ProjectID: f.ProjectID, IDFrom: ids.from, IDTo: ids.to, Since: f.Since, Until: f.Until,
		Names: f.Names, UserID: f.UserID, Props: f.Props, PageSize: int32(limit),
	}
	if f.Ascending {
		return fromRows(s.q.EventsOldestFirst(ctx, ownPlan{tx}, db.EventsOldestFirstParams(p)))
	}
	return fromRows(s.q.EventsNewestFirst(ctx, ownPlan{tx}, p))
}

// byBlocks is page for one person, by the summaries of blocks.
func (s *Store) byBlocks(ctx context.Context, tx db.DBTX, f *Filter, ids span, limit int) ([]events.Event, error) {
	if _, err := tx.Exec(ctx, "SET LOCAL enable_bitmapscan = on"); err != nil {
		return nil, fmt.Errorf("read by blocks: %w", err)
	}
	p := db.PersonEventsNewestFirstParams{
		ProjectID: f.ProjectID, UserID: f.UserID, IDFrom: ids.from, IDTo: ids.to, Since: f.Since, Until: f.Until,
		Names: f.Names, Props: f.Props, PageSize: int32(limit),
	}
	if f.Ascending {
		return fromRows(s.q.PersonEventsOldestFirst(ctx, tx, db.PersonEventsOldestFirstParams(p)))
	}
	return fromRows(s.q.PersonEventsNewestFirst(ctx, tx, p))
}

// newest returns the newest id of a project in a span and the one that many before it, which is none when there are
// no more than that.
func (s *Store) newest(ctx context.Context, tx db.DBTX, project uuid.UUID, ids span, before int) ([]uuid.UUID, error) {
	p := db.EventsNewestParams{ProjectID: project, IDFrom: ids.from, IDTo: ids.to, Events: int32(before)}
	found, err := s.q.EventsNewest(ctx, tx, p)
	if err != nil {
		return nil, fmt.Errorf("find the newest events: %w", err)
	}
	return found, nil
}

// personIndexes returns the indexes by person and whether they can be used.
func (s *Store) personIndexes(ctx context.Context, tx db.DBTX) (map[string]bool, error) {
	rows, err := s.q.PersonIndexes(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("list the indexes by person: %w", err)
	}
	valid := make(map[string]bool, len(rows))
	for _, r := range rows {
		valid[r.Name] = r.Valid
	}
	return valid, nil
}

func fromRows(rows []db.Event, err error) ([]events.Event, error) {
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	out := make([]events.Event, len(rows))
	for k := range rows {
		out[k] = fromRow(&rows[k])
	}
	return out, nil
}

// get returns one event of one of the projects; a 404 when there is none.
func (s *Store) get(ctx context.Context, id uuid.UUID, projects []uuid.UUID) (events.Event, error) {
	row, err := s.q.EventByID(ctx, ownPlan{s.pool}, id, projects)
	if errors.Is(err, pgx.ErrNoRows) {
		return events.Event{}, problem.NotFound()
	}
	if err != nil {
		return events.Event{}, fmt.Errorf("get event: %w", err)
	}
	return fromRow(&row), nil
}

func fromRow(r *db.Event) events.Event {
	e := events.Event{ProjectID: r.ProjectID, ID: r.ID, TS: r.TS, ReceivedAt: r.ReceivedAt, Seq: r.Seq, Name: r.Name,
		Props: r.Props}
	if r.UserID != nil {
		e.UserID = *r.UserID
	}
	if r.AnonymousID != nil {
		e.AnonymousID = *r.AnonymousID
	}
	return e
}

// eventsStep returns where a step of pruneRows events ends that starts at from, and whether there are more before the
// end; when there are not, the step ends there.
func (s *Store) eventsStep(
	ctx context.Context, tx pgx.Tx, project, from, before uuid.UUID,
) (end uuid.UUID, more bool, err error) {
	p := db.EventsStepParams{ProjectID: project, IDFrom: from, IDTo: before, Events: pruneRows}
	end, err = s.q.EventsStep(ctx, tx, p)
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
func (s *Store) deleteKeys(
	ctx context.Context, tx pgx.Tx, project, from uuid.UUID, end *uuid.UUID, before time.Time,
) error {
	p := db.EventKeysDeleteParams{ProjectID: project, KeyFrom: from, KeyTo: end, Before: before}
	if _, err := s.q.EventKeysDelete(ctx, tx, p); err != nil {
		return fmt.Errorf("delete idempotency keys: %w", err)
	}
	return nil
}
