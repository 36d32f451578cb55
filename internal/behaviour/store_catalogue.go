package behaviour

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/unicode/norm"

	"github.com/bahagh/nimbus/gen/db"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

// EveryDay stands for all days together where the catalogue has a day.
const EveryDay = math.MaxInt32

// Tallies returns what the catalogue has of some names on a day, or on EveryDay.
func (w *Work) Tallies(ctx context.Context, day int32, names []string) ([]parts.Tally, error) {
	return w.store.tallies(ctx, w.tx, w.project, day, names)
}

func (s *Store) tallies(ctx context.Context, tx db.DBTX, project uuid.UUID, day int32, names []string) ([]parts.Tally, error) {
	rows, err := s.q.CatalogueOf(ctx, tx, project, day, names)
	if err != nil {
		return nil, fmt.Errorf("read the catalogue: %w", err)
	}
	return talliesOf(rows)
}

func talliesOf[T db.CatalogueOfRow | db.CataloguePropRow](rows []T) ([]parts.Tally, error) {
	all := make([]parts.Tally, len(rows))
	for i := range rows {
		r := db.CatalogueOfRow(rows[i])
		all[i] = parts.Tally{
			Name: r.Name, Prop: r.Prop, Events: r.Events, First: r.FirstSeen.UnixMicro(), Last: r.LastSeen.UnixMicro(),
			Nulls: r.Nulls, Booleans: r.Booleans, Numbers: r.Numbers, Strings: r.Strings, Structures: r.Structures,
			Large: r.Large, Min: r.MinNumber, Max: r.MaxNumber, Unlisted: r.Unlisted,
		}
		var listed []listed
		if err := json.Unmarshal(r.Listed, &listed); err != nil {
			return nil, fmt.Errorf("read the values of a prop: %w", err)
		}
		for _, v := range listed {
			all[i].Values = append(all[i].Values, parts.Counted(v))
		}
	}
	return all, nil
}

// listed is a value as the catalogue keeps it: [kind, text, events].
type listed parts.Counted

// MarshalJSON implements json.Marshaler.
func (l listed) MarshalJSON() ([]byte, error) {
	return json.Marshal([3]any{l.Value.Kind, l.Value.Text, l.Events})
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *listed) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[3]any{&l.Value.Kind, &l.Value.Text, &l.Events})
}

// SetTallies puts what the events of a day, or of EveryDay, have into the catalogue. Values are kept of single days only.
func (w *Work) SetTallies(ctx context.Context, day int32, tallies []parts.Tally) error {
	p := db.CatalogueSetParams{ProjectID: w.project, Day: day}
	for i := range tallies {
		t := &tallies[i]
		searched := t.Prop
		if searched == "" {
			searched = t.Name
		}
		values := make([]listed, 0, len(t.Values))
		for _, v := range t.Values {
			if day != EveryDay {
				values = append(values, listed(v))
			}
		}
		text, err := json.Marshal(values)
		if err != nil {
			return fmt.Errorf("write the values of a prop: %w", err)
		}
		p.Names, p.Props, p.Folded = append(p.Names, t.Name), append(p.Props, t.Prop), append(p.Folded, Fold(searched))
		p.Events, p.Unlisted = append(p.Events, t.Events), append(p.Unlisted, t.Unlisted)
		p.FirstSeen = append(p.FirstSeen, time.UnixMicro(t.First))
		p.LastSeen = append(p.LastSeen, time.UnixMicro(t.Last))
		p.Nulls, p.Booleans = append(p.Nulls, t.Nulls), append(p.Booleans, t.Booleans)
		p.Numbers, p.Strings = append(p.Numbers, t.Numbers), append(p.Strings, t.Strings)
		p.Structures, p.Large = append(p.Structures, t.Structures), append(p.Large, t.Large)
		p.MinNumber, p.MaxNumber = append(p.MinNumber, t.Min), append(p.MaxNumber, t.Max)
		p.Listed = append(p.Listed, string(text))
	}
	if len(tallies) == 0 {
		return nil
	}
	if err := w.store.q.CatalogueSet(ctx, w.tx, p); err != nil {
		return fmt.Errorf("write the catalogue: %w", err)
	}
	return nil
}

// Fold returns a text as the catalogue is searched: without case and accents.
func Fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(s))
}

// Names is how many names the catalogue has; that of events of any name is one of them.
func (w *Work) Names(ctx context.Context) (int, error) {
	n, err := w.store.q.CatalogueNames(ctx, w.tx, w.project)
	if err != nil {
		return 0, fmt.Errorf("count the names of the catalogue: %w", err)
	}
	return int(n), nil
}

