package compat

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/ingest"
)

// Campaign adds the utm_ parameters of an address.
func Campaign(p *Props, query url.Values) {
	for _, name := range []string{"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"} {
		p.Text(name, query.Get(name))
	}
}

// Page adds what an address tells, as the tracker of Nimbus does: url, page (its path) and the campaign.
func Page(p *Props, address string) {
	if address == "" {
		return
	}
	p.Text("url", address)
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	if path := u.Path; path != "" {
		p.Text("page", path)
	} else if strings.HasPrefix(address, "http") {
		p.Text("page", "/")
	}
	Campaign(p, u.Query())
}

// Membership is the operation by which a person belongs to a group: the profile has the keys of the groups of each type in a
// list, under the name of the type. It is stored once for each person and group, however often it is sent.
func Membership(person ingest.Operation, groupType, key string) ingest.Operation {
	list := append(append(append([]byte{'{'}, Quote(nil, groupType)...), ':', '['), Quote(nil, key)...)
	person.Op, person.Props, person.Names = events.ProfileUnion, append(list, ']', '}'), nil
	person.IdempotencyKey = "membership " + strconv.Quote(groupType) + " " + key
	return person
}

// OfGroup is an operation on a group, with the values of one on a person.
func OfGroup(op ingest.Operation, groupType, key string) ingest.Operation {
	op.UserID, op.AnonymousID, op.Group = "", "", ingest.Group{Type: groupType, Key: key}
	return op
}

// Link is the operation by which two ids are one person. Its key is not that of what is set beside it on the same person:
// the second one would be a duplicate of the first.
func Link(userID, anonymousID string, e *ingest.Incoming) ingest.Operation {
	key := e.IdempotencyKey
	if key != "" {
		key = "link " + key
	}
	return ingest.Operation{Op: events.ProfileSet, UserID: userID, AnonymousID: anonymousID, TS: e.TS, IdempotencyKey: key, Props: []byte("{}")}
}

// Set is an operation that sets the members of an object, or does something else with them.
func Set(op events.ProfileOp, userID, anonymousID string, object []byte, e *ingest.Incoming) ingest.Operation {
	var p Props
	p.Object(object, nil)
	out := ingest.Operation{Op: op, UserID: userID, AnonymousID: anonymousID, TS: e.TS, IdempotencyKey: e.IdempotencyKey, Props: p.JSON()}
	if out.Props == nil {
		out.Props = []byte("{}")
	}
	return out
}

// Unset is an operation that removes values.
func Unset(names []string, userID, anonymousID string, e *ingest.Incoming) ingest.Operation {
	return ingest.Operation{Op: events.ProfileUnset, UserID: userID, AnonymousID: anonymousID, TS: e.TS, IdempotencyKey: e.IdempotencyKey, Names: names}
}

// Names are the names of a list, or the one name that is there instead.
func Names(v []byte) (names []string) {
	if name := Text(v); name != "" {
		return []string{name}
	}
	for element := range Elements(v) {
		if name := Text(element); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// Alias makes two ids one person, of which SDKs do not say which is the user's: some have the new one first, others the old
// one. The one that looks as if a device had made it is the anonymous one; when that is both of them, or neither, each is
// linked as the other's anonymous id, and one of these links finds nothing.
func Alias(a, b string, e *ingest.Incoming) []ingest.Operation {
	switch madeA, madeB := made(a), made(b); {
	case madeB && !madeA:
		return []ingest.Operation{Link(a, b, e)}
	case madeA && !madeB:
		return []ingest.Operation{Link(b, a, e)}
	}
	return []ingest.Operation{Link(a, b, e), Link(b, a, e)}
}

// made says that an id looks as if a device had made it: as SDKs make anonymous ids.
func made(id string) bool {
	id = strings.ToLower(id)
	if strings.HasPrefix(id, "anon") || strings.HasPrefix(id, "$device:") {
		return true
	}
	return len(id) >= 30 && strings.Trim(id, "0123456789abcdef-") == "" // a UUID, or what older SDKs made
}
