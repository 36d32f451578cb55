package saved

import (
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// Service keeps what the projects have saved. Its callers have checked that the account may.
type Service struct {
	pool   *pgxpool.Pool
	store  store
	limits Limits
}

// Limits are how many of each a project may have; one that is zero is the number beside it. At most 1,000: the lists are read whole.
type Limits struct {
	Insights     int // 500
	Boards       int // 100
	Annotations  int // 1,000
	CustomEvents int // 200
}

// New makes a Service on pool.
func New(pool *pgxpool.Pool, limits Limits) *Service {
	limits.Insights, limits.Boards = cmp.Or(limits.Insights, 500), cmp.Or(limits.Boards, 100)
	limits.Annotations, limits.CustomEvents = cmp.Or(limits.Annotations, 1000), cmp.Or(limits.CustomEvents, 200)
	return &Service{pool: pool, store: newStore(pool), limits: limits}
}

// Change says who made a thing and who changed it.
type Change struct {
	Version   int64 // counts the changes, from 1
	CreatedBy *uuid.UUID
	CreatedAt time.Time
	UpdatedBy *uuid.UUID // nil before the first change
	UpdatedAt time.Time
}

// change runs fn in a transaction that has the project to itself: limits hold, an insight cannot go while it is placed on a
// board, and what the audit log calls old is what was replaced. problem.NotFound when the project is being deleted.
func (s *Service) change(ctx context.Context, projectID uuid.UUID, fn func(pgx.Tx) error) error {
	return postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := s.store.lockProject(ctx, tx, projectID); err != nil {
			return err
		}
		return fn(tx)
	})
}

// room is limit_reached when there are as many things as there may be.
func room(n int64, limit int, things string) error {
	if n < int64(limit) {
		return nil
	}
	return problem.New(problem.CodeLimitReached, "A project has at most %d %s.", limit, things)
}

// isVersion is version_conflict unless the version that is there is the one to change; nil is any.
func isVersion(there int64, wanted *int64) error {
	if wanted == nil || *wanted == there {
		return nil
	}
	err := problem.New(problem.CodeVersionConflict, "It is at version %d, and the change is of version %d.", there, *wanted)
	err.Version = there
	return err
}
