package posthog

import (
	"strings"
	"time"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/compat"
	"github.com/bahagh/nimbus/internal/events/ingest"
)

// envelope is what the events of a request share.
type envelope struct {
	sentAt time.Time
	now    time.Time
	again  bool
	agent  string
	sdk    string // of version 1, whose events do not say it
	v1     bool
}

// event is one event, its members as they were sent.
type event struct {
	name, uuid, distinctID, sessionID, windowID string
	timestamp, properties, options              []byte
	set, setOnce, unset                         []byte
	// from the properties
	deviceID, userID, anonDistinctID, alias, groupType, groupKey, agent string
	groups, groupSet                                                    []byte
	anonymous                                                           bool
	key                                                                 string
}

func parse(raw []byte) *event {
	e := &event{}
	for name, v := range compat.Members(raw) {
		switch string(name) {
		case "event":
			e.name = compat.Text(v)
		case "uuid":
			e.uuid = compat.Text(v)
		case "distinct_id", "$distinct_id":
			e.distinctID = compat.Text(v)
		case "timestamp":
			e.timestamp = v
		case "properties":
			e.properties = object(v)
		case "options":
			e.options = v
		case "session_id":
			e.sessionID = compat.Text(v)
		case "window_id":
			e.windowID = compat.Text(v)
		case "$set":
			e.set = v
		case "$set_once":
			e.setOnce = v
		case "$unset":
			e.unset = v
		case "api_key", "token":
			e.key = compat.Text(v)
		}
	}
	for name, v := range compat.Members(e.properties) {
		e.property(string(name), v)
	}
	if string(compat.Member(e.options, "process_person_profile")) == "false" {
		e.anonymous = true
	}
	return e
}

// object is a value, or the object that is written in a string, as exports of columns have it.
func object(v []byte) []byte {
	if text := compat.Text(v); strings.HasPrefix(text, "{") {
		if inner, ok := compat.Decodable([]byte(text)); ok {
			return inner
		}
	}
	return v
}

// property takes what is in the properties and is no prop of the event, or means something beside.
func (e *event) property(name string, v []byte) {
	switch name {
	case "distinct_id":
		if e.distinctID == "" {
			e.distinctID = compat.Text(v)
		}
	case "token":
		if e.key == "" {
			e.key = compat.Text(v)
		}
	case "$set":
		e.set = either(e.set, v)
	case "$set_once":
		e.setOnce = either(e.setOnce, v)
	case "$unset":
		e.unset = either(e.unset, v)
	case "$process_person_profile", "$is_identified": // after a reset, posthog-js has a new id that is nobody's on the same device
		e.anonymous = e.anonymous || string(v) == "false"
	case "$device_id":
		e.deviceID = compat.Text(v)
	case "$user_id":
		e.userID = compat.Text(v)
	case "$anon_distinct_id":
		e.anonDistinctID = compat.Text(v)
	case "alias":
		e.alias = compat.Text(v)
	case "$groups":
		e.groups = v
	case "$group_type":
		e.groupType = compat.Text(v)
	case "$group_key":
		e.groupKey = compat.Text(v)
	case "$group_set":
		e.groupSet = v
	case "$session_id":
		e.sessionID = compat.Text(v)
	case "$raw_user_agent":
		e.agent = compat.Text(v)
	}
}

func either(a, b []byte) []byte {
	if compat.IsNull(a) {
		return b
	}
	return a
}

// isProp says which of the properties are props of the event.
func isProp(name []byte) bool {
	switch string(name) {
	case "distinct_id", "token", "$set", "$set_once", "$unset", "$process_person_profile", "$ip": // addresses are not stored
		return false
	}
	return true
}

// item maps one event.
func (e *envelope) item(raw []byte) compat.Item {
	item := compat.Item{Raw: raw}
	if !compat.IsObject(raw) {
		item.Bad("type", "an event must be an object")
		return item
	}
	in := parse(raw)
	item.Key = in.key
	ts, ok := compat.Time(in.timestamp)
	if !ok {
		item.Bad("timestamp", "the timestamp cannot be read")
		return item
	}
	ev := &item.Event
	ev.TS, ev.IdempotencyKey = ts, in.uuid
	if !e.now.IsZero() && string(compat.Member(in.options, "disable_skew_correction")) != "true" {
		compat.ClockOf(e.now, e.sentAt, e.again).Correct(ev)
	}
	switch {
	case strings.TrimSpace(in.name) == "":
		item.Bad("name_missing", "an event needs a name")
	case in.name == "$groupidentify":
		in.group(&item)
	case in.distinctID == "":
		item.Bad("id_missing", "an event needs a distinct_id")
	default:
		e.person(in, &item)
	}
	return item
}

