package behaviour

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// Operation is a change of a profile as it is stored.
type Operation struct {
	ID             uuid.UUID
	TS, ReceivedAt time.Time
	Position       int
	Of             events.Subject
	AnonymousID    string // that came with a user id; empty when there was none
	Op             events.ProfileOp
	Props          json.RawMessage
	Names          []string
}

// KnownAt says whether the operation applied already at a moment, in microseconds since 1970.
func (o *Operation) KnownAt(asOf int64) bool {
	return o.TS.UnixMicro() < asOf && o.ReceivedAt.UnixMicro() < asOf
}

// Subject is the person as operations name him.
func (k PersonKey) Subject() events.Subject {
	return events.Subject{Kind: events.SubjectKind(k.Kind), Key: k.Key}
}

// Key is the person whom the subject names; its kind is 0 when it is a group.
func keyOf(of events.Subject) PersonKey {
	if of.Kind == events.Group {
		return PersonKey{}
	}
	return PersonKey{PersonKind(of.Kind), of.Key}
}

// event is the operation as far as it says who is whom.
func (o *Operation) event() StoredEvent {
	e := StoredEvent{ID: o.ID, TS: o.TS, ReceivedAt: o.ReceivedAt}
	switch o.Of.Kind {
	case events.User:
		e.UserID, e.AnonymousID = o.Of.Key, o.AnonymousID
	case events.Anonymous:
		e.AnonymousID = o.Of.Key
	case events.Group:
	}
	return e
}

func eventsOfOperations(operations []Operation) []StoredEvent {
	all := make([]StoredEvent, len(operations))
	for i := range operations {
		all[i] = operations[i].event()
	}
	return all
}

func operationOf(r db.ProfileOperationsOfRow) Operation {
	return Operation{ID: r.ID, TS: r.TS, ReceivedAt: r.ReceivedAt, Position: int(r.Position), AnonymousID: r.AnonymousID,
		Of: events.Subject{Kind: events.SubjectKind(r.Kind), GroupType: r.GroupType, Key: r.Key},
		Op: events.ProfileOp(r.Op), Props: r.Props, Names: r.Names}
}

// Profile is what is known of a person or a group: all stored operations on it that are not pending, applied.
type Profile struct {
	Of         events.Subject
	No         uint32 // of the person; 0 of a group
	Exists     bool   // false after a delete with nothing since
	Props      json.RawMessage
	Search     string // what a search finds it by, beside its key; written only
	Operations int64
	KnownAt    time.Time // before it not all of the operations were known
	Last       Operation // the last one in the order, of which only its place is kept
}

// NextPending returns the first project after another that has operations in no profile.
func (s *Store) NextPending(ctx context.Context, after uuid.UUID) (project uuid.UUID, found bool, err error) {
	return s.first(ctx, after, s.q.ProfilePendingProjectAfter)
}

// Pending says how many operations of all projects are in no profile yet.
func (s *Store) Pending(ctx context.Context) (int64, error) {
	n, err := s.q.ProfilePendingEverywhere(ctx, s.pool)
	if err != nil {
		return 0, fmt.Errorf("count pending operations: %w", err)
	}
	return n, nil
}

func (s *Store) pending(ctx context.Context, tx db.DBTX, project uuid.UUID, most int) ([]Operation, error) {
	rows, err := s.q.ProfilePending(ctx, tx, project, int32(most))
	if err != nil {
		return nil, fmt.Errorf("read pending operations: %w", err)
	}
	all := make([]Operation, len(rows))
	for i, r := range rows {
		all[i] = operationOf(db.ProfileOperationsOfRow(r))
	}
	return all, nil
}

// subjectColumns are subjects as the arrays of a query.
func subjectColumns(of []events.Subject) (kinds []int16, types, keys []string) {
	kinds, types, keys = make([]int16, len(of)), make([]string, len(of)), make([]string, len(of))
	for i, s := range of {
		kinds[i], types[i], keys[i] = int16(s.Kind), s.GroupType, s.Key
	}
	return kinds, types, keys
}

func (s *Store) operations(ctx context.Context, tx db.DBTX, project uuid.UUID, of []events.Subject) ([]Operation, error) {
	if len(of) == 0 {
		return nil, nil
	}
	kinds, types, keys := subjectColumns(of)
	rows, err := s.q.ProfileOperationsOf(ctx, tx, db.ProfileOperationsOfParams{
		ProjectID: project, Kinds: kinds, GroupTypes: types, Keys: keys})
	if err != nil {
		return nil, fmt.Errorf("read profile operations: %w", err)
	}
	all := make([]Operation, len(rows))
	for i, r := range rows {
		all[i] = operationOf(r)
	}
	return all, nil
}

