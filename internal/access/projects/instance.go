package projects

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// Listed is a project as the operators of the instance see it: what it takes up, and nothing of what was sent to it.
type Listed struct {
	ID        uuid.UUID
	Name      string
	CreatedAt time.Time
	Disabled  bool
	Owners    []string // their addresses
	Members   int
	Events    int64
	Bytes     int64 // estimated
	LastDay   *time.Time
	Limits    OwnLimits
}

// OwnLimits are what the operators let a project store. What is nil goes by the setting of the server; 0 is no limit.
type OwnLimits struct {
	EventsPerDay *int64
	StoredBytes  *int64
	EventNames   *int32
}

// Ruling is what operators change about a project; nil: nothing.
type Ruling struct {
	Disabled *bool // for members and keys, from the next request on
	Limits   *OwnLimits
}

// ListAll returns at most limit projects of the instance, newest first, that come after cursor. next is empty on the last page.
func (p *Projects) ListAll(ctx context.Context, limit int32, cursor string) (page []Listed, next string, err error) {
	read := func(before *uuid.UUID, limit int32) ([]Listed, error) {
		return p.store.listAll(ctx, before, nil, limit)
	}
	if page, next, err = auth.Page(cursor, limit, read, func(l *Listed) uuid.UUID { return l.ID }); err != nil {
		return nil, "", err
	}
	return page, next, p.store.sizes(ctx, page)
}

// Rule changes what operators decide about a project, all of it or nothing.
func (p *Projects) Rule(ctx context.Context, projectID uuid.UUID, r Ruling) (Listed, error) {
	before, err := p.store.listAll(ctx, nil, &projectID, 1)
	if err != nil {
		return Listed{}, err
	}
	if len(before) == 0 {
		return Listed{}, problem.NotFound()
	}
	err = p.inLockedProject(ctx, projectID, func(tx pgx.Tx) error {
		changes := audit.Changes{}
		if r.Disabled != nil {
			if err := p.store.disable(ctx, tx, projectID, *r.Disabled, p.now()); err != nil {
				return err
			}
			changes["disabled"] = audit.Change{New: *r.Disabled}
		}
		if r.Limits != nil {
			if err := p.setLimits(ctx, tx, projectID, *r.Limits); err != nil {
				return err
			}
			was := before[0].Limits
			changes.Diff("events_per_day", was.EventsPerDay, r.Limits.EventsPerDay)
			changes.Diff("stored_bytes", was.StoredBytes, r.Limits.StoredBytes)
			changes.Diff("event_names", was.EventNames, r.Limits.EventNames)
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.ProjectUpdate, Target: projectID.String(), Changes: changes})
	})
	if err != nil {
		return Listed{}, err
	}
	page, err := p.store.listAll(ctx, nil, &projectID, 1)
	if err != nil {
		return Listed{}, err
	}
	if len(page) == 0 {
		return Listed{}, problem.NotFound()
	}
	return page[0], p.store.sizes(ctx, page)
}

// Abandon deletes the projects that only this account owns, before the account itself is deleted. Without remove they are the
// problem last_owner, which names them: nobody should lose a project by the way.
func (p *Projects) Abandon(ctx context.Context, tx pgx.Tx, account uuid.UUID, remove bool) error {
	owned, err := p.store.solelyOwned(ctx, tx, account)
	if err != nil || len(owned) == 0 {
		return err
	}
	if !remove {
		const shown = 5
		var names []string
		for _, o := range owned[:min(len(owned), shown)] {
			names = append(names, o.name)
		}
		if len(owned) > shown {
			names = append(names, "…")
		}
		return problem.New(problem.CodeLastOwner, "%d projects have no other owner: %s. Make somebody else an owner of them, or delete them too.",
			len(owned), strings.Join(names, ", "))
	}
	for _, o := range owned {
		if err := p.store.markDeleted(ctx, tx, o.id, p.now()); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Entry{ProjectID: o.id, Action: audit.ProjectDelete, Target: o.id.String()}); err != nil {
			return err
		}
	}
	return nil
}

// Changed is called after the commit of what Accept and Abandon did in somebody else's transaction.
func (p *Projects) Changed() { p.changed() }
