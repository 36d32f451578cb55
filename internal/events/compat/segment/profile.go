package segment

import (
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/compat"
)

// groupType is the type of all groups: Segment's calls do not name one.
const groupType = "group"

// profile maps the calls that are about people and groups and are no events.
func profile(c *call, item *compat.Item) {
	traits := c.traits
	if !compat.IsObject(traits) {
		traits = compat.Member(c.context, "traits") // where rudder-py has them
	}
	ev := &item.Event
	op := compat.Set(events.ProfileSet, c.userID, c.anonymousID, traits, ev)
	switch c.kind {
	case "identify":
		item.Ops = append(item.Ops, op)
	case "group":
		if c.groupID == "" {
			item.Bad("group_missing", "a group call needs a groupId")
			return
		}
		if c.userID != "" || ev.AnonymousID != "" {
			person := op
			person.AnonymousID = ev.AnonymousID
			item.Ops = append(item.Ops, compat.Membership(person, groupType, c.groupID))
		}
		item.Ops = append(item.Ops, compat.OfGroup(op, groupType, c.groupID))
	case "alias":
		if c.userID == "" || c.previousID == "" {
			item.Bad("id_missing", "an alias call needs a userId and a previousId")
			return
		}
		item.Ops = append(item.Ops, compat.Link(c.userID, c.previousID, ev))
	}
}