func (s *Store) profiles(ctx context.Context, tx db.DBTX, project uuid.UUID, of []events.Subject) ([]Profile, error) {
	if len(of) == 0 {
		return nil, nil
	}
	kinds, types, keys := subjectColumns(of)
	rows, err := s.q.ProfilesOf(ctx, tx, db.ProfilesOfParams{ProjectID: project, Kinds: kinds, GroupTypes: types, Keys: keys})
	if err != nil {
		return nil, fmt.Errorf("read profiles: %w", err)
	}
	all := make([]Profile, len(rows))
	for i, r := range rows {
		all[i] = Profile{Of: events.Subject{Kind: events.SubjectKind(r.Kind), GroupType: r.GroupType, Key: r.Key}, Exists: r.Existing,
			Props: r.Props, Operations: r.Operations, KnownAt: r.KnownAt,
			Last: Operation{TS: r.LastTS, ReceivedAt: r.LastReceived, Position: int(r.LastPosition), ID: r.LastID}}
		if r.No != nil {
			all[i].No = uint32(*r.No)
		}
	}
	return all, nil
}

// Pending returns operations that are in no profile, some at a time.
func (w *Work) Pending(ctx context.Context, most int) ([]Operation, error) {
	return w.store.pending(ctx, w.tx, w.project, most)
}

// NumberOperations is Number for those whom operations name.
func (w *Work) NumberOperations(ctx context.Context, operations []Operation) (map[PersonKey]uint32, error) {
	return w.Number(ctx, eventsOfOperations(operations))
}

// Operations returns all operations on some profiles, in the order in which they apply.
func (w *Work) Operations(ctx context.Context, of []events.Subject) ([]Operation, error) {
	return w.store.operations(ctx, w.tx, w.project, of)
}

// Profiles returns the profiles of some subjects.
func (w *Work) Profiles(ctx context.Context, of []events.Subject) ([]Profile, error) {
	return w.store.profiles(ctx, w.tx, w.project, of)
}

// Applied stores profiles in which operations are no longer pending.
func (w *Work) Applied(ctx context.Context, profiles []Profile, numbers map[PersonKey]uint32, operations []Operation) error {
	arg := db.ProfilesPutParams{ProjectID: w.project}
	for i := range profiles {
		p := &profiles[i]
		arg.Kinds, arg.GroupTypes = append(arg.Kinds, int16(p.Of.Kind)), append(arg.GroupTypes, p.Of.GroupType)
		arg.Keys, arg.Numbers = append(arg.Keys, p.Of.Key), append(arg.Numbers, int32(numbers[keyOf(p.Of)]))
		arg.Existing, arg.Props = append(arg.Existing, p.Exists), append(arg.Props, p.Props)
		arg.Searches, arg.Operations = append(arg.Searches, p.Search), append(arg.Operations, p.Operations)
		arg.KnownAt, arg.LastTS = append(arg.KnownAt, p.KnownAt), append(arg.LastTS, p.Last.TS)
		arg.LastReceived = append(arg.LastReceived, p.Last.ReceivedAt)
		arg.LastPositions, arg.LastIDs = append(arg.LastPositions, int32(p.Last.Position)), append(arg.LastIDs, p.Last.ID)
	}
	ids := make([]uuid.UUID, len(operations))
	for i := range operations {
		ids[i] = operations[i].ID
	}
	err := w.store.q.ProfilesPut(ctx, w.tx, arg)
	if err == nil {
		err = w.store.q.ProfilePendingDelete(ctx, w.tx, w.project, ids)
	}
	if err != nil {
		return fmt.Errorf("store profiles: %w", err)
	}
	return nil
}

// Merge says that a user is another one, for all time; it returns since when that is said. Said again it stays as it is.
func (w *Work) Merge(ctx context.Context, id uuid.UUID, from, into PersonKey) (at time.Time, err error) {
	numbers, err := w.Number(ctx, []StoredEvent{{UserID: from.Key}, {UserID: into.Key}})
	if err != nil {
		return at, err
	}
	at, err = w.store.q.MergePut(ctx, w.tx, db.MergePutParams{
		ProjectID: w.project, ID: id, Merged: int32(numbers[from]), IntoNo: int32(numbers[into])})
	if err != nil {
		return at, fmt.Errorf("merge people: %w", err)
	}
	return at, nil
}

