package compat

import (
	"net/url"
	"strings"
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

// Membership is the operation by which a person of op belongs to a group: the groups of each type are a list in the profile.
func Membership(op Operation, groupType, key string) Operation {
	op.Op, op.Props = "union", append(append(append(append([]byte{'{'}, Quote(nil, "$group_"+groupType)...), ':', '['), Quote(nil, key)...), ']', '}')
	if op.Key != "" {
		op.Key += " membership"
	}
	return op
}

// GroupSet is the operation by which a group gets the props of op.
func GroupSet(op Operation, groupType, key string) Operation {
	op.Op, op.UserID, op.AnonymousID, op.GroupType, op.GroupKey = "set", "", "", groupType, key
	return op
}
