package plausible

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/bahagh/nimbus/internal/events/compat"
)

// Dialect is the wire format of Plausible.
type Dialect struct{}

// Name is its x-dialect.
func (Dialect) Name() string { return "plausible" }

// Stub is nothing: its operation stores.
func (Dialect) Stub(*compat.Call) *compat.Answer { return nil }

// Read reads one event. With a list of domains it is one of each.
func (Dialect) Read(c *compat.Call) (*compat.Batch, error) {
	body, ok := compat.Decodable(c.Body)
	if !ok || !compat.IsObject(body) {
		return nil, errors.New("the body is not a JSON object")
	}
	b := &compat.Batch{SDK: c.Request.UserAgent()}
	one := item(body, c.Request.UserAgent())
	for domain := range strings.SplitSeq(domains(body), ",") {
		copied := one
		copied.Key = strings.TrimSpace(domain)
		b.Items = append(b.Items, copied)
	}
	return b, nil
}

// Again reads an event from the quarantine.
func (Dialect) Again(_ string, raw []byte) compat.Item { return item(raw, "") }

func domains(body []byte) string { return compat.Text(either(body, "domain", "d")) }

func either(object []byte, names ...string) []byte {
	for _, name := range names {
		if v := compat.Member(object, name); !compat.IsNull(v) {
			return v
		}
	}
	return nil
}

// item maps an event.
func item(raw []byte, agent string) compat.Item {
	item := compat.Item{Raw: raw}
	if !compat.IsObject(raw) {
		item.Bad("type", "an event must be an object")
		return item
	}
	ev := &item.Event
	switch ev.Name = compat.Text(either(raw, "name", "n")); ev.Name {
	case "":
		item.Bad("name_missing", "an event needs a name")
	case "pageview":
		ev.Name = "$pageview"
	}
	ev.Props = props(raw, agent)
	return item
}

// props are those of the event, and the rest of it under the names of docs/vocabulary.md.
func props(raw []byte, agent string) []byte {
	var p compat.Props
	own := either(raw, "props", "p", "meta", "m")
	if text := compat.Text(own); text != "" { // an object, written as a string
		if inner, ok := compat.Decodable([]byte(text)); ok && json.Valid(inner) {
			own = inner
		}
	}
	p.Object(own, nil)
	compat.Page(&p, compat.Text(either(raw, "url", "u")))
	p.Text("referrer", compat.Text(either(raw, "referrer", "r")))
	if revenue := either(raw, "revenue", "$"); compat.IsObject(revenue) {
		p.Value("$revenue", compat.Member(revenue, "amount"))
		p.Value("$currency", compat.Member(revenue, "currency"))
	}
	p.Value("$interactive", either(raw, "interactive", "i"))
	p.Value("$screen_width", either(raw, "screen_width", "w"))
	p.Agent(agent)
	return p.JSON()
}

// Stored is what Plausible says of each event.
func (Dialect) Stored(*compat.Call, *compat.Batch) compat.Answer {
	return compat.Answer{Status: http.StatusAccepted, Type: "text/plain; charset=utf-8", Body: []byte("ok")}
}

// Refused answers as Plausible does.
func (Dialect) Refused(_ *compat.Call, why compat.Failure) compat.Answer {
	field, text := "body", why.Detail
	if why.Kind == compat.BadKey {
		field, text = "domain", "is no key that works"
	}
	a := compat.JSON(`{"errors":{"` + field + `":[` + string(compat.Quote(nil, text)) + `]}}`)
	a.Status = why.Status()
	return a
}
