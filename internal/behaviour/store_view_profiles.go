package behaviour

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
		arg := db.ProfileMembersParams{ProjectID: v.project, Names: names, MaxRows: pageProfiles}
		return everyPage("read profiles", func() ([]db.ProfileMembersRow, error) { return v.store.q.ProfileMembers(ctx, tx, arg) },
			func(r *db.ProfileMembersRow) {
				fn(uint32(r.No), r.Existing, r.Members)
				arg.After = r.No
			})
	})
}

// everyPage calls fn with every row that read returns, pageProfiles at a time: fn has the next page begin after its row.
func everyPage[Row any](what string, read func() ([]Row, error), fn func(*Row)) error {
	for {
		rows, err := read()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		for i := range rows {
			fn(&rows[i])
		}
		if len(rows) < pageProfiles {
			return nil
		}
	}
}

// GroupsSince returns the groups of a type whose profiles were not yet what is stored at a moment, in microseconds since 1970, or of
// which operations are pending.
func (v *View) GroupsSince(ctx context.Context, kind string, asOf int64) (groups []events.Subject, err error) {
	err = v.with(ctx, func(tx db.DBTX) error {
		keys, err := v.store.q.GroupsSince(ctx, tx, v.project, kind, time.UnixMicro(min(asOf, farthest)))
		if err != nil {
			return fmt.Errorf("find groups: %w", err)
		}
		groups = groupsOf(kind, keys)
		return nil
	})
	return groups, err
}

// GroupMembers is ProfileMembers of the groups of a type, by key.
func (v *View) GroupMembers(ctx context.Context, kind string, names []string, fn func(key string, exists bool, members []string)) error {
	return v.with(ctx, func(tx db.DBTX) error {
		arg := db.GroupMembersParams{ProjectID: v.project, GroupType: kind, Names: names, MaxRows: pageProfiles}
		return everyPage("read groups", func() ([]db.GroupMembersRow, error) { return v.store.q.GroupMembers(ctx, tx, arg) },
			func(r *db.GroupMembersRow) {
				fn(r.Key, r.Existing, r.Members)
				arg.After = r.Key
			})
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

// PersonsFound returns the numbers whose keys contain a text, without case and accents.
func (v *View) PersonsFound(ctx context.Context, search string) (numbers []uint32, err error) {
	err = v.with(ctx, func(tx db.DBTX) error {
		rows, err := v.store.q.PersonsSearch(ctx, tx, v.project, search)
		for _, no := range rows {
			numbers = append(numbers, uint32(no))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search people: %w", err)
	}
	loose := slices.Collect(maps.Keys(v.loose))
	texts := make([]string, len(loose))
	for i, no := range loose {
		texts[i] = v.loose[no].Key
	}
	found, err := v.TextsFound(ctx, search, texts)
	for _, i := range found {
		numbers = append(numbers, loose[i])
	}
	return numbers, err
}

// ProfilesFound returns the numbers in whose stored profile the name or the address contains a text, likewise.
func (v *View) ProfilesFound(ctx context.Context, search string) (numbers []uint32, err error) {
	err = v.with(ctx, func(tx db.DBTX) error {
		rows, err := v.store.q.ProfilesSearch(ctx, tx, v.project, search)
		for _, no := range rows {
			numbers = append(numbers, uint32(no))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search profiles: %w", err)
	}
	return numbers, nil
}

// TextsFound returns which of some texts contain a text, likewise.
func (v *View) TextsFound(ctx context.Context, search string, texts []string) (found []int, err error) {
	err = v.with(ctx, func(tx db.DBTX) (err error) {
		found, err = v.store.textsFound(ctx, tx, search, texts)
		return err
	})
	return found, err
}

// TextsFound returns which of some texts contain a text, without case and accents.
func (s *Store) TextsFound(ctx context.Context, search string, texts []string) ([]int, error) {
	return s.textsFound(ctx, s.pool, search, texts)
}

func (s *Store) textsFound(ctx context.Context, tx db.DBTX, search string, texts []string) (found []int, err error) {
	if len(texts) == 0 {
		return nil, nil
	}
	rows, err := s.q.TextsSearch(ctx, tx, texts, search)
	if err != nil {
		return nil, fmt.Errorf("search texts: %w", err)
	}
	for _, n := range rows {
		found = append(found, int(n)-1)
	}
	return found, nil
}

// Find returns the number of somebody whom a key names; false when nobody is called so.
func (v *View) Find(ctx context.Context, key PersonKey) (no uint32, found bool, err error) {
	for no, k := range v.loose {
		if k == key {
			return no, true, nil
		}
	}
	err = v.with(ctx, func(tx db.DBTX) error {
		numbers, _, err := v.store.find(ctx, tx, v.project, []PersonKey{key})
		no, found = numbers[key]
		return err
	})
	return no, found, err
}

// EventsAt returns, for some moments in microseconds since 1970, the props of the first event that somebody with one of the keys
// did at each.
func (v *View) EventsAt(ctx context.Context, moments []int64, keys []PersonKey) ([][]byte, error) {
	arg := db.EventsOfMomentsParams{ProjectID: v.project, UserIDs: []string{}, AnonymousIDs: []string{}}
	for i, at := range moments {
		first := events.FirstID(time.UnixMicro(at))
		arg.Ns, arg.IdsFrom = append(arg.Ns, int32(i)), append(arg.IdsFrom, first)
		arg.IdsTo = append(arg.IdsTo, events.FirstID(time.UnixMicro(at).Add(time.Millisecond)))
	}
	for _, k := range keys {
		if k.Kind == User {
			arg.UserIDs = append(arg.UserIDs, k.Key)
		} else {
			arg.AnonymousIDs = append(arg.AnonymousIDs, k.Key)
		}
	}
	props := make([][]byte, len(moments))
	if len(moments) == 0 {
		return props, nil
	}
	err := v.with(ctx, func(tx db.DBTX) error {
		rows, err := v.store.q.EventsOfMoments(ctx, tx, arg)
		for _, r := range rows {
			if r.TS.UnixMicro() == moments[r.N] && props[r.N] == nil {
				props[r.N] = r.Props
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read events of sessions: %w", err)
	}
	return props, nil
}

// ProfileTime is when something was said of an id for the first time.
type ProfileTime struct {
	No      uint32
	Since   int64 // in microseconds since 1970
	Deleted bool  // a profile of it was deleted
}

// ProfileTimes calls fn with every id of a person about which something was said before a moment, in microseconds since 1970.
func (v *View) ProfileTimes(ctx context.Context, asOf int64, fn func(ProfileTime)) error {
	loose := make(map[PersonKey]uint32, len(v.loose))
	for no, key := range v.loose {
		loose[key] = no
	}
	return v.with(ctx, func(tx db.DBTX) error {
		arg := db.ProfileTimesParams{ProjectID: v.project, AsOf: time.UnixMicro(min(asOf, farthest)), MaxRows: pageProfiles}
		return everyPage("read when profiles began", func() ([]db.ProfileTimesRow, error) { return v.store.q.ProfileTimes(ctx, tx, arg) },
			func(r *db.ProfileTimesRow) {
				no := uint32(r.No)
				if no == 0 {
					no = loose[PersonKey{PersonKind(r.Kind), r.Key}]
				}
				fn(ProfileTime{No: no, Since: r.Since.UnixMicro(), Deleted: r.Deleted})
				arg.AfterKind, arg.AfterKey = r.Kind, r.Key
			})
	})
}
