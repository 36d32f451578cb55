package behaviour

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/rollups"
)

// Erasure is somebody who is being erased.
type Erasure struct {
	ProjectID   uuid.UUID
	ID          uuid.UUID
	RequestedAt time.Time
	Pieces      []Piece
	Events      int64 // deleted so far
}

// Erasures returns the people of a project who are being erased.
func (s *Store) Erasures(ctx context.Context, project uuid.UUID) ([]Erasure, error) {
	return s.erasures(ctx, s.pool, project)
}

// Erasures is that of Store.
func (w *Work) Erasures(ctx context.Context) ([]Erasure, error) {
	return w.store.erasures(ctx, w.tx, w.project)
}

func (s *Store) erasures(ctx context.Context, tx db.DBTX, project uuid.UUID) ([]Erasure, error) {
	rows, err := s.q.Erasures(ctx, tx, project)
	if err != nil {
		return nil, fmt.Errorf("find the people who are being erased: %w", err)
	}
	all := make([]Erasure, len(rows))
	for i, r := range rows {
		all[i] = Erasure{ProjectID: project, ID: r.ID, RequestedAt: r.RequestedAt, Events: r.Events}
		if err := json.Unmarshal(r.Pieces, &all[i].Pieces); err != nil {
			return nil, fmt.Errorf("read whom to erase: %w", err)
		}
	}
	return all, nil
}

// NextErasing returns the first project after another in which somebody is being erased.
func (s *Store) NextErasing(ctx context.Context, after uuid.UUID) (project uuid.UUID, found bool, err error) {
	return s.first(ctx, after, s.q.ErasuresProjectAfter)
}

// Erasing says how many people of all projects are being erased.
func (s *Store) Erasing(ctx context.Context) (int64, error) {
	n, err := s.q.ErasuresEverywhere(ctx, s.pool)
	if err != nil {
		return 0, fmt.Errorf("count the people who are being erased: %w", err)
	}
	return n, nil
}

// BeginErasure says that somebody is to be erased from now on.
func (w *Work) BeginErasure(ctx context.Context, x *Erasure) error {
	pieces, err := json.Marshal(x.Pieces)
	if err == nil {
		err = w.store.q.ErasureAdd(ctx, w.tx, db.ErasureAddParams{
			ProjectID: w.project, ID: x.ID, RequestedAt: x.RequestedAt, Pieces: pieces})
	}
	if err != nil {
		return fmt.Errorf("begin to erase a person: %w", err)
	}
	return nil
}

// EventsOfPieces returns the events of somebody at some moments, which are in order, in microseconds since 1970, by id.
func (v *View) EventsOfPieces(ctx context.Context, pieces []Piece, moments []int64) (found []events.Event, err error) {
	err = v.with(ctx, func(tx db.DBTX) (err error) {
		found, err = v.store.eventsOfPieces(ctx, tx, v.project, pieces, moments)
		return err
	})
	return found, err
}

// OperationsOfPieces returns the operations on somebody's profile, in the order in which they apply.
func (v *View) OperationsOfPieces(ctx context.Context, pieces []Piece) ([]Operation, error) {
	of := make([]events.Subject, len(pieces))
	for i := range pieces {
		of[i] = pieces[i].Key.Subject()
	}
	operations, err := v.Operations(ctx, of)
	return slices.DeleteFunc(operations, func(o Operation) bool {
		return !slices.ContainsFunc(pieces, func(p Piece) bool { return p.hasOperation(&o) })
	}), err
}

func (s *Store) eventsOfPieces(
	ctx context.Context, tx db.DBTX, project uuid.UUID, pieces []Piece, moments []int64,
) ([]events.Event, error) {
	arg := db.EventsOfPeopleParams{ProjectID: project, UserIDs: []string{}, AnonymousIDs: []string{}}
	for _, at := range moments { // an id begins with its millisecond
		at := time.UnixMicro(at).Truncate(time.Millisecond)
		if first, n := events.FirstID(at), len(arg.IdsFrom); n == 0 || arg.IdsFrom[n-1] != first {
			arg.IdsFrom, arg.IdsTo = append(arg.IdsFrom, first), append(arg.IdsTo, events.FirstID(at.Add(time.Millisecond)))
		}
	}
	for _, p := range pieces {
		if p.Key.Kind == User {
			arg.UserIDs = append(arg.UserIDs, p.Key.Key)
		} else {
			arg.AnonymousIDs = append(arg.AnonymousIDs, p.Key.Key)
		}
	}
	rows, err := s.q.EventsOfPeople(ctx, tx, arg)
	if err != nil {
		return nil, fmt.Errorf("read the events of a person: %w", err)
	}
	var found []events.Event
	for _, r := range rows {
		for _, e := range appendEvent(nil, db.EventsOfRangeRow{ID: r.ID, TS: r.TS, ReceivedAt: r.ReceivedAt, Name: r.Name,
			UserID: r.UserID, AnonymousID: r.AnonymousID, Props: r.Props}) {
			if slices.ContainsFunc(pieces, func(p Piece) bool { return p.has(&e) }) {
				found = append(found, events.Event{ProjectID: project, ID: e.ID, TS: e.TS, ReceivedAt: e.ReceivedAt, Seq: r.Seq,
					Name: e.Name, UserID: e.UserID, AnonymousID: e.AnonymousID, Props: e.Props})
			}
		}
	}
	return found, nil
}

