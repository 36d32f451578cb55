package behaviour

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
)

// Consumer is the name of the part builder among the consumers of arrivals.
const Consumer = "parts"

// Store is the parts, the people and the arrivals in PostgreSQL.
type Store struct {
	pool *pgxpool.Pool
	q    *db.Queries
}

// NewStore returns a Store on the pool.
func NewStore(pool *pgxpool.Pool) *Store { return &Store{pool: pool, q: db.New()} }

// next finds a project after another.
type next = func(ctx context.Context, tx db.DBTX, after uuid.UUID) (uuid.UUID, error)

// NextProject returns the first project after another that has events or parts; false when there is none.
func (s *Store) NextProject(ctx context.Context, after uuid.UUID) (project uuid.UUID, found bool, err error) {
	return s.first(ctx, after, s.q.RollupCountedAfter, s.q.ArrivalsProjectAfter, s.q.ArrivalCursorAfter)
}

// NextWaiting returns the first project after another for which there is something to do: arrivals or days to build.
func (s *Store) NextWaiting(ctx context.Context, after uuid.UUID) (project uuid.UUID, found bool, err error) {
	return s.first(ctx, after, s.q.ArrivalsProjectAfter, s.q.PartDaysDirtyAfter)
}

// NextArrived returns the first project after another that has arrivals.
func (s *Store) NextArrived(ctx context.Context, after uuid.UUID) (project uuid.UUID, found bool, err error) {
	return s.first(ctx, after, s.q.ArrivalsProjectAfter)
}

// first returns the smallest of those that the queries find.
func (s *Store) first(ctx context.Context, after uuid.UUID, queries ...next) (project uuid.UUID, found bool, err error) {
	for _, query := range queries {
		p, err := query(ctx, s.pool, after)
		if errors.Is(err, pgx.ErrNoRows) {
			continue
		}
		if err != nil {
			return uuid.Nil, false, fmt.Errorf("find projects: %w", err)
		}
		if !found || bytes.Compare(p[:], project[:]) < 0 {
			project, found = p, true
		}
	}
	return project, found, nil
}

