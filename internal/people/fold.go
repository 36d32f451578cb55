package people

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/events"
)

// Folder keeps the current profile of everybody: it applies operations behind ingestion. A profile is derived, and readers apply by
// themselves what is pending, so nothing waits for it and nothing is lost with it.
type Folder struct {
	store *behaviour.Store
	step  int // how many operations one transaction applies
}

// NewFolder returns a Folder.
func NewFolder(store *behaviour.Store) *Folder { return &Folder{store, foldOperations} }

// foldOperations is enough to make a transaction worth it, and little enough to hold in memory.
const foldOperations = 5_000

// Round applies the operations of every project. It goes on with the next project when one fails, and returns all errors.
func (f *Folder) Round(ctx context.Context) error {
	return behaviour.EachProject(ctx, f.store.NextPending, func(ctx context.Context, project uuid.UUID) error {
		for {
			more, err := f.Fold(ctx, project)
			if err != nil {
				return fmt.Errorf("profiles of project %s: %w", project, err)
			}
			if !more {
				return nil
			}
		}
	})
}

// Fold applies the next operations of a project, and says whether there may be more.
func (f *Folder) Fold(ctx context.Context, project uuid.UUID) (more bool, err error) {
	err = f.store.Work(ctx, project, func(w *behaviour.Work) error {
		pending, err := w.Pending(ctx, f.step)
		if err != nil || len(pending) == 0 {
			return err
		}
		more = len(pending) == f.step
		numbers, err := w.NumberOperations(ctx, pending)
		if err != nil {
			return err
		}
		profiles, err := fold(ctx, w, pending)
		if err != nil {
			return err
		}
		return w.Applied(ctx, profiles, numbers, pending)
	})
	return more, err
}

// fold returns the profiles that operations change, with them. Those that come behind all that a profile has are applied to it; a
// profile with one that came late is made anew, of all that are stored and not pending for a later step.
func fold(ctx context.Context, w *behaviour.Work, pending []behaviour.Operation) ([]behaviour.Profile, error) {
	by := make(map[events.Subject][]behaviour.Operation)
	var of []events.Subject
	for i := range pending {
		if subject := pending[i].Of; by[subject] == nil {
			of = append(of, subject)
		}
		by[pending[i].Of] = append(by[pending[i].Of], pending[i])
	}
	stored, err := w.Profiles(ctx, of)
	if err != nil {
		return nil, err
	}
	known := make(map[events.Subject]*behaviour.Profile, len(stored))
	for i := range stored {
		known[stored[i].Of] = &stored[i]
	}
	profiles := make([]behaviour.Profile, 0, len(of))
	var late []events.Subject
	for _, subject := range of {
		slices.SortFunc(by[subject], compare)
		p := known[subject]
		if p == nil {
			p = &behaviour.Profile{Of: subject, Props: []byte("{}")}
		} else if compare(by[subject][0], p.Last) <= 0 { // equal: a profile made anew has it already
			late = append(late, subject)
			continue
		}
		if err := advance(p, by[subject]); err != nil {
			return nil, err
		}
		profiles = append(profiles, *p)
	}
	again, err := remake(ctx, w, late)
	return append(profiles, again...), err
}

// remake makes profiles anew, of all their operations. Those that another step would apply are among them: it finds them behind
// none and makes the profile once more, which changes nothing.
func remake(ctx context.Context, w *behaviour.Work, of []events.Subject) ([]behaviour.Profile, error) {
	operations, err := w.Operations(ctx, of)
	if err != nil {
		return nil, err
	}
	by := make(map[events.Subject][]behaviour.Operation, len(of))
	for i := range operations {
		by[operations[i].Of] = append(by[operations[i].Of], operations[i])
	}
	profiles := make([]behaviour.Profile, 0, len(of))
	for _, subject := range of {
		p := behaviour.Profile{Of: subject, Props: []byte("{}")}
		if err := advance(&p, by[subject]); err != nil {
			return nil, err
		}
		profiles = append(profiles, p)
	}
	return profiles, nil
}

// advance applies operations, which are in order and behind those that the profile has.
func advance(p *behaviour.Profile, operations []behaviour.Operation) error {
	props, err := ParseObject(p.Props)
	if err != nil {
		return err
	}
	list, err := operationsOf(operations)
	if err != nil {
		return err
	}
	props, p.Exists = props.with(p.Exists, list)
	if p.Props, err = props.JSON(); err != nil {
		return err
	}
	p.Search = searchText(props)
	p.Operations += int64(len(operations))
	for i := range operations {
		o := &operations[i]
		p.KnownAt = latest(p.KnownAt, o.TS, o.ReceivedAt)
		p.Last = *o
	}
	return nil
}

// compare is the order in which operations apply.
func compare(a, b behaviour.Operation) int {
	return cmp.Or(a.TS.Compare(b.TS), a.ReceivedAt.Compare(b.ReceivedAt), cmp.Compare(a.Position, b.Position),
		bytes.Compare(a.ID[:], b.ID[:]))
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// found are the properties that a search looks into, as the trackers and other vendors name them.
var found = []string{"name", "$name", "first_name", "firstName", "$first_name", "last_name", "lastName", "$last_name", "email", "$email"}

// searchText is the name and the address in a profile, each on a line.
func searchText(p Profile) string {
	var lines []string
	for _, name := range found {
		if text, ok := p[name].(string); ok && text != "" {
			lines = append(lines, text)
		}
	}
	return strings.Join(lines, "\n")
}
