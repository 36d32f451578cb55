package projects

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

const (
	// maxMembers bounds the list of a project's members, which is read whole.
	maxMembers = 500
	// codeUnknownAccount is the code of an address without an account.
	codeUnknownAccount = "unknown_account"
)

// Member is an account with a role in a project.
type Member struct {
	AccountID uuid.UUID
	Email     string
	Role      auth.Role
	AddedAt   time.Time
}

// Members returns all members of a project, in the order in which they were added.
func (p *Projects) Members(ctx context.Context, projectID uuid.UUID) ([]Member, error) {
	return p.store.members(ctx, projectID)
}

// AddMember makes the account of an address a member. Its problems are validation_failed for an address without an
// account, already_member, insufficient_role for whoever is no owner and adds one, and limit_reached.
func (p *Projects) AddMember(ctx context.Context, callerID, projectID uuid.UUID, email string, role auth.Role) (Member, error) {
	var member Member
	err := p.changeMembers(ctx, callerID, projectID, func(tx pgx.Tx, caller Member) error {
		// First what the caller may do: who may not add this role does not learn who has an account.
		if err := checkOwner(caller, role); err != nil {
			return err
		}
		id, known, err := p.store.candidate(ctx, tx, auth.FoldEmail(email))
		if err != nil {
			return err
		}
		if !known {
			return problem.Field(contract.InBody, "/email", codeUnknownAccount, "must be the address of an account; ask its owner to register first")
		}
		switch _, err := p.store.member(ctx, tx, projectID, id); {
		case err == nil:
			return problem.New(problem.CodeAlreadyMember, "This account is a member already.")
		case !problem.Is(err, problem.CodeNotFound):
			return err
		}
		count, err := p.store.countMembers(ctx, tx, projectID)
		if err != nil {
			return err
		}
		if count >= maxMembers {
			return problem.New(problem.CodeLimitReached, "A project has at most %d members.", maxMembers)
		}
		if err := p.store.addMember(ctx, tx, projectID, id, role); err != nil {
			return err
		}
		if member, err = p.store.member(ctx, tx, projectID, id); err != nil {
			return err
		}
		return recordMember(ctx, tx, projectID, audit.MemberAdd, id, nil, role)
	})
	return member, err
}

// UpdateMember changes a member's role. Its problems are problem.NotFound for who is no member, insufficient_role for
// whoever is no owner and makes or unmakes one, and last_owner.
func (p *Projects) UpdateMember(ctx context.Context, callerID, projectID, accountID uuid.UUID, role auth.Role) (Member, error) {
	var member Member
	err := p.changeMembers(ctx, callerID, projectID, func(tx pgx.Tx, caller Member) error {
		before, err := p.store.member(ctx, tx, projectID, accountID)
		if err != nil {
			return err
		}
		if err := checkOwner(caller, role, before.Role); err != nil {
			return err
		}
		if before.Role == auth.RoleOwner && role != auth.RoleOwner {
			if err := p.checkOtherOwner(ctx, tx, projectID); err != nil {
				return err
			}
		}
		if err := p.store.setRole(ctx, tx, projectID, accountID, role); err != nil {
			return err
		}
		member = before
		member.Role = role
		return recordMember(ctx, tx, projectID, audit.MemberUpdate, accountID, before.Role, role)
	})
	return member, err
}

// RemoveMember ends a membership; the caller may end his own. Its problems are those of UpdateMember.
func (p *Projects) RemoveMember(ctx context.Context, callerID, projectID, accountID uuid.UUID) error {
	return p.changeMembers(ctx, callerID, projectID, func(tx pgx.Tx, caller Member) error {
		before, err := p.store.member(ctx, tx, projectID, accountID)
		if err != nil {
			return err
		}
		if err := checkOwner(caller, before.Role); err != nil {
			return err
		}
		if before.Role == auth.RoleOwner {
			if err := p.checkOtherOwner(ctx, tx, projectID); err != nil {
				return err
			}
		}
		if err := p.store.removeMember(ctx, tx, projectID, accountID); err != nil {
			return err
		}
		return recordMember(ctx, tx, projectID, audit.MemberRemove, accountID, before.Role, nil)
	})
}

// changeMembers runs fn with the caller as he is once the project is locked: a role that he has just lost counts no more.
func (p *Projects) changeMembers(ctx context.Context, callerID, projectID uuid.UUID, fn func(pgx.Tx, Member) error) error {
	return p.inLockedProject(ctx, projectID, func(tx pgx.Tx) error {
		caller, err := p.store.member(ctx, tx, projectID, callerID)
		if err != nil {
			return err
		}
		return fn(tx, caller)
	})
}

// checkOwner refuses whoever is no owner when one of the roles at stake is that of an owner. The contract cannot say this:
// it depends on what the member is, and is to become.
func checkOwner(caller Member, atStake ...auth.Role) error {
	for _, role := range atStake {
		if role == auth.RoleOwner && caller.Role != auth.RoleOwner {
			return problem.New(problem.CodeInsufficientRole, "Only an owner makes or unmakes owners; your role in the project is %s.", caller.Role)
		}
	}
	return nil
}

// checkOtherOwner refuses to lose the last owner. The project is locked, so nobody else can lose one meanwhile.
func (p *Projects) checkOtherOwner(ctx context.Context, tx pgx.Tx, projectID uuid.UUID) error {
	owners, err := p.store.countOwners(ctx, tx, projectID)
	if err != nil {
		return err
	}
	if owners < 2 {
		return problem.New(problem.CodeLastOwner, "A project has at least one owner, and this is the last one.")
	}
	return nil
}

func recordMember(ctx context.Context, tx pgx.Tx, projectID uuid.UUID, action audit.Action, account uuid.UUID, before, after any) error {
	changes := make(audit.Changes)
	changes.Diff("role", before, after)
	return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: action, Target: account.String(), Changes: changes})
}
