package behaviour

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/rollups"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// ErrBehind says that too much is in no part to be read for one question: the events have to be asked themselves.
var ErrBehind = errors.New("too many events are not in parts yet")

// The bounds of what a question reads from the events themselves.
const (
	maxLooseEvents = 200_000
	maxLooseBytes  = 48 << 20
)

// View is the events of some days of a project in one snapshot: parts, and what is in none yet. It is the source of a
// scan.
type View struct {
	// Headers are the parts: first those stored, then those made for this view.
	Headers []*parts.Header
	// Unproven are the days whose parts did not have what event_counts says, so that the events were read instead. Their
	// parts are to be built anew: see MarkDirty.
	Unproven []int32
	// Loose is how many events were read by themselves.
	Loose int

	store   *Store
	project uuid.UUID
	loose   map[uint32]PersonKey // of people who have a number in this view only
	infos   []PartInfo           // of the first headers
	memory  []*parts.Part
	links   []link  // by anonymous id, in the order
	merges  []merge // in their order
	stored  uint32  // the highest number that is stored
	last    uint32  // the highest number that anybody has
	conns   chan db.DBTX

	pendingPeople []uint32                // of operations that are in no profile, with repetitions
	pendingGroups map[events.Subject]bool // likewise
}

// View runs fn with a view of the UTC days from one to before another. No statement of it runs longer than limit. days
// that are in doubt are read from the events: those whose part a scan found damaged.
//
// Errors: those of fn, ErrBehind.
func (s *Store) View(
	ctx context.Context, project uuid.UUID, from, to int32, limit time.Duration, doubt []int32, fn func(*View) error,
) error {
	return postgres.InSnapshot(ctx, s.pool, limit, func(tx pgx.Tx) error { return s.view(ctx, tx, project, from, to, doubt, fn) })
}

// View is that of Store, while no other one works on the parts.
func (w *Work) View(ctx context.Context, from, to int32, doubt []int32, fn func(*View) error) error {
	return w.store.view(ctx, w.tx, w.project, from, to, doubt, fn)
}

func (s *Store) view(
	ctx context.Context, tx db.DBTX, project uuid.UUID, from, to int32, doubt []int32, fn func(*View) error,
) error {
	v := &View{store: s, project: project, loose: map[uint32]PersonKey{}, conns: make(chan db.DBTX, 1)}
	if err := v.load(ctx, tx, from, to, doubt); err != nil {
		return err
	}
	v.conns <- tx
	return fn(v)
}

// load reads the headers, proves them, and makes parts of everything that is in none.
func (v *View) load(ctx context.Context, tx db.DBTX, from, to int32, doubt []int32) error {
	infos, err := v.store.parts(ctx, tx, v.project, from, to)
	if err != nil {
		return err
	}
	dirty, err := v.store.q.PartDaysDirty(ctx, tx, v.project)
	if err != nil {
		return fmt.Errorf("find days in doubt: %w", err)
	}
	doubtful := make(map[int32]bool)
	for _, day := range slices.Concat(dirty, doubt) {
		doubtful[day] = true
	}
	l := &loose{view: v, tx: tx, builders: map[int32]*parts.Builder{}, numbers: map[PersonKey]uint32{}}
	pending, elsewhere, err := v.pending(ctx, tx, from, to)
	if err != nil {
		return err
	}
	headers, err := v.prove(ctx, tx, from, to, infos, pending, doubtful)
	if err != nil {
		return err
	}
	for i := range infos {
		if !doubtful[infos[i].Day] {
			infos[i].Header = nil
			v.infos, v.Headers = append(v.infos, infos[i]), append(v.Headers, headers[i])
		}
	}
	pending = slices.DeleteFunc(pending, func(e StoredEvent) bool { return doubtful[DayOf(e.ID)] })
	if err := l.add(ctx, pending); err != nil {
		return err
	}
	if err := l.link(ctx, elsewhere); err != nil {
		return err
	}
	if err := l.loadPending(ctx); err != nil {
		return err
	}
	for day := range doubtful {
		if day < from || day >= to {
			continue
		}
		v.Unproven = append(v.Unproven, day)
		if err := v.store.eventsOf(
			ctx, tx, v.project, day, func(events []StoredEvent) error { return l.add(ctx, events) },
		); err != nil {
			return err
		}
	}
	slices.Sort(v.Unproven)
	return l.finish(ctx)
}

// counts is what event_counts has rows of.
type counts struct {
	day  int32
	name string
}

// count says how many events of each day and name parts have. Days of parts that cannot be read become doubtful.
func count(infos []PartInfo, doubtful map[int32]bool) (map[counts]int64, []*parts.Header) {
	counted, headers := make(map[counts]int64), make([]*parts.Header, len(infos))
	for i := range infos {
		h, err := parts.ParseHeader(infos[i].Header)
		if err != nil {
			doubtful[infos[i].Day] = true
			continue
		}
		headers[i] = h
		for k := range h.Chunks {
			counted[counts{infos[i].Day, h.Chunks[k].Name}] += int64(h.Chunks[k].Rows)
		}
	}
	return counted, headers
}

