package projects

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// store maps between the generated queries and the types of this package. Methods that take a db.DBTX are part of their
// caller's transaction; the others are statements by themselves.
type store struct {
	pool       *pgxpool.Pool
	q          *db.Queries
	removeRest func(ctx context.Context, project uuid.UUID) error // see Projects.OnPurge; may be nil
}

func newStore(pool *pgxpool.Pool) store { return store{pool: pool, q: db.New()} }

// Projects --------------------------------------------------------------------------------------------------------

func (s store) createProject(ctx context.Context, tx db.DBTX, id, accountID uuid.UUID, settings Settings) error {
	err := s.q.ProjectCreate(ctx, tx, db.ProjectCreateParams{
		ID: id, Name: settings.Name, Description: settings.Description, DataRetentionDays: settings.DataRetentionDays,
		TimeZone: settings.TimeZone, WeekStart: settings.WeekStart, Currency: settings.Currency, DialectsOff: settings.DialectsOff,
	})
	if err != nil {
		return fmt.Errorf("create project: %w", err)
	}
	return s.addMember(ctx, tx, id, accountID, auth.RoleOwner)
}

func (s store) project(ctx context.Context, tx db.DBTX, accountID, projectID uuid.UUID) (Project, error) {
	row, err := s.q.ProjectForAccount(ctx, tx, projectID, accountID)
	if err != nil {
		return Project{}, absentOr(err, "load project")
	}
	return projectOf(db.ProjectsForAccountRow(row)), nil
}

func (s store) projects(ctx context.Context, accountID uuid.UUID, before *uuid.UUID, limit int32) ([]Project, error) {
	rows, err := s.q.ProjectsForAccount(ctx, s.pool, accountID, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list projects: %w", err)
	}
	page := make([]Project, len(rows))
	for i, row := range rows {
		page[i] = projectOf(row)
	}
	return page, nil
}

func projectOf(row db.ProjectsForAccountRow) Project {
	return Project{
		ID: row.ID,
		Settings: Settings{Name: row.Name, Description: row.Description, DataRetentionDays: row.DataRetentionDays,
			Calendar: Calendar{TimeZone: row.TimeZone, WeekStart: row.WeekStart}, Currency: row.Currency, DialectsOff: row.DialectsOff},
		Role: auth.Role(row.Role), APIKeyID: row.APIKeyID,
		CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(),
	}
}

func (s store) updateProject(ctx context.Context, tx db.DBTX, id uuid.UUID, change Change) error {
	var off []string // nil: as they are
	if change.DialectsOff != nil {
		off = distinct(*change.DialectsOff)
	}
	err := s.q.ProjectUpdate(ctx, tx, db.ProjectUpdateParams{
		ID: id, Name: change.Name, Description: change.Description, DataRetentionDays: change.DataRetentionDays,
		TimeZone: change.TimeZone, WeekStart: change.WeekStart, Currency: change.Currency, DialectsOff: off,
	})
	if err != nil {
		return fmt.Errorf("update project: %w", err)
	}
	return nil
}

func (s store) calendar(ctx context.Context, id uuid.UUID) (Calendar, error) {
	row, err := s.q.ProjectCalendar(ctx, s.pool, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return usual, nil
	}
	if err != nil {
		return Calendar{}, fmt.Errorf("load the calendar of a project: %w", err)
	}
	return Calendar{TimeZone: row.TimeZone, WeekStart: row.WeekStart}, nil
}

func (s store) markDeleted(ctx context.Context, tx db.DBTX, id uuid.UUID, now time.Time) error {
	if err := s.q.ProjectMarkDeleted(ctx, tx, now, id); err != nil {
		return fmt.Errorf("delete project: %w", err)
	}
	return nil
}

func (s store) lockProject(ctx context.Context, tx db.DBTX, id uuid.UUID) error {
	if _, err := s.q.ProjectLock(ctx, tx, id); err != nil {
		return absentOr(err, "lock project")
	}
	return nil
}

