package segment

import "github.com/bahagh/nimbus/internal/events/compat"

// profile maps the calls that are about people and groups and are no events.
func (e *envelope) profile(c *call, item *compat.Item) {
	op := compat.Operation{Op: "set", UserID: c.userID, AnonymousID: c.anonymousID, TS: item.Event.TS, Key: c.messageID}
	traits := c.traits
	if !compat.IsObject(traits) {
		traits = compat.Member(c.context, "traits") // where rudder-py has them
	}
	if compat.IsObject(traits) {
		var p compat.Props
		p.Object(traits, nil)
		op.Props = p.JSON()
	}
	switch c.kind {
	case "identify":
		item.Ops = append(item.Ops, op)
	case "group":
		if c.groupID == "" {
			item.Bad("group_missing", "a group call needs a groupId")
			return
		}
		item.Ops = append(item.Ops, compat.Membership(op, "group", c.groupID), compat.GroupSet(op, "group", c.groupID))
	case "alias":
		if c.userID == "" || c.previousID == "" {
			item.Bad("id_missing", "an alias call needs a userId and a previousId")
			return
		}
		op.AnonymousID, op.Props = c.previousID, nil
		item.Ops = append(item.Ops, op)
	}
}
