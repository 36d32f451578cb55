package build

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/catalogue"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// Options bound what the builder does. The zero value is the default.
type Options struct {
	// StepEvents is how many events one transaction takes into parts; 50,000 when 0.
	StepEvents int
	// LeastEvents is how many have to be there before a step is worth it, unless one has waited for MaxWait; 2,000 and a
	// minute when 0. Until then questions read them by themselves.
	LeastEvents int
	MaxWait     time.Duration
	// PartRows and PartBytes bound a part while it is built; a million and 64 MiB when 0.
	PartRows  int
	PartBytes int
	// MergeParts is of how many parts one is made; 4 when 0.
	MergeParts int
	// KeepArrivals is how long arrivals wait for their consumers, see PruneArrivals; 7 days when 0.
	KeepArrivals time.Duration
	// SurveyEvery is how often Round looks at the days of all projects, see Survey; an hour when 0.
	SurveyEvery time.Duration
	// Share is how much of a core the builder takes, the rest of the time it rests; 0.5 when 0, at most 1.
	Share float64
	// Busy says whether ingestion needs the machine; nil: never. While it does, the builder takes a fifth of its share,
	// unless PatientEvents wait: every question reads those one by one. 250,000 when 0, which takes it about half a second.
	Busy          func() bool
	PatientEvents int

	Now    func() time.Time
	Rest   func(ctx context.Context, d time.Duration) error // waits; nil: a timer
	Logger *slog.Logger
}

