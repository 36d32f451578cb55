package projects

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// WriteKey is a public key that can do nothing but send events.
type WriteKey struct {
	ID             uuid.UUID
	Name           string // empty while nobody has given it one
	Key            string
	AllowedOrigins []string // in normal form, see OriginAllowed; never nil
	CreatedAt      time.Time
}

// storedWriteKey is a write key as verification needs it.
type storedWriteKey struct {
	WriteKey
	projectID uuid.UUID
	disabled  bool     // the project is
	off       []string // the dialects that are
}

// CreateWriteKey makes a write key for these origins, under a name or none. It fails with a validation error that names every bad origin, and
// with limit_reached when the project has as many as it may.
func (p *Projects) CreateWriteKey(ctx context.Context, projectID uuid.UUID, name string, origins []string) (WriteKey, error) {
	normal, err := normaliseOrigins(origins)
	if err != nil {
		return WriteKey{}, err
	}
	var key WriteKey
	err = p.inLockedProject(ctx, projectID, func(tx pgx.Tx) error {
		count, err := p.store.countWriteKeys(ctx, tx, projectID)
		if err != nil {
			return err
		}
		if count >= int64(p.limits.Keys) {
			return problem.New(problem.CodeLimitReached, "A project has at most %d write keys.", p.limits.Keys)
		}
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		if key, err = p.store.createWriteKey(ctx, tx, id, projectID, newWriteKey(), name, normal); err != nil {
			return err
		}
		changes := audit.Changes{"allowed_origins": {New: normal}}
		if name != "" {
			changes["name"] = audit.Change{New: name}
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.WriteKeyCreate, Target: id.String(), Changes: changes})
	})
	return key, err
}

// WriteKeys returns all write keys of a project, newest first.
func (p *Projects) WriteKeys(ctx context.Context, projectID uuid.UUID) ([]WriteKey, error) {
	return p.store.writeKeys(ctx, projectID)
}

// UpdateWriteKey replaces the origins of a write key, from the next request on, and its name unless that is nil. A write key that is
// not of this project is problem.NotFound.
func (p *Projects) UpdateWriteKey(ctx context.Context, projectID, keyID uuid.UUID, name *string, origins []string) (WriteKey, error) {
	normal, err := normaliseOrigins(origins)
	if err != nil {
		return WriteKey{}, err
	}
	var key WriteKey
	err = p.inLockedProject(ctx, projectID, func(tx pgx.Tx) error {
		before, err := p.store.writeKey(ctx, tx, projectID, keyID)
		if err != nil {
			return err
		}
		if key, err = p.store.updateWriteKey(ctx, tx, projectID, keyID, name, normal); err != nil {
			return err
		}
		changes := make(audit.Changes)
		changes.Diff("name", before.Name, key.Name)
		changes.Diff("allowed_origins", before.AllowedOrigins, key.AllowedOrigins)
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.WriteKeyUpdate, Target: keyID.String(), Changes: changes})
	})
	return key, err
}

// DeleteWriteKey ends a write key at once. One that is not of this project is problem.NotFound.
func (p *Projects) DeleteWriteKey(ctx context.Context, projectID, keyID uuid.UUID) error {
	return p.inLockedProject(ctx, projectID, func(tx pgx.Tx) error {
		if err := p.store.deleteWriteKey(ctx, tx, projectID, keyID); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.WriteKeyDelete, Target: keyID.String()})
	})
}