// EachProject does something for one project after the other: next finds the first one after another. It goes on when one fails, and
// returns all errors; what is wrong with a project is to be said with its id.
func EachProject(
	ctx context.Context, next func(ctx context.Context, after uuid.UUID) (uuid.UUID, bool, error),
	do func(ctx context.Context, project uuid.UUID) error,
) error {
	var errs []error
	var project uuid.UUID
	for {
		found, ok, err := next(ctx, project)
		if err != nil || !ok {
			return errors.Join(append(errs, err)...)
		}
		project = found
		err = do(ctx, project)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
}

// Backlog is what of a project is in no part yet.
type Backlog struct {
	Events int64
	Oldest time.Time // when the first of it arrived; now when there is none
	Begun  bool      // the builder follows the project: see Begin
	Dirty  bool      // days are to be built anew
}

// Backlog says how far behind the parts of a project are.
func (s *Store) Backlog(ctx context.Context, project uuid.UUID) (Backlog, error) {
	row, err := s.q.ArrivalsPending(ctx, s.pool, project, Consumer)
	if err != nil {
		return Backlog{}, fmt.Errorf("count arrivals: %w", err)
	}
	return Backlog{Events: row.Events, Oldest: row.Oldest, Begun: row.Begun, Dirty: row.Dirty}, nil
}

// Behind says of all projects how many events are in no part yet, and how long ago the first of them arrived.
func (s *Store) Behind(ctx context.Context) (events int64, age time.Duration, err error) {
	row, err := s.q.ArrivalsPendingEverywhere(ctx, s.pool, Consumer)
	if err != nil {
		return 0, 0, fmt.Errorf("count arrivals: %w", err)
	}
	return row.Events, time.Duration(row.AgeSeconds * float64(time.Second)), nil
}

// Begin says that the builder follows a project's arrivals from now on, unless it does already. The events that are
// there and may have arrived before are built day by day.
func (w *Work) Begin(ctx context.Context) error {
	c, err := w.store.cursor(ctx, w.tx, w.project)
	if err != nil || c.XID != "" {
		return err
	}
	days, err := w.store.q.PartDays(ctx, w.tx, w.project)
	if err == nil && len(days) > 0 {
		err = w.store.q.PartDaysMark(ctx, w.tx, w.project, days)
	}
	if err != nil {
		return fmt.Errorf("mark days: %w", err)
	}
	return w.Advance(ctx, Cursor{})
}

func (s *Store) cursor(ctx context.Context, tx db.DBTX, project uuid.UUID) (Cursor, error) {
	row, err := s.q.ArrivalCursor(ctx, tx, project, Consumer)
	if errors.Is(err, pgx.ErrNoRows) {
		return Cursor{}, nil
	}
	if err != nil {
		return Cursor{}, fmt.Errorf("read cursor: %w", err)
	}
	return Cursor{row.XID, row.Seq}, nil
}

// Work is a transaction on the parts of a project. No other one works on them meanwhile.
type Work struct {
	store   *Store
	tx      pgx.Tx
	project uuid.UUID
}

// Work runs fn in a transaction that sees one state of the database. What fn does is there when Work returns nil, and
// else not.
func (s *Store) Work(ctx context.Context, project uuid.UUID, fn func(*Work) error) error {
	return s.work(ctx, project, pgx.RepeatableRead, fn)
}

// work is Work, in a transaction of a level. Where it changes what ingestion does, too, as counts are, seeing one state would make it
// fail as often as somebody sends events.
func (s *Store) work(ctx context.Context, project uuid.UUID, level pgx.TxIsoLevel, fn func(*Work) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("work on parts: %w", err)
	}
	defer conn.Release()
	if err := s.q.PartsLock(ctx, conn, project.String()); err != nil {
		return fmt.Errorf("lock the parts: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer cancel()
		if _, err := s.q.PartsUnlock(ctx, conn, project.String()); err != nil {
			_ = conn.Conn().Close(ctx) // the lock goes with the session
		}
	}()
	return pgx.BeginTxFunc(
		ctx, conn, pgx.TxOptions{IsoLevel: level}, func(tx pgx.Tx) error { return fn(&Work{s, tx, project}) },
	)
}

// unlockTimeout is how long giving a lock back may take before the connection is given up instead.
const unlockTimeout = 5 * time.Second

// Arrivals returns what arrived and is in no part yet, in order: whole rows, with at most so many events unless a
// single one has more. None that is not among them can come before the last of them any more.
func (w *Work) Arrivals(ctx context.Context, maxEvents int) ([]Arrival, error) {
	horizon, err := w.store.q.ArrivalsHorizon(ctx, w.tx)
	if err != nil {
		return nil, fmt.Errorf("read the horizon: %w", err)
	}
	c, err := w.store.cursor(ctx, w.tx, w.project)
	if err != nil {
		return nil, err
	}
	all, err := w.store.arrivals(ctx, w.tx, w.project, c, &horizon)
	if err != nil {
		return nil, err
	}
	events := 0
	for i, a := range all {
		if events += len(a.IDs); events > maxEvents && i > 0 {
			return all[:i], nil
		}
	}
	return all, nil
}

// maxArrivals bounds how many rows of arrivals are read at once.
const maxArrivals = 2000

func (s *Store) arrivals(
	ctx context.Context, tx db.DBTX, project uuid.UUID, after Cursor, horizon *string,
) ([]Arrival, error) {
	rows, err := s.q.ArrivalsAfter(ctx, tx, db.ArrivalsAfterParams{
		ProjectID: project, XID: after.xid(), Seq: after.Seq, Horizon: horizon, MaxRows: maxArrivals,
	})
	if err != nil {
		return nil, fmt.Errorf("read arrivals: %w", err)
	}
	all := make([]Arrival, len(rows))
	for i, r := range rows {
		all[i] = Arrival{Cursor{r.XID, r.Seq}, r.CreatedAt, r.EventIDs, r.Built}
	}
	return all, nil
}

// Advance says that everything up to a place is in the parts, and removes what every consumer has passed.
func (w *Work) Advance(ctx context.Context, to Cursor) error {
	err := w.store.q.ArrivalCursorSet(
		ctx, w.tx, db.ArrivalCursorSetParams{ProjectID: w.project, Consumer: Consumer, XID: to.xid(), Seq: to.Seq},
	)
	if err != nil {
		return fmt.Errorf("move the cursor: %w", err)
	}
	return w.removeArrivals(ctx, time.Time{})
}

// Events returns those of some events that are still there.
func (w *Work) Events(ctx context.Context, ids []uuid.UUID) ([]StoredEvent, error) {
	return w.store.eventsByID(ctx, w.tx, w.project, ids)
}

func (s *Store) eventsByID(ctx context.Context, tx db.DBTX, project uuid.UUID, ids []uuid.UUID) ([]StoredEvent, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	lo, hi := span(ids)
	rows, err := s.q.EventsByIDs(ctx, tx, db.EventsByIDsParams{ProjectID: project, EventIDs: ids, IDFrom: lo, IDTo: hi})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	events := make([]StoredEvent, 0, len(rows))
	for i := range rows {
		events = appendEvent(events, db.EventsOfRangeRow(rows[i]))
	}
	return events, nil
}

// span returns the smallest and the largest id, which say what partitions to look into.
func span(ids []uuid.UUID) (lo, hi uuid.UUID) {
	lo, hi = ids[0], ids[0]
	for _, id := range ids {
		if bytes.Compare(id[:], lo[:]) < 0 {
			lo = id
		}
		if bytes.Compare(id[:], hi[:]) > 0 {
			hi = id
		}
	}
	return lo, hi
}

// linksByID returns those of the events that carry two ids, without what they are.
func (s *Store) linksByID(ctx context.Context, tx db.DBTX, project uuid.UUID, ids []uuid.UUID) ([]StoredEvent, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	lo, hi := span(ids)
	rows, err := s.q.EventLinksByIDs(ctx, tx, db.EventLinksByIDsParams{ProjectID: project, EventIDs: ids, IDFrom: lo, IDTo: hi})
	if err != nil {
		return nil, fmt.Errorf("read links of events: %w", err)
	}
	events := make([]StoredEvent, 0, len(rows))
	for _, r := range rows {
		events = appendEvent(events, db.EventsOfRangeRow{
			ID: r.ID, TS: r.TS, ReceivedAt: r.ReceivedAt, UserID: r.UserID, AnonymousID: r.AnonymousID,
		})
	}
	return events, nil
}

// appendEvent leaves out events whose id does not begin with their ts: no reader finds those.
func appendEvent(events []StoredEvent, r db.EventsOfRangeRow) []StoredEvent {
	if DayOf(r.ID) != DayAt(r.TS) {
		return events
	}
	e := StoredEvent{ID: r.ID, TS: r.TS, ReceivedAt: r.ReceivedAt, Name: r.Name, Props: r.Props}
	if r.UserID != nil {
		e.UserID = *r.UserID
	}
	if r.AnonymousID != nil {
		e.AnonymousID = *r.AnonymousID
	}
	return append(events, e)
}

// pageEvents is how many events of a day are read at once.
const pageEvents = 10_000

// EventsOf calls fn with the events of a UTC day, some at a time.
func (w *Work) EventsOf(ctx context.Context, day int32, fn func([]StoredEvent) error) error {
	return w.store.eventsOf(ctx, w.tx, w.project, day, fn)
}

func (s *Store) eventsOf(
	ctx context.Context, tx db.DBTX, project uuid.UUID, day int32, fn func([]StoredEvent) error,
) error {
	after, end := idBefore(idFloor(day)), idFloor(day+1)
	for {
		rows, err := s.q.EventsOfRange(
			ctx, tx, db.EventsOfRangeParams{ProjectID: project, IDAfter: after, IDTo: end, MaxRows: pageEvents},
		)
		if err != nil {
			return fmt.Errorf("read events of a day: %w", err)
		}
		events := make([]StoredEvent, 0, len(rows))
		for _, r := range rows {
			events = appendEvent(events, r)
		}
		if len(events) > 0 {
			if err := fn(events); err != nil {
				return err
			}
		}
		if len(rows) < pageEvents {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}

// idBefore returns the largest id smaller than this one.
func idBefore(id uuid.UUID) uuid.UUID {
	for i := len(id) - 1; i >= 0; i-- {
		id[i]--
		if id[i] != 0xff {
			break
		}
	}
	return id
}

// PruneArrivals removes what every consumer has passed, and what arrived before a time. Days of which the builder has
// missed something by that are built anew.
func (w *Work) PruneArrivals(ctx context.Context, before time.Time) error {
	q := w.store.q
	c, err := w.store.cursor(ctx, w.tx, w.project)
	if err != nil {
		return err
	}
	missed, err := q.ArrivalsMissed(
		ctx, w.tx, db.ArrivalsMissedParams{ProjectID: w.project, Before: before, XID: c.xid(), Seq: c.Seq},
	)
	if err != nil {
		return fmt.Errorf("find old arrivals: %w", err)
	}
	days := map[int32]struct{}{}
	for _, m := range missed {
		for day := DayAt(m.MinTS); day <= DayAt(m.MaxTS); day++ {
			days[day] = struct{}{}
		}
	}
	if len(days) > 0 {
		list := make([]int32, 0, len(days))
		for day := range days {
			list = append(list, day)
		}
		if err := w.MarkDirty(ctx, list); err != nil {
			return err
		}
	}
	// Exports have missed them as well: a cursor before them is refused. One that nobody uses keeps nothing any more.
	if err = q.ExportForget(ctx, w.tx, w.project, before); err == nil {
		err = q.ExportMove(ctx, w.tx, w.project, before)
	}
	if err != nil {
		return fmt.Errorf("move the place of exports: %w", err)
	}
	return w.removeArrivals(ctx, before)
}

func (w *Work) removeArrivals(ctx context.Context, before time.Time) error {
	if _, err := w.store.q.ArrivalsPrune(ctx, w.tx, w.project, before); err != nil {
		return fmt.Errorf("remove arrivals: %w", err)
	}
	return nil
}
