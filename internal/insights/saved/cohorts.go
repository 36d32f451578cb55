package saved

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/answers"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// Cohort is people under a name.
type Cohort struct {
	ID          uuid.UUID
	Name        string
	Description string
	Where       json.RawMessage // of a live one, as the contract has it; nil: a fixed one
	Listed      int64           // ids in the list of a fixed one
	Version     int64           // counts the changes, from 1
	CreatedBy   *uuid.UUID
	CreatedAt   time.Time
	UpdatedBy   *uuid.UUID // nil before the first change
	UpdatedAt   time.Time
}

// Use is what uses a cohort.
type Use struct {
	Kind string // cohort, report or board
	ID   uuid.UUID
	Name string
}

// Clause returns a clause as it is kept, when it can be asked of a project with these cohorts, by the cohort that is itself. It is
// nil for a new one.
type Clause func(all []answers.Cohort, itself *answers.Cohort) (json.RawMessage, error)

// CohortChange are the fields to change; nil leaves one as it is. With IfVersion, only that version is changed.
type CohortChange struct {
	IfVersion         *int64
	Name, Description *string
	Where             Clause
}

// Mode says what becomes of a list.
type Mode int

// The modes.
const (
	Add     Mode = iota // the ids are put into it
	Remove              // they are taken out
	Replace             // they are the list
)

// PeopleChange is what became of a list.
type PeopleChange struct {
	Changed, Listed int64
	Version         int64
}

// CohortLimits are how many cohorts a project may have, and how many ids a list; what is zero is what it says there.
type CohortLimits struct {
	Cohorts int // 500
	People  int // 1,000,000
}

// Cohorts keeps the cohorts of all projects. Its callers have checked that the account may.
type Cohorts struct {
	pool   *pgxpool.Pool
	store  cohortStore
	lists  *behaviour.Store
	limits CohortLimits
}

// NewCohorts makes Cohorts on pool, whose lists are in the behaviour store.
func NewCohorts(pool *pgxpool.Pool, lists *behaviour.Store, limits CohortLimits) *Cohorts {
	limits.Cohorts, limits.People = cmp.Or(limits.Cohorts, 500), cmp.Or(limits.People, 1_000_000)
	return &Cohorts{pool: pool, store: newCohortStore(), lists: lists, limits: limits}
}

// change runs fn in a transaction that has the project to itself: cohorts that name each other are checked as they stay.
// problem.NotFound when the project is being deleted.
func (c *Cohorts) change(ctx context.Context, projectID uuid.UUID, fn func(pgx.Tx) error) error {
	return postgres.InTx(ctx, c.pool, func(tx pgx.Tx) error {
		if err := c.store.lockProject(ctx, tx, projectID); err != nil {
			return err
		}
		return fn(tx)
	})
}

// List returns the cohorts of a project, newest first.
func (c *Cohorts) List(ctx context.Context, projectID uuid.UUID) ([]Cohort, error) {
	return c.store.cohorts(ctx, c.pool, projectID)
}

// ForQuestions returns the cohorts of a project as questions need them.
func (c *Cohorts) ForQuestions(ctx context.Context, projectID uuid.UUID) ([]answers.Cohort, error) {
	all, err := c.List(ctx, projectID)
	return forQuestions(all), err
}

func forQuestions(all []Cohort) []answers.Cohort {
	out := make([]answers.Cohort, len(all))
	for i, x := range all {
		out[i] = answers.Cohort{ID: x.ID, Name: x.Name, Where: x.Where}
	}
	return out
}

// Get returns one cohort, with what uses it; problem.NotFound when the project has none of this id.
func (c *Cohorts) Get(ctx context.Context, projectID, id uuid.UUID) (Cohort, []Use, error) {
	cohort, err := c.store.cohort(ctx, c.pool, projectID, id)
	if err != nil {
		return cohort, nil, err
	}
	uses, err := c.store.uses(ctx, c.pool, projectID, &cohort)
	return cohort, uses, err
}

// Create keeps a cohort: a live one of a clause, or a fixed one of people, each of whom is named once. limit_reached when the project has too many, or the list
// too many ids.
func (c *Cohorts) Create(ctx context.Context, accountID, projectID uuid.UUID, cohort Cohort, where Clause, people []behaviour.PersonKey) (Cohort, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Cohort{}, fmt.Errorf("make the id of a cohort: %w", err)
	}
	cohort.ID, cohort.CreatedBy, cohort.Listed = id, &accountID, int64(len(people))
	err = c.change(ctx, projectID, func(tx pgx.Tx) (err error) {
		all, err := c.store.cohorts(ctx, tx, projectID)
		if err != nil {
			return err
		}
		if len(all) >= c.limits.Cohorts {
			return problem.New(problem.CodeLimitReached, "A project has at most %d cohorts.", c.limits.Cohorts)
		}
		if where != nil {
			if cohort.Where, err = where(forQuestions(all), nil); err != nil {
				return err
			}
		}
		if err := c.store.create(ctx, tx, projectID, cohort); err != nil {
			return err
		}
		if len(people) > 0 {
			if _, err := c.setPeople(ctx, tx, projectID, id, Add, people); err != nil {
				return err
			}
		}
		if cohort, err = c.kept(ctx, tx, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.CohortCreate, Target: id.String(),
			Changes: audit.Changes{"name": {New: cohort.Name}, "listed": {New: cohort.Listed}}})
	})
	return cohort, err
}

