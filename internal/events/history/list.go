package history

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
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
	Received  bool // the order of an incremental export, see Reader.Received; then neither Ascending nor After
	Limit     int
	After     *uuid.UUID // the last event of the page before
}

// Page is one page of events.
type Page struct {
	Events []events.Event
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

// Get returns one event of one of the projects; a 404 when there is none. An event that was acknowledged is found: it
// is looked for on the primary.
func (r *Reader) Get(ctx context.Context, id uuid.UUID, projects []uuid.UUID) (events.Event, error) {
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
	f, err := s.withinDays(ctx, f.bounded())
	if err != nil || f.span().empty() {
		return Page{}, err
	}
	found, err := s.list(ctx, f, r.limit)
	if err != nil {
		if ctx.Err() == nil && (postgres.IsStatementTimeout(err) || errors.Is(err, errTooSlow)) {
			return Page{}, problem.Wrap(err, problem.CodeQueryTooHeavy, "Finding the events took longer than the %s a page may take: "+
				"give since, or a later one, so that fewer events are searched.", r.limit)
		}
		return Page{}, err
	}
	p := Page{Events: found}
	if len(found) > f.Limit {
		p.Events = found[:f.Limit]
		p.Next = &p.Events[f.Limit-1].ID
	}
	return p, nil
}

// withinDays is the filter within the days on which its project has events. A list plans and locks every partition that
// its range touches, and others may have made many: without a range it would pay for the history of every project.
func (s *Store) withinDays(ctx context.Context, f *Filter) (*Filter, error) {
	if f.Until.Sub(f.Since) <= fewDays {
		return f, nil
	}
	first, last, err := s.days(ctx, f.ProjectID)
	if err != nil {
		return nil, err
	}
	b := *f
	if b.Since.Before(first) {
		b.Since = first
	}
	if end := last.AddDate(0, 0, 1); b.Until.After(end) {
		b.Until = end
	}
	return &b, nil
}

// fewDays is a range that touches so few partitions that it is not worth a query to make it smaller.
const fewDays = 31 * 24 * time.Hour

// bounded is the filter within the times that ids can have: before 1970 they would be greater than all others.
func (f *Filter) bounded() *Filter {
	b := *f
	if b.Since.Before(events.Beginning) {
		b.Since = events.Beginning
	}
	switch {
	case b.Until.IsZero() || b.Until.After(events.End):
		b.Until = events.End
	case b.Until.Before(events.Beginning):
		b.Until = events.Beginning
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