// person maps what a person did.
func (e *envelope) person(in *event, item *compat.Item) {
	ev := &item.Event
	switch {
	case in.name == "$identify": // it names a user, whatever it says about profiles
		ev.UserID = in.distinctID
	case in.anonymous, in.distinctID == in.deviceID && in.userID == "":
		ev.AnonymousID = in.distinctID
	default:
		ev.UserID = in.distinctID
		if in.deviceID != in.distinctID {
			ev.AnonymousID = in.deviceID
		}
	}
	switch in.name {
	case "$identify":
		if in.anonDistinctID != "" && in.anonDistinctID != in.distinctID {
			item.Ops = append(item.Ops, compat.Link(in.distinctID, in.anonDistinctID, ev))
		}
	case "$create_alias", "$merge_dangerously":
		in.link(item)
		ev.UserID, ev.AnonymousID = "", ""
		return
	}
	in.profile(item)
	if in.name == "$identify" || in.name == "$set" || in.name == "$set_once" || in.name == "$unset" {
		return // they change the profile, and are nothing that somebody did
	}
	for groupType, key := range compat.Members(in.groups) {
		if k := compat.Text(key); k != "" {
			person := ingest.Operation{UserID: ev.UserID, AnonymousID: ev.AnonymousID, TS: ev.TS}
			item.Ops = append(item.Ops, compat.Membership(person, string(groupType), k))
		}
	}
	ev.Name, ev.Props = in.name, e.props(in)
}

// link makes the two ids of an alias one person. Which of them is the user's, SDKs do not agree on: the one that does not
// look like a device's is.
func (e *event) link(item *compat.Item) {
	if e.alias == "" || e.alias == e.distinctID {
		item.Bad("id_missing", "an alias needs two ids")
		return
	}
	item.Ops = append(item.Ops, compat.Alias(e.distinctID, e.alias, &item.Event)...)
}

// profile maps $set, $set_once and $unset, which any event may have.
func (e *event) profile(item *compat.Item) {
	ev := &item.Event
	user, anonymous := ev.UserID, ev.AnonymousID
	if compat.IsObject(e.set) && len(e.set) > 2 {
		item.Ops = append(item.Ops, compat.Set(events.ProfileSet, user, anonymous, e.set, ev))
	}
	if compat.IsObject(e.setOnce) && len(e.setOnce) > 2 {
		item.Ops = append(item.Ops, compat.Set(events.ProfileSetOnce, user, anonymous, e.setOnce, ev))
	}
	if names := compat.Names(e.unset); len(names) > 0 {
		item.Ops = append(item.Ops, compat.Unset(names, user, anonymous, ev))
	}
}

// group maps what is said about a group. Its distinct_id is made up.
func (e *event) group(item *compat.Item) {
	if e.groupType == "" || e.groupKey == "" {
		item.Bad("group_missing", "a group needs a $group_type and a $group_key")
		return
	}
	op := compat.Set(events.ProfileSet, "", "", e.groupSet, &item.Event)
	item.Ops = append(item.Ops, compat.OfGroup(op, e.groupType, e.groupKey))
}

// props are the properties, under their own names, and what reports ask for under those of docs/vocabulary.md.
func (e *envelope) props(in *event) []byte {
	var p compat.Props
	p.Object(in.properties, isProp)
	if name, version, ok := strings.Cut(e.sdk, "/"); ok {
		p.Text("$lib", name)
		p.Text("$lib_version", version)
	}
	p.Text("session_id", in.sessionID)
	p.Text("$window_id", in.windowID)
	compat.Page(&p, compat.Text(compat.Member(in.properties, "$current_url")))
	if r := compat.Text(compat.Member(in.properties, "$referrer")); r != "$direct" {
		p.Text("referrer", r)
	}
	if in.agent != "" {
		p.Bot(in.agent)
	} else {
		p.Bot(e.agent)
	}
	return p.JSON()
}
