package behaviour

import (
	"cmp"
	"slices"

	"github.com/bahagh/nimbus/internal/events"
)

// PersonKind says what a person's key is. The values are those of persons.kind.
type PersonKind int16

// The kinds.
const (
	User      PersonKind = 1
	Anonymous PersonKind = 2
)

// PersonKey is how events name a person.
type PersonKey struct {
	Kind PersonKind
	Key  string
}

// person returns the key of who did an event; its kind is 0 when nobody is named.
func (e *StoredEvent) person() PersonKey {
	switch {
	case !events.Junk(e.UserID):
		return PersonKey{User, e.UserID}
	case !events.Junk(e.AnonymousID):
		return PersonKey{Anonymous, e.AnonymousID}
	default:
		return PersonKey{}
	}
}

// link returns both ids of an event that carries both.
func (e *StoredEvent) link() (anonymous, user PersonKey, ok bool) {
	if events.Junk(e.UserID) || events.Junk(e.AnonymousID) {
		return PersonKey{}, PersonKey{}, false
	}
	return PersonKey{Anonymous, e.AnonymousID}, PersonKey{User, e.UserID}, true
}

// keysOf returns everybody whom events name, in the order in which they come: neighbours in time get numbers close to
// each other.
func keysOf(events []StoredEvent) []PersonKey {
	seen := make(map[PersonKey]struct{}, len(events)/4)
	var keys []PersonKey
	add := func(k PersonKey) {
		if _, ok := seen[k]; !ok {
			seen[k] = struct{}{}
			keys = append(keys, k)
		}
	}
	for i := range events {
		if anonymous, user, ok := events[i].link(); ok {
			add(anonymous)
			add(user)
		} else if k := events[i].person(); k.Kind != 0 {
			add(k)
		}
	}
	return keys
}

// link is an event that carries an anonymous id with a user id.
type link struct {
	anonymous, user uint32
	event           StoredEvent
}

// known is since when the link is known: as of a moment after it, in microseconds since 1970.
func (l *link) known() int64 { return max(l.event.TS.UnixMicro(), l.event.ReceivedAt.UnixMicro()) }

// compare compares in the order of events.
func (e *StoredEvent) compare(x *StoredEvent) int {
	return cmp.Or(e.TS.Compare(x.TS), e.ReceivedAt.Compare(x.ReceivedAt), slices.Compare(e.ID[:], x.ID[:]))
}

// linksOf returns the events that a question may need to know who is whom, as of now or of any earlier moment: of each pair
// of ids the first in the order, and those before which none was known.
func linksOf(events []StoredEvent, number map[PersonKey]uint32) []link {
	var links []link
	for i := range events {
		if anonymous, user, ok := events[i].link(); ok {
			links = append(links, link{number[anonymous], number[user], events[i]})
		}
	}
	slices.SortFunc(links, func(x, y link) int {
		return cmp.Or(cmp.Compare(x.anonymous, y.anonymous), cmp.Compare(x.user, y.user), x.event.compare(&y.event))
	})
	kept := links[:0]
	for _, l := range links {
		if n := len(kept); n == 0 || kept[n-1].anonymous != l.anonymous || kept[n-1].user != l.user || l.known() < kept[n-1].known() {
			kept = append(kept, l)
		}
	}
	return kept
}

// merge says that a person is another one.
type merge struct{ merged, into uint32 }

// byAnonymous compares by (anonymous, order).
func byAnonymous(x, y link) int {
	return cmp.Or(cmp.Compare(x.anonymous, y.anonymous), x.event.compare(&y.event))
}

// identify makes an identity of links, which are sorted by (anonymous, order), and merges, in their order. last is the
// highest number given to anybody. The person that a conflict makes has the number of the anonymous id, which is free
// because the id belongs to a user: so he has a name, and the same number whenever somebody asks.
func identify(links []link, merges []merge, last uint32) Identity {
	id := Identity{Canon: make([]uint32, last+1)}
	for no := range id.Canon {
		id.Canon[no] = uint32(no)
	}
	into := newUnion(last)
	for _, m := range merges {
		into.merge(m.merged, m.into)
	}
	for start := 0; start < len(links); {
		end := start
		for end < len(links) && links[end].anonymous == links[start].anonymous {
			end++
		}
		owner := links[start].user
		id.Canon[links[start].anonymous] = owner
		for _, l := range links[start+1 : end] { // the first that tells of another user
			if into.of(l.user) != into.of(owner) {
				id.split(l)
				break
			}
		}
		start = end
	}
	for no, to := range id.Canon {
		id.Canon[no] = into.of(to)
	}
	return id
}

func (id *Identity) split(l link) {
	if id.Splits == nil {
		id.Splits = make(map[uint32]Split)
	}
	id.Splits[l.anonymous] = Split{
		TS: l.event.TS.UnixMicro(), Received: l.event.ReceivedAt.UnixMicro(), ID: l.event.ID, To: l.anonymous,
	}
}

// union is who merges made one: the one merged into stands for all.
type union []uint32

func newUnion(last uint32) union {
	u := make(union, last+1)
	for no := range u {
		u[no] = uint32(no)
	}
	return u
}

func (u union) of(no uint32) uint32 {
	if int(no) >= len(u) {
		return no
	}
	for u[no] != no {
		u[no] = u[u[no]]
		no = u[no]
	}
	return no
}

// merge makes one person of two. Merged in a circle they are one all the same.
func (u union) merge(merged, into uint32) {
	if int(merged) >= len(u) || int(into) >= len(u) {
		return
	}
	u[u.of(merged)] = u.of(into)
}
