package saved

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/db"
)

// cohortStore maps between the generated queries and the types of this package.
type cohortStore struct{ q *db.Queries }

func newCohortStore() cohortStore { return cohortStore{q: db.New()} }

func (s cohortStore) lockProject(ctx context.Context, tx db.DBTX, id uuid.UUID) error {
	if _, err := s.q.ProjectLock(ctx, tx, id); err != nil {
		return absentOr(err, "lock project")
	}
	return nil
}

func (s cohortStore) cohorts(ctx context.Context, tx db.DBTX, projectID uuid.UUID) ([]Cohort, error) {
	rows, err := s.q.Cohorts(ctx, tx, projectID)
	if err != nil {
		return nil, fmt.Errorf("list cohorts: %w", err)
	}
	out := make([]Cohort, len(rows))
	for i, row := range rows {
		out[i] = cohortOf(row)
	}
	return out, nil
}

func (s cohortStore) cohort(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID) (Cohort, error) {
	row, err := s.q.Cohort(ctx, tx, projectID, id)
	if err != nil {
		return Cohort{}, absentOr(err, "load cohort")
	}
	return cohortOf(row), nil
}

func cohortOf(row db.Cohort) Cohort {
	return Cohort{ID: row.ID, Name: row.Name, Description: row.Description, Where: row.Clause, Listed: row.Listed, Version: row.Version,
		CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, UpdatedBy: row.UpdatedBy, UpdatedAt: row.UpdatedAt}
}

func (s cohortStore) create(ctx context.Context, tx db.DBTX, projectID uuid.UUID, c Cohort) error {
	if err := s.q.CohortCreate(ctx, tx, db.CohortCreateParams{ProjectID: projectID, ID: c.ID, Name: c.Name, Description: c.Description,
		Clause: c.Where, Listed: c.Listed, CreatedBy: c.CreatedBy}); err != nil {
		return fmt.Errorf("create cohort: %w", err)
	}
	return nil
}

func (s cohortStore) update(ctx context.Context, tx db.DBTX, accountID, projectID, id uuid.UUID, c CohortChange, clause json.RawMessage, listed *int64) error {
	n, err := s.q.CohortUpdate(ctx, tx, db.CohortUpdateParams{ProjectID: projectID, ID: id, Name: c.Name, Description: c.Description,
		Clause: clause, Listed: listed, UpdatedBy: &accountID})
	return oneRow(n, err, "change cohort")
}

func (s cohortStore) delete(ctx context.Context, tx db.DBTX, projectID, id uuid.UUID) error {
	n, err := s.q.CohortDelete(ctx, tx, projectID, id)
	return oneRow(n, err, "delete cohort")
}

func (s cohortStore) uses(ctx context.Context, tx db.DBTX, projectID uuid.UUID, c *Cohort) ([]Use, error) {
	rows, err := s.q.CohortUses(ctx, tx, projectID, c.ID, c.Name)
	if err != nil {
		return nil, fmt.Errorf("find what uses a cohort: %w", err)
	}
	out := make([]Use, len(rows))
	for i, row := range rows {
		out[i] = Use{Kind: row.Kind, ID: row.ID, Name: row.Name}
	}
	return out, nil
}
