package saved

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// Lists are read whole, so they are bounded.
const (
	maxQuestion = 32 << 10 // bytes, as it is kept: with the zeros of 1e308, and whatever else the database writes out
)

// Report is a question that is kept.
type Report struct {
	ID          uuid.UUID
	Name        string
	Description string
	Question    json.RawMessage // as the contract has it
	View        json.RawMessage
	Version     int64 // counts the changes, from 1
	CreatedBy   *uuid.UUID
	CreatedAt   time.Time
	UpdatedBy   *uuid.UUID // nil before the first change
	UpdatedAt   time.Time
}

// ReportChange are the fields to change; nil leaves one as it is. With IfVersion, only that version is changed.
type ReportChange struct {
	IfVersion         *int64
	Name, Description *string
	Question, View    json.RawMessage
}

// Reports keeps the reports and boards of all projects. Who may is checked before it is asked.
type Reports struct {
	pool   *pgxpool.Pool
	store  store
	limits Limits
}

// New makes Reports on pool.
func New(pool *pgxpool.Pool, limits Limits) *Reports {
	limits.Reports, limits.Boards = cmp.Or(limits.Reports, 500), cmp.Or(limits.Boards, 100)
	return &Reports{pool: pool, store: newStore(pool), limits: limits}
}

// Limits are how many of each a project may have; what is zero is what it says there. At most 1,000: the lists are read whole.
type Limits struct {
	Reports int // 500
	Boards  int // 100
}

// change runs fn in a transaction that has the project to itself: limits hold, a report cannot go while it is placed on a
// board, and what the audit log calls old is what was replaced. problem.NotFound when the project is being deleted.
func (r *Reports) change(ctx context.Context, projectID uuid.UUID, fn func(pgx.Tx) error) error {
	return postgres.InTx(ctx, r.pool, func(tx pgx.Tx) error {
		if err := r.store.lockProject(ctx, tx, projectID); err != nil {
			return err
		}
		return fn(tx)
	})
}

// List returns the reports of a project, newest first.
func (r *Reports) List(ctx context.Context, projectID uuid.UUID) ([]Report, error) {
	return r.store.reports(ctx, projectID)
}

// Get returns one report; problem.NotFound when the project has none of this id.
func (r *Reports) Get(ctx context.Context, projectID, id uuid.UUID) (Report, error) {
	return r.store.report(ctx, r.pool, projectID, id)
}

// kept returns a report that was just written, unless it is too large to stay.
func (r *Reports) kept(ctx context.Context, tx pgx.Tx, projectID, id uuid.UUID) (Report, error) {
	report, err := r.store.report(ctx, tx, projectID, id)
	if err == nil && len(report.Question) > maxQuestion {
		err = problem.Field(contract.InBody, "/question", contract.CodeTooLarge, fmt.Sprintf("must be at most %d bytes of JSON, with numbers written out", maxQuestion))
	}
	return report, err
}

// Create keeps a report. limit_reached when the project has too many.
func (r *Reports) Create(ctx context.Context, accountID, projectID uuid.UUID, report Report) (Report, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Report{}, fmt.Errorf("make the id of a report: %w", err)
	}
	report.ID, report.CreatedBy = id, &accountID
	err = r.change(ctx, projectID, func(tx pgx.Tx) error {
		n, err := r.store.countReports(ctx, tx, projectID)
		if err != nil {
			return err
		}
		if n >= int64(r.limits.Reports) {
			return problem.New(problem.CodeLimitReached, "A project has at most %d reports.", r.limits.Reports)
		}
		if err := r.store.createReport(ctx, tx, projectID, report); err != nil {
			return err
		}
		if report, err = r.kept(ctx, tx, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.ReportCreate, Target: id.String(),
			Changes: audit.Changes{"name": {New: report.Name}}})
	})
	return report, err
}

// Update changes a report and returns it as it is then. version_conflict when it is not the version to change.
func (r *Reports) Update(ctx context.Context, accountID, projectID, id uuid.UUID, change ReportChange) (Report, error) {
	var report Report
	err := r.change(ctx, projectID, func(tx pgx.Tx) error {
		before, err := r.store.report(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if err := isVersion(before.Version, change.IfVersion); err != nil {
			return err
		}
		if err := r.store.updateReport(ctx, tx, accountID, projectID, id, change); err != nil {
			return err
		}
		if report, err = r.kept(ctx, tx, projectID, id); err != nil {
			return err
		}
		changes := make(audit.Changes)
		changes.Diff("name", before.Name, report.Name)
		changes.Diff("description", before.Description, report.Description)
		changes.Diff("question", before.Question, report.Question)
		changes.Diff("view", before.View, report.View)
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.ReportUpdate, Target: id.String(), Changes: changes})
	})
	return report, err
}

// isVersion is version_conflict unless the version that is there is the one to change; nil is any.
func isVersion(there int64, wanted *int64) error {
	if wanted == nil || *wanted == there {
		return nil
	}
	return problem.New(problem.CodeVersionConflict, "It is at version %d, and the change is of version %d.", there, *wanted)
}

// Delete removes a report, from every board too.
func (r *Reports) Delete(ctx context.Context, accountID, projectID, id uuid.UUID) error {
	return r.change(ctx, projectID, func(tx pgx.Tx) error {
		if err := r.store.deleteReport(ctx, tx, accountID, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.ReportDelete, Target: id.String()})
	})
}