// pending returns the events of the days that arrived and are in no part. Of those of other days it returns the ids: they
// may say who somebody in these days is.
func (v *View) pending(ctx context.Context, tx db.DBTX, from, to int32) (_ []StoredEvent, elsewhere []uuid.UUID, _ error) {
	c, err := v.store.cursor(ctx, tx, v.project)
	if err != nil {
		return nil, nil, err
	}
	var ids []uuid.UUID
	for {
		all, err := v.store.arrivals(ctx, tx, v.project, c, nil)
		if err != nil {
			return nil, nil, err
		}
		for _, a := range all {
			for _, id := range a.IDs {
				switch day := DayOf(id); {
				case slices.Contains(a.Built, day):
				case day >= from && day < to:
					ids = append(ids, id)
				default:
					elsewhere = append(elsewhere, id)
				}
			}
			c = a.Cursor
		}
		if len(ids) > maxLooseEvents || len(elsewhere) > maxLooseEvents {
			return nil, nil, ErrBehind
		}
		if len(all) < maxArrivals {
			break
		}
	}
	slices.SortFunc(ids, func(x, y uuid.UUID) int { return slices.Compare(x[:], y[:]) })
	events, err := v.store.eventsByID(ctx, tx, v.project, slices.Compact(ids))
	return events, elsewhere, err
}

// prove finds the days of which event_counts does not say what parts and pending events are, and returns the headers of
// the parts.
func (v *View) prove(
	ctx context.Context, tx db.DBTX, from, to int32, infos []PartInfo, pending []StoredEvent, doubtful map[int32]bool,
) ([]*parts.Header, error) {
	counted, headers := count(infos, doubtful)
	for i := range pending {
		counted[counts{DayOf(pending[i].ID), pending[i].Name}]++
	}
	rows, err := v.store.q.PartCounts(ctx, tx, v.project, StartOf(from), StartOf(to))
	if err != nil {
		return nil, fmt.Errorf("read counts: %w", err)
	}
	uncounted := make(map[int32]int64) // events that are not counted under their name, less those counted under $other
	for _, r := range rows {
		key := counts{r.Day, r.Name}
		switch {
		case r.Name == rollups.Other: // parts have the event's own name
			uncounted[r.Day] -= r.Count
			continue
		case counted[key] < r.Count:
			doubtful[r.Day] = true
		}
		uncounted[r.Day] += counted[key] - r.Count
		delete(counted, key)
	}
	for key, n := range counted {
		uncounted[key.day] += n
	}
	for day, n := range uncounted {
		if n != 0 {
			doubtful[day] = true
		}
	}
	return headers, nil
}

// Proven says whether the parts of a day, and what arrived and is in none, are what event_counts says.
func (w *Work) Proven(ctx context.Context, day int32) (bool, error) {
	v := &View{store: w.store, project: w.project}
	infos, err := w.Parts(ctx, day, day+1)
	if err != nil {
		return false, err
	}
	pending, _, err := v.pending(ctx, w.tx, day, day+1)
	if err != nil {
		return false, err
	}
	doubtful := map[int32]bool{}
	_, err = v.prove(ctx, w.tx, day, day+1, infos, pending, doubtful)
	return !doubtful[day], err
}

// loose are events that are in no part, while parts are made of them.
type loose struct {
	view     *View
	tx       db.DBTX
	builders map[int32]*parts.Builder
	numbers  map[PersonKey]uint32
	links    []link
	last     uint32 // the highest number that anybody has
	counted  bool
}

func (l *loose) add(ctx context.Context, events []StoredEvent) error {
	if l.view.Loose += len(events); l.view.Loose > maxLooseEvents {
		return ErrBehind
	}
	if err := l.number(ctx, keysOf(events)); err != nil {
		return err
	}
	l.links = append(l.links, linksOf(events, l.numbers)...)
	size := 0
	for i := range events {
		day := DayOf(events[i].ID)
		b := l.builders[day]
		if b == nil {
			b = &parts.Builder{}
			l.builders[day] = b
		}
		if err := AddTo(b, events[i:i+1], l.numbers); err != nil {
			return err
		}
	}
	for _, b := range l.builders {
		size += b.Bytes()
	}
	if size > maxLooseBytes {
		return ErrBehind
	}
	return nil
}

// link takes who is whom from events of other days.
func (l *loose) link(ctx context.Context, ids []uuid.UUID) error {
	events, err := l.view.store.linksByID(ctx, l.tx, l.view.project, ids)
	if err != nil {
		return err
	}
	if err := l.number(ctx, keysOf(events)); err != nil {
		return err
	}
	l.links = append(l.links, linksOf(events, l.numbers)...)
	return nil
}

// number gives people numbers: those who have none, numbers behind all others, in this view only.
func (l *loose) number(ctx context.Context, keys []PersonKey) error {
	if err := l.count(ctx); err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(k PersonKey) bool { _, known := l.numbers[k]; return known })
	found, missing, err := l.view.store.find(ctx, l.tx, l.view.project, keys)
	if err != nil {
		return err
	}
	for k, no := range found {
		l.numbers[k] = no
	}
	for _, k := range missing {
		l.last++
		l.numbers[k] = l.last
		l.view.loose[l.last] = k
	}
	return nil
}

