package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/internal/platform/replica"
)

// Filter says which events to read. Its fields are combined with AND.
type Filter struct {
	ProjectID uuid.UUID
	Names     []string  // any of these; nil means all
	UserID    *string   // nil means everyone
	Since     time.Time // inclusive
	Until     time.Time // exclusive
	Props     []byte    // a JSON object that the props contain; nil means any
	Ascending bool
	Limit     int
	After     *uuid.UUID // the last event of the page before
}

// The widest range an event's ts can be in; the end is where 48 bits of milliseconds and time.Time still agree.
var (
	beginning = time.Unix(0, 0).UTC()
	end       = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Page is one page of events.
type Page struct {
	Events []Event
	Next   *uuid.UUID // nil on the last page
}

// Reader reads events.
type Reader struct {
	reads *replica.Reads
	limit time.Duration
}

// NewReader returns a Reader. limit bounds the time of one page.
func NewReader(reads *replica.Reads, limit time.Duration) *Reader {
	return &Reader{reads: reads, limit: limit}
}

// Get returns one event of one of the projects; a 404 when there is none. An event that was acknowledged is found: it is
// looked for on the primary.
func (r *Reader) Get(ctx context.Context, id uuid.UUID, projects []uuid.UUID) (Event, error) {
	return NewStore(r.reads.Primary()).get(ctx, id, projects)
}

// List returns one page, in the order of the ids: by ts to the millisecond, then by hash.
func (r *Reader) List(ctx context.Context, f *Filter) (page Page, err error) {
	err = r.reads.Ask(ctx, func(ctx context.Context, pool *pgxpool.Pool) (err error) {
		page, err = r.list(ctx, NewStore(pool), f)
		return err
	})
	return page, err
}

func (r *Reader) list(ctx context.Context, s *Store, f *Filter) (Page, error) {
	events, err := s.list(ctx, f.bounded(), r.limit)
	if err != nil {
		if ctx.Err() == nil && (postgres.IsStatementTimeout(err) || errors.Is(err, errTooSlow)) {
			return Page{}, problem.Wrap(err, problem.CodeQueryTooHeavy, "Finding the events took longer than the %s a page may take: "+
				"give since, or a later one, so that fewer events are searched.", r.limit)
		}
		return Page{}, err
	}
	p := Page{Events: events}
	if len(events) > f.Limit {
		p.Events = events[:f.Limit]
		p.Next = &p.Events[f.Limit-1].ID
	}
	return p, nil
}

// bounded is the filter within the times that ids can have: before 1970 they would be greater than all others.
func (f *Filter) bounded() *Filter {
	b := *f
	if b.Since.Before(beginning) {
		b.Since = beginning
	}
	switch {
	case b.Until.IsZero() || b.Until.After(end):
		b.Until = end
	case b.Until.Before(beginning):
		b.Until = beginning
	}
	return &b
}

// ceilMilli rounds up to the millisecond: ids know no finer time.
func ceilMilli(t time.Time) time.Time {
	if r := t.Truncate(time.Millisecond); r.Before(t) {
		return r.Add(time.Millisecond)
	}
	return t
}
