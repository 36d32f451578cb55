package history

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// An incremental export lists every event of a project once, in two stretches. The first is the history: the events of
// transactions below a horizon, which was that of PostgreSQL when the export began, so that none of them can be missing
// any more. It is read by id; events of later transactions are among them, and are left to the second stretch, which is
// the arrivals from the horizon on, in their order.
//
// The arrivals that it needs are kept while its project has a consumer "export". The horizon is read after that row is
// committed: whoever removes arrivals without having seen the row does so below a horizon that is no later.

// place is how far an export is.
type place struct {
	generation uuid.UUID // of the row that keeps arrivals
	// Up to this arrival everything is listed, and of the one behind it so many. During the history it is the last that
	// belongs to it: all of the last transaction below the horizon.
	xid  uint64
	seq  int64
	read uint32
	// The history is read up to one event, and ends with another; it is over when last is zero.
	after, last uuid.UUID
}

// afterAll is behind every arrival of a transaction.
const afterAll = math.MaxInt64

// ReceivedPage is one page of an incremental export.
type ReceivedPage struct {
	Events   []events.Event
	resume   place
	caughtUp bool // there is no more for now
}

// Received returns one page of an export, from the beginning when there is no place. It reads the primary.
//
// Errors: a problem cursor_expired when arrivals behind the place are gone.
func (r *Reader) Received(ctx context.Context, f *Filter, at *place) (page ReceivedPage, err error) {
	s := NewStore(r.reads.Primary())
	f = f.bounded()
	if at == nil {
		page, err = s.beginExport(ctx, f, r.limit)
	} else {
		page, err = s.export(ctx, f, at, r.limit)
	}
	if err != nil && ctx.Err() == nil && postgres.IsStatementTimeout(err) {
		return page, problem.Wrap(err, problem.CodeQueryTooHeavy, "Reading the page took longer than the %s it may take: ask for fewer events.", r.limit)
	}
	return page, err
}

// historySpan is what of the history is to be read, within the times that are asked for.
func (p *place) historySpan(f *Filter) span {
	whole := span{p.after, events.NextID(p.last)}
	if p.after != uuid.Nil {
		whole.from = events.NextID(p.after)
	}
	return whole.within(span{events.FirstID(f.Since), events.FirstID(ceilMilli(f.Until))})
}

// row is one of the history, and whether it is asked for.
type row struct {
	events.Event
	wanted bool
}

// takeHistory makes a page of rows of the history, of which newer are those that arrive in the second stretch.
func (p place) takeHistory(rows []row, newer map[uuid.UUID]bool, limit int) ReceivedPage {
	var page ReceivedPage
	for i := range rows {
		p.after = rows[i].ID
		if rows[i].wanted && !newer[rows[i].ID] {
			page.Events = append(page.Events, rows[i].Event)
		}
	}
	if len(rows) < limit {
		p.last, p.after = uuid.Nil, uuid.Nil
	}
	page.resume = p
	return page
}

// arrival is the events that one transaction stored.
type arrival struct {
	xid uint64
	seq int64
	ids []uuid.UUID
}

// takeArrivals returns the next ids, at most so many, the place behind them, and whether that is behind everything. all are
// at most maxRows arrivals behind the place.
func (p place) takeArrivals(all []arrival, limit, maxRows int) (ids []uuid.UUID, resume place, caughtUp bool) {
	for _, a := range all {
		left := a.ids[min(int(p.read), len(a.ids)):]
		if n := limit - len(ids); len(left) > n {
			p.read += uint32(n)
			return append(ids, left[:n]...), p, false
		}
		ids = append(ids, left...)
		p.xid, p.seq, p.read = a.xid, a.seq, 0
	}
	return ids, p, len(all) < maxRows
}

// inOrder returns events in the order of their ids; those that are gone, or not asked for, are left out.
func inOrder(ids []uuid.UUID, found []events.Event) []events.Event {
	at := make(map[uuid.UUID]int, len(ids))
	for i, id := range ids {
		at[id] = i
	}
	slices.SortFunc(found, func(x, y events.Event) int { return at[x.ID] - at[y.ID] })
	return found
}

// times returns the first and the last ts of some rows.
func times(rows []row) (first, last time.Time) {
	first, last = rows[0].TS, rows[0].TS
	for i := range rows {
		if rows[i].TS.Before(first) {
			first = rows[i].TS
		}
		if rows[i].TS.After(last) {
			last = rows[i].TS
		}
	}
	return first, last
}
