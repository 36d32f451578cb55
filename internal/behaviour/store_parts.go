package behaviour

import (
	"context"
	"fmt"
	"math"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// AddTo adds events to the part that is being built, under the numbers of their people.
func AddTo(b *parts.Builder, events []StoredEvent, numbers map[PersonKey]uint32) error {
	for i := range events {
		e := &events[i]
		err := b.Add(&parts.Event{
			ID: e.ID, Person: numbers[e.person()], TS: e.TS.UnixMicro(), Received: e.ReceivedAt.UnixMicro(),
			Name: e.Name, Props: e.Props,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// PartInfo is a stored part without its columns.
type PartInfo struct {
	Day    int32
	ID     uuid.UUID
	Rows   int
	Bytes  int64
	Header []byte // see parts.ParseHeader
}

// Parts returns the parts of the days from one to before another.
func (w *Work) Parts(ctx context.Context, from, to int32) ([]PartInfo, error) {
	return w.store.parts(ctx, w.tx, w.project, from, to)
}

func (s *Store) parts(ctx context.Context, tx db.DBTX, project uuid.UUID, from, to int32) ([]PartInfo, error) {
	rows, err := s.q.PartsOf(ctx, tx, project, from, to)
	if err != nil {
		return nil, fmt.Errorf("read parts: %w", err)
	}
	all := make([]PartInfo, len(rows))
	for i, r := range rows {
		all[i] = PartInfo{r.Day, r.ID, int(r.Rows), r.Bytes, r.Header}
	}
	return all, nil
}

// Add stores a part of a day.
func (w *Work) Add(ctx context.Context, day int32, p *parts.Part) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	header := p.Header.Append(nil)
	err = w.store.q.PartAdd(ctx, w.tx, db.PartAddParams{
		ProjectID: w.project, Day: day, ID: id, Rows: int32(p.Header.Rows), Bytes: int64(
			p.Size() + len(header),
		), Header: header,
	})
	for k := 0; k < len(p.Columns) && err == nil; k++ {
		if len(p.Columns[k]) > 0 {
			err = w.store.q.PartColumnAdd(
				ctx, w.tx, db.PartColumnAddParams{ProjectID: w.project, Day: day, PartID: id, Col: int32(k), Data: p.Columns[k]},
			)
		}
	}
	if err != nil {
		return fmt.Errorf("store a part: %w", err)
	}
	return nil
}

// Remove removes parts of a day.
func (w *Work) Remove(ctx context.Context, day int32, ids []uuid.UUID) error {
	err := w.store.q.PartColumnsDelete(ctx, w.tx, w.project, day, ids)
	if err == nil {
		err = w.store.q.PartsDelete(ctx, w.tx, w.project, day, ids)
	}
	if err != nil {
		return fmt.Errorf("remove parts: %w", err)
	}
	return nil
}

// Column returns a whole column of a stored part; no bytes when it is not there.
func (w *Work) Column(ctx context.Context, p *PartInfo, column, length int) ([]byte, error) {
	rows, err := w.store.q.PartSlices(ctx, w.tx, db.PartSlicesParams{
		Ns: []int32{0}, Days: []int32{p.Day}, PartIDs: []uuid.UUID{p.ID}, Columns: []int32{
			int32(column),
		}, Offsets: []int32{0},
		Lengths: []int32{int32(length)}, ProjectID: w.project,
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0].Data, nil
}

// Built says that the parts of a day were built from the events as this transaction sees them.
func (w *Work) Built(ctx context.Context, day int32) error {
	if err := w.store.q.PartDayBuilt(ctx, w.tx, w.project, day); err != nil {
		return fmt.Errorf("mark a day as built: %w", err)
	}
	return nil
}

// Crowded is a day with several parts.
type Crowded struct {
	Day   int32
	Parts int
}

// Crowded returns the days of a project that have several parts, those with most of them first.
func (s *Store) Crowded(ctx context.Context, project uuid.UUID) ([]Crowded, error) {
	rows, err := s.q.PartsCrowded(ctx, s.pool, project)
	if err != nil {
		return nil, fmt.Errorf("find days of several parts: %w", err)
	}
	all := make([]Crowded, len(rows))
	for i, r := range rows {
		all[i] = Crowded{r.Day, int(r.Parts)}
	}
	return all, nil
}

// MarkDirty says that days are to be built anew from the events.
func (s *Store) MarkDirty(ctx context.Context, project uuid.UUID, days []int32) error {
	return s.markDirty(ctx, s.pool, project, days)
}

// MarkDirty says that days are to be built anew from the events.
func (w *Work) MarkDirty(ctx context.Context, days []int32) error {
	return w.store.markDirty(ctx, w.tx, w.project, days)
}

func (s *Store) markDirty(ctx context.Context, tx db.DBTX, project uuid.UUID, days []int32) error {
	if err := s.q.PartDaysMark(ctx, tx, project, days); err != nil {
		return fmt.Errorf("mark days: %w", err)
	}
	return nil
}

// Unequal returns the days whose parts have not as many events as event_counts says, and that are not marked. What has
// arrived and is in no part is one reason: see Proven.
func (s *Store) Unequal(ctx context.Context, project uuid.UUID) ([]int32, error) {
	return s.unequal(ctx, s.pool, project)
}

// Unequal is that of Store.
func (w *Work) Unequal(ctx context.Context) ([]int32, error) {
	return w.store.unequal(ctx, w.tx, w.project)
}

func (s *Store) unequal(ctx context.Context, tx db.DBTX, project uuid.UUID) ([]int32, error) {
	days, err := s.q.PartDaysUnequal(ctx, tx, project)
	if err != nil {
		return nil, fmt.Errorf("compare parts with counts: %w", err)
	}
	return days, nil
}

// Size is what the parts of a project are together.
type Size struct {
	Days, Parts   int
	Events, Bytes int64
}

// Size returns what the parts of a project are together.
func (s *Store) Size(ctx context.Context, project uuid.UUID) (Size, error) {
	row, err := s.q.PartsSize(ctx, s.pool, project)
	if err != nil {
		return Size{}, fmt.Errorf("measure parts: %w", err)
	}
	return Size{int(row.Days), int(row.Parts), row.Rows, row.Bytes}, nil
}

// Dirty returns the days that are to be built anew, the latest first.
func (s *Store) Dirty(ctx context.Context, project uuid.UUID) ([]int32, error) {
	days, err := s.q.PartDaysDirty(ctx, s.pool, project)
	if err != nil {
		return nil, fmt.Errorf("find days to build: %w", err)
	}
	return days, nil
}

// Days returns the UTC days that have events or parts, in order.
func (s *Store) Days(ctx context.Context, project uuid.UUID) ([]int32, error) {
	days, err := s.q.PartDays(ctx, s.pool, project)
	if err != nil {
		return nil, fmt.Errorf("find days: %w", err)
	}
	return days, nil
}

// RemoveBefore removes all parts of days before one, also from the catalogue.
func (w *Work) RemoveBefore(ctx context.Context, day int32) error {
	err := w.store.q.PartColumnsDeleteBefore(ctx, w.tx, w.project, day)
	if err == nil {
		_, err = w.store.q.PartsDeleteBefore(ctx, w.tx, w.project, day)
	}
	if err == nil {
		err = w.store.q.PartDaysDeleteBefore(ctx, w.tx, w.project, day)
	}
	if err != nil {
		return fmt.Errorf("remove old parts: %w", err)
	}
	return w.Uncatalogue(ctx, math.MinInt32, day)
}

// RemoveProject removes everything that a project has here.
func (w *Work) RemoveProject(ctx context.Context) error {
	const everyDay = 1<<31 - 1
	if err := w.RemoveBefore(ctx, everyDay); err != nil {
		return err
	}
	q := w.store.q
	for _, remove := range []func(context.Context, db.DBTX, uuid.UUID) error{
		q.CatalogueDeleteAll,
		q.PersonsDeleteAll, q.PersonNumbersDeleteAll, q.ErasuresDeleteAll, q.PersonLinksDeleteAll, q.PersonMergesDeleteAll, q.ArrivalsDeleteAll, q.ArrivalCursorsDeleteAll,
		q.CohortPeopleDeleteAll,
		q.ProfilePendingDeleteAll, q.ProfilesDeleteAll, q.ProfileOperationsDeleteAll,
	} {
		if err := remove(ctx, w.tx, w.project); err != nil {
			return fmt.Errorf("remove the behaviour of a project: %w", err)
		}
	}
	return nil
}
