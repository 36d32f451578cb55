package quota

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

type store struct {
	pool *pgxpool.Pool
	q    *db.Queries
}

func newStore(pool *pgxpool.Pool) store { return store{pool, db.New()} }

func date(day time.Time) pgtype.Date { return pgtype.Date{Time: day, Valid: true} }

// loaded is what the database says of a project.
type loaded struct {
	Overrides
	events, bytes int64
}

func (s store) load(ctx context.Context, day time.Time, ids []uuid.UUID) (map[uuid.UUID]loaded, error) {
	rows, err := s.q.QuotaLoad(ctx, s.pool, date(day), ids)
	if err != nil {
		return nil, fmt.Errorf("read the usage of projects: %w", err)
	}
	out := make(map[uuid.UUID]loaded, len(rows))
	for _, r := range rows {
		out[r.ID] = loaded{Overrides{r.EventsPerDay, r.StoredBytes, r.EventNames}, r.Events, r.Bytes}
	}
	return out, nil
}

func (s store) names(ctx context.Context, id uuid.UUID, limit int32) ([]string, error) {
	return s.q.QuotaNames(ctx, s.pool, limit, id)
}

// add writes down what some projects stored.
func (s store) add(ctx context.Context, day time.Time, ids []uuid.UUID, took []stored) error {
	arg := db.UsageAddParams{Day: date(day)}
	for k, t := range took {
		if t != (stored{}) {
			arg.IDs, arg.Events, arg.Bytes = append(arg.IDs, ids[k]), append(arg.Events, t.events), append(arg.Bytes, t.bytes)
		}
	}
	if len(arg.IDs) == 0 {
		return nil
	}
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := s.q.UsageAdd(ctx, tx, arg); err != nil {
			return err
		}
		return s.q.SizesAdd(ctx, tx, arg.IDs, arg.Bytes)
	})
	if err != nil {
		return fmt.Errorf("write down the usage of %d projects: %w", len(arg.IDs), err)
	}
	return nil
}

func (s store) due(ctx context.Context, longAgo, yesterday time.Time) ([]uuid.UUID, error) {
	ids, err := s.q.SizesDue(ctx, s.pool, longAgo, date(yesterday))
	if err != nil {
		return nil, fmt.Errorf("find the projects to measure: %w", err)
	}
	return ids, nil
}

// measure counts a project's events, counts and profile operations, and estimates what they take.
func (s store) measure(ctx context.Context, id uuid.UUID, now time.Time) error {
	perEvent, err := s.q.UsageBytesPerEvent(ctx, s.pool, id)
	if err != nil {
		return err
	}
	if perEvent == 0 {
		perEvent = eventBytes
	}
	n, err := s.q.SizeCount(ctx, s.pool, id)
	if err != nil {
		return err
	}
	operations, err := s.q.SizeOperations(ctx, s.pool, id)
	if err != nil {
		return err
	}
	return s.q.SizeSet(ctx, s.pool, db.SizeSetParams{ProjectID: id, Events: n.Events, Names: n.Names, MeasuredAt: now,
		Bytes: int64(float64(n.Events)*perEvent) + n.Counts*countBytes + operations*operationBytes})
}

func (s store) prune(ctx context.Context, before time.Time) error {
	if err := s.q.UsagePrune(ctx, s.pool, date(before)); err != nil {
		return fmt.Errorf("delete the usage of days long gone: %w", err)
	}
	return nil
}

func (s store) overrides(ctx context.Context, id uuid.UUID) (Overrides, error) {
	l, err := s.q.LimitsGet(ctx, s.pool, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Overrides{}, nil
	}
	if err != nil {
		return Overrides{}, fmt.Errorf("read the limits of a project: %w", err)
	}
	return Overrides{l.EventsPerDay, l.StoredBytes, l.EventNames}, nil
}

func (s store) setOverrides(ctx context.Context, tx pgx.Tx, id uuid.UUID, o Overrides) (bool, error) {
	var in db.DBTX = s.pool
	if tx != nil {
		in = tx
	}
	n, err := s.q.LimitsSet(ctx, in, db.LimitsSetParams{ProjectID: id, EventsPerDay: o.EventsPerDay, StoredBytes: o.StoredBytes,
		EventNames: o.EventNames})
	if err != nil {
		return false, fmt.Errorf("set the limits of a project: %w", err)
	}
	return n > 0, nil
}

// usage is what there is of a project, and what it stored day by day.
type usage struct {
	events, bytes int64
	names         int32
	measuredAt    time.Time // zero before the first time
	days          []usageDay
}

type usageDay struct {
	day           time.Time
	events, bytes int64
}

func (s store) usage(ctx context.Context, id uuid.UUID, after time.Time) (usage, error) {
	var u usage
	size, err := s.q.SizeGet(ctx, s.pool, id)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return u, fmt.Errorf("read the size of a project: %w", err)
	}
	u.events, u.bytes, u.names = size.Events, size.Bytes, size.Names
	if size.MeasuredAt.Unix() > 0 {
		u.measuredAt = size.MeasuredAt
	}
	rows, err := s.q.UsageDays(ctx, s.pool, id, date(after))
	if err != nil {
		return u, fmt.Errorf("read the usage of a project: %w", err)
	}
	for _, r := range rows {
		u.days = append(u.days, usageDay{r.Day.Time, r.Events, r.Bytes})
	}
	return u, nil
}
