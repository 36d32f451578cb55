package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

const (
	// pruneRows is how many rows one transaction of the pruning deletes: enough to be fast, and few enough that nobody
	// waits long for what it has locked.
	pruneRows = 10_000
	// keyGrace is how much longer the key of an event without a ts is kept than the event. Without its key an event
	// that is sent again would be stored twice, and the clock of the sender, by which the event is pruned, may be
	// ahead.
	keyGrace = 24 * time.Hour
)

// pruning is how far the pruning of one project is.
type pruning struct {
	project    uuid.UUID
	from       uuid.UUID // of the events
	keyFrom    uuid.UUID // of the keys, which come after the events
	eventsDone bool
	deleted    bool // an event, since the others were told
}

// OnPrune names what is told when events of a project were deleted: none older than a time is left. When it fails, Prune
// says so, and goes on with the other projects.
func (s *Store) OnPrune(pruned func(ctx context.Context, project uuid.UUID, oldest time.Time) error) {
	s.pruned = pruned
}

// Prune deletes the events of each project that are older than its limit allows at now, with their counts and keys,
// in steps of 10,000 rows, oldest first; then it drops old partitions that hold nothing and merges those that hold
// little. Each step is committed by itself and leaves counts and events in agreement, so a Prune that was stopped, by
// ctx or by a crash, is taken up by the next. The projects take turns, and one that cannot be pruned does not keep
// the others waiting; the error names each.
func (s *Store) Prune(ctx context.Context, now time.Time) error {
	ids, err := s.q.ProjectsToPrune(ctx, s.pool)
	if err != nil {
		return fmt.Errorf("find the projects to prune: %w", err)
	}
	todo := make([]*pruning, len(ids))
	for k, id := range ids {
		todo[k] = &pruning{project: id}
	}
	var failed []error
	for len(todo) > 0 {
		next := todo[:0]
		for _, p := range todo {
			more, err := s.pruneStep(ctx, p, now)
			switch {
			case ctx.Err() != nil:
				return fmt.Errorf("prune: %w", ctx.Err())
			case err != nil:
				failed = append(failed, fmt.Errorf("prune project %s: %w", p.project, err))
			case more:
				next = append(next, p)
			}
		}
		todo = next
	}
	return errors.Join(append(failed, s.partitions.Tidy(ctx, now))...)
}

// pruneStep deletes one step of a project's events, or of its keys, in one transaction, and reports whether there may
// be more.
func (s *Store) pruneStep(ctx context.Context, p *pruning, now time.Time) (more bool, err error) {
	var oldest time.Time
	err = postgres.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		// Asked in every step: the limit may have been lifted since the last.
		days, err := s.q.ProjectRetentionDays(ctx, tx, p.project)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("load the limit: %w", err)
		}
		oldest = now.Add(-time.Duration(days) * 24 * time.Hour)
		if p.eventsDone {
			more, err = s.pruneKeys(ctx, tx, p, oldest.Add(-keyGrace))
			return err
		}
		more = true
		return s.pruneEvents(ctx, tx, p, events.FirstID(oldest))
	})
	if err == nil && p.eventsDone && p.deleted && s.pruned != nil {
		p.deleted = false
		err = s.pruned(ctx, p.project, oldest)
	}
	return more, err
}

// pruneEvents deletes the oldest events before the id. Each step starts where the last one ended: from the beginning,
// it would first pass everything that is deleted and not yet vacuumed.
func (s *Store) pruneEvents(ctx context.Context, tx pgx.Tx, p *pruning, before uuid.UUID) error {
	end, more, err := s.eventsStep(ctx, tx, p.project, p.from, before)
	if err != nil {
		return err
	}
	deleted, err := s.q.EventsDelete(ctx, tx, p.project, p.from, end)
	if err != nil {
		return fmt.Errorf("delete events: %w", err)
	}
	p.from, p.eventsDone, p.deleted = end, !more, p.deleted || deleted > 0
	return nil
}

// pruneKeys looks at the next keys of a project, deletes those that are older, and reports whether there are more. They
// are in no order of time, so all of them are looked at; they are few, because most events have a ts or no key.
func (s *Store) pruneKeys(ctx context.Context, tx pgx.Tx, p *pruning, before time.Time) (bool, error) {
	end, err := s.keysStep(ctx, tx, p.project, p.keyFrom)
	if err != nil {
		return false, err
	}
	if err := s.deleteKeys(ctx, tx, p.project, p.keyFrom, end, before); err != nil || end == nil {
		return false, err
	}
	p.keyFrom = *end
	return true, nil
}
