package amplitude

import (
	"strings"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/compat"
	"github.com/bahagh/nimbus/internal/events/ingest"
)

// Archive is the format of the Export API: a line for each event.
type Archive struct{}

// event is one line, its members as they were written.
type event struct {
	name, uuid, insertID, userID, deviceID string
	time, clientTime, sessionID            []byte
	props, user, groups, groupProps        []byte
}

func parse(line []byte) *event {
	e := &event{}
	for name, v := range compat.Members(line) {
		switch string(name) {
		case "event_type":
			e.name = compat.Text(v)
		case "$insert_id", "insert_id":
			if id := compat.Text(v); id != "" {
				e.insertID = id
			}
		case "uuid":
			e.uuid = compat.Text(v)
		case "user_id":
			e.userID = compat.Text(v)
		case "device_id":
			e.deviceID = compat.Text(v)
		case "event_time":
			e.time = v
		case "client_event_time":
			e.clientTime = v
		case "session_id":
			e.sessionID = v
		case "event_properties":
			e.props = v
		case "user_properties":
			e.user = v
		case "groups":
			e.groups = v
		case "group_properties":
			e.groupProps = v
		}
	}
	return e
}

// Archived maps one event. Its event_time is corrected and in UTC.
func (Archive) Archived(line []byte) compat.Item {
	item := compat.Item{Raw: line}
	if !compat.IsObject(line) {
		item.Bad("type", "an event must be an object")
		return item
	}
	in := parse(line)
	at := in.time
	if compat.IsNull(at) {
		at = in.clientTime
	}
	ev := &item.Event
	var ok bool
	if ev.TS, ok = compat.Time(at); !ok {
		item.Bad("timestamp", "the event_time cannot be read")
		return item
	}
	ev.IdempotencyKey, ev.UserID, ev.AnonymousID = in.uuid, in.userID, in.deviceID
	if in.insertID != "" {
		ev.IdempotencyKey = in.insertID
	}
	switch {
	case strings.TrimSpace(in.name) == "":
		item.Bad("name_missing", "an event needs an event_type")
	case in.name == "$groupidentify":
		in.ofGroups(&item)
	case in.userID == "" && in.deviceID == "":
		item.Bad("id_missing", "an event needs a user_id or a device_id")
	default:
		in.ofPerson(line, &item)
	}
	return item
}

// ofPerson maps what a person did. What is known of the person stands in each line as it was then.
func (e *event) ofPerson(line []byte, item *compat.Item) {
	ev := &item.Event
	if known := compat.Set(events.ProfileSet, ev.UserID, ev.AnonymousID, e.user, ev); len(known.Props) > len("{}") {
		item.Ops = append(item.Ops, known)
	}
	e.eachGroup(func(groupType, key string) {
		person := ingest.Operation{UserID: ev.UserID, AnonymousID: ev.AnonymousID, TS: ev.TS}
		item.Ops = append(item.Ops, compat.Membership(person, groupType, key))
	})
	if e.name == "$identify" {
		if len(item.Ops) == 0 && ev.UserID != "" && ev.AnonymousID != "" {
			item.Ops = append(item.Ops, compat.Link(ev.UserID, ev.AnonymousID, ev))
		}
		return // it changes the profile, and is nothing that somebody did
	}
	ev.Name, ev.Props = e.name, e.context(line)
}

// ofGroups maps what is known of groups.
func (e *event) ofGroups(item *compat.Item) {
	ev := &item.Event
	e.eachGroup(func(groupType, key string) {
		known := e.groupProps
		if inner := compat.Member(compat.Member(known, groupType), key); compat.IsObject(inner) {
			known = inner // where it is listed by type and key
		}
		item.Ops = append(item.Ops, compat.OfGroup(compat.Set(events.ProfileSet, "", "", known, ev), groupType, key))
	})
	if len(item.Ops) == 0 {
		item.Bad("group_missing", "a $groupidentify needs groups")
	}
}

func (e *event) eachGroup(yield func(groupType, key string)) {
	for groupType, keys := range compat.Members(e.groups) {
		for _, key := range compat.Names(keys) {
			yield(string(groupType), key)
		}
	}
}

// vocabulary is the context of a line, and its name in docs/vocabulary.md.
var vocabulary = map[string]string{"os_name": "$os", "os_version": "$os_version", "device_type": "$device_type",
	"device_manufacturer": "$device_manufacturer", "device_model": "$device_model", "device_carrier": "$carrier",
	"version_name": "$app_version", "language": "$locale", "platform": "$platform", "country": "$country", "region": "$region", "city": "$city"}

// context are the event's own props, and its context.
func (e *event) context(line []byte) []byte {
	var p compat.Props
	p.Object(e.props, nil)
	for name, v := range compat.Members(line) {
		switch n := string(name); n {
		case "library":
			lib, version, _ := strings.Cut(compat.Text(v), "/")
			p.Text("$lib", lib)
			p.Text("$lib_version", version)
		default:
			if as := vocabulary[n]; as != "" && compat.Text(v) != "" {
				p.Value(as, v)
			}
		}
	}
	if id := compat.Text(e.sessionID); id != "" && id != "-1" {
		p.Text("session_id", id)
	}
	return p.JSON()
}
