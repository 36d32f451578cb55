package catalogue

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

const (
	// looseEvents is how many of the events that are in no part yet an answer reads, the latest: a few milliseconds' worth.
	looseEvents = 2_000
	// valueDays is how many days of values are put together, the last that have the prop.
	valueDays = 90
)

// Service answers from the catalogue.
type Service struct {
	store *behaviour.Store
	limit time.Duration
	now   func() time.Time
}

// New returns a Service. limit bounds the time of one answer.
func New(store *behaviour.Store, limit time.Duration, now func() time.Time) *Service {
	return &Service{store: store, limit: limit, now: now}
}

// Event is a name.
type Event struct {
	Name        string
	Events      int64
	First, Last int64   // ts, in microseconds since 1970
	Days        []int64 // events of the days asked for, the last of which is today
}

// Events returns the most frequent names that contain a text, at most so many, with their volume on the last UTC days,
// and whether there are more.
func (s *Service) Events(ctx context.Context, project uuid.UUID, search string, limit, days int) (out []Event, more bool, err error) {
	search = behaviour.Fold(search)
	err = s.read(ctx, project, func(c *behaviour.Catalogue, loose []behaviour.StoredEvent, tallies []parts.Tally) error {
		var known []string
		for i := range tallies {
			if t := &tallies[i]; t.Prop == "" && t.Name != "" && strings.Contains(behaviour.Fold(t.Name), search) {
				known = append(known, t.Name)
			}
		}
		rows, err := c.Events(ctx, search, known, limit+1)
		if err != nil {
			return err
		}
		found := together(rows, tallies, func(t *parts.Tally) bool {
			return t.Prop == "" && t.Name != "" && slices.Contains(known, t.Name)
		})
		found, more = first(found, limit)
		out, err = s.volumes(ctx, c, loose, found, days)
		return err
	})
	return out, more, err
}

// volumes adds how many events each of the last days has.
func (s *Service) volumes(
	ctx context.Context, c *behaviour.Catalogue, loose []behaviour.StoredEvent, found []parts.Tally, days int,
) ([]Event, error) {
	out, names, at := make([]Event, len(found)), make([]string, len(found)), make(map[string]int, len(found))
	since := behaviour.DayAt(s.now()) - int32(days) + 1
	for i := range found {
		t := &found[i]
		out[i] = Event{t.Name, t.Events, t.First, t.Last, make([]int64, days)}
		names[i], at[t.Name] = t.Name, i
	}
	volumes, err := c.Volumes(ctx, names, since)
	if err != nil {
		return nil, err
	}
	add := func(name string, day int32, n int64) {
		if i, ok := at[name]; ok && day >= since && day < since+int32(days) {
			out[i].Days[day-since] += n
		}
	}
	for name, ofDays := range volumes {
		for day, n := range ofDays {
			add(name, day, n)
		}
	}
	for i := range loose {
		add(loose[i].Name, behaviour.DayOf(loose[i].ID), 1)
	}
	return out, nil
}

// Props returns the most frequent props of events that contain a text, at most so many, how many events there are, and
// whether there are more props. The name is empty for events of any name.
func (s *Service) Props(
	ctx context.Context, project uuid.UUID, name, search string, limit int,
) (out []parts.Tally, events int64, more bool, err error) {
	search = behaviour.Fold(search)
	err = s.read(ctx, project, func(c *behaviour.Catalogue, _ []behaviour.StoredEvent, tallies []parts.Tally) error {
		rows, err := c.Props(ctx, name)
		if err != nil {
			return err
		}
		all := together(rows, tallies, func(t *parts.Tally) bool { return t.Name == name })
		all = slices.DeleteFunc(all, func(t parts.Tally) bool {
			if t.Prop == "" {
				events = t.Events
			}
			return t.Prop == "" || !strings.Contains(behaviour.Fold(t.Prop), search)
		})
		out, more = first(all, limit)
		return nil
	})
	return out, events, more, err
}

// Values returns the most frequent values of a prop of events that contain a text, at most so many, how many events have
// a value that is not kept, and whether there are more values. They are of the last 90 days that have the prop. The name
// is empty for events of any name.
func (s *Service) Values(
	ctx context.Context, project uuid.UUID, name, prop, search string, limit int,
) (out []parts.Counted, unlisted int64, more bool, err error) {
	search = behaviour.Fold(search)
	err = s.read(ctx, project, func(c *behaviour.Catalogue, _ []behaviour.StoredEvent, tallies []parts.Tally) error {
		days, err := c.Prop(ctx, name, prop, valueDays)
		if err != nil {
			return err
		}
		counts := make(map[parts.Value]int64)
		for _, t := range slices.Concat(days, tallies) {
			if t.Name != name || t.Prop != prop {
				continue
			}
			unlisted += t.Unlisted
			for _, v := range t.Values {
				counts[v.Value] += v.Events
			}
		}
		out = []parts.Counted{}
		for v, n := range counts {
			if search == "" || strings.Contains(behaviour.Fold(string(v.JSON())), search) {
				out = append(out, parts.Counted{Value: v, Events: n})
			}
		}
		slices.SortFunc(out, parts.Counted.Compare)
		if more = len(out) > limit; more {
			out = out[:limit]
		}
		return nil
	})
	return out, unlisted, more, err
}

// read runs fn with the catalogue of a project, the latest events that are not in it, and what these have.
func (s *Service) read(
	ctx context.Context, project uuid.UUID,
	fn func(c *behaviour.Catalogue, loose []behaviour.StoredEvent, tallies []parts.Tally) error,
) error {
	return s.store.Catalogue(ctx, project, s.limit, func(c *behaviour.Catalogue) error {
		loose, err := c.Latest(ctx, looseEvents)
		if err != nil {
			return err
		}
		var b parts.Builder
		if err := behaviour.AddTo(&b, loose, nil); err != nil {
			return err
		}
		return fn(c, loose, b.Tallies(MaxValues))
	})
}

// together returns what the catalogue has together with those of the latest events that are wanted.
func together(rows, loose []parts.Tally, wanted func(*parts.Tally) bool) []parts.Tally {
	at := make(map[key]int, len(rows))
	for i := range rows {
		at[keyOf(&rows[i])] = i
	}
	for i := range loose {
		t := &loose[i]
		if !wanted(t) {
			continue
		}
		if k, ok := at[keyOf(t)]; ok {
			rows[k].Merge(t, 0)
		} else {
			rows = append(rows, *t)
		}
	}
	return rows
}

// first returns the most frequent ones, and whether there are more.
func first(all []parts.Tally, limit int) ([]parts.Tally, bool) {
	slices.SortFunc(all, func(x, y parts.Tally) int {
		return cmp.Or(cmp.Compare(y.Events, x.Events), strings.Compare(x.Name, y.Name), strings.Compare(x.Prop, y.Prop))
	})
	if len(all) > limit {
		return all[:limit], true
	}
	return all, false
}
