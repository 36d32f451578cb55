package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/problem"
)

// Access answers which projects a caller may read. Every slice that reads on behalf of a caller asks it first. It asks
// the database each time, so whoever loses access, or whose project is deleted, is refused from the next request on.
type Access struct {
	pool *pgxpool.Pool
	q    *db.Queries
}

// NewAccess makes an Access that looks memberships up in pool.
func NewAccess(pool *pgxpool.Pool) *Access { return &Access{pool: pool, q: db.New()} }

// Project returns nil when the principal of ctx may read the project: the key is of this project, or the account is a
// member. Otherwise, the project being there or not, it is problem.NotFound.
func (a *Access) Project(ctx context.Context, projectID uuid.UUID) error {
	switch p := From(ctx); p.Kind {
	case KindAPIKey:
		// The key was alive when the request was authenticated, and so was its project.
		if p.ProjectID == projectID {
			return nil
		}
	case KindAccount:
		_, err := a.q.MemberRole(ctx, a.pool, projectID, p.AccountID)
		if !errors.Is(err, pgx.ErrNoRows) {
			return wrapLookup(err)
		}
	case KindRefresh, KindWriteKey: // they read nothing
	}
	return problem.NotFound()
}

// ProjectIDs returns every project that the principal of ctx may read, in no particular order.
func (a *Access) ProjectIDs(ctx context.Context) ([]uuid.UUID, error) {
	switch p := From(ctx); p.Kind {
	case KindAPIKey:
		return []uuid.UUID{p.ProjectID}, nil
	case KindAccount:
		ids, err := a.q.MemberProjectIDs(ctx, a.pool, p.AccountID)
		return ids, wrapLookup(err)
	case KindRefresh, KindWriteKey: // they read nothing
	}
	return nil, nil
}

func wrapLookup(err error) error {
	if err != nil {
		return fmt.Errorf("look up memberships: %w", err)
	}
	return nil
}
