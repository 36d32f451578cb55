package projects

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

const (
	// mainKeyName is the name of the pairs that creating a project and rotating make.
	mainKeyName = "main"
	// codeRange is the code of an expiry that is over, or later than before.
	codeRange = "range"
)

// APIKey is an API key as the members of its project see it: without its secret.
type APIKey struct {
	ID         string
	Name       string
	Main       bool // rotation replaces it
	Scopes     []string
	CreatedAt  time.Time
	CreatedBy  *uuid.UUID
	ExpiresAt  *time.Time
	LastUsedAt *time.Time // true to the minute
}

// NewKey is what an API key is to be.
type NewKey struct {
	Name      string
	Scopes    []string
	ExpiresAt *time.Time // nil: it does not expire
}

// CreateAPIKey makes an API key beside the main pair. Its problems are validation_failed for an expiry that is over,
// insufficient_role for a scope that the account's role does not allow, and limit_reached.
func (p *Projects) CreateAPIKey(ctx context.Context, accountID, projectID uuid.UUID, want NewKey) (APIKey, Pair, error) {
	if want.ExpiresAt != nil && !want.ExpiresAt.After(p.now()) {
		return APIKey{}, Pair{}, errExpiryOver()
	}
	slices.Sort(want.Scopes)
	var key APIKey
	var pair Pair
	err := p.inLockedProject(ctx, projectID, func(tx pgx.Tx) error {
		// Under the lock, under which roles are changed.
		maker, err := p.store.member(ctx, tx, projectID, accountID)
		if err != nil {
			return err
		}
		if err := p.checkScopes(maker.Role, want.Scopes); err != nil {
			return err
		}
		count, err := p.store.countAPIKeys(ctx, tx, projectID, p.now())
		if err != nil {
			return err
		}
		if count >= int64(p.limits.Keys) {
			return problem.New(problem.CodeLimitReached, "A project has at most %d API keys beside its main pair.", p.limits.Keys)
		}
		var sealed sealedKey
		if pair, sealed, err = newPair(p.ring, projectID); err != nil {
			return err
		}
		sealed.name, sealed.scopes, sealed.createdBy, sealed.expiresAt = want.Name, want.Scopes, accountID, want.ExpiresAt
		if key, err = p.store.createAPIKey(ctx, tx, sealed); err != nil {
			return err
		}
		changes := audit.Changes{"name": {New: key.Name}, "scopes": {New: key.Scopes}}
		changes.Diff("expires_at", nil, key.ExpiresAt)
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.KeyCreate, Target: key.ID, Changes: changes})
	})
	if err != nil {
		return APIKey{}, Pair{}, err
	}
	return key, pair, nil
}

// checkScopes refuses to give a key what its maker may not do himself.
func (p *Projects) checkScopes(role auth.Role, scopes []string) error {
	for _, scope := range scopes {
		if needed, ok := p.scopes[scope]; !ok || !role.AtLeast(needed) {
			return problem.New(problem.CodeInsufficientRole, "Giving a key the scope %s needs the role %s in the project; yours is %s.", scope, needed, role)
		}
	}
	return nil
}

// APIKeys returns the API keys of a project, newest first: those that work and those that expired in the last 30 days.
func (p *Projects) APIKeys(ctx context.Context, projectID uuid.UUID) ([]APIKey, error) {
	return p.store.apiKeys(ctx, projectID)
}

// KeyChange is what UpdateAPIKey does; nil leaves a member as it is.
type KeyChange struct {
	Name      *string
	ExpiresAt *time.Time
}

// UpdateAPIKey renames a key, or lets it expire sooner. A key that is not of this project is problem.NotFound; an expiry
// that is over, or later than the one that is set, is validation_failed.
func (p *Projects) UpdateAPIKey(ctx context.Context, projectID uuid.UUID, keyID string, change KeyChange) (APIKey, error) {
	var key APIKey
	err := p.inLockedProject(ctx, projectID, func(tx pgx.Tx) error {
		before, err := p.store.apiKey(ctx, tx, projectID, keyID)
		if err != nil {
			return err
		}
		if end := change.ExpiresAt; end != nil {
			if !end.After(p.now()) {
				return errExpiryOver()
			}
			if before.ExpiresAt != nil && end.After(*before.ExpiresAt) {
				return problem.Field(contract.InBody, "/expires_at", codeRange,
					"must not be later than the expiry that is set, "+before.ExpiresAt.Format(time.RFC3339)+"; make a new key instead")
			}
		}
		if key, err = p.store.updateAPIKey(ctx, tx, projectID, keyID, change); err != nil {
			return err
		}
		changes := make(audit.Changes)
		changes.Diff("name", before.Name, key.Name)
		changes.Diff("expires_at", before.ExpiresAt, key.ExpiresAt)
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.KeyUpdate, Target: keyID, Changes: changes})
	})
	return key, err
}

// RevokeAPIKey ends a key at once. One that is not of this project is problem.NotFound.
func (p *Projects) RevokeAPIKey(ctx context.Context, projectID uuid.UUID, keyID string) error {
	return p.inLockedProject(ctx, projectID, func(tx pgx.Tx) error {
		if err := p.store.deleteAPIKey(ctx, tx, projectID, keyID); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.KeyRevoke, Target: keyID})
	})
}

func errExpiryOver() error {
	return problem.Field(contract.InBody, "/expires_at", codeRange, "must be still to come; DELETE ends a key at once")
}
