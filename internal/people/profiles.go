package people

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/events"
)

// Reader reads the profiles of people as of a moment from a view. A stored profile is that of one id. It is the person's where the
// person has no other id with a profile, and nothing of it is pending or later than the moment; the others are made of their
// operations.
type Reader struct {
	view     *behaviour.View
	identity *behaviour.Identity
	asOf     int64
	anew     map[uint32]Profile // by person; nil for one who has none as of the moment
	ids      *behaviour.Set     // whose operations made those
}

// NewReader returns a Reader for the people of an identity. as_of is in microseconds since 1970; NoAsOf is now.
func NewReader(ctx context.Context, v *behaviour.View, id *behaviour.Identity, asOf int64) (*Reader, error) {
	r := &Reader{view: v, identity: id, asOf: asOf, anew: map[uint32]Profile{}, ids: behaviour.NewSet()}
	numbers, err := v.ProfilesSince(ctx, asOf, r.moved())
	if err != nil {
		return nil, err
	}
	for _, no := range slices.Concat(numbers, v.PendingPeople()) {
		r.ids.Add(no)
		r.ids.Add(id.Canonical(no))
		if split, ok := id.Splits[no]; ok {
			r.ids.Add(split.To)
		}
	}
	keys, err := v.Keys(ctx, slices.Collect(r.ids.All()))
	if err != nil {
		return nil, err
	}
	of, no := make([]events.Subject, 0, len(keys)), make(map[events.Subject]uint32, len(keys))
	for n, k := range keys {
		of = append(of, k.Subject())
		no[k.Subject()] = n
	}
	stored, err := v.Operations(ctx, of)
	if err != nil {
		return nil, err
	}
	return r, r.make(stored, no)
}

// moved are the numbers that are not, or not always, their own.
func (r *Reader) moved() (numbers []uint32) {
	for no, to := range r.identity.Canon {
		if to != uint32(no) {
			numbers = append(numbers, uint32(no))
		}
	}
	return slices.AppendSeq(numbers, maps.Keys(r.identity.Splits))
}

// make makes profiles of operations, which are in order.
func (r *Reader) make(stored []behaviour.Operation, no map[events.Subject]uint32) error {
	by := make(map[uint32][]behaviour.Operation)
	for i := range stored {
		o := &stored[i]
		if !o.KnownAt(r.asOf) {
			continue
		}
		ts, received, n := o.TS.UnixMicro(), o.ReceivedAt.UnixMicro(), no[o.Of]
		person := r.identity.Canonical(n)
		if split, ok := r.identity.Splits[n]; ok && !split.BeforeID(ts, received, o.ID) {
			person = split.To
		}
		by[person] = append(by[person], *o)
	}
	for person, list := range by {
		p, exists, err := madeOf(list)
		if err != nil {
			return err
		}
		if exists {
			r.anew[person] = p
		}
	}
	return nil
}

// Each calls fn with everybody who has a profile, and the values of some of its properties, in the order of names. The values are
// valid during the call only.
func (r *Reader) Each(ctx context.Context, names []string, fn func(person uint32, values []parts.Value)) error {
	values := make([]parts.Value, len(names))
	for person, p := range r.anew {
		if err := valuesOf(values, p, names); err != nil {
			return err
		}
		fn(person, values)
	}
	var failed error
	err := r.view.ProfileMembers(ctx, names, func(no uint32, exists bool, members []string) {
		if failed != nil || !exists || r.ids.Has(no) {
			return
		}
		if failed = storedValues(values, members); failed == nil {
			fn(no, values)
		}
	})
	return cmp.Or(err, failed)
}

// valuesOf fills in the values of some properties.
func valuesOf(values []parts.Value, p Profile, names []string) (err error) {
	for i, name := range names {
		if values[i], err = partsValue(p, name); err != nil {
			return err
		}
	}
	return nil
}

// storedValues does so from stored members.
func storedValues(values []parts.Value, members []string) (err error) {
	for i := range members {
		if values[i], err = storedValue(members[i]); err != nil {
			return err
		}
	}
	return nil
}

// partsValue is a property as filters and breakdowns have it.
func partsValue(p Profile, name string) (parts.Value, error) {
	v, ok := p[name]
	if !ok {
		return parts.Value{}, nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return parts.Value{}, fmt.Errorf("write a value: %w", err)
	}
	switch v.(type) {
	case []Value, map[string]Value:
		return parts.Value{Kind: parts.JSON, Text: string(text)}, nil
	}
	return scan.ScalarValue(text)
}

// storedValue is the same of a stored member; the absent value of an empty one. An object or a list is written as partsValue does.
func storedValue(member string) (parts.Value, error) {
	switch {
	case member == "":
		return parts.Value{}, nil
	case member[0] == '{' || member[0] == '[':
		p, err := ParseObject([]byte(`{"":` + member + `}`))
		if err != nil {
			return parts.Value{}, err
		}
		return partsValue(p, "")
	}
	return scan.ScalarValue([]byte(member))
}

// Of returns the profiles of some people; of those who have one.
func (r *Reader) Of(ctx context.Context, persons []uint32) (map[uint32]Profile, error) {
	out := make(map[uint32]Profile)
	var stored []uint32
	for _, person := range persons {
		if p, ok := r.anew[person]; ok {
			out[person] = p
		} else if !r.ids.Has(person) {
			stored = append(stored, person)
		}
	}
	keys, err := r.view.Keys(ctx, stored)
	if err != nil {
		return nil, err
	}
	of, no := make([]events.Subject, 0, len(keys)), make(map[events.Subject]uint32, len(keys))
	for n, k := range keys {
		of = append(of, k.Subject())
		no[k.Subject()] = n
	}
	profiles, err := r.view.Profiles(ctx, of)
	if err != nil {
		return nil, err
	}
	for i := range profiles {
		if !profiles[i].Exists {
			continue
		}
		p, err := ParseObject(profiles[i].Props)
		if err != nil {
			return nil, err
		}
		out[no[profiles[i].Of]] = p
	}
	return out, nil
}

// Search returns the people whose id, name or address contains a text, without case and accents.
func (r *Reader) Search(ctx context.Context, text string) (*behaviour.Set, error) {
	found := behaviour.NewSet()
	numbers, err := r.view.PersonsFound(ctx, text)
	if err != nil {
		return nil, err
	}
	for _, no := range numbers {
		found.Add(r.identity.Canonical(no))
		if split, ok := r.identity.Splits[no]; ok {
			found.Add(split.To)
		}
	}
	if numbers, err = r.view.ProfilesFound(ctx, text); err != nil {
		return nil, err
	}
	for _, no := range numbers {
		if !r.ids.Has(no) {
			found.Add(no)
		}
	}
	anew := slices.Collect(maps.Keys(r.anew))
	texts := make([]string, len(anew))
	for i, person := range anew {
		texts[i] = searchText(r.anew[person])
	}
	at, err := r.view.TextsFound(ctx, text, texts)
	for _, i := range at {
		found.Add(anew[i])
	}
	return found, err
}
