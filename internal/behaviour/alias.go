package behaviour

import (
	"context"
	"slices"
)

// Alias says that what names one person names another: an anonymous id the user it belongs to, a merged user the one he was merged
// into.
type Alias struct {
	Own, Is PersonKey
	// Split is the event from which on, in the order, an anonymous id is a person of its own again; nil: it never is.
	Split *Split
}

// Aliases returns everybody who is somebody else, by all that is known.
func (v *View) Aliases(ctx context.Context) ([]Alias, error) {
	id := v.Identity(0)
	var numbers []uint32
	for no, to := range id.Canon {
		if to != uint32(no) {
			numbers = append(numbers, uint32(no), to)
		}
	}
	slices.Sort(numbers)
	keys, err := v.Keys(ctx, slices.Compact(numbers))
	if err != nil {
		return nil, err
	}
	var aliases []Alias
	for no, to := range id.Canon {
		if to == uint32(no) {
			continue
		}
		a := Alias{Own: keys[uint32(no)], Is: keys[to]}
		if s, ok := id.Splits[uint32(no)]; ok {
			a.Split = &s
		}
		aliases = append(aliases, a)
	}
	return aliases, nil
}
