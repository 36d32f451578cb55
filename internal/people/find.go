package people

import (
	"context"
	"strings"

	"github.com/bahagh/nimbus/internal/behaviour"
)

// Somebody is a person whom a caller named.
type Somebody struct {
	No   uint32
	Keys map[uint32]behaviour.PersonKey // of all his ids
}

// candidates are the ids that a name may mean, the likeliest first: `u:` before it says that it is a user id, `a:` that it is an
// anonymous one, and both may be the beginning of an id.
func candidates(named string) (keys []behaviour.PersonKey) {
	if key, ok := strings.CutPrefix(named, "u:"); ok {
		keys = append(keys, behaviour.PersonKey{Kind: behaviour.User, Key: key})
	}
	if key, ok := strings.CutPrefix(named, "a:"); ok {
		keys = append(keys, behaviour.PersonKey{Kind: behaviour.Anonymous, Key: key})
	}
	return append(keys, behaviour.PersonKey{Kind: behaviour.User, Key: named}, behaviour.PersonKey{Kind: behaviour.Anonymous, Key: named})
}

// Find returns whom a name means; false when nobody with an event or a profile is called so.
func Find(ctx context.Context, v *behaviour.View, id *behaviour.Identity, named string) (somebody Somebody, found bool, err error) {
	for _, key := range candidates(named) {
		no, found, err := v.Find(ctx, key)
		if err != nil {
			return somebody, false, err
		}
		if found {
			somebody.No = id.Named(no)
			somebody.Keys, err = v.Keys(ctx, append(id.Of(somebody.No), somebody.No))
			return somebody, true, err
		}
	}
	return somebody, false, nil
}
