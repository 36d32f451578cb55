package mixpanel

import (
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/compat"
	"github.com/bahagh/nimbus/internal/events/ingest"
)

// verbs are the operations with values, by their names in Mixpanel.
var verbs = map[string]events.ProfileOp{"$set": events.ProfileSet, "$set_once": events.ProfileSetOnce, "$add": events.ProfileAdd,
	"$append": events.ProfileAppend, "$union": events.ProfileUnion, "$remove": events.ProfileRemove}

// engage maps operations on the profile of a person.
func (e *envelope) engage(raw []byte) compat.Item {
	item := compat.Item{Raw: raw}
	var who person
	if !e.common(&item, func(name string, v []byte) {
		switch name {
		case "$distinct_id":
			who.distinctID = compat.Text(v)
		case "$device_id":
			who.deviceID = compat.Text(v)
		case "$user_id":
			who.userID = compat.Text(v)
		}
	}) {
		return item
	}
	user, anonymous := who.ids()
	if user == "" && anonymous == "" {
		item.Bad("id_missing", "an operation needs a $distinct_id")
		return item
	}
	item.Event.UserID, item.Event.AnonymousID = user, anonymous
	operations(&item, ingest.Operation{UserID: user, AnonymousID: anonymous, TS: item.Event.TS})
	return item
}

// groups maps operations on the profile of a group.
func (e *envelope) groups(raw []byte) compat.Item {
	item := compat.Item{Raw: raw}
	var group ingest.Group
	if !e.common(&item, func(name string, v []byte) {
		switch name {
		case "$group_key":
			group.Type = compat.Text(v)
		case "$group_id":
			group.Key = compat.Text(v)
		}
	}) {
		return item
	}
	if group.Type == "" || group.Key == "" {
		item.Bad("group_missing", "an operation needs a $group_key and a $group_id")
		return item
	}
	operations(&item, ingest.Operation{Group: group, TS: item.Event.TS})
	return item
}

// common reads what all operations have; false when it is bad.
func (e *envelope) common(item *compat.Item, member func(name string, v []byte)) bool {
	if !compat.IsObject(item.Raw) {
		item.Bad("type", "an operation must be an object")
		return false
	}
	ok := true
	for name, v := range compat.Members(item.Raw) {
		switch string(name) {
		case "$token":
			item.Key = compat.Text(v)
		case "$time":
			item.Event.TS, ok = compat.Time(v)
		case "$insert_id":
			item.Event.IdempotencyKey = compat.Text(v)
		default:
			member(string(name), v)
		}
	}
	if !ok {
		item.Bad("timestamp", "the $time cannot be read")
	}
	return ok
}

// operations maps what is to be done to a profile. An operation without a key is done each time that it is sent: what sets
// a value does no harm then, and what adds to one does, as it does at Mixpanel.
func operations(item *compat.Item, of ingest.Operation) {
	of.IdempotencyKey = item.Event.IdempotencyKey
	for name, v := range compat.Members(item.Raw) {
		op := of
		switch n := string(name); {
		case n == "$unset":
			if op.Op, op.Names = events.ProfileUnset, compat.Names(v); len(op.Names) == 0 {
				continue
			}
		case n == "$delete": // whatever its value: each SDK has another one
			op.Op = events.ProfileDelete
		case verbs[n] != "":
			if !compat.IsObject(v) {
				item.Bad("type", n+" must have an object")
				return
			}
			op.Op = verbs[n]
			op.Props = compat.Set(op.Op, "", "", v, &item.Event).Props
		default:
			continue
		}
		item.Ops = append(item.Ops, op)
	}
	if len(item.Ops) == 0 {
		item.Bad("operation_missing", "there is no operation such as $set")
	}
}
