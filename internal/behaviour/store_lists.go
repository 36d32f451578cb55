package behaviour

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/db"
)

// A list is people by the ids that events have, under the id of the cohort that it is of. It is not a list of numbers,
// because somebody may be in it before his first event.

// Listed returns the people of a list, by what an identity says: a user who was merged into another is that one, and an
// anonymous id its user. One that later events made somebody else is the person who is called by it.
func (v *View) Listed(ctx context.Context, list uuid.UUID, id *Identity) (*Set, error) {
	var arg db.CohortListedParams
	numbers := map[PersonKey]uint32{}
	for no, k := range v.loose {
		numbers[k] = no
		arg.Kinds, arg.Keys = append(arg.Kinds, int16(k.Kind)), append(arg.Keys, k.Key)
	}
	arg.ProjectID, arg.CohortID = v.project, list
	select {
	case tx := <-v.conns:
		defer func() { v.conns <- tx }()
		stored, err := v.store.q.CohortNumbers(ctx, tx, v.project, list)
		if err != nil {
			return nil, fmt.Errorf("read a list of people: %w", err)
		}
		out := &Set{}
		for _, no := range stored {
			out.Add(id.named(uint32(no)))
		}
		if len(arg.Keys) == 0 {
			return out, nil
		}
		loose, err := v.store.q.CohortListed(ctx, tx, arg)
		if err != nil {
			return nil, fmt.Errorf("read a list of people: %w", err)
		}
		for _, r := range loose {
			out.Add(id.named(numbers[PersonKey{PersonKind(r.Kind), r.Key}]))
		}
		return out, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Last is the highest number that anybody has.
func (v *View) Last() uint32 { return v.last }

// Stored is the highest number that stays: higher ones are of this view.
func (v *View) Stored() uint32 { return v.stored }

// Known returns which of some people have a number: they have an event, or had one.
func (v *View) Known(ctx context.Context, keys []PersonKey) (map[PersonKey]bool, error) {
	select {
	case tx := <-v.conns:
		defer func() { v.conns <- tx }()
		found, _, err := v.store.find(ctx, tx, v.project, keys)
		if err != nil {
			return nil, err
		}
		known := make(map[PersonKey]bool, len(found))
		for k := range found {
			known[k] = true
		}
		for _, k := range v.loose {
			known[k] = true
		}
		return known, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// AddListed puts people into a list and returns how many were not in it. tx is that of the caller.
func (s *Store) AddListed(ctx context.Context, tx db.DBTX, project, list uuid.UUID, keys []PersonKey) (int64, error) {
	kinds, texts := columnsOf(keys)
	n, err := s.q.CohortPeopleAdd(ctx, tx, db.CohortPeopleAddParams{ProjectID: project, CohortID: list, Kinds: kinds, Keys: texts})
	if err != nil {
		return 0, fmt.Errorf("add to a list of people: %w", err)
	}
	return n, nil
}

// RemoveListed takes people out of a list and returns how many were in it.
func (s *Store) RemoveListed(ctx context.Context, tx db.DBTX, project, list uuid.UUID, keys []PersonKey) (int64, error) {
	kinds, texts := columnsOf(keys)
	n, err := s.q.CohortPeopleRemove(ctx, tx, db.CohortPeopleRemoveParams{ProjectID: project, CohortID: list, Kinds: kinds, Keys: texts})
	if err != nil {
		return 0, fmt.Errorf("remove from a list of people: %w", err)
	}
	return n, nil
}

// KeepListed takes everybody else out of a list and returns how many they were.
func (s *Store) KeepListed(ctx context.Context, tx db.DBTX, project, list uuid.UUID, keys []PersonKey) (int64, error) {
	kinds, texts := columnsOf(keys)
	n, err := s.q.CohortPeopleKeep(ctx, tx, db.CohortPeopleKeepParams{ProjectID: project, CohortID: list, Kinds: kinds, Keys: texts})
	if err != nil {
		return 0, fmt.Errorf("remove from a list of people: %w", err)
	}
	return n, nil
}

// CountListed returns how many ids a list has.
func (s *Store) CountListed(ctx context.Context, tx db.DBTX, project, list uuid.UUID) (int64, error) {
	n, err := s.q.CohortPeopleCount(ctx, tx, project, list)
	if err != nil {
		return 0, fmt.Errorf("count a list of people: %w", err)
	}
	return n, nil
}

// ClearList removes a list.
func (s *Store) ClearList(ctx context.Context, tx db.DBTX, project, list uuid.UUID) error {
	if err := s.q.CohortPeopleClear(ctx, tx, project, list); err != nil {
		return fmt.Errorf("remove a list of people: %w", err)
	}
	return nil
}

// listPage is how many ids of a list are read at once.
const listPage = 10_000

// EachListed calls each with the ids of a list, in its order. What changes meanwhile is seen or not.
func (s *Store) EachListed(ctx context.Context, project, list uuid.UUID, each func(PersonKey) error) error {
	page := db.CohortPeopleParams{ProjectID: project, CohortID: list, Most: listPage}
	for {
		rows, err := s.q.CohortPeople(ctx, s.pool, page)
		if err != nil {
			return fmt.Errorf("read a list of people: %w", err)
		}
		for _, r := range rows {
			if err := each(PersonKey{PersonKind(r.Kind), r.Key}); err != nil {
				return err
			}
			page.AfterKind, page.AfterKey = r.Kind, r.Key
		}
		if len(rows) < listPage {
			return nil
		}
	}
}

func columnsOf(keys []PersonKey) (kinds []int16, texts []string) {
	kinds, texts = make([]int16, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		kinds[i], texts[i] = int16(k.Kind), k.Key
	}
	return kinds, texts
}
