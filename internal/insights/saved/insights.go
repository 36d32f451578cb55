package saved

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// maxQuestion is how long a question may be in bytes, as the database writes it: 1e308 with all its zeros. Lists are read whole,
// so they are bounded.
const maxQuestion = 32 << 10

// Insight is a question that is kept.
type Insight struct {
	ID          uuid.UUID
	Name        string
	Description string
	Kind        string          // which operation answers it
	Question    json.RawMessage // the body of that operation, without kind and project_id
	View        json.RawMessage // an object
	Change
}

// InsightChange are the fields to change; nil leaves one as it is. Kind and Question belong together. With IfVersion, only that
// version is changed.
type InsightChange struct {
	IfVersion         *int64
	Name, Description *string
	Kind              *string
	Question, View    json.RawMessage
}

// Insights returns the insights of a project, newest first.
func (s *Service) Insights(ctx context.Context, projectID uuid.UUID) ([]Insight, error) {
	return s.store.insights(ctx, projectID)
}

// Insight returns one insight; problem.NotFound when the project has none of this id.
func (s *Service) Insight(ctx context.Context, projectID, id uuid.UUID) (Insight, error) {
	return s.store.insight(ctx, s.pool, projectID, id)
}

// kept is an insight as it was just written. validation_failed when its question is too long.
func (s *Service) kept(ctx context.Context, tx pgx.Tx, projectID, id uuid.UUID) (Insight, error) {
	insight, err := s.store.insight(ctx, tx, projectID, id)
	if err == nil && len(insight.Question) > maxQuestion {
		err = problem.Field(contract.InBody, "/question", contract.CodeTooLarge,
			fmt.Sprintf("must be at most %d bytes of JSON, with numbers written out", maxQuestion))
	}
	return insight, err
}

// CreateInsight keeps an insight. limit_reached when the project has too many.
func (s *Service) CreateInsight(ctx context.Context, accountID, projectID uuid.UUID, insight Insight) (Insight, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Insight{}, fmt.Errorf("make the id of an insight: %w", err)
	}
	insight.ID, insight.CreatedBy = id, &accountID
	err = s.change(ctx, projectID, func(tx pgx.Tx) error {
		n, err := s.store.countInsights(ctx, tx, projectID)
		if err != nil {
			return err
		}
		if err := room(n, s.limits.Insights, "insights"); err != nil {
			return err
		}
		if err := s.store.createInsight(ctx, tx, projectID, insight); err != nil {
			return err
		}
		if insight, err = s.kept(ctx, tx, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.InsightCreate, Target: id.String(),
			Changes: audit.Changes{"name": {New: insight.Name}, "kind": {New: insight.Kind}}})
	})
	return insight, err
}

// UpdateInsight changes an insight and returns it as it is then. version_conflict when it is not the version to change.
func (s *Service) UpdateInsight(ctx context.Context, accountID, projectID, id uuid.UUID, change InsightChange) (Insight, error) {
	var insight Insight
	err := s.change(ctx, projectID, func(tx pgx.Tx) error {
		before, err := s.store.insight(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if err := isVersion(before.Version, change.IfVersion); err != nil {
			return err
		}
		if err := s.store.updateInsight(ctx, tx, accountID, projectID, id, change); err != nil {
			return err
		}
		if insight, err = s.kept(ctx, tx, projectID, id); err != nil {
			return err
		}
		changes := make(audit.Changes)
		changes.Diff("name", before.Name, insight.Name)
		changes.Diff("description", before.Description, insight.Description)
		changes.Diff("kind", before.Kind, insight.Kind)
		changes.Diff("question", before.Question, insight.Question)
		changes.Diff("view", before.View, insight.View)
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.InsightUpdate, Target: id.String(), Changes: changes})
	})
	return insight, err
}

// DeleteInsight removes an insight, from every board too. version_conflict when it is not the version to delete; nil is any.
func (s *Service) DeleteInsight(ctx context.Context, accountID, projectID, id uuid.UUID, ifVersion *int64) error {
	return s.change(ctx, projectID, func(tx pgx.Tx) error {
		before, err := s.store.insight(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if err := isVersion(before.Version, ifVersion); err != nil {
			return err
		}
		if err := s.store.deleteInsight(ctx, tx, accountID, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.InsightDelete, Target: id.String(),
			Changes: audit.Changes{"name": {Old: before.Name}}})
	})
}
