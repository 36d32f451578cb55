package saved

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// Annotation says what happened when.
type Annotation struct {
	ID    uuid.UUID
	TS    time.Time
	Until time.Time // TS for a moment
	Text  string
	Change
}

// AnnotationChange are the fields to change; nil leaves one as it is. With IfVersion, only that version is changed.
type AnnotationChange struct {
	IfVersion *int64
	TS, Until *time.Time
	Text      *string
}

// Annotations returns those that touch the range from from to before to, by time; nil is no end.
func (s *Service) Annotations(ctx context.Context, projectID uuid.UUID, from, to *time.Time) ([]Annotation, error) {
	if from != nil && to != nil && !from.Before(*to) {
		return nil, problem.Field(contract.InQuery, "/from", codeOrder, "must be before to")
	}
	return s.store.annotations(ctx, projectID, from, to)
}

// codeOrder is the code of two times that stand the wrong way round.
const codeOrder = "order"

// Annotation returns one annotation; problem.NotFound when the project has none of this id.
func (s *Service) Annotation(ctx context.Context, projectID, id uuid.UUID) (Annotation, error) {
	return s.store.annotation(ctx, s.pool, projectID, id)
}

// CreateAnnotation keeps an annotation. limit_reached when the project has too many.
func (s *Service) CreateAnnotation(ctx context.Context, accountID, projectID uuid.UUID, annotation Annotation) (Annotation, error) {
	if err := annotation.check(); err != nil {
		return Annotation{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Annotation{}, fmt.Errorf("make the id of an annotation: %w", err)
	}
	annotation.ID, annotation.CreatedBy = id, &accountID
	err = s.change(ctx, projectID, func(tx pgx.Tx) error {
		n, err := s.store.countAnnotations(ctx, tx, projectID)
		if err != nil {
			return err
		}
		if err := room(n, s.limits.Annotations, "annotations"); err != nil {
			return err
		}
		if err := s.store.createAnnotation(ctx, tx, projectID, annotation); err != nil {
			return err
		}
		if annotation, err = s.store.annotation(ctx, tx, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.AnnotationCreate, Target: id.String(),
			Changes: audit.Changes{"text": {New: annotation.Text}, "ts": {New: annotation.TS}}})
	})
	return annotation, err
}

func (a *Annotation) check() error {
	if a.Until.Before(a.TS) {
		return problem.Field(contract.InBody, "/until", codeOrder, "must not be before ts")
	}
	return nil
}

// UpdateAnnotation changes an annotation and returns it as it is then. One about a moment stays so when only its ts changes.
// version_conflict when it is not the version to change.
func (s *Service) UpdateAnnotation(ctx context.Context, accountID, projectID, id uuid.UUID, change AnnotationChange) (Annotation, error) {
	var annotation Annotation
	err := s.change(ctx, projectID, func(tx pgx.Tx) error {
		before, err := s.store.annotation(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if err := isVersion(before.Version, change.IfVersion); err != nil {
			return err
		}
		after := change.of(before)
		if err := after.check(); err != nil {
			return err
		}
		if err := s.store.updateAnnotation(ctx, tx, accountID, projectID, after); err != nil {
			return err
		}
		if annotation, err = s.store.annotation(ctx, tx, projectID, id); err != nil {
			return err
		}
		changes := make(audit.Changes)
		changes.Diff("text", before.Text, annotation.Text)
		changes.Diff("ts", before.TS, annotation.TS)
		changes.Diff("until", before.Until, annotation.Until)
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.AnnotationUpdate, Target: id.String(), Changes: changes})
	})
	return annotation, err
}

// of is an annotation after the change.
func (c *AnnotationChange) of(a Annotation) Annotation {
	moment := a.Until.Equal(a.TS)
	if c.TS != nil {
		a.TS = *c.TS
	}
	switch {
	case c.Until != nil:
		a.Until = *c.Until
	case moment:
		a.Until = a.TS
	}
	if c.Text != nil {
		a.Text = *c.Text
	}
	return a
}

// DeleteAnnotation removes an annotation. version_conflict when it is not the version to delete; nil is any.
func (s *Service) DeleteAnnotation(ctx context.Context, projectID, id uuid.UUID, ifVersion *int64) error {
	return s.change(ctx, projectID, func(tx pgx.Tx) error {
		before, err := s.store.annotation(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if err := isVersion(before.Version, ifVersion); err != nil {
			return err
		}
		if err := s.store.deleteAnnotation(ctx, tx, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.AnnotationDelete, Target: id.String(),
			Changes: audit.Changes{"text": {Old: before.Text}, "ts": {Old: before.TS}}})
	})
}
