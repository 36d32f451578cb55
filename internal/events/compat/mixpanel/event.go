package mixpanel

import (
	"strings"

	"github.com/bahagh/nimbus/internal/events/compat"
)

// envelope is what the items of a request share.
type envelope struct {
	agent   string
	trusted bool // it came with a secret
}

// reader is what reads the items of an operation.
func (e *envelope) reader(operation string) func(raw []byte) compat.Item {
	switch {
	case strings.HasPrefix(operation, "mixpanelEngage"):
		return e.engage
	case strings.HasPrefix(operation, "mixpanelGroups"):
		return e.groups
	}
	return e.event
}

// person is the ids of whoever did something.
type person struct{ distinctID, deviceID, userID string }

// devicePrefix marks the id of a device in the place of that of a person.
const devicePrefix = "$device:"

// ids are the ids of a person: a distinct_id is a user's, unless it is marked as a device's or is one.
func (p *person) ids() (user, anonymous string) {
	device := strings.TrimPrefix(p.deviceID, devicePrefix)
	if id, ok := strings.CutPrefix(p.distinctID, devicePrefix); ok {
		return strings.TrimPrefix(p.userID, devicePrefix), id
	}
	switch {
	case p.userID != "":
		return p.userID, device
	case p.distinctID == "" || p.distinctID == device:
		return "", device
	}
	return p.distinctID, device
}

// event maps an event.
func (e *envelope) event(raw []byte) compat.Item {
	item := compat.Item{Raw: raw}
	if !compat.IsObject(raw) {
		item.Bad("type", "an event must be an object")
		return item
	}
	name, properties := compat.Text(compat.Member(raw, "event")), compat.Member(raw, "properties")
	ev := &item.Event
	var who person
	var anonymousBefore, alias string
	var merge []byte
	ok := true
	for n, v := range compat.Members(properties) {
		switch string(n) {
		case "token":
			item.Key = compat.Text(v)
		case "time":
			ev.TS, ok = compat.Time(v)
		case "$insert_id":
			ev.IdempotencyKey = compat.Text(v)
		case "distinct_id":
			who.distinctID = compat.Text(v)
		case "$device_id":
			who.deviceID = compat.Text(v)
		case "$user_id":
			who.userID = compat.Text(v)
		case "$anon_distinct_id", "$anon_id":
			anonymousBefore = compat.Text(v)
		case "$identified_id":
			who.userID = compat.Text(v)
		case "alias":
			alias = compat.Text(v)
		case "$distinct_ids":
			merge = v
		}
	}
	switch {
	case strings.TrimSpace(name) == "":
		item.Bad("name_missing", "an event needs a name")
		return item
	case !ok:
		item.Bad("timestamp", "the time cannot be read")
		return item
	}
	user, anonymous := who.ids()
	switch name {
	case "$identify":
		if anonymousBefore = strings.TrimPrefix(anonymousBefore, devicePrefix); anonymousBefore == "" {
			anonymousBefore = anonymous
		}
		if user == "" || anonymousBefore == "" {
			item.Bad("id_missing", "an $identify needs the ids of a user and of a device")
			return item
		}
		item.Ops = append(item.Ops, compat.Link(user, anonymousBefore, ev))
	case "$create_alias":
		e.alias(&item, who, alias)
	case "$merge":
		e.merge(&item, merge)
	default:
		ev.Name, ev.UserID, ev.AnonymousID = name, user, anonymous
		ev.Props = e.props(properties)
	}
	return item
}

// alias links two ids. When one of them is said to be the user's, the other one is what the person was before.
func (e *envelope) alias(item *compat.Item, who person, alias string) {
	one, other := strings.TrimPrefix(who.distinctID, devicePrefix), strings.TrimPrefix(alias, devicePrefix)
	switch {
	case one == "" || other == "" || one == other:
		item.Bad("id_missing", "an alias needs two ids")
	case who.userID == one || strings.HasPrefix(alias, devicePrefix):
		item.Ops = append(item.Ops, compat.Link(one, other, &item.Event))
	case who.userID == other || strings.HasPrefix(who.distinctID, devicePrefix):
		item.Ops = append(item.Ops, compat.Link(other, one, &item.Event))
	default:
		item.Ops = append(item.Ops, compat.Alias(one, other, &item.Event)...)
	}
}

// merge links the ids of a $merge, which only a secret may.
func (e *envelope) merge(item *compat.Item, ids []byte) {
	both := compat.Names(ids)
	switch {
	case !e.trusted:
		item.Bad("secret_missing", "a $merge needs an API secret")
	case len(both) != 2:
		item.Bad("id_missing", "a $merge needs two $distinct_ids")
	default:
		e.alias(item, person{distinctID: both[0]}, both[1])
	}
}

// isProp says which of the properties are props of the event.
func isProp(name []byte) bool {
	switch string(name) {
	case "token", "time", "$insert_id", "distinct_id", "ip", "$ip":
		return false
	}
	return true
}

// props are the properties, under their own names, and what reports ask for under those of docs/vocabulary.md.
func (e *envelope) props(properties []byte) []byte {
	var p compat.Props
	p.Object(properties, isProp)
	p.Value("$lib", compat.Member(properties, "mp_lib"))
	compat.Page(&p, compat.Text(compat.Member(properties, "$current_url")))
	if r := compat.Text(compat.Member(properties, "$referrer")); r != "$direct" {
		p.Text("referrer", r)
	}
	p.Bot(e.agent)
	return p.JSON()
}