// Uncatalogue takes the days from one to before another out of the catalogue.
func (w *Work) Uncatalogue(ctx context.Context, from, to int32) error {
	q := w.store.q
	names, err := q.CatalogueDelete(ctx, w.tx, w.project, from, to)
	if err == nil && len(names) > 0 {
		if err = q.CatalogueForget(ctx, w.tx, w.project, names); err == nil {
			err = q.CatalogueRecount(ctx, w.tx, w.project, names)
		}
	}
	if err != nil {
		return fmt.Errorf("take days out of the catalogue: %w", err)
	}
	return nil
}

// Uncatalogued returns the days of which the catalogue has not as many events as their parts: those whose parts an earlier
// release built.
func (s *Store) Uncatalogued(ctx context.Context, project uuid.UUID) ([]int32, error) {
	days, err := s.q.CatalogueUnequal(ctx, s.pool, project)
	if err != nil {
		return nil, fmt.Errorf("compare the catalogue with the parts: %w", err)
	}
	return days, nil
}

// Catalogue is the catalogue of a project in one snapshot.
type Catalogue struct {
	store   *Store
	tx      db.DBTX
	project uuid.UUID
}

// Catalogue runs fn with the catalogue of a project. No statement of it runs longer than limit.
func (s *Store) Catalogue(ctx context.Context, project uuid.UUID, limit time.Duration, fn func(*Catalogue) error) error {
	return postgres.InSnapshot(ctx, s.pool, limit, func(tx pgx.Tx) error { return fn(&Catalogue{s, tx, project}) })
}

// Latest returns the events that arrived last and are in no part, and so not in the catalogue: some more than so many, the
// last transaction's whole.
func (c *Catalogue) Latest(ctx context.Context, events int) ([]StoredEvent, error) {
	at, err := c.store.cursor(ctx, c.tx, c.project)
	if err != nil {
		return nil, err
	}
	rows, err := c.store.q.ArrivalsLatest(ctx, c.tx, db.ArrivalsLatestParams{
		ProjectID: c.project, XID: at.xid(), Seq: at.Seq, MaxRows: int32(events),
	})
	if err != nil {
		return nil, fmt.Errorf("read arrivals: %w", err)
	}
	var ids []uuid.UUID
	for _, r := range rows {
		if len(ids) >= events {
			break
		}
		for _, id := range r.EventIDs {
			if !slices.Contains(r.Built, DayOf(id)) {
				ids = append(ids, id)
			}
		}
	}
	slices.SortFunc(ids, func(x, y uuid.UUID) int { return slices.Compare(x[:], y[:]) })
	return c.store.eventsByID(ctx, c.tx, c.project, slices.Compact(ids))
}

// Events returns the most frequent names whose folded form contains a text, at most so many, and besides them those of
// some names that are there.
func (c *Catalogue) Events(ctx context.Context, search string, names []string, limit int) ([]parts.Tally, error) {
	rows, err := c.store.q.CatalogueEvents(ctx, c.tx, db.CatalogueEventsParams{
		ProjectID: c.project, Search: search, Names: names, MaxRows: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("read the names of the catalogue: %w", err)
	}
	all := make([]parts.Tally, len(rows))
	for i, r := range rows {
		all[i] = parts.Tally{Name: r.Name, Events: r.Events, First: r.FirstSeen.UnixMicro(), Last: r.LastSeen.UnixMicro()}
	}
	return all, nil
}

// Volumes returns how many events of some names the days from one on have, by name and day.
func (c *Catalogue) Volumes(ctx context.Context, names []string, since int32) (map[string]map[int32]int64, error) {
	rows, err := c.store.q.CatalogueVolumes(ctx, c.tx, c.project, names, since)
	if err != nil {
		return nil, fmt.Errorf("read the volumes of the catalogue: %w", err)
	}
	volumes := make(map[string]map[int32]int64, len(names))
	for _, r := range rows {
		if volumes[r.Name] == nil {
			volumes[r.Name] = make(map[int32]int64)
		}
		volumes[r.Name][r.Day] = r.Events
	}
	return volumes, nil
}

// Props returns what the events of a name have, on all days together; the name is empty for events of any name.
func (c *Catalogue) Props(ctx context.Context, name string) ([]parts.Tally, error) {
	return c.store.tallies(ctx, c.tx, c.project, EveryDay, []string{name})
}

// Prop returns what the events of a name have of a prop on each of the last days that have it.
func (c *Catalogue) Prop(ctx context.Context, name, prop string, days int) ([]parts.Tally, error) {
	rows, err := c.store.q.CatalogueProp(ctx, c.tx, db.CataloguePropParams{
		ProjectID: c.project, Name: name, Prop: prop, MaxRows: int32(days),
	})
	if err != nil {
		return nil, fmt.Errorf("read a prop of the catalogue: %w", err)
	}
	return talliesOf(rows)
}
