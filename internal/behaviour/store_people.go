package behaviour

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/db"
)

// Number returns the numbers of everybody whom events name, giving new people the next ones, and keeps which anonymous
// ids came with which users.
func (w *Work) Number(ctx context.Context, events []StoredEvent) (map[PersonKey]uint32, error) {
	keys := keysOf(events)
	numbers, missing, err := w.store.find(ctx, w.tx, w.project, keys)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		last, err := w.store.q.PersonsLast(ctx, w.tx, w.project)
		if err != nil {
			return nil, fmt.Errorf("read the last number: %w", err)
		}
		arg := db.PersonsAddParams{ProjectID: w.project}
		for i, k := range missing {
			no := last + 1 + int32(i)
			numbers[k] = uint32(no)
			arg.Kinds, arg.Keys, arg.Numbers = append(arg.Kinds, int16(k.Kind)), append(arg.Keys, k.Key), append(arg.Numbers, no)
		}
		if err := w.store.q.PersonsAdd(ctx, w.tx, arg); err != nil {
			return nil, fmt.Errorf("number people: %w", err)
		}
	}
	links := linksOf(events, numbers)
	if len(links) == 0 {
		return numbers, nil
	}
	arg := db.PersonLinksAddParams{ProjectID: w.project}
	for _, l := range links {
		arg.Anonymous, arg.People = append(arg.Anonymous, int32(l.anonymous)), append(arg.People, int32(l.user))
		arg.TS, arg.ReceivedAt, arg.EventIDs = append(arg.TS, l.event.TS), append(
			arg.ReceivedAt, l.event.ReceivedAt,
		), append(arg.EventIDs, l.event.ID)
	}
	if err := w.store.q.PersonLinksAdd(ctx, w.tx, arg); err != nil {
		return nil, fmt.Errorf("link people: %w", err)
	}
	return numbers, nil
}

// find returns the numbers of people, and those who have none.
func (s *Store) find(
	ctx context.Context, tx db.DBTX, project uuid.UUID, keys []PersonKey,
) (map[PersonKey]uint32, []PersonKey, error) {
	numbers := make(map[PersonKey]uint32, len(keys))
	if len(keys) == 0 {
		return numbers, nil, nil
	}
	kinds, texts := columnsOf(keys)
	rows, err := s.q.PersonsFind(ctx, tx, kinds, texts, project)
	if err != nil {
		return nil, nil, fmt.Errorf("find people: %w", err)
	}
	for _, r := range rows {
		numbers[PersonKey{PersonKind(r.Kind), r.Key}] = uint32(r.No)
	}
	var missing []PersonKey
	for _, k := range keys {
		if _, ok := numbers[k]; !ok {
			missing = append(missing, k)
		}
	}
	return numbers, missing, nil
}

// Forget forgets who somebody was, once his events are gone: his number is nobody's from then on, he is in no list, and nothing is
// linked to him any more. It is not for pruning: links stay when the events that told of them are too old to be kept.
func (w *Work) Forget(ctx context.Context, k PersonKey) error {
	if err := w.ForgetSubject(ctx, k.Subject()); err != nil {
		return err
	}
	if _, err := w.Unlist(ctx, k); err != nil {
		return err
	}
	q := w.store.q
	no, err := q.PersonForget(ctx, w.tx, w.project, int16(k.Kind), k.Key)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	for _, step := range []func(context.Context, db.DBTX, uuid.UUID, int32) error{
		q.PersonNumberUsed, q.PersonLinksForget, q.PersonMergesForget,
	} {
		if err == nil {
			err = step(ctx, w.tx, w.project, no)
		}
	}
	if err != nil {
		return fmt.Errorf("forget a person: %w", err)
	}
	return nil
}

// Unlist takes an id out of all lists, and says how many it was in.
func (w *Work) Unlist(ctx context.Context, k PersonKey) (int, error) {
	lists, err := w.store.q.CohortPeopleForget(ctx, w.tx, w.project, int16(k.Kind), k.Key)
	if err == nil && len(lists) > 0 {
		err = w.store.q.CohortsUnlist(ctx, w.tx, w.project, lists)
	}
	if err != nil {
		return 0, fmt.Errorf("take a person out of lists: %w", err)
	}
	return len(lists), nil
}
