package behaviour

import (
	"context"
	"fmt"
	"time"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/events"
)

// loadPending reads the operations that are in no profile, gives their people numbers and keeps whom they link.
func (l *loose) loadPending(ctx context.Context) error {
	v := l.view
	operations, err := v.store.pending(ctx, l.tx, v.project, maxLooseEvents+1)
	if err != nil {
		return err
	}
	if len(operations) > maxLooseEvents {
		return ErrBehind
	}
	said := eventsOfOperations(operations)
	if err := l.number(ctx, keysOf(said)); err != nil {
		return err
	}
	l.links = append(l.links, linksOf(said, l.numbers)...)
	v.pendingGroups = make(map[events.Subject]bool)
	for i := range operations {
		if key := keyOf(operations[i].Of); key.Kind != 0 {
			v.pendingPeople = append(v.pendingPeople, l.numbers[key])
		} else {
			v.pendingGroups[operations[i].Of] = true
		}
	}
	return nil
}

// with runs fn on whichever connection of the view is free.
func (v *View) with(ctx context.Context, fn func(tx db.DBTX) error) error {
	select {
	case tx := <-v.conns:
		defer func() { v.conns <- tx }()
		return fn(tx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// PendingPeople returns the numbers of those whose stored profile lacks operations, with repetitions.
func (v *View) PendingPeople() []uint32 { return v.pendingPeople }

// ProfilesSince returns the numbers of those whose profiles were not yet what is stored at a moment, in microseconds since 1970,
// and those of some numbers that have one.
func (v *View) ProfilesSince(ctx context.Context, asOf int64, of []uint32) (numbers []uint32, err error) {
	some := make([]int32, len(of))
	for i, no := range of {
		some[i] = int32(no)
	}
	err = v.with(ctx, func(tx db.DBTX) error {
		rows, err := v.store.q.ProfilesSince(ctx, tx, v.project, time.UnixMicro(min(asOf, farthest)), some)
		if err != nil {
			return fmt.Errorf("find profiles: %w", err)
		}
		for _, no := range rows {
			numbers = append(numbers, uint32(no))
		}
		return nil
	})
	return numbers, err
}

// farthest is a moment that PostgreSQL has and no event comes near, in microseconds since 1970.
const farthest = 9_000_000_000_000_000

// pageProfiles is how many profiles are read at once.
const pageProfiles = 20_000

// ProfileMembers calls fn with some members of every stored profile of a person, by number: as JSON, empty where there is none.
func (v *View) ProfileMembers(ctx context.Context, names []string, fn func(no uint32, exists bool, members []string)) error {
	return v.with(ctx, func(tx db.DBTX) error {
		after := int32(0)
		for {
			rows, err := v.store.q.ProfileMembers(ctx, tx, db.ProfileMembersParams{
				ProjectID: v.project, Names: names, After: after, MaxRows: pageProfiles})
			if err != nil {
				return fmt.Errorf("read profiles: %w", err)
			}
			for _, r := range rows {
				fn(uint32(r.No), r.Existing, r.Members)
				after = r.No
			}
			if len(rows) < pageProfiles {
				return nil
			}
		}
	})
}

// Operations returns all operations on some profiles, in the order in which they apply.
func (v *View) Operations(ctx context.Context, of []events.Subject) (all []Operation, err error) {
	err = v.with(ctx, func(tx db.DBTX) (err error) {
		all, err = v.store.operations(ctx, tx, v.project, of)
		return err
	})
	return all, err
}

// Profiles returns the stored profiles of some subjects.
func (v *View) Profiles(ctx context.Context, of []events.Subject) (all []Profile, err error) {
	err = v.with(ctx, func(tx db.DBTX) (err error) {
		all, err = v.store.profiles(ctx, tx, v.project, of)
		return err
	})
	return all, err
}
