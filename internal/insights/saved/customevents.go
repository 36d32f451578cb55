package saved

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// CustomEvent is several events under one name.
type CustomEvent struct {
	ID          uuid.UUID
	Name        string
	Description string
	Events      json.RawMessage // a list, as the contract has it
	Change
}

// CustomEventChange are the fields to change; nil leaves one as it is. With IfVersion, only that version is changed.
type CustomEventChange struct {
	IfVersion         *int64
	Name, Description *string
	Events            json.RawMessage
}

// CustomEvents returns the custom events of a project, newest first.
func (s *Service) CustomEvents(ctx context.Context, projectID uuid.UUID) ([]CustomEvent, error) {
	return s.store.customEvents(ctx, projectID)
}

// CustomEvent returns one custom event; problem.NotFound when the project has none of this id.
func (s *Service) CustomEvent(ctx context.Context, projectID, id uuid.UUID) (CustomEvent, error) {
	return s.store.customEvent(ctx, s.pool, projectID, id)
}

// CreateCustomEvent keeps a custom event. limit_reached when the project has too many.
func (s *Service) CreateCustomEvent(ctx context.Context, accountID, projectID uuid.UUID, event CustomEvent) (CustomEvent, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return CustomEvent{}, fmt.Errorf("make the id of a custom event: %w", err)
	}
	event.ID, event.CreatedBy = id, &accountID
	err = s.change(ctx, projectID, func(tx pgx.Tx) error {
		n, err := s.store.countCustomEvents(ctx, tx, projectID)
		if err != nil {
			return err
		}
		if err := room(n, s.limits.CustomEvents, "custom events"); err != nil {
			return err
		}
		if err := s.store.createCustomEvent(ctx, tx, projectID, event); err != nil {
			return err
		}
		if event, err = s.store.customEvent(ctx, tx, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.CustomEventCreate, Target: id.String(),
			Changes: audit.Changes{"name": {New: event.Name}, "events": {New: event.Events}}})
	})
	return event, err
}

// UpdateCustomEvent changes a custom event and returns it as it is then. version_conflict when it is not the version to change.
func (s *Service) UpdateCustomEvent(ctx context.Context, accountID, projectID, id uuid.UUID, change CustomEventChange) (CustomEvent, error) {
	var event CustomEvent
	err := s.change(ctx, projectID, func(tx pgx.Tx) error {
		before, err := s.store.customEvent(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if err := isVersion(before.Version, change.IfVersion); err != nil {
			return err
		}
		if err := s.store.updateCustomEvent(ctx, tx, accountID, projectID, id, change); err != nil {
			return err
		}
		if event, err = s.store.customEvent(ctx, tx, projectID, id); err != nil {
			return err
		}
		changes := make(audit.Changes)
		changes.Diff("name", before.Name, event.Name)
		changes.Diff("description", before.Description, event.Description)
		changes.Diff("events", before.Events, event.Events)
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.CustomEventUpdate, Target: id.String(), Changes: changes})
	})
	return event, err
}

// DeleteCustomEvent removes a custom event. in_use while an insight asks about it; version_conflict when it is not the version to
// delete; nil is any.
func (s *Service) DeleteCustomEvent(ctx context.Context, projectID, id uuid.UUID, ifVersion *int64) error {
	return s.change(ctx, projectID, func(tx pgx.Tx) error {
		before, err := s.store.customEvent(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if err := isVersion(before.Version, ifVersion); err != nil {
			return err
		}
		if err := s.unused(ctx, tx, projectID, id); err != nil {
			return err
		}
		if err := s.store.deleteCustomEvent(ctx, tx, projectID, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{ProjectID: projectID, Action: audit.CustomEventDelete, Target: id.String(),
			Changes: audit.Changes{"name": {Old: before.Name}, "events": {Old: before.Events}}})
	})
}

// shownUsers is how many of the insights that ask about a custom event a refusal names.
const shownUsers = 5

// unused is in_use while an insight asks about a custom event.
func (s *Service) unused(ctx context.Context, tx pgx.Tx, projectID, id uuid.UUID) error {
	names, err := s.store.insightsOf(ctx, tx, projectID, id)
	if err != nil || len(names) == 0 {
		return err
	}
	more := ""
	if len(names) > shownUsers {
		names, more = names[:shownUsers], " and others"
	}
	return problem.New(problem.CodeInUse, `Insights ask about it: "%s"%s.`, strings.Join(names, `", "`), more)
}