func (s store) projectsToPurge(ctx context.Context, deletedBefore time.Time, failed []uuid.UUID) ([]uuid.UUID, error) {
	ids, err := s.q.ProjectsToPurge(ctx, s.pool, deletedBefore, failed)
	if err != nil {
		return nil, fmt.Errorf("find deleted projects: %w", err)
	}
	return ids, nil
}

// deletion returns the progress of removing a deleted project, for an account that was a member of it.
func (s store) deletion(ctx context.Context, accountID, projectID uuid.UUID) (Deletion, error) {
	row, err := s.q.ProjectDeletion(ctx, s.pool, projectID, accountID)
	if err != nil {
		return Deletion{}, absentOr(err, "load the deletion of a project")
	}
	return Deletion{ProjectID: row.ID, Running: row.PurgeStartedAt != nil, DeletedAt: row.DeletedAt.UTC(),
		EventsDeleted: row.EventsDeleted, EventsLeft: row.EventsLeft}, nil
}

// purge removes a deleted project in bounded steps. The project goes last, for it is what makes the next purge look here
// again.
func (s store) purge(ctx context.Context, id uuid.UUID, now time.Time) error {
	if err := s.q.ProjectPurgeBegin(ctx, s.pool, now, id); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for from := uuid.Nil; from != uuid.Max; {
		var err error
		if from, err = s.purgeEvents(ctx, id, from); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		what string
		step func(context.Context, db.DBTX, uuid.UUID) (int64, error)
	}{{"counts", s.q.ProjectPurgeCounts}, {"event keys", s.q.ProjectPurgeEventKeys}, {"audit log", s.q.ProjectPurgeAudit}} {
		for {
			deleted, err := part.step(ctx, s.pool, id)
			if err != nil {
				return fmt.Errorf("delete %s: %w", part.what, err)
			}
			if deleted == 0 {
				break
			}
		}
	}
	if s.removeRest != nil {
		if err := s.removeRest(ctx, id); err != nil {
			return err
		}
	}
	if err := s.q.ProjectPurge(ctx, s.pool, id); err != nil {
		return fmt.Errorf("delete the project itself: %w", err)
	}
	return nil
}

// purgeEvents removes one step of a project's events, and adds it to what the project says has been removed, in one
// transaction. It returns where the next step starts, uuid.Max after the last: from the beginning, each would first
// pass everything that is deleted and not yet vacuumed.
func (s store) purgeEvents(ctx context.Context, project, from uuid.UUID) (uuid.UUID, error) {
	end := uuid.Max
	err := postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		next, err := s.q.ProjectPurgeStep(ctx, tx, project, from)
		switch {
		case err == nil:
			end = next
		case !errors.Is(err, pgx.ErrNoRows):
			return fmt.Errorf("find events: %w", err)
		}
		deleted, err := s.q.ProjectPurgeEvents(ctx, tx, project, from, end)
		if err != nil {
			return fmt.Errorf("delete events: %w", err)
		}
		if err := s.q.ProjectPurgeProgress(ctx, tx, deleted, project); err != nil {
			return fmt.Errorf("store the progress: %w", err)
		}
		return nil
	})
	return end, err
}

// Members ---------------------------------------------------------------------------------------------------------

func (s store) addMember(ctx context.Context, tx db.DBTX, projectID, accountID uuid.UUID, role auth.Role) error {
	if err := s.q.MemberCreate(ctx, tx, projectID, accountID, string(role)); err != nil {
		return fmt.Errorf("add a member to project %s: %w", projectID, err)
	}
	return nil
}

func (s store) members(ctx context.Context, projectID uuid.UUID) ([]Member, error) {
	rows, err := s.q.MembersForProject(ctx, s.pool, projectID)
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	members := make([]Member, len(rows))
	for i, row := range rows {
		members[i] = memberOf(db.MemberForProjectRow(row))
	}
	return members, nil
}

// member returns problem.NotFound for an account that is not a member.
func (s store) member(ctx context.Context, tx db.DBTX, projectID, accountID uuid.UUID) (Member, error) {
	row, err := s.q.MemberForProject(ctx, tx, projectID, accountID)
	if err != nil {
		return Member{}, absentOr(err, "load member")
	}
	return memberOf(row), nil
}

