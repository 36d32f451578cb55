package projects

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/mail"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// Invitation is a membership that waits for somebody to accept it.
type Invitation struct {
	ID        uuid.UUID
	Role      auth.Role
	Email     string // whose account can accept it; empty: any
	InvitedBy string // the address of its maker
	CreatedAt time.Time
	ExpiresAt time.Time
}

// NewInvitation is what an invitation is to be.
type NewInvitation struct {
	Role  auth.Role
	Email string // empty: anybody with the link
	Lives time.Duration
}

// Invited is an invitation with its token, which nobody is shown again.
type Invited struct {
	Invitation
	Token  string
	Mailed bool
}

// Path is the page that takes the token.
func (i *Invited) Path() string { return auth.InvitationPage + i.Token }

// Invite makes an invitation. Whether the address has an account changes nothing, and nobody learns it. Its problems are
// insufficient_role for a caller who is no owner and invites one, limit_reached, and rate_limited: invitations can be mailed.
func (p *Projects) Invite(ctx context.Context, callerID, projectID uuid.UUID, want NewInvitation) (*Invited, error) {
	if wait := p.mayInvite(ctx, callerID); wait > 0 {
		return nil, &problem.Error{Code: problem.CodeRateLimited, RetryAfter: wait, Detail: "Too many invitations in a short time."}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	token, hash := auth.NewLinkToken(auth.InvitationPrefix)
	now := p.now()
	made := &Invited{Token: token, Invitation: Invitation{ID: id, Role: want.Role, Email: auth.FoldEmail(want.Email),
		CreatedAt: now, ExpiresAt: now.Add(want.Lives)}}
	var name string
	err = p.changeMembers(ctx, callerID, projectID, func(tx pgx.Tx, caller Member) error {
		if err := checkOwner(caller, want.Role); err != nil {
			return err
		}
		count, err := p.store.countInvitations(ctx, tx, projectID, now)
		if err != nil {
			return err
		}
		if count >= int64(p.limits.Members) {
			return problem.New(problem.CodeLimitReached, "At most %d invitations of a project wait at once.", p.limits.Members)
		}
		project, err := p.store.project(ctx, tx, callerID, projectID)
		if err != nil {
			return err
		}
		name, made.InvitedBy = project.Name, caller.Email
		if err := p.store.createInvitation(ctx, tx, projectID, callerID, &made.Invitation, hash); err != nil {
			return err
		}
		changes := make(audit.Changes)
		changes.Diff("role", nil, want.Role)
		if made.Email != "" {
			changes.Diff("email", nil, made.Email)
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.InvitationCreate, Target: id.String(), Changes: changes})
	})
	if err != nil {
		return nil, err
	}
	made.Mailed = p.mail(made, name)
	return made, nil
}

// mail reports whether the link goes to the address. When it does not, the caller has it all the same.
func (p *Projects) mail(i *Invited, project string) bool {
	if p.outbox == nil || i.Email == "" {
		return false
	}
	text := fmt.Sprintf("%s invites you to the project “%s” as %s.\n\nAccept it here until %s:\n%s\n\nIf you do not know what this is about, there is nothing to do.\n",
		i.InvitedBy, project, i.Role, i.ExpiresAt.UTC().Format("2 January 2006, 15:04 MST"), p.outbox.Link(i.Path()))
	return p.outbox.Enqueue("invitation", func(context.Context) (*mail.Message, error) {
		return &mail.Message{To: i.Email, Subject: "An invitation to Nimbus", Text: text}, nil
	})
}

// Invitations returns the invitations of a project that can be accepted, newest first. Those whose maker has lost the right
// to make them are not among them.
func (p *Projects) Invitations(ctx context.Context, projectID uuid.UUID) ([]Invitation, error) {
	return p.store.invitations(ctx, projectID, p.now())
}

// Withdraw ends an invitation. One that is not of this project, or was accepted, is problem.NotFound.
func (p *Projects) Withdraw(ctx context.Context, projectID, id uuid.UUID) error {
	return p.inLockedProject(ctx, projectID, func(tx pgx.Tx) error {
		removed, err := p.store.deleteInvitation(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if !removed {
			return problem.NotFound()
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.InvitationRevoke, Target: id.String()})
	})
}

// pending is an invitation as its token finds it.
type pending struct {
	Invitation
	ProjectID uuid.UUID
	Project   string // its name
}

