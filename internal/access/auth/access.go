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

// Rule is what something asks of its caller. The edge takes it from the contract; another transport may state its own.
type Rule struct {
	Scope   string // that a key needs
	Role    Role   // that an account needs in the project
	Deleted bool   // it is about a project that is deleted
}

// RuleOf is the rule of an operation of the contract: its x-scope, x-role and x-project.
func RuleOf(op *contract.Operation) Rule {
	return Rule{Scope: op.Scope, Role: Role(op.Role), Deleted: op.Deleted}
}

// Access decides who may do what in which project. A transport asks it before everything it does for a caller. It asks the
// database each time, so an account that loses its role, or whose project is deleted, is refused from the next request on.
type Access struct {
	pool *pgxpool.Pool
	q    *db.Queries
}

// NewAccess makes an Access that looks memberships up in pool.
func NewAccess(pool *pgxpool.Pool) *Access { return &Access{pool: pool, q: db.New()} }

// Scope returns nil when the principal may ask for this at all: a key has its scope, and what concerns the whole instance is for
// its operators. What else an account may do, its role in the project decides.
func (a *Access) Scope(p *Principal, rule Rule) error {
	switch p.Kind {
	case KindAccount, KindRefresh: // only where the operation's security takes them
		if rule.Role == contract.RoleOperator && !p.Operator {
			return problem.New(problem.CodeInsufficientRole, "This is for the operators of this server.")
		}
		return nil
	case KindAPIKey, KindWriteKey:
		if p.Allows(rule.Scope) {
			return nil
		}
	}
	return problem.New(problem.CodeInsufficientScope, "This needs the scope %s.", rule.Scope)
}

// Project returns nil when the principal may do this to the project: the key is of this project, or the account has the role
// in it. self says that an account is about to do something to itself that every member may do to itself.
//
// Errors: problem.NotFound when the principal has nothing to do with the project, whether it is there or not;
// insufficient_role for a member whose role is not enough; project_disabled for every member of one that is.
func (a *Access) Project(ctx context.Context, p *Principal, rule Rule, project uuid.UUID, self bool) error {
	switch p.Kind {
	case KindAPIKey, KindWriteKey:
		// The key was alive when the request was authenticated, and so was its project.
		if p.ProjectID == project && !rule.Deleted {
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
		if member.Deleted != rule.Deleted {
			break
		}
		if member.Disabled {
			return ErrProjectDisabled()
		}
		needed := rule.Role
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