func (s store) countMembers(ctx context.Context, tx db.DBTX, projectID uuid.UUID) (int64, error) {
	n, err := s.q.MemberCount(ctx, tx, projectID)
	if err != nil {
		return 0, fmt.Errorf("count members: %w", err)
	}
	return n, nil
}

func (s store) countOwners(ctx context.Context, tx db.DBTX, projectID uuid.UUID) (int64, error) {
	n, err := s.q.MemberOwners(ctx, tx, projectID)
	if err != nil {
		return 0, fmt.Errorf("count owners: %w", err)
	}
	return n, nil
}

func (s store) setRole(ctx context.Context, tx db.DBTX, projectID, accountID uuid.UUID, role auth.Role) error {
	if err := s.q.MemberSetRole(ctx, tx, string(role), projectID, accountID); err != nil {
		return fmt.Errorf("set the role of a member: %w", err)
	}
	return nil
}

func (s store) removeMember(ctx context.Context, tx db.DBTX, projectID, accountID uuid.UUID) error {
	if err := s.q.MemberDelete(ctx, tx, projectID, accountID); err != nil {
		return fmt.Errorf("remove a member: %w", err)
	}
	return nil
}

func memberOf(row db.MemberForProjectRow) Member {
	return Member{AccountID: row.AccountID, Email: row.Email, Role: auth.Role(row.Role), AddedAt: row.CreatedAt.UTC()}
}

// API keys --------------------------------------------------------------------------------------------------------

func (s store) createAPIKey(ctx context.Context, tx db.DBTX, key sealedKey) (APIKey, error) {
	row, err := s.q.APIKeyCreate(ctx, tx, db.APIKeyCreateParams{
		ID: key.id, ProjectID: key.projectID, SecretBox: key.box, SecretKeyID: key.sealedBy, SecretHash: key.hash,
		Name: key.name, Main: key.main, Scopes: key.scopes, CreatedBy: &key.createdBy, ExpiresAt: key.expiresAt,
	})
	if err != nil {
		return APIKey{}, fmt.Errorf("create API key: %w", err)
	}
	return apiKeyOf(row), nil
}

// countAPIKeys counts the keys beside the main pairs that are alive.
func (s store) countAPIKeys(ctx context.Context, tx db.DBTX, projectID uuid.UUID, now time.Time) (int64, error) {
	n, err := s.q.APIKeyCount(ctx, tx, projectID, now)
	if err != nil {
		return 0, fmt.Errorf("count API keys: %w", err)
	}
	return n, nil
}

func (s store) apiKeys(ctx context.Context, projectID uuid.UUID) ([]APIKey, error) {
	rows, err := s.q.APIKeysForProject(ctx, s.pool, projectID)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	keys := make([]APIKey, len(rows))
	for i, row := range rows {
		keys[i] = apiKeyOf(row)
	}
	return keys, nil
}

// apiKeysOf returns the keys of a project that an account made and that work.
func (s store) apiKeysOf(ctx context.Context, tx db.DBTX, projectID, accountID uuid.UUID, now time.Time) ([]APIKey, error) {
	rows, err := s.q.APIKeysOfMember(ctx, tx, projectID, &accountID, now)
	if err != nil {
		return nil, fmt.Errorf("list the API keys of a member: %w", err)
	}
	keys := make([]APIKey, len(rows))
	for i, row := range rows {
		keys[i] = apiKeyOf(row)
	}
	return keys, nil
}

func (s store) apiKey(ctx context.Context, tx db.DBTX, projectID uuid.UUID, id string) (APIKey, error) {
	row, err := s.q.APIKeyForProject(ctx, tx, projectID, id)
	if err != nil {
		return APIKey{}, absentOr(err, "load API key")
	}
	return apiKeyOf(row), nil
}

func (s store) updateAPIKey(ctx context.Context, tx db.DBTX, projectID uuid.UUID, id string, change KeyChange) (APIKey, error) {
	row, err := s.q.APIKeyUpdate(ctx, tx, db.APIKeyUpdateParams{Name: change.Name, ExpiresAt: change.ExpiresAt, ProjectID: projectID, ID: id})
	if err != nil {
		return APIKey{}, absentOr(err, "update API key")
	}
	return apiKeyOf(row), nil
}