// Preview says what a token is an invitation to, or link_invalid.
func (p *Projects) Preview(ctx context.Context, token string) (Invitation, string, error) {
	i, err := p.store.invitation(ctx, p.pool, auth.LinkHash(token), p.now())
	return i.Invitation, i.Project, err
}

// Invited is nil when an account of this address could accept the invitation of a token; else link_invalid or
// invitation_not_yours.
func (p *Projects) Invited(ctx context.Context, token, email string) error {
	i, err := p.store.invitation(ctx, p.pool, auth.LinkHash(token), p.now())
	if err != nil {
		return err
	}
	return i.checkAddress(email)
}

func (i *pending) checkAddress(email string) error {
	if i.Email != "" && i.Email != auth.FoldEmail(email) {
		return problem.New(problem.CodeInvitationNotYours, "This invitation is for another address than %s.", email)
	}
	return nil
}

// Membership is what somebody has accepted.
type Membership struct {
	ProjectID uuid.UUID
	Role      auth.Role
}

// AcceptInvitation makes the account a member. Who is one already stays what he is, and the invitation stays. Its problems are
// link_invalid, invitation_not_yours and limit_reached.
func (p *Projects) AcceptInvitation(ctx context.Context, token string, account uuid.UUID) (Membership, error) {
	defer p.changed()
	var m Membership
	err := postgres.InTx(ctx, p.pool, func(tx pgx.Tx) error {
		email, err := p.store.address(ctx, tx, account)
		if err != nil {
			return err
		}
		m, err = p.accept(ctx, tx, token, account, email)
		return err
	})
	return m, err
}

// Accept is AcceptInvitation in the transaction that makes the account.
func (p *Projects) Accept(ctx context.Context, tx pgx.Tx, token string, account uuid.UUID, email string) error {
	_, err := p.accept(ctx, tx, token, account, email)
	return err
}

func (p *Projects) accept(ctx context.Context, tx pgx.Tx, token string, account uuid.UUID, email string) (Membership, error) {
	hash := auth.LinkHash(token)
	i, err := p.store.invitation(ctx, tx, hash, p.now())
	if err != nil {
		return Membership{}, err
	}
	if err := p.store.lockProject(ctx, tx, i.ProjectID); err != nil {
		return Membership{}, errLinkInvalid() // it has just been deleted
	}
	// Again, under the lock: somebody else may have accepted it, and its maker may have lost his role.
	if i, err = p.store.invitation(ctx, tx, hash, p.now()); err != nil {
		return Membership{}, err
	}
	if err := i.checkAddress(email); err != nil {
		return Membership{}, err
	}
	switch member, err := p.store.member(ctx, tx, i.ProjectID, account); {
	case err == nil:
		return Membership{ProjectID: i.ProjectID, Role: member.Role}, nil
	case !problem.Is(err, problem.CodeNotFound):
		return Membership{}, err
	}
	count, err := p.store.countMembers(ctx, tx, i.ProjectID)
	if err != nil {
		return Membership{}, err
	}
	if count >= int64(p.limits.Members) {
		return Membership{}, problem.New(problem.CodeLimitReached, "A project has at most %d members.", p.limits.Members)
	}
	if _, err := p.store.deleteInvitation(ctx, tx, i.ProjectID, i.ID); err != nil {
		return Membership{}, err
	}
	if err := p.store.addMember(ctx, tx, i.ProjectID, account, i.Role); err != nil {
		return Membership{}, err
	}
	changes := audit.Changes{"invitation": {New: i.ID.String()}}
	changes.Diff("role", nil, i.Role)
	return Membership{ProjectID: i.ProjectID, Role: i.Role}, audit.Record(ctx, tx, audit.Entry{ProjectID: i.ProjectID,
		Action: audit.MemberAdd, Target: account.String(), Account: account, Changes: changes})
}

// PruneInvitations removes those that have expired.
func (p *Projects) PruneInvitations(ctx context.Context, now time.Time) error {
	for {
		removed, err := p.store.pruneInvitations(ctx, now)
		if err != nil || removed < pruneStepRows {
			return err
		}
	}
}

func errLinkInvalid() error {
	return problem.New(problem.CodeLinkInvalid, "This invitation was accepted, was withdrawn or has expired, or never was one. Ask for a new one.")
}
