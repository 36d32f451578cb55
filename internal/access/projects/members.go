package projects

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
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

// UpdateMember changes a member's role. Its problems are problem.NotFound for who is no member, insufficient_role for
// a caller who is no owner and makes or unmakes one, and last_owner.
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
		if !role.AtLeast(before.Role) { // what he may not invite to any more must not come back with a later role
			if err := p.store.deleteInvitationsOf(ctx, tx, projectID, accountID); err != nil {
				return err
			}
		}
		member = before
		member.Role = role
		return recordMember(ctx, tx, projectID, audit.MemberUpdate, accountID, before.Role, role)
	})
	return member, err
}

// RemoveMember ends a membership and the invitations that the member has made; the caller may end his own. It returns the keys
// that the member made and that work: they are the project's and go on, unless revoke ends them in the same transaction. Its
// problems are those of UpdateMember, and insufficient_role for a caller who may not revoke keys.
func (p *Projects) RemoveMember(ctx context.Context, callerID, projectID, accountID uuid.UUID, revoke bool) ([]APIKey, error) {
	var keys []APIKey
	err := p.changeMembers(ctx, callerID, projectID, func(tx pgx.Tx, caller Member) error {
		before, err := p.store.member(ctx, tx, projectID, accountID)
		if err != nil {
			return err
		}
		if err := checkOwner(caller, before.Role); err != nil {
			return err
		}
		if revoke && !caller.Role.AtLeast(auth.RoleAdmin) { // a viewer who leaves
			return problem.New(problem.CodeInsufficientRole, "Revoking keys needs the role %s in the project; yours is %s.", auth.RoleAdmin, caller.Role)
		}
		if before.Role == auth.RoleOwner {
			if err := p.checkOtherOwner(ctx, tx, projectID); err != nil {
				return err
			}
		}
		if keys, err = p.store.apiKeysOf(ctx, tx, projectID, accountID, p.now()); err != nil {
			return err
		}
		if revoke {
			if err := p.revoke(ctx, tx, projectID, keys); err != nil {
				return err
			}
		}
		if err := p.store.deleteInvitationsOf(ctx, tx, projectID, accountID); err != nil {
			return err
		}
		if err := p.store.removeMember(ctx, tx, projectID, accountID); err != nil {
			return err
		}
		return recordMember(ctx, tx, projectID, audit.MemberRemove, accountID, before.Role, nil)
	})
	return keys, err
}

func (p *Projects) revoke(ctx context.Context, tx pgx.Tx, projectID uuid.UUID, keys []APIKey) error {
	for _, key := range keys {
		if err := p.store.deleteAPIKey(ctx, tx, projectID, key.ID); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.KeyRevoke, Target: key.ID}); err != nil {
			return err
		}
	}
	return nil
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

// checkOwner refuses a caller who is no owner when one of the roles at stake is owner. The contract cannot say this:
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