func (s store) deleteAPIKey(ctx context.Context, tx db.DBTX, projectID uuid.UUID, id string) error {
	n, err := s.q.APIKeyDelete(ctx, tx, projectID, id)
	if err != nil {
		return fmt.Errorf("delete API key: %w", err)
	}
	if n == 0 {
		return problem.NotFound()
	}
	return nil
}

func (s store) keysUsed(ctx context.Context, ids []string, usedAts []time.Time) error {
	if err := s.q.APIKeysUsed(ctx, s.pool, ids, usedAts); err != nil {
		return fmt.Errorf("store when keys were last used: %w", err)
	}
	return nil
}

func apiKeyOf(row db.APIKey) APIKey {
	return APIKey{ID: row.ID, Name: row.Name, Main: row.Main, Scopes: row.Scopes, CreatedAt: row.CreatedAt.UTC(), CreatedBy: row.CreatedBy,
		ExpiresAt: utc(row.ExpiresAt), LastUsedAt: utc(row.LastUsedAt)}
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func (s store) expireAPIKeys(ctx context.Context, tx db.DBTX, projectID uuid.UUID, end time.Time) error {
	if err := s.q.APIKeysExpire(ctx, tx, end, projectID); err != nil {
		return fmt.Errorf("expire API keys: %w", err)
	}
	return nil
}

func (s store) pruneAPIKeys(ctx context.Context, before time.Time) error {
	if _, err := s.q.APIKeyPrune(ctx, s.pool, before); err != nil {
		return fmt.Errorf("prune API keys: %w", err)
	}
	return nil
}

// apiKeyByID finds a key that is alive at now, by its id.
func (s store) apiKeyByID(ctx context.Context, id string, now time.Time) (apiKey, bool, error) {
	row, err := s.q.APIKeyByID(ctx, s.pool, id, now)
	return foundKey(row.APIKey, row.Disabled, err)
}

// apiKeyBySecretHash finds a key that is alive at now, by the SHA-256 of its secret.
func (s store) apiKeyBySecretHash(ctx context.Context, hash []byte, now time.Time) (apiKey, bool, error) {
	row, err := s.q.APIKeyBySecretHash(ctx, s.pool, hash, now)
	key, found, err := foundKey(row.APIKey, row.Disabled, err)
	key.off = row.DialectsOff
	return key, found, err
}

func foundKey(row db.APIKey, disabled bool, err error) (apiKey, bool, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return apiKey{}, false, nil
	}
	if err != nil {
		return apiKey{}, false, fmt.Errorf("find API key: %w", err)
	}
	return apiKey{id: row.ID, projectID: row.ProjectID, box: row.SecretBox, sealedBy: row.SecretKeyID, scopes: row.Scopes, expiresAt: row.ExpiresAt,
		disabled: disabled}, true, nil
}

func (s store) secretsToRewrap(ctx context.Context, currentID, after string) ([]boxedSecret, error) {
	rows, err := s.q.APIKeysToRewrap(ctx, s.pool, currentID, after)
	if err != nil {
		return nil, fmt.Errorf("find secrets under other keys: %w", err)
	}
	page := make([]boxedSecret, len(rows))
	for i, row := range rows {
		page[i] = boxedSecret{id: row.ID, box: row.SecretBox, sealedBy: row.SecretKeyID}
	}
	return page, nil
}

// rewrap replaces the box of a secret, unless it is no longer the one that was read.
func (s store) rewrap(ctx context.Context, old boxedSecret, box []byte, sealedBy string) (bool, error) {
	n, err := s.q.APIKeyRewrap(ctx, s.pool, db.APIKeyRewrapParams{
		NewBox: box, SecretKeyID: sealedBy, ID: old.id, OldBox: old.box,
	})
	if err != nil {
		return false, fmt.Errorf("store the secret of key %s: %w", old.id, err)
	}
	return n == 1, nil
}

// Write keys ------------------------------------------------------------------------------------------------------

func (s store) countWriteKeys(ctx context.Context, tx db.DBTX, projectID uuid.UUID) (int64, error) {
	n, err := s.q.WriteKeyCount(ctx, tx, projectID)
	if err != nil {
		return 0, fmt.Errorf("count write keys: %w", err)
	}
	return n, nil
}

