package catalogue

import (
	"context"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// The caps of a project's catalogue.
const (
	maxNames  = 10_000
	maxProps  = 1_000 // of a name
	MaxValues = 200   // of a prop and day, in Tallies too
)

// Add counts events that came into the parts of a day. The tallies are those of parts.Builder.
func Add(ctx context.Context, w *behaviour.Work, day int32, tallies []parts.Tally) error {
	totals, err := w.Tallies(ctx, behaviour.EveryDay, namesOf(tallies))
	if err != nil {
		return err
	}
	if tallies, err = admitted(ctx, w, totals, tallies); err != nil {
		return err
	}
	if err := w.SetTallies(ctx, behaviour.EveryDay, merged(totals, tallies)); err != nil {
		return err
	}
	ofDay, err := w.Tallies(ctx, day, namesOf(tallies))
	if err != nil {
		return err
	}
	return w.SetTallies(ctx, day, merged(ofDay, tallies))
}

// Clear takes a day out of the catalogue, before its parts are built anew.
func Clear(ctx context.Context, w *behaviour.Work, day int32) error {
	return w.Uncatalogue(ctx, day, day+1)
}

// key is what a tally is of.
type key struct{ name, prop string }

func keyOf(t *parts.Tally) key { return key{t.Name, t.Prop} }

// namesOf returns the names, each once.
func namesOf(tallies []parts.Tally) []string {
	var names []string
	for i := range tallies {
		if tallies[i].Prop == "" {
			names = append(names, tallies[i].Name)
		}
	}
	return names
}

// admitted leaves out the tallies that would take the catalogue beyond its caps: what is in it already goes first.
func admitted(ctx context.Context, w *behaviour.Work, totals, tallies []parts.Tally) ([]parts.Tally, error) {
	known, props := make(map[key]bool, len(totals)), make(map[string]int)
	for i := range totals {
		known[keyOf(&totals[i])] = true
		props[totals[i].Name]++
	}
	room := -1 // how many names more there may be, once it is known
	left := make(map[string]bool)
	var out []parts.Tally
	for i := range tallies {
		t := &tallies[i]
		switch {
		case left[t.Name]:
			continue
		case known[keyOf(t)], t.Name == "" && t.Prop == "":
		case t.Prop == "":
			if room < 0 {
				names, err := w.Names(ctx)
				if err != nil {
					return nil, err
				}
				room = max(0, maxNames-names)
			}
			if room == 0 {
				left[t.Name] = true
				continue
			}
			room--
		case props[t.Name] > maxProps: // one of them is the name itself
			continue
		}
		if !known[keyOf(t)] {
			props[t.Name]++
		}
		out = append(out, *t)
	}
	return out, nil
}

// merged returns the tallies together with what was there of the same.
func merged(before, tallies []parts.Tally) []parts.Tally {
	was := make(map[key]*parts.Tally, len(before))
	for i := range before {
		was[keyOf(&before[i])] = &before[i]
	}
	out := make([]parts.Tally, len(tallies))
	for i := range tallies {
		t := &tallies[i]
		if b := was[keyOf(t)]; b != nil {
			out[i] = *b
		} else {
			out[i] = parts.Tally{Name: t.Name, Prop: t.Prop}
		}
		out[i].Merge(t, MaxValues)
	}
	return out
}
