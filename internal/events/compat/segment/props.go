package segment

import (
	"net/url"

	"github.com/bahagh/nimbus/internal/events/compat"
)

// props are the properties of a call, and the context under the names of docs/vocabulary.md.
func (e *envelope) props(c *call) []byte {
	var p compat.Props
	p.Object(c.properties, nil)
	p.Text("name", c.name)
	p.Text("category", c.category)
	agent := e.agent
	if compat.IsObject(e.context) {
		agent = context(&p, e.context, agent)
	}
	if compat.IsObject(c.context) {
		agent = context(&p, c.context, agent)
	}
	p.Agent(agent)
	return p.JSON()
}

// context adds the context of a call or of its batch. It returns the user agent: that of the context, else the one given.
func context(p *compat.Props, object []byte, agent string) string {
	for name, v := range compat.Members(object) {
		switch string(name) {
		case "library":
			named(p, v, "name", "$lib", "version", "$lib_version")
		case "page":
			page(p, v)
		case "campaign":
			campaign(p, v)
		case "locale":
			p.Value("$locale", v)
		case "timezone":
			p.Value("$timezone", v)
		case "sessionId":
			p.Value("session_id", v)
		case "app":
			named(p, v, "name", "$app_name", "version", "$app_version", "build", "$app_build")
		case "os":
			named(p, v, "name", "$os", "version", "$os_version")
		case "device":
			named(p, v, "manufacturer", "$device_manufacturer", "model", "$device_model", "type", "$device_type")
		case "screen":
			named(p, v, "width", "$screen_width", "height", "$screen_height")
		case "network":
			named(p, v, "carrier", "$carrier", "wifi", "$wifi")
		case "userAgent":
			agent = compat.Text(v)
		}
	}
	return agent
}

// named adds members of an object under other names: pairs of the one and the other.
func named(p *compat.Props, object []byte, pairs ...string) {
	for name, v := range compat.Members(object) {
		for k := 0; k < len(pairs); k += 2 {
			if string(name) == pairs[k] {
				p.Value(pairs[k+1], v)
			}
		}
	}
}

func page(p *compat.Props, object []byte) {
	named(p, object, "url", "url", "path", "page", "title", "title")
	if referrer := compat.Text(compat.Member(object, "referrer")); referrer != "" {
		p.Text("referrer", referrer)
	}
	if u, err := url.Parse(compat.Text(compat.Member(object, "url"))); err == nil {
		compat.Campaign(p, u.Query())
	}
}

func campaign(p *compat.Props, object []byte) {
	for name, v := range compat.Members(object) {
		if string(name) == "name" {
			p.Value("utm_campaign", v)
			continue
		}
		switch n := string(name); n {
		case "source", "medium", "term", "content":
			p.Value("utm_"+n, v)
		}
	}
}
