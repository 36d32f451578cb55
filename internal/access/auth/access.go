package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// Access decides who may do what in which project, as the contract's x-role and x-scope say. The edge asks it before
// every operation. It asks the database each time, so a caller who loses a role, or whose project is deleted, is refused from
// the next request on.
type Access struct {
	pool *pgxpool.Pool
	q    *db.Queries
}

// NewAccess makes an Access that looks memberships up in pool.
func NewAccess(pool *pgxpool.Pool) *Access { return &Access{pool: pool, q: db.New()} }

// Scope returns nil when the principal may call the operation at all: a key has its scope, and what concerns the whole
// instance is for its operators. What else an account may do, its role in the project decides.
func (a *Access) Scope(p *Principal, op *contract.Operation) error {
	switch p.Kind {
	case KindAccount, KindRefresh: // only where the operation's security takes them
		if op.Role == contract.RoleOperator && !p.Operator {
			return problem.New(problem.CodeInsufficientRole, "This is for the operators of this server.")
		}
		return nil
	case KindAPIKey, KindWriteKey:
		if p.Allows(op.Scope) {
			return nil
		}
	}
	return problem.New(problem.CodeInsufficientScope, "This needs the scope %s.", op.Scope)
}

// Project returns nil when the principal may call the operation on the project: the key is of this project, or the
// account has the operation's role in it. self says that an account is about to do something to itself that every
// member may do to himself.
//
// Errors: problem.NotFound for a caller who has nothing to do with the project, whether it is there or not;
// insufficient_role for a member whose role is not enough; project_disabled for every member of one that is.
func (a *Access) Project(ctx context.Context, p *Principal, op *contract.Operation, project uuid.UUID, self bool) error {
	switch p.Kind {
	case KindAPIKey, KindWriteKey:
		// The key was alive when the request was authenticated, and so was its project.
		if p.ProjectID == project && !op.Deleted {
			return nil
		}
	case KindAccount:
		member, err := a.q.MemberRole(ctx, a.pool, project, p.AccountID)
		if errors.Is(err, pgx.ErrNoRows) {
			break
		}
		if err != nil {
			return wrapLookup(err)
		}
		if member.Deleted != op.Deleted {
			break
		}
		if member.Disabled {
			return ErrProjectDisabled()
		}
		needed := Role(op.Role)
		if self {
			needed = RoleViewer
		}
		if Role(member.Role).AtLeast(needed) {
			return nil
		}
		return problem.New(problem.CodeInsufficientRole, "This needs the role %s in the project; yours is %s.", needed, member.Role)
	case KindRefresh: // no operation on a project takes it
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

// ErrProjectDisabled is the answer to those who belong to a project that the operator has disabled.
func ErrProjectDisabled() error {
	return problem.New(problem.CodeProjectDisabled, "The operator of this server has disabled the project. Nothing of it was deleted.")
}