func (l *loose) count(ctx context.Context) error {
	if l.counted {
		return nil
	}
	last, err := l.view.store.q.PersonsLast(ctx, l.tx, l.view.project)
	if err != nil {
		return fmt.Errorf("read the last number: %w", err)
	}
	l.last, l.counted = uint32(last), true
	l.view.stored = l.last
	return nil
}

// finish makes parts of the events, and the identity of everybody.
func (l *loose) finish(ctx context.Context) error {
	if err := l.count(ctx); err != nil {
		return err
	}
	v := l.view
	for _, b := range l.builders {
		if p := b.Encode(); p != nil {
			v.memory, v.Headers = append(v.memory, p), append(v.Headers, p.Header)
		}
	}
	links, err := v.store.links(ctx, l.tx, v.project)
	if err != nil {
		return err
	}
	v.links = append(links, l.links...)
	slices.SortFunc(v.links, byAnonymous)
	merges, err := v.store.q.PersonMerges(ctx, l.tx, v.project)
	if err != nil {
		return fmt.Errorf("read merges: %w", err)
	}
	for _, m := range merges {
		v.merges = append(v.merges, merge{uint32(m.Merged), uint32(m.IntoNo)})
	}
	v.last = l.last
	return nil
}

// Identity says who is whom by what was known before a moment, in microseconds since 1970; 0 is by everything.
func (v *View) Identity(asOf int64) *Identity {
	known := v.links
	if asOf != 0 {
		known = slices.DeleteFunc(slices.Clone(known), func(l link) bool { return l.known() >= asOf })
	}
	if len(known)+len(v.merges) == 0 {
		return &Identity{}
	}
	id := identify(known, v.merges, v.last)
	return &id
}

func (s *Store) links(ctx context.Context, tx db.DBTX, project uuid.UUID) ([]link, error) {
	rows, err := s.q.PersonLinks(ctx, tx, project)
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	links := make([]link, len(rows))
	for i, r := range rows {
		links[i] = link{uint32(r.Anonymous), uint32(r.Person), StoredEvent{ID: r.EventID, TS: r.TS, ReceivedAt: r.ReceivedAt}}
	}
	return links, nil
}

// Keys returns how events name the people of these numbers.
func (v *View) Keys(ctx context.Context, numbers []uint32) (map[uint32]PersonKey, error) {
	keys, stored := make(map[uint32]PersonKey, len(numbers)), make([]int32, 0, len(numbers))
	for _, no := range numbers {
		if k, ok := v.loose[no]; ok {
			keys[no] = k
		} else {
			stored = append(stored, int32(no))
		}
	}
	select {
	case tx := <-v.conns:
		defer func() { v.conns <- tx }()
		rows, err := v.store.q.PersonKeys(ctx, tx, v.project, stored)
		if err != nil {
			return nil, fmt.Errorf("name people: %w", err)
		}
		for _, r := range rows {
			keys[uint32(r.No)] = PersonKey{PersonKind(r.Kind), r.Key}
		}
		return keys, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Day returns the UTC day of a part, by its index among the headers.
func (v *View) Day(part int) int32 { return DayAt(time.UnixMicro(v.Headers[part].MinTS)) }

// Read reads columns, as a scan's source.
func (v *View) Read(ctx context.Context, slicesOf []parts.Slice, each func(i int, data []byte) error) error {
	var arg db.PartSlicesParams
	for i, s := range slicesOf {
		if s.Part >= len(v.infos) {
			column := v.memory[s.Part-len(v.infos)].Columns[s.Column]
			if err := each(i, column[s.Offset:s.Offset+s.Length]); err != nil {
				return err
			}
			continue
		}
		info := &v.infos[s.Part]
		arg.Ns, arg.Days, arg.PartIDs = append(arg.Ns, int32(i)), append(arg.Days, info.Day), append(arg.PartIDs, info.ID)
		arg.Columns, arg.Offsets, arg.Lengths = append(
			arg.Columns, int32(s.Column),
		), append(arg.Offsets, int32(s.Offset)), append(arg.Lengths, int32(s.Length))
	}
	if len(arg.Ns) == 0 {
		return ctx.Err()
	}
	arg.ProjectID = v.project
	rows, err := v.slices(ctx, arg)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := each(int(r.N), r.Data); err != nil {
			return err
		}
	}
	return nil
}

// slices reads on whichever connection is free.
func (v *View) slices(ctx context.Context, arg db.PartSlicesParams) ([]db.PartSlicesRow, error) {
	select {
	case tx := <-v.conns:
		defer func() { v.conns <- tx }()
		rows, err := v.store.q.PartSlices(ctx, tx, arg)
		if err != nil {
			return nil, fmt.Errorf("read columns: %w", err)
		}
		return rows, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