// Unmerge takes a merge back; false when there is none.
func (w *Work) Unmerge(ctx context.Context, id uuid.UUID) (bool, error) {
	n, err := w.store.q.MergeDelete(ctx, w.tx, w.project, id)
	if err != nil {
		return false, fmt.Errorf("undo a merge: %w", err)
	}
	return n > 0, nil
}

// Tx is the transaction, for what must be there with it or not at all.
func (w *Work) Tx() pgx.Tx { return w.tx }

// Merged is a merge in force.
type Merged struct {
	ID         uuid.UUID
	From, Into string // user ids
	At         time.Time
}

// Merges returns the merges of a project, in their order.
func (s *Store) Merges(ctx context.Context, project uuid.UUID) ([]Merged, error) {
	rows, err := s.q.MergesList(ctx, s.pool, project)
	if err != nil {
		return nil, fmt.Errorf("read merges: %w", err)
	}
	all := make([]Merged, len(rows))
	for i, r := range rows {
		all[i] = Merged{r.ID, r.Merged, r.IntoKey, r.CreatedAt}
	}
	return all, nil
}

// GroupData is what is stored of some groups: their profiles, and all operations on those of which some are pending.
type GroupData struct {
	Profiles   []Profile
	Operations []Operation
	Last       string // the last key that was looked at; empty when there are no more
}

// Groups returns the next groups of a type that have a profile or may have one, by key, as many as most. A search leaves out those
// whose key, name and address do not contain it, as far as they are not pending.
func (s *Store) Groups(ctx context.Context, project uuid.UUID, kind, search, after string, most int) (d GroupData, err error) {
	return s.groups(ctx, project, func(tx db.DBTX) ([]string, error) {
		keys, err := s.q.GroupsPage(ctx, tx, db.GroupsPageParams{
			ProjectID: project, GroupType: kind, After: after, Search: search, MaxRows: int32(most + 1)})
		if err != nil {
			return nil, fmt.Errorf("list groups: %w", err)
		}
		if len(keys) > most {
			keys = keys[:most]
			d.Last = keys[most-1]
		}
		return keys, nil
	}, kind, &d)
}

// Group returns what is stored of a group.
func (s *Store) Group(ctx context.Context, project uuid.UUID, kind, key string) (GroupData, error) {
	return s.groups(ctx, project, func(db.DBTX) ([]string, error) { return []string{key}, nil }, kind, &GroupData{})
}

func (s *Store) groups(
	ctx context.Context, project uuid.UUID, find func(db.DBTX) ([]string, error), kind string, d *GroupData,
) (GroupData, error) {
	err := postgres.InSnapshot(ctx, s.pool, groupsTime, func(tx pgx.Tx) error {
		keys, err := find(tx)
		if err != nil {
			return err
		}
		if d.Profiles, err = s.profiles(ctx, tx, project, groupsOf(kind, keys)); err != nil {
			return err
		}
		pending, err := s.q.ProfilePendingGroups(ctx, tx, project, kind, keys)
		if err != nil {
			return fmt.Errorf("read pending operations: %w", err)
		}
		d.Operations, err = s.operations(ctx, tx, project, groupsOf(kind, pending))
		return err
	})
	return *d, err
}

// groupsOf are the groups of a type with these keys.
func groupsOf(kind string, keys []string) []events.Subject {
	of := make([]events.Subject, len(keys))
	for i, key := range keys {
		of[i] = events.Subject{Kind: events.Group, GroupType: kind, Key: key}
	}
	return of
}

// groupsTime bounds a statement about groups.
const groupsTime = 10 * time.Second

// ForgetSubject erases what was said of a person or a group.
func (w *Work) ForgetSubject(ctx context.Context, of events.Subject) error {
	q := w.store.q
	ids, err := q.ProfileOperationsForget(ctx, w.tx, db.ProfileOperationsForgetParams{
		ProjectID: w.project, Kind: int16(of.Kind), GroupType: of.GroupType, Key: of.Key})
	if err == nil {
		err = q.ProfilePendingDelete(ctx, w.tx, w.project, ids)
	}
	if err == nil {
		err = q.ProfileForget(ctx, w.tx, db.ProfileForgetParams{
			ProjectID: w.project, Kind: int16(of.Kind), GroupType: of.GroupType, Key: of.Key})
	}
	if err != nil {
		return fmt.Errorf("forget a profile: %w", err)
	}
	return nil
}
