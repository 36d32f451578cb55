package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// list returns one page, one event more than the page has when there are more. A filter that only reading tells may
// search everything there is for one event, so it may take no longer than limit.
func (s *Store) list(ctx context.Context, f *Filter, limit time.Duration) ([]Event, error) {
	switch {
	case f.UserID != nil:
		return s.personsList(ctx, f, limit)
	case f.Names == nil && f.Props == nil:
		return s.page(ctx, s.pool, f, f.span(), f.Limit+1)
	}
	var out []Event
	err := postgres.InSnapshot(ctx, s.pool, limit, func(tx pgx.Tx) (err error) {
		out, err = s.page(ctx, tx, f, f.span(), f.Limit+1)
		return err
	})
	return out, err
}

// errTooSlow is the answer when a page took longer than it may.
var errTooSlow = errors.New("the time was up")

// personsList is list for one person. Which indexes there are is asked before: the answer may be out of date in any case.
func (s *Store) personsList(ctx context.Context, f *Filter, limit time.Duration) ([]Event, error) {
	valid, err := s.personIndexes(ctx, s.pool)
	if err != nil {
		return nil, err
	}
	var out []Event
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

// page returns at most so many events of a span, the first ones in the order of the filter.
func (s *Store) page(ctx context.Context, tx db.DBTX, f *Filter, ids span, limit int) ([]Event, error) {
	p := db.EventsNewestFirstParams{
		ProjectID: f.ProjectID, IDFrom: ids.from, IDTo: ids.to, Since: f.Since, Until: f.Until,
		Names: f.Names, UserID: f.UserID, Props: f.Props, PageSize: int32(limit),
	}
	if f.Ascending {
		return fromRows(s.q.EventsOldestFirst(ctx, tx, db.EventsOldestFirstParams(p)))
	}
	return fromRows(s.q.EventsNewestFirst(ctx, tx, p))
}

// byBlocks is page for one person, by the summaries of blocks.
func (s *Store) byBlocks(ctx context.Context, tx db.DBTX, f *Filter, ids span, limit int) ([]Event, error) {
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
func (s *Store) newest(ctx context.Context, tx db.DBTX, project uuid.UUID, ids span, events int) ([]uuid.UUID, error) {
	found, err := s.q.EventsNewest(ctx, tx, db.EventsNewestParams{ProjectID: project, IDFrom: ids.from, IDTo: ids.to, Events: int32(events)})
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

func fromRows(rows []db.Event, err error) ([]Event, error) {
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	out := make([]Event, len(rows))
	for k := range rows {
		out[k] = fromRow(&rows[k])
	}
	return out, nil
}

// get returns one event of one of the projects; a 404 when there is none.
func (s *Store) get(ctx context.Context, id uuid.UUID, projects []uuid.UUID) (Event, error) {
	row, err := s.q.EventByID(ctx, s.pool, id, projects)
	if errors.Is(err, pgx.ErrNoRows) {
		return Event{}, problem.NotFound()
	}
	if err != nil {
		return Event{}, fmt.Errorf("get event: %w", err)
	}
	return fromRow(&row), nil
}

func fromRow(r *db.Event) Event {
	e := Event{ProjectID: r.ProjectID, ID: r.ID, TS: r.TS, ReceivedAt: r.ReceivedAt, Seq: r.Seq, Name: r.Name, Props: r.Props}
	if r.UserID != nil {
		e.UserID = *r.UserID
	}
	if r.AnonymousID != nil {
		e.AnonymousID = *r.AnonymousID
	}
	return e
}