// EraseEvents deletes the events of somebody at some moments, which are in order, in microseconds since 1970, takes them out of the
// counts, and has their days built anew, in one transaction. It returns how many there were.
func (s *Store) EraseEvents(ctx context.Context, x *Erasure, moments []int64) (deleted int64, err error) {
	var days []int32
	for _, at := range moments {
		if day, n := DayAt(time.UnixMicro(at)), len(days); n == 0 || days[n-1] != day {
			days = append(days, day)
		}
	}
	err = s.work(ctx, x.ProjectID, pgx.ReadCommitted, func(w *Work) error {
		// Also where there is nothing to delete: what has told of the moments was wrong then.
		if err := w.MarkDirty(ctx, days); err != nil {
			return err
		}
		if err := rollups.Lock(ctx, w.tx, w.project); err != nil {
			return err
		}
		found, err := s.eventsOfPieces(ctx, w.tx, w.project, x.Pieces, moments)
		if err != nil || len(found) == 0 {
			return err
		}
		ids := make([]uuid.UUID, len(found))
		for i := range found {
			ids[i] = found[i].ID
		}
		lo, hi := span(ids)
		rows, err := s.q.EventsErase(ctx, w.tx, db.EventsEraseParams{ProjectID: w.project, EventIDs: ids, IDFrom: lo, IDTo: hi})
		if err != nil {
			return fmt.Errorf("delete the events of a person: %w", err)
		}
		if deleted = int64(len(rows)); deleted == 0 {
			return nil
		}
		if err := s.q.ErasureProgress(ctx, w.tx, deleted, w.project, x.ID); err != nil {
			return fmt.Errorf("store the progress: %w", err)
		}
		var gone rollups.Counts
		for _, r := range rows {
			gone.Add(w.project, r.Name, r.TS)
		}
		return rollups.Subtract(ctx, w.tx, &gone)
	})
	return deleted, err
}

// EndErasure forgets somebody whose events are gone, and that he was to be erased.
func (w *Work) EndErasure(ctx context.Context, x *Erasure) error {
	for i := range x.Pieces {
		p := &x.Pieces[i]
		forget := w.forgetPiece
		if p.Split == nil {
			forget = func(ctx context.Context, p *Piece) error { return w.Forget(ctx, p.Key) }
		}
		if err := forget(ctx, p); err != nil {
			return err
		}
	}
	if err := w.store.q.ErasureDone(ctx, w.tx, w.project, x.ID); err != nil {
		return fmt.Errorf("end the erasure of a person: %w", err)
	}
	return nil
}

// forgetPiece forgets what was known by an anonymous id of which somebody else has a piece, too. The id keeps its number, and its
// profile is made anew of what is left.
func (w *Work) forgetPiece(ctx context.Context, p *Piece) error {
	if !p.Before { // he is the one who is called so
		if _, err := w.Unlist(ctx, p.Key); err != nil {
			return err
		}
	}
	of := []events.Subject{p.Key.Subject()}
	operations, err := w.Operations(ctx, of)
	if err != nil {
		return err
	}
	var his, rest, all []uuid.UUID
	for i := range operations {
		if o := &operations[i]; p.hasOperation(o) {
			his = append(his, o.ID)
		} else {
			rest = append(rest, o.ID)
		}
	}
	if len(his) == 0 {
		return nil
	}
	all = slices.Concat(his, rest)
	projects := make([]uuid.UUID, len(rest))
	for i := range projects {
		projects[i] = w.project
	}
	q := w.store.q
	for _, step := range []func() error{
		func() error { return q.ProfileOperationsErase(ctx, w.tx, w.project, his) },
		func() error { return q.ProfilePendingDelete(ctx, w.tx, w.project, all) },
		func() error {
			return q.ProfileForget(ctx, w.tx, db.ProfileForgetParams{ProjectID: w.project, Kind: int16(p.Key.Kind), Key: p.Key.Key})
		},
		func() error { return q.ProfilePendingAdd(ctx, w.tx, projects, rest) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("forget a part of a profile: %w", err)
		}
	}
	return nil
}