func (o *Options) defaults() {
	for _, d := range []struct {
		value *int
		to    int
	}{{&o.StepEvents, 50_000}, {&o.LeastEvents, 2_000}, {
		&o.PartRows, 1_000_000,
	}, {&o.PartBytes, 64 << 20}, {&o.MergeParts, 4}, {&o.PatientEvents, 250_000}} {
		if *d.value == 0 {
			*d.value = d.to
		}
	}
	if o.MaxWait == 0 {
		o.MaxWait = time.Minute
	}
	if o.KeepArrivals == 0 {
		o.KeepArrivals = 7 * 24 * time.Hour
	}
	if o.SurveyEvery == 0 {
		o.SurveyEvery = time.Hour
	}
	if o.Share <= 0 || o.Share > 1 {
		o.Share = 0.5
	}
	if o.Busy == nil {
		o.Busy = func() bool { return false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rest == nil {
		o.Rest = rest
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Builder builds parts.
type Builder struct {
	store    *behaviour.Store
	o        Options
	surveyed atomic.Int64 // when, in nanoseconds since 1970; 0: not yet
}

// New returns a Builder.
func New(store *behaviour.Store, o Options) *Builder {
	o.defaults()
	return &Builder{store: store, o: o}
}

// Round brings the parts of every project up to date: days that are to be built anew, then what arrived, then merges.
// The first one, and then one an hour, begins with a Survey. It goes on with the next project when one fails, and
// returns all errors. A project for which nothing arrived costs nothing.
func (b *Builder) Round(ctx context.Context) error {
	var surveyed error
	if now := b.o.Now(); now.Sub(time.Unix(0, b.surveyed.Load())).Abs() >= b.o.SurveyEvery {
		if surveyed = b.Survey(ctx); surveyed == nil {
			b.surveyed.Store(now.UnixNano())
		}
	}
	return errors.Join(surveyed, b.each(ctx, b.store.NextWaiting, b.visit))
}

// each does something with the parts of one project after the other.
func (b *Builder) each(
	ctx context.Context, next func(context.Context, uuid.UUID) (uuid.UUID, bool, error),
	do func(context.Context, uuid.UUID) error,
) error {
	return behaviour.EachProject(ctx, next, func(ctx context.Context, project uuid.UUID) error {
		if err := do(ctx, project); err != nil {
			return fmt.Errorf("parts of project %s: %w", project, err)
		}
		return nil
	})
}

// visit brings the parts of a project up to date if there is enough to do.
func (b *Builder) visit(ctx context.Context, project uuid.UUID) error {
	backlog, err := b.store.Backlog(ctx, project)
	if err != nil || backlog.Begun && !backlog.Dirty && !b.worthwhile(backlog) {
		return err
	}
	return b.Project(ctx, project)
}

// worthwhile says whether a step is worth it.
func (b *Builder) worthwhile(backlog behaviour.Backlog) bool {
	return backlog.Events > 0 &&
		(backlog.Events >= int64(b.o.LeastEvents) || b.o.Now().Sub(backlog.Oldest) >= b.o.MaxWait)
}

// PruneArrivals removes arrivals that are too old at a time to wait for their consumers. The builder has missed them:
// their days are built anew.
func (b *Builder) PruneArrivals(ctx context.Context, now time.Time) error {
	return b.each(ctx, b.store.NextArrived, func(ctx context.Context, project uuid.UUID) error {
		return b.store.Work(ctx, project, func(w *behaviour.Work) error {
			return w.PruneArrivals(ctx, now.Add(-b.o.KeepArrivals))
		})
	})
}

// RemoveBefore removes the parts of events of a project that were deleted because they are older than a time. The day
// that this time is in is built anew.
func (b *Builder) RemoveBefore(ctx context.Context, project uuid.UUID, oldest time.Time) error {
	return b.store.Work(ctx, project, func(w *behaviour.Work) error {
		day := behaviour.DayAt(oldest)
		if err := w.RemoveBefore(ctx, day); err != nil {
			return err
		}
		return w.MarkDirty(ctx, []int32{day})
	})
}

// Project brings the parts of one project up to date.
func (b *Builder) Project(ctx context.Context, project uuid.UUID) error {
	if err := b.step(
		ctx, func() error { return b.store.Work(ctx, project, func(w *behaviour.Work) error { return w.Begin(ctx) }) },
	); err != nil {
		return err
	}
	for {
		backlog, err := b.store.Backlog(ctx, project)
		if err != nil {
			return err
		}
		if !b.worthwhile(backlog) {
			break
		}
		var n int
		if err := b.stepBehind(ctx, backlog.Events, func() (err error) { n, err = b.absorb(ctx, project); return err }); err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	days, err := b.store.Dirty(ctx, project)
	if err != nil {
		return err
	}
	for _, day := range days {
		if err := b.step(ctx, func() error { return b.Rebuild(ctx, project, day) }); err != nil {
			return err
		}
	}
	return b.mergeAll(ctx, project)
}

func (b *Builder) mergeAll(ctx context.Context, project uuid.UUID) error {
	for merged := true; merged; {
		if err := b.step(ctx, func() (err error) { merged, err = b.Merge(ctx, project); return err }); err != nil {
			return err
		}
	}
	return nil
}

// step does something and then rests for so long that the builder keeps to its share.
func (b *Builder) step(ctx context.Context, do func() error) error { return b.stepBehind(ctx, 0, do) }

// stepBehind is a step while so many events wait.
func (b *Builder) stepBehind(ctx context.Context, waiting int64, do func() error) error {
	start := b.o.Now()
	if err := do(); err != nil {
		return err
	}
	share := b.o.Share
	if b.o.Busy() && waiting < int64(b.o.PatientEvents) {
		share /= 5
	}
	if pause := time.Duration(float64(b.o.Now().Sub(start)) * (1 - share) / share); pause > 0 {
		return b.o.Rest(ctx, pause)
	}
	return nil
}

// absorb takes what arrived of a project into parts, as much as one step may, and says how many events that were: none when a
// transaction that began before them is still open.
func (b *Builder) absorb(ctx context.Context, project uuid.UUID) (events int, err error) {
	err = b.store.Work(ctx, project, func(w *behaviour.Work) error {
		arrivals, err := w.Arrivals(ctx, b.o.StepEvents)
		if err != nil || len(arrivals) == 0 {
			return err
		}
		var ids []uuid.UUID
		for _, a := range arrivals {
			events += len(a.IDs)
			for _, id := range a.IDs {
				if !slices.Contains(a.Built, behaviour.DayOf(id)) {
					ids = append(ids, id)
				}
			}
		}
		slices.SortFunc(ids, func(x, y uuid.UUID) int { return slices.Compare(x[:], y[:]) })
		found, err := w.Events(ctx, slices.Compact(ids))
		if err != nil {
			return err
		}
		if err := b.write(ctx, w, found); err != nil {
			return err
		}
		return w.Advance(ctx, arrivals[len(arrivals)-1].Cursor)
	})
	return events, err
}

// write stores events as parts of their days.
func (b *Builder) write(ctx context.Context, w *behaviour.Work, events []behaviour.StoredEvent) error {
	numbers, err := w.Number(ctx, events)
	if err != nil {
		return err
	}
	slices.SortStableFunc(
		events, func(x, y behaviour.StoredEvent) int { return int(behaviour.DayOf(x.ID)) - int(behaviour.DayOf(y.ID)) },
	)
	for start := 0; start < len(events); {
		day, end := behaviour.DayOf(events[start].ID), start+1
		for end < len(events) && behaviour.DayOf(events[end].ID) == day {
			end++
		}
		var p parts.Builder
		if err := behaviour.AddTo(&p, events[start:end], numbers); err != nil {
			return err
		}
		if err := addCatalogued(ctx, w, day, &p); err != nil {
			return err
		}
		start = end
	}
	return nil
}

// addCatalogued stores what was collected as a part of a day, and counts it in the catalogue.
func addCatalogued(ctx context.Context, w *behaviour.Work, day int32, p *parts.Builder) error {
	if err := catalogue.Add(ctx, w, day, p.Tallies(catalogue.MaxValues)); err != nil {
		return err
	}
	return w.Add(ctx, day, p.Encode())
}

// Rebuild builds the parts of a UTC day from its events.
func (b *Builder) Rebuild(ctx context.Context, project uuid.UUID, day int32) error {
	return b.store.Work(ctx, project, func(w *behaviour.Work) error {
		if err := w.Begin(ctx); err != nil {
			return err
		}
		old, err := w.Parts(ctx, day, day+1)
		if err != nil {
			return err
		}
		ids := make([]uuid.UUID, len(old))
		for i := range old {
			ids[i] = old[i].ID
		}
		if err := w.Remove(ctx, day, ids); err != nil {
			return err
		}
		if err := catalogue.Clear(ctx, w, day); err != nil {
			return err
		}
		var p parts.Builder
		err = w.EventsOf(ctx, day, func(events []behaviour.StoredEvent) error {
			numbers, err := w.Number(ctx, events)
			if err != nil {
				return err
			}
			if err := behaviour.AddTo(&p, events, numbers); err != nil {
				return err
			}
			if p.Rows() >= b.o.PartRows || p.Bytes() >= b.o.PartBytes {
				return addCatalogued(ctx, w, day, &p)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if p.Rows() > 0 {
			if err := addCatalogued(ctx, w, day, &p); err != nil {
				return err
			}
		}
		return w.Built(ctx, day)
	})
}

// Merge makes one part of several of a day, where a day has enough of them; false when none has.
func (b *Builder) Merge(ctx context.Context, project uuid.UUID) (bool, error) {
	days, err := b.store.Crowded(ctx, project)
	if err != nil {
		return false, err
	}
	today := behaviour.DayAt(b.o.Now())
	for _, d := range days {
		// Of a day that is over nothing much is to come: one part is read faster than two.
		least := b.o.MergeParts
		if d.Day < today-1 {
			least = 2
		}
		if d.Parts < least {
			continue
		}
		merged, err := b.mergeDay(ctx, project, d.Day, least)
		if err != nil || merged {
			return merged, err
		}
	}
	return false, nil
}

func (b *Builder) mergeDay(ctx context.Context, project uuid.UUID, day int32, least int) (merged bool, err error) {
	err = b.store.Work(ctx, project, func(w *behaviour.Work) error {
		all, err := w.Parts(ctx, day, day+1)
		if err != nil {
			return err
		}
		some := b.choose(all, least)
		if len(some) == 0 {
			return nil
		}
		var p parts.Builder
		ids := make([]uuid.UUID, len(some))
		for i := range some {
			ids[i] = some[i].ID
			if err := b.addPart(ctx, w, &p, &some[i]); err != nil {
				return err
			}
		}
		if err := w.Remove(ctx, day, ids); err != nil {
			return err
		}
		merged = true
		return w.Add(ctx, day, p.Encode())
	})
	if errors.Is(err, parts.ErrDamaged) || errors.Is(err, parts.ErrVersion) {
		b.o.Logger.Warn("a part cannot be read and is built anew from the events",
			"project", project, "day", behaviour.StartOf(day).Format(time.DateOnly), "error", err)
		return true, b.Rebuild(ctx, project, day)
	}
	return merged, err
}

// choose returns the parts that are to be one: the smallest ones, as many as are together no larger than a part may be
// and none of which is much larger than the others together. So every event is written again a few times only.
func (b *Builder) choose(all []behaviour.PartInfo, least int) []behaviour.PartInfo {
	slices.SortStableFunc(all, func(x, y behaviour.PartInfo) int { return x.Rows - y.Rows })
	rows, bytes, n := 0, int64(0), 0
	for _, p := range all {
		if rows+p.Rows > b.o.PartRows || bytes+p.Bytes > int64(b.o.PartBytes)/4 { // four times as large while it is built
			break
		}
		if n >= least && p.Rows > rows {
			break
		}
		rows, bytes, n = rows+p.Rows, bytes+p.Bytes, n+1
	}
	if n < least {
		return nil
	}
	return all[:n]
}

// addPart adds a stored part to one that is being built.
func (b *Builder) addPart(ctx context.Context, w *behaviour.Work, p *parts.Builder, info *behaviour.PartInfo) error {
	h, columns, err := readPart(ctx, w, info)
	if err != nil {
		return err
	}
	for i := range h.Chunks {
		err := p.AddChunk(h, i, func(column int) ([]byte, error) {
			e := h.Chunks[i].Columns[column]
			if e.Offset+e.Length > len(columns[column]) {
				return nil, parts.ErrDamaged
			}
			return columns[column][e.Offset : e.Offset+e.Length], nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func readPart(ctx context.Context, w *behaviour.Work, info *behaviour.PartInfo) (*parts.Header, [][]byte, error) {
	h, err := parts.ParseHeader(info.Header)
	if err != nil {
		return nil, nil, err
	}
	columns := make([][]byte, parts.FirstProp+len(h.Props))
	for k := range columns {
		length := 0
		for i := range h.Chunks {
			length += h.Chunks[i].Columns[k].Length
		}
		if length == 0 {
			continue
		}
		if columns[k], err = w.Column(ctx, info, k, length); err != nil {
			return nil, nil, err
		}
		if len(columns[k]) != length {
			return nil, nil, parts.ErrDamaged
		}
	}
	return h, columns, nil
}