func (s store) createWriteKey(ctx context.Context, tx db.DBTX, id, projectID uuid.UUID, key, name string, origins []string) (WriteKey, error) {
	row, err := s.q.WriteKeyCreate(ctx, tx, db.WriteKeyCreateParams{ID: id, ProjectID: projectID, Key: key, Name: name, AllowedOrigins: origins})
	if err != nil {
		return WriteKey{}, fmt.Errorf("create write key: %w", err)
	}
	return writeKeyOf(row), nil
}

func (s store) writeKeys(ctx context.Context, projectID uuid.UUID) ([]WriteKey, error) {
	rows, err := s.q.WriteKeysForProject(ctx, s.pool, projectID)
	if err != nil {
		return nil, fmt.Errorf("list write keys: %w", err)
	}
	keys := make([]WriteKey, len(rows))
	for i, row := range rows {
		keys[i] = writeKeyOf(row)
	}
	return keys, nil
}

func (s store) updateWriteKey(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID, name *string, origins []string) (WriteKey, error) {
	row, err := s.q.WriteKeyUpdate(ctx, tx, db.WriteKeyUpdateParams{AllowedOrigins: origins, Name: name, ID: id, ProjectID: projectID})
	if err != nil {
		return WriteKey{}, absentOr(err, "update write key")
	}
	return writeKeyOf(row), nil
}

func (s store) deleteWriteKey(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID) error {
	n, err := s.q.WriteKeyDelete(ctx, tx, id, projectID)
	if err != nil {
		return fmt.Errorf("delete write key: %w", err)
	}
	if n == 0 {
		return problem.NotFound()
	}
	return nil
}

func (s store) writeKey(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID) (WriteKey, error) {
	row, err := s.q.WriteKeyForProject(ctx, tx, id, projectID)
	if err != nil {
		return WriteKey{}, absentOr(err, "load write key")
	}
	return writeKeyOf(row), nil
}

// writeKeyByKey finds a write key by its text.
func (s store) writeKeyByKey(ctx context.Context, key string) (storedWriteKey, bool, error) {
	row, err := s.q.WriteKeyByKey(ctx, s.pool, key)
	return foundWriteKey(row.WriteKey, row.Disabled, row.DialectsOff, err)
}

// writeKeyByID finds a write key by its id, in whichever project.
func (s store) writeKeyByID(ctx context.Context, id uuid.UUID) (storedWriteKey, bool, error) {
	row, err := s.q.WriteKeyByID(ctx, s.pool, id)
	return foundWriteKey(row.WriteKey, row.Disabled, row.DialectsOff, err)
}

func foundWriteKey(row db.WriteKey, disabled bool, off []string, err error) (storedWriteKey, bool, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return storedWriteKey{}, false, nil
	}
	if err != nil {
		return storedWriteKey{}, false, fmt.Errorf("find write key: %w", err)
	}
	return storedWriteKey{WriteKey: writeKeyOf(row), projectID: row.ProjectID, disabled: disabled, off: off}, true, nil
}

func writeKeyOf(row db.WriteKey) WriteKey {
	return WriteKey{ID: row.ID, Name: row.Name, Key: row.Key, AllowedOrigins: row.AllowedOrigins, CreatedAt: row.CreatedAt.UTC()}
}

// absentOr is the error of a query whose empty result means that something is not there, or not the caller's.
func absentOr(err error, doing string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return problem.NotFound()
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// countActive counts the projects that are not deleted.
func (s store) countActive(ctx context.Context) (int64, error) {
	n, err := s.q.ProjectsActive(ctx, s.pool)
	if err != nil {
		return 0, fmt.Errorf("count projects: %w", err)
	}
	return n, nil
}

// countDeleted counts the projects that are deleted and still there.
func (s store) countDeleted(ctx context.Context) (int64, error) {
	n, err := s.q.ProjectsDeleted(ctx, s.pool)
	if err != nil {
		return 0, fmt.Errorf("count deleted projects: %w", err)
	}
	return n, nil
}
