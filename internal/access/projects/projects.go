package projects

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/mail"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/internal/platform/secretbox"
)

// clockSkew is how far the clocks of two nodes may be apart without a rotated key living on: a pair that is to stop at
// once ends this long ago, so that a node whose clock is behind ours refuses it too.
const clockSkew = clockToleranceSeconds * time.Second

// Projects creates, changes and deletes projects, their members and their keys for accounts that may: the
// caller has asked auth.Access before. Each method answers problem.NotFound for a project that was deleted or never was.
type Projects struct {
	pool  *pgxpool.Pool
	store store
	ring  *secretbox.Ring
	now   func() time.Time

	scopes    map[string]auth.Role // that keys can have, with the role that each needs
	limits    Limits
	mayInvite func(ctx context.Context, account uuid.UUID) time.Duration
	outbox    *mail.Outbox
	changed   func() // called after each change that keys may feel
	setLimits SetLimits
	dialects  []string
}

// Limits are how much of everything there may be.
type Limits struct {
	Projects int // that an account owns, those that are being removed included; 100
	Keys     int // of a project: API keys beside its main pair, and as many write keys; 100
	Members  int // of a project, and as many invitations that wait; 500
}

// MaxLimit is the most that a limit may be: the lists are read whole.
const MaxLimit = 1000

// Config is what projects need to know. What is zero is what it says there.
type Config struct {
	Scopes map[string]auth.Role // that keys can have, each with the role that is needed to give it to a key
	Now    func() time.Time     // must be set
	Limits Limits
	// MayInvite says how long an account must wait before it may invite somebody: 0 when it may. It counts the call. Not
	// limited when nil.
	MayInvite func(ctx context.Context, account uuid.UUID) time.Duration
	Outbox    *mail.Outbox // none: no mail is sent
	Dialects  []string     // that the server speaks
}

// New makes a Projects that keeps everything in pool and seals secrets with ring.
func New(pool *pgxpool.Pool, ring *secretbox.Ring, c Config) *Projects {
	if c.MayInvite == nil {
		c.MayInvite = func(context.Context, uuid.UUID) time.Duration { return 0 }
	}
	c.Limits.Projects = cmp.Or(c.Limits.Projects, 100)
	c.Limits.Keys = cmp.Or(c.Limits.Keys, 100)
	c.Limits.Members = cmp.Or(c.Limits.Members, 500)
	return &Projects{pool: pool, store: newStore(pool), ring: ring, scopes: c.Scopes, now: c.Now, limits: c.Limits,
		mayInvite: c.MayInvite, outbox: c.Outbox, changed: func() {}, dialects: c.Dialects}
}

// OnChange names what is to be called after each change of a project or its keys, before the change is answered.
func (p *Projects) OnChange(changed func()) { p.changed = changed }

// SetLimits gives a project limits of its own, in the transaction.
type SetLimits func(ctx context.Context, tx pgx.Tx, project uuid.UUID, limits OwnLimits) error

// OnLimits names what keeps the limits of projects. It must be set where operators give limits.
func (p *Projects) OnLimits(set SetLimits) { p.setLimits = set }

// OnPurge names what removes the rest of a deleted project whose events are gone, before the project itself goes. It is called again
// when it fails, and must not fail for what is gone already.
func (p *Projects) OnPurge(remove func(ctx context.Context, project uuid.UUID) error) {
	p.store.removeRest = remove
}

// Settings are what the members of a project decide about it.
type Settings struct {
	Name              string
	Description       string
	DataRetentionDays int32    // after which events are pruned; 0: never
	Currency          string   // of its sums of money, by ISO 4217; USD when empty
	DialectsOff       []string // the vendors whose SDKs it takes nothing from
	Calendar
}

