package projects

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// pruneStepRows is as db/queries/invitations.sql has it.
const pruneStepRows = 1000

// Invitations -----------------------------------------------------------------------------------------------------

func (s store) createInvitation(ctx context.Context, tx db.DBTX, projectID, by uuid.UUID, i *Invitation, hash []byte) error {
	params := db.InvitationCreateParams{ID: i.ID, ProjectID: projectID, TokenHash: hash, Role: string(i.Role),
		CreatedBy: by, CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt}
	if i.Email != "" {
		params.Email = &i.Email
	}
	if err := s.q.InvitationCreate(ctx, tx, params); err != nil {
		return fmt.Errorf("create invitation: %w", err)
	}
	return nil
}

func (s store) countInvitations(ctx context.Context, tx db.DBTX, projectID uuid.UUID, now time.Time) (int64, error) {
	n, err := s.q.InvitationCount(ctx, tx, projectID, now)
	if err != nil {
		return 0, fmt.Errorf("count invitations: %w", err)
	}
	return n, nil
}

func (s store) invitations(ctx context.Context, projectID uuid.UUID, now time.Time) ([]Invitation, error) {
	rows, err := s.q.InvitationsForProject(ctx, s.pool, projectID, now)
	if err != nil {
		return nil, fmt.Errorf("list invitations: %w", err)
	}
	out := make([]Invitation, len(rows))
	for i, r := range rows {
		out[i] = Invitation{ID: r.ID, Role: auth.Role(r.Role), Email: textOf(r.Email), InvitedBy: r.InvitedBy,
			CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC()}
	}
	return out, nil
}

// invitation finds the invitation of a token while it holds; else link_invalid.
func (s store) invitation(ctx context.Context, tx db.DBTX, hash []byte, now time.Time) (pending, error) {
	r, err := s.q.InvitationByToken(ctx, tx, hash, now)
	if errors.Is(err, pgx.ErrNoRows) {
		return pending{}, errLinkInvalid()
	}
	if err != nil {
		return pending{}, fmt.Errorf("find invitation: %w", err)
	}
	return pending{ProjectID: r.ProjectID, Project: r.ProjectName,
		Invitation: Invitation{ID: r.ID, Role: auth.Role(r.Role), Email: textOf(r.Email), ExpiresAt: r.ExpiresAt.UTC()}}, nil
}

func (s store) deleteInvitation(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID) (bool, error) {
	n, err := s.q.InvitationDelete(ctx, tx, id, projectID)
	if err != nil {
		return false, fmt.Errorf("delete invitation: %w", err)
	}
	return n > 0, nil
}

func (s store) deleteInvitationsOf(ctx context.Context, tx db.DBTX, projectID, account uuid.UUID) error {
	if err := s.q.InvitationsOfMember(ctx, tx, projectID, account); err != nil {
		return fmt.Errorf("delete the invitations of a member: %w", err)
	}
	return nil
}

func (s store) pruneInvitations(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.q.InvitationPrune(ctx, s.pool, before)
	if err != nil {
		return 0, fmt.Errorf("prune invitations: %w", err)
	}
	return n, nil
}

// address returns the address of an account.
func (s store) address(ctx context.Context, tx db.DBTX, account uuid.UUID) (string, error) {
	a, err := s.q.AccountByID(ctx, tx, account)
	if err != nil {
		return "", absentOr(err, "load account")
	}
	return a.Email, nil
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// The instance ----------------------------------------------------------------------------------------------------

func (s store) listAll(ctx context.Context, before, only *uuid.UUID, limit int32) ([]Listed, error) {
	rows, err := s.q.InstanceProjects(ctx, s.pool, before, only, limit)
	if err != nil {
		return nil, fmt.Errorf("list the projects of the instance: %w", err)
	}
	page := make([]Listed, len(rows))
	for i, r := range rows {
		page[i] = Listed{ID: r.ID, Name: r.Name, CreatedAt: r.CreatedAt.UTC(), Disabled: r.DisabledAt != nil, Owners: r.Owners,
			Members: int(r.Members), Limits: OwnLimits{EventsPerDay: r.EventsPerDay, StoredBytes: r.StoredBytes, EventNames: r.EventNames}}
	}
	return page, nil
}

// sizes fills in what the projects take up. Bytes are a share of what all events take up: rows of one project are not apart
// from those of others on disk.
func (s store) sizes(ctx context.Context, page []Listed) error {
	ids := make([]uuid.UUID, len(page))
	for i := range page {
		ids[i] = page[i].ID
	}
	counts, err := s.q.InstanceEvents(ctx, s.pool, ids)
	if err != nil {
		return fmt.Errorf("count events: %w", err)
	}
	all, err := s.q.InstanceAllEvents(ctx, s.pool)
	if err != nil {
		return fmt.Errorf("count all events: %w", err)
	}
	bytes, err := s.q.InstanceBytes(ctx, s.pool)
	if err != nil {
		return fmt.Errorf("measure events: %w", err)
	}
	of := make(map[uuid.UUID]db.InstanceEventsRow, len(counts))
	for _, c := range counts {
		of[c.ProjectID] = c
	}
	for i := range page {
		c, ok := of[page[i].ID]
		if !ok || c.Events == 0 {
			continue
		}
		page[i].Events, page[i].LastDay = c.Events, utc(&c.LastDay)
		page[i].Bytes = int64(float64(bytes) * float64(c.Events) / float64(max(all, c.Events)))
	}
	return nil
}

func (s store) disable(ctx context.Context, tx db.DBTX, id uuid.UUID, disabled bool, now time.Time) error {
	n, err := s.q.InstanceProjectDisable(ctx, tx, disabled, now, id)
	if err != nil {
		return fmt.Errorf("disable project: %w", err)
	}
	if n == 0 {
		return problem.NotFound()
	}
	return nil
}

// countOwned counts the projects of an account, which is locked: its projects are made one after the other.
func (s store) countOwned(ctx context.Context, tx db.DBTX, account uuid.UUID) (int64, error) {
	if _, err := s.q.ProjectOwnerLock(ctx, tx, account); err != nil {
		return 0, absentOr(err, "lock account")
	}
	n, err := s.q.ProjectsOwned(ctx, tx, account)
	if err != nil {
		return 0, fmt.Errorf("count projects of an account: %w", err)
	}
	return n, nil
}

// named is a project and its name.
type named struct {
	id   uuid.UUID
	name string
}

// solelyOwned locks the projects that have no other owner.
func (s store) solelyOwned(ctx context.Context, tx db.DBTX, account uuid.UUID) ([]named, error) {
	rows, err := s.q.InstanceSolelyOwned(ctx, tx, account)
	if err != nil {
		return nil, fmt.Errorf("list the projects of an account: %w", err)
	}
	out := make([]named, len(rows))
	for i, r := range rows {
		out[i] = named{r.ID, r.Name}
	}
	return out, nil
}
