package projects

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/problem"
)

// maxWriteKeys bounds the list of a project's write keys, which is read whole.
const maxWriteKeys = 100

// WriteKey is a public key that can do nothing but send events.
type WriteKey struct {
	ID             uuid.UUID
	Key            string
	AllowedOrigins []string // in normal form, see OriginAllowed; never nil
	CreatedAt      time.Time
}

// storedWriteKey is a write key as verification needs it.
type storedWriteKey struct {
	WriteKey
	projectID uuid.UUID
}

// CreateWriteKey makes a write key for these origins. It fails with a validation error that names every bad origin, and
// with limit_reached when the project has 100 write keys.
func (p *Projects) CreateWriteKey(ctx context.Context, accountID, projectID uuid.UUID, origins []string) (WriteKey, error) {
	normal, invalid := normaliseOrigins(origins)
	var key WriteKey
	err := p.inLockedProject(ctx, accountID, projectID, func(tx pgx.Tx) error {
		if invalid != nil {
			return invalid // not sooner: to a stranger a project is not there, whatever he sends
		}
		count, err := p.store.countWriteKeys(ctx, tx, projectID)
		if err != nil {
			return err
		}
		if count >= maxWriteKeys {
			return problem.New(problem.CodeLimitReached, "A project has at most %d write keys.", maxWriteKeys)
		}
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		key, err = p.store.createWriteKey(ctx, tx, id, projectID, newWriteKey(), normal)
		return err
	})
	return key, err
}

// WriteKeys returns all write keys of a project, newest first.
func (p *Projects) WriteKeys(ctx context.Context, accountID, projectID uuid.UUID) ([]WriteKey, error) {
	if err := p.store.checkMember(ctx, p.pool, accountID, projectID); err != nil {
		return nil, err
	}
	return p.store.writeKeys(ctx, projectID)
}

// UpdateWriteKey replaces the origins of a write key, from the next request on. A write key that is not of this project
// is problem.NotFound.
func (p *Projects) UpdateWriteKey(ctx context.Context, accountID, projectID, keyID uuid.UUID, origins []string) (WriteKey, error) {
	normal, invalid := normaliseOrigins(origins)
	var key WriteKey
	err := p.inLockedProject(ctx, accountID, projectID, func(tx pgx.Tx) error {
		if invalid != nil {
			return invalid
		}
		var err error
		key, err = p.store.updateWriteKey(ctx, tx, projectID, keyID, normal)
		return err
	})
	return key, err
}

// DeleteWriteKey ends a write key at once. One that is not of this project is problem.NotFound.
func (p *Projects) DeleteWriteKey(ctx context.Context, accountID, projectID, keyID uuid.UUID) error {
	return p.inLockedProject(ctx, accountID, projectID, func(tx pgx.Tx) error {
		return p.store.deleteWriteKey(ctx, tx, projectID, keyID)
	})
}
