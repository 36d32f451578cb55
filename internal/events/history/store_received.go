package history

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// beginExport begins an export, and lists its first page.
func (s *Store) beginExport(ctx context.Context, f *Filter, limit time.Duration) (page ReceivedPage, err error) {
	if err := s.keepArrivals(ctx, f.ProjectID); err != nil {
		return page, err
	}
	err = postgres.InSnapshot(ctx, s.pool, limit, func(tx pgx.Tx) error {
		kept, err := s.q.ExportKept(ctx, tx, f.ProjectID)
		if err != nil {
			return fmt.Errorf("begin an export: %w", err)
		}
		horizon, err := s.horizon(ctx, tx)
		if err != nil {
			return err
		}
		at := place{generation: kept.Generation, xid: horizon - 1, seq: afterAll}
		newest := (&Filter{ProjectID: f.ProjectID, Since: f.Since, Until: f.Until})
		last, err := s.page(ctx, tx, newest, newest.span(), 1)
		if err != nil {
			return err
		}
		if len(last) > 0 {
			at.last = last[0].ID
		}
		page, err = s.exportPage(ctx, tx, f, &at)
		return err
	})
	return page, err
}

// keepArrivals has the arrivals of a project kept for its exports, from now on.
func (s *Store) keepArrivals(ctx context.Context, project uuid.UUID) error {
	_, err := s.q.ExportKept(ctx, s.pool, project)
	if !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if err := s.q.ExportBegin(ctx, s.pool, project, uuid.New()); err != nil {
		return fmt.Errorf("keep arrivals: %w", err)
	}
	horizon, err := s.horizon(ctx, s.pool)
	if err == nil {
		err = s.q.ExportReady(ctx, s.pool, strconv.FormatUint(horizon-1, 10), project)
	}
	if err != nil {
		return fmt.Errorf("keep arrivals: %w", err)
	}
	return nil
}

// horizon is the transaction id below which no arrival can appear any more.
func (s *Store) horizon(ctx context.Context, tx db.DBTX) (uint64, error) {
	text, err := s.q.ArrivalsHorizon(ctx, tx)
	if err != nil {
		return 0, fmt.Errorf("read the horizon: %w", err)
	}
	return strconv.ParseUint(text, 10, 64)
}

// export lists the next page of an export.
func (s *Store) export(ctx context.Context, f *Filter, at *place, limit time.Duration) (page ReceivedPage, err error) {
	if err := s.q.ExportUsed(ctx, s.pool, f.ProjectID); err != nil {
		return page, fmt.Errorf("keep arrivals: %w", err)
	}
	err = postgres.InSnapshot(ctx, s.pool, limit, func(tx pgx.Tx) error {
		kept, err := s.q.ExportKept(ctx, tx, f.ProjectID)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("go on with an export: %w", err)
		}
		gone, parse := strconv.ParseUint(kept.XID, 10, 64)
		if err != nil || parse != nil || kept.Generation != at.generation ||
			cmp.Or(cmp.Compare(at.xid, gone), cmp.Compare(at.seq, kept.Seq)) < 0 {
			return problem.New(problem.CodeCursorExpired, "What arrived behind this cursor is no longer kept in order.")
		}
		page, err = s.exportPage(ctx, tx, f, at)
		return err
	})
	return page, err
}

func (s *Store) exportPage(ctx context.Context, tx db.DBTX, f *Filter, at *place) (ReceivedPage, error) {
	if at.last != uuid.Nil {
		return s.historyPage(ctx, tx, f, at)
	}
	horizon, err := s.horizon(ctx, tx)
	if err != nil {
		return ReceivedPage{}, err
	}
	rows, err := s.q.ExportArrivals(ctx, tx, db.ExportArrivalsParams{
		ProjectID: f.ProjectID, XID: strconv.FormatUint(at.xid, 10), Seq: at.seq,
		Horizon: strconv.FormatUint(horizon, 10), MaxRows: int32(f.Limit),
	})
	if err != nil {
		return ReceivedPage{}, fmt.Errorf("read arrivals: %w", err)
	}
	all := make([]arrival, len(rows))
	for i, r := range rows {
		xid, err := strconv.ParseUint(r.XID, 10, 64)
		if err != nil {
			return ReceivedPage{}, fmt.Errorf("read arrivals: %w", err)
		}
		all[i] = arrival{xid, r.Seq, r.EventIDs}
	}
	var page ReceivedPage
	var ids []uuid.UUID
	if ids, page.resume, page.caughtUp = at.takeArrivals(all, f.Limit, f.Limit); len(ids) == 0 {
		return page, nil
	}
	byID := func(x, y uuid.UUID) int { return bytes.Compare(x[:], y[:]) }
	found, err := fromRows(s.q.ExportEvents(ctx, ownPlan{tx}, db.ExportEventsParams{
		ProjectID: f.ProjectID, EventIDs: ids, IDFrom: slices.MinFunc(ids, byID), IDTo: slices.MaxFunc(ids, byID),
		Since: f.Since, Until: f.Until, Names: f.Names, UserID: f.UserID, Props: f.Props,
	}))
	page.Events = inOrder(ids, found)
	return page, err
}

// historyPage lists the next events of the history.
func (s *Store) historyPage(ctx context.Context, tx db.DBTX, f *Filter, at *place) (ReceivedPage, error) {
	ids := at.historySpan(f)
	found, err := s.q.ExportHistory(ctx, ownPlan{tx}, db.ExportHistoryParams{
		ProjectID: f.ProjectID, IDFrom: ids.from, IDTo: ids.to, Since: f.Since, Until: f.Until,
		Names: f.Names, UserID: f.UserID, Props: f.Props, PageSize: int32(f.Limit),
	})
	if err != nil {
		return ReceivedPage{}, fmt.Errorf("list events: %w", err)
	}
	rows := make([]row, len(found))
	for i := range found {
		rows[i] = row{fromRow(&found[i].Event), found[i].Wanted}
	}
	newer := map[uuid.UUID]bool{}
	if len(rows) > 0 {
		first, last := times(rows)
		arrived, err := s.q.ExportNewer(ctx, tx, db.ExportNewerParams{
			ProjectID: f.ProjectID, XID: strconv.FormatUint(at.xid+1, 10), Since: first, Until: last,
		})
		if err != nil {
			return ReceivedPage{}, fmt.Errorf("read arrivals: %w", err)
		}
		for _, ids := range arrived {
			for _, id := range ids {
				newer[id] = true
			}
		}
	}
	return at.takeHistory(rows, newer, f.Limit), nil
}