// Project is a project as one of its members sees it.
type Project struct {
	Settings
	ID        uuid.UUID
	Role      auth.Role // of the member
	APIKeyID  string    // of the newest main pair without an end; empty when there is none
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Create makes a project with a key pair, and makes the account its owner. Its problem is limit_reached.
func (p *Projects) Create(ctx context.Context, accountID uuid.UUID, settings Settings) (Project, Pair, error) {
	var project Project
	var pair Pair
	settings.DialectsOff = distinct(settings.DialectsOff)
	settings.Calendar, settings.Currency = settings.orUsual(), cmp.Or(settings.Currency, "USD")
	if err := check(&settings.TimeZone, &settings.Currency); err != nil {
		return project, pair, err
	}
	err := postgres.InTx(ctx, p.pool, func(tx pgx.Tx) error {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		owned, err := p.store.countOwned(ctx, tx, accountID)
		if err != nil {
			return err
		}
		if owned >= int64(p.limits.Projects) {
			return problem.New(problem.CodeLimitReached, "An account owns at most %d projects, those that are being removed included.", p.limits.Projects)
		}
		if err := p.store.createProject(ctx, tx, id, accountID, settings); err != nil {
			return err
		}
		if project, pair, err = p.issuePair(ctx, tx, accountID, id); err != nil {
			return err
		}
		changes := make(audit.Changes)
		diffSettings(changes, Settings{}, settings)
		return audit.Record(ctx, tx, audit.Entry{ProjectID: id, Action: audit.ProjectCreate, Target: id.String(), Changes: changes})
	})
	return project, pair, err
}

// diffSettings adds what differs to the changes.
func diffSettings(c audit.Changes, before, after Settings) {
	c.Diff("name", before.Name, after.Name)
	c.Diff("description", before.Description, after.Description)
	c.Diff("data_retention_days", before.DataRetentionDays, after.DataRetentionDays)
	c.Diff("time_zone", before.TimeZone, after.TimeZone)
	c.Diff("week_start", before.WeekStart, after.WeekStart)
	c.Diff("currency", before.Currency, after.Currency)
	c.Diff("dialects_off", orEmpty(before.DialectsOff), orEmpty(after.DialectsOff))
}

// distinct is a list in order, each once; never nil, which the database would not take.
func distinct(list []string) []string {
	return orEmpty(slices.Compact(slices.Sorted(slices.Values(list))))
}

// orEmpty is a list that is not nil: of an audit entry null is what was not there.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// on are the vendors whose SDKs a project takes events from.
func (p *Projects) on(off []string) []string {
	return slices.DeleteFunc(slices.Clone(p.dialects), func(d string) bool { return slices.Contains(off, d) })
}

// Get returns one project.
func (p *Projects) Get(ctx context.Context, accountID, projectID uuid.UUID) (Project, error) {
	return p.store.project(ctx, p.pool, accountID, projectID)
}

// List returns at most limit projects of the account, newest first, that come after cursor; an empty cursor starts at
// the newest. next is empty on the last page. A cursor that no List returned is a validation error.
func (p *Projects) List(ctx context.Context, accountID uuid.UUID, limit int32, cursor string) (page []Project, next string, err error) {
	read := func(before *uuid.UUID, limit int32) ([]Project, error) {
		return p.store.projects(ctx, accountID, before, limit)
	}
	return auth.Page(cursor, limit, read, func(x *Project) uuid.UUID { return x.ID })
}

// Change is what Update does to a project; nil leaves a member as it is.
type Change struct {
	Name              *string
	Description       *string
	DataRetentionDays *int32
	TimeZone          *string
	WeekStart         *string
	Currency          *string
	DialectsOff       *[]string
}

// Update changes a project and returns it as it is then.
func (p *Projects) Update(ctx context.Context, accountID, projectID uuid.UUID, change Change) (Project, error) {
	var project Project
	if err := check(change.TimeZone, change.Currency); err != nil {
		return project, err
	}
	err := p.inLockedProject(ctx, projectID, func(tx pgx.Tx) error {
		before, err := p.store.project(ctx, tx, accountID, projectID)
		if err != nil {
			return err
		}
		if err := p.store.updateProject(ctx, tx, projectID, change); err != nil {
			return err
		}
		if project, err = p.store.project(ctx, tx, accountID, projectID); err != nil {
			return err
		}
		changes := make(audit.Changes)
		diffSettings(changes, before.Settings, project.Settings)
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.ProjectUpdate, Target: projectID.String(), Changes: changes})
	})
	return project, err
}

// Delete makes a project and all its keys disappear, for everyone and at once. Purge removes what is left of it.
func (p *Projects) Delete(ctx context.Context, projectID uuid.UUID) error {
	return p.inLockedProject(ctx, projectID, func(tx pgx.Tx) error {
		if err := p.store.markDeleted(ctx, tx, projectID, p.now()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.ProjectDelete, Target: projectID.String()})
	})
}

// RotateKeys gives a project a new main pair. Every earlier main pair stops at once, or after grace; one that was to stop sooner
// still does.
func (p *Projects) RotateKeys(ctx context.Context, accountID, projectID uuid.UUID, grace time.Duration) (Project, Pair, error) {
	var project Project
	var pair Pair
	err := p.inLockedProject(ctx, projectID, func(tx pgx.Tx) error {
		end := p.now().Add(grace)
		if grace <= 0 {
			end = p.now().Add(-clockSkew)
		}
		if err := p.store.expireAPIKeys(ctx, tx, projectID, end); err != nil {
			return err
		}
		before, err := p.store.project(ctx, tx, accountID, projectID)
		if err != nil {
			return err
		}
		if project, pair, err = p.issuePair(ctx, tx, accountID, projectID); err != nil {
			return err
		}
		changes := audit.Changes{"grace_seconds": {New: int64(grace / time.Second)}}
		changes.Diff("api_key_id", before.APIKeyID, pair.ID)
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.KeyRotate, Target: pair.ID, Changes: changes})
	})
	return project, pair, err
}

// issuePair gives a project one more main pair, which may do everything that keys can, and returns the project as it is with it.
func (p *Projects) issuePair(ctx context.Context, tx pgx.Tx, accountID, projectID uuid.UUID) (Project, Pair, error) {
	pair, sealed, err := newPair(p.ring, projectID)
	if err != nil {
		return Project{}, Pair{}, err
	}
	sealed.name, sealed.main, sealed.createdBy = mainKeyName, true, accountID
	sealed.scopes = slices.Sorted(maps.Keys(p.scopes))
	if _, err := p.store.createAPIKey(ctx, tx, sealed); err != nil {
		return Project{}, Pair{}, err
	}
	project, err := p.store.project(ctx, tx, accountID, projectID)
	if err != nil {
		return Project{}, Pair{}, err
	}
	return project, pair, nil
}

// inLockedProject runs fn in a transaction, once the project is locked. Without the lock two rotations at once would each
// leave a pair without an end, limits could be passed, and two owners who demote each other would leave none.
func (p *Projects) inLockedProject(ctx context.Context, projectID uuid.UUID, fn func(pgx.Tx) error) error {
	// Also when the commit failed: then it is not known whether it happened.
	defer p.changed()
	return postgres.InTx(ctx, p.pool, func(tx pgx.Tx) error {
		if err := p.store.lockProject(ctx, tx, projectID); err != nil {
			return err
		}
		return fn(tx)
	})
}

// CountActive returns how many projects are not deleted.
func (p *Projects) CountActive(ctx context.Context) (int64, error) { return p.store.countActive(ctx) }

// CountDeleted returns how many projects are deleted and not yet removed.
func (p *Projects) CountDeleted(ctx context.Context) (int64, error) { return p.store.countDeleted(ctx) }