// kept returns a cohort that was just written, unless it is too large to stay.
func (c *Cohorts) kept(ctx context.Context, tx pgx.Tx, projectID, id uuid.UUID) (Cohort, error) {
	cohort, err := c.store.cohort(ctx, tx, projectID, id)
	if err == nil && len(cohort.Where) > maxQuestion {
		err = problem.Field(contract.InBody, "/where", contract.CodeTooLarge, fmt.Sprintf("must be at most %d bytes of JSON, with numbers written out", maxQuestion))
	}
	return cohort, err
}

// Update changes a cohort and returns it as it is then. version_conflict when it is not the version to change.
func (c *Cohorts) Update(ctx context.Context, accountID, projectID, id uuid.UUID, change CohortChange) (Cohort, error) {
	var cohort Cohort
	err := c.change(ctx, projectID, func(tx pgx.Tx) error {
		before, err := c.store.cohort(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if err := isVersion(before.Version, change.IfVersion); err != nil {
			return err
		}
		var clause json.RawMessage
		if change.Where != nil {
			if clause, err = c.clause(ctx, tx, projectID, before, change); err != nil {
				return err
			}
		}
		if err := c.store.update(ctx, tx, accountID, projectID, id, change, clause, nil); err != nil {
			return err
		}
		if cohort, err = c.kept(ctx, tx, projectID, id); err != nil {
			return err
		}
		changes := make(audit.Changes)
		changes.Diff("name", before.Name, cohort.Name)
		changes.Diff("description", before.Description, cohort.Description)
		changes.Diff("where", before.Where, cohort.Where)
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.CohortUpdate, Target: id.String(), Changes: changes})
	})
	return cohort, err
}

// clause returns the new clause of a cohort, as it is kept.
func (c *Cohorts) clause(ctx context.Context, tx pgx.Tx, projectID uuid.UUID, before Cohort, change CohortChange) (json.RawMessage, error) {
	if before.Where == nil {
		return nil, problem.Field(contract.InBody, "/where", "conflict", "is of live cohorts, and this one is fixed")
	}
	all, err := c.store.cohorts(ctx, tx, projectID)
	if err != nil {
		return nil, err
	}
	itself := answers.Cohort{ID: before.ID, Name: before.Name, Where: before.Where}
	if change.Name != nil {
		itself.Name = *change.Name
	}
	return change.Where(forQuestions(all), &itself)
}

// Delete removes a cohort. in_use while something uses it, unless forced.
func (c *Cohorts) Delete(ctx context.Context, projectID, id uuid.UUID, force bool) error {
	return c.change(ctx, projectID, func(tx pgx.Tx) error {
		cohort, err := c.store.cohort(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		uses, err := c.store.uses(ctx, tx, projectID, &cohort)
		if err != nil {
			return err
		}
		if len(uses) > 0 && !force {
			return problem.New(problem.CodeInUse, "It is used by %s.", told(uses))
		}
		if err := c.store.delete(ctx, tx, projectID, id); err != nil {
			return err
		}
		if err := c.lists.ClearList(ctx, tx, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.CohortDelete, Target: id.String(),
			Changes: audit.Changes{"name": {Old: cohort.Name}}})
	})
}

// maxTold is how many uses an answer names.
const maxTold = 10

func told(uses []Use) string {
	var words []string
	for i, u := range uses {
		if i == maxTold {
			words = append(words, fmt.Sprintf("%d more", len(uses)-maxTold))
			break
		}
		words = append(words, fmt.Sprintf("the %s %q", u.Kind, u.Name))
	}
	return strings.Join(words, ", ")
}

// SetPeople changes the list of a fixed cohort: all of it or nothing. limit_reached when it would be too long.
func (c *Cohorts) SetPeople(ctx context.Context, accountID, projectID, id uuid.UUID, ifVersion *int64, mode Mode, people []behaviour.PersonKey) (PeopleChange, error) {
	var out PeopleChange
	err := c.change(ctx, projectID, func(tx pgx.Tx) error {
		before, err := c.store.cohort(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if err := isVersion(before.Version, ifVersion); err != nil {
			return err
		}
		if before.Where != nil {
			return problem.Field(contract.InPath, "/cohort_id", "conflict", "must be of a fixed cohort: who is in a live one is what its clause says")
		}
		if out.Changed, err = c.setPeople(ctx, tx, projectID, id, mode, people); err != nil {
			return err
		}
		if out.Listed, err = c.lists.CountListed(ctx, tx, projectID, id); err != nil {
			return err
		}
		if err := c.store.update(ctx, tx, accountID, projectID, id, CohortChange{}, nil, &out.Listed); err != nil {
			return err
		}
		out.Version = before.Version + 1
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.CohortPeople, Target: id.String(),
			Changes: audit.Changes{"listed": {Old: before.Listed, New: out.Listed}}})
	})
	return out, err
}

func (c *Cohorts) setPeople(ctx context.Context, tx pgx.Tx, projectID, id uuid.UUID, mode Mode, people []behaviour.PersonKey) (changed int64, err error) {
	switch mode {
	case Remove:
		return c.lists.RemoveListed(ctx, tx, projectID, id, people)
	case Replace:
		if changed, err = c.lists.KeepListed(ctx, tx, projectID, id, people); err != nil {
			return 0, err
		}
	case Add:
	}
	added, err := c.lists.AddListed(ctx, tx, projectID, id, people)
	if err != nil {
		return 0, err
	}
	listed, err := c.lists.CountListed(ctx, tx, projectID, id)
	if err == nil && listed > int64(c.limits.People) {
		err = problem.New(problem.CodeLimitReached, "A fixed cohort has at most %d ids, and this one would have %d.", c.limits.People, listed)
	}
	return changed + added, err
}
