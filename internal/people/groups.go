package people

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/events"
)

// Groups are what is known of companies, workspaces and the like.
type Groups struct{ store *behaviour.Store }

// NewGroups returns the Groups of a store.
func NewGroups(store *behaviour.Store) *Groups { return &Groups{store} }

// GroupProfile is a group with its profile.
type GroupProfile struct {
	Key     string
	Profile Profile
}

// List returns the next groups of a type that have a profile, by key, and the key to go on after; empty when there are no more. A
// page may be short of most.
func (g *Groups) List(ctx context.Context, project uuid.UUID, kind, search, after string, most int) ([]GroupProfile, string, error) {
	d, err := g.store.Groups(ctx, project, kind, search, after, most)
	if err != nil {
		return nil, "", err
	}
	all, anew, err := groupsOf(&d)
	if err != nil || search == "" {
		return all, d.Last, err
	}
	var texts []string
	for key := range anew {
		texts = append(texts, key)
	}
	slices.Sort(texts)
	said := make([]string, len(texts))
	for i, key := range texts {
		at, _ := slices.BinarySearchFunc(all, key, func(g GroupProfile, key string) int { return strings.Compare(g.Key, key) })
		if said[i] = key; at < len(all) && all[at].Key == key {
			said[i] += "\n" + searchText(all[at].Profile)
		}
	}
	found, err := g.store.TextsFound(ctx, search, said)
	if err != nil {
		return nil, "", err
	}
	all = slices.DeleteFunc(all, func(p GroupProfile) bool {
		i, pending := slices.BinarySearch(texts, p.Key)
		return pending && !slices.Contains(found, i)
	})
	return all, d.Last, nil
}

// Get returns a group; false when nothing is known of it.
func (g *Groups) Get(ctx context.Context, project uuid.UUID, kind, key string) (GroupProfile, bool, error) {
	d, err := g.store.Group(ctx, project, kind, key)
	if err != nil {
		return GroupProfile{}, false, err
	}
	all, _, err := groupsOf(&d)
	if err != nil || len(all) == 0 {
		return GroupProfile{}, false, err
	}
	return all[0], true, nil
}

// GroupValues calls fn with every group of a type that has a profile as of a moment, in microseconds since 1970, and the values of
// some of its properties, in the order of names. The values are valid during the call only.
func GroupValues(
	ctx context.Context, v *behaviour.View, kind string, asOf int64, names []string, fn func(key string, values []parts.Value),
) error {
	of, err := v.GroupsSince(ctx, kind, asOf)
	if err != nil {
		return err
	}
	stored, err := v.Operations(ctx, of)
	if err != nil {
		return err
	}
	anew := make(map[string][]behaviour.Operation, len(of))
	for _, group := range of {
		anew[group.Key] = nil
	}
	for i := range stored {
		if o := &stored[i]; o.KnownAt(asOf) {
			anew[o.Of.Key] = append(anew[o.Of.Key], *o)
		}
	}
	values := make([]parts.Value, len(names))
	for key, list := range anew {
		p, exists, err := madeOf(list)
		if err != nil {
			return err
		}
		if !exists {
			continue
		}
		if err := valuesOf(values, p, names); err != nil {
			return err
		}
		fn(key, values)
	}
	var failed error
	err = v.GroupMembers(ctx, kind, names, func(key string, exists bool, members []string) {
		if _, made := anew[key]; failed != nil || !exists || made {
			return
		}
		if failed = storedValues(values, members); failed == nil {
			fn(key, values)
		}
	})
	return cmp.Or(err, failed)
}

// groupsOf are the groups that have a profile, by key, and those whose profile was made anew.
func groupsOf(d *behaviour.GroupData) (all []GroupProfile, anew map[string]bool, err error) {
	anew = make(map[string]bool)
	by := make(map[events.Subject][]behaviour.Operation)
	for i := range d.Operations {
		of := d.Operations[i].Of
		anew[of.Key] = true
		by[of] = append(by[of], d.Operations[i])
	}
	for of, list := range by {
		p, exists, err := madeOf(list)
		if err != nil {
			return nil, nil, err
		}
		if exists {
			all = append(all, GroupProfile{of.Key, p})
		}
	}
	for i := range d.Profiles {
		p := &d.Profiles[i]
		if !p.Exists || anew[p.Of.Key] {
			continue
		}
		profile, err := ParseObject(p.Props)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, GroupProfile{p.Of.Key, profile})
	}
	slices.SortFunc(all, func(a, b GroupProfile) int { return strings.Compare(a.Key, b.Key) })
	return all, anew, nil
}
