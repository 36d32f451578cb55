package umami

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/events/compat"
)

// Dialect is the wire format of Umami.
type Dialect struct{}

// Name is its x-dialect.
func (Dialect) Name() string { return "umami" }

// Stub is nothing: all of its operations store.
func (Dialect) Stub(*compat.Call) *compat.Answer { return nil }

// Read reads one event, or a list of them.
func (Dialect) Read(c *compat.Call) (*compat.Batch, error) {
	body, ok := compat.Decodable(c.Body)
	many := c.Operation == "umamiBatch"
	if !ok || many && !compat.IsArray(body) || !many && !compat.IsObject(body) {
		return nil, errors.New("bad request")
	}
	b := &compat.Batch{SDK: c.Request.UserAgent()}
	agent := c.Request.UserAgent()
	if !many {
		b.Items = append(b.Items, item(body, agent))
		return b, nil
	}
	for raw := range compat.Elements(body) {
		b.Items = append(b.Items, item(raw, agent))
	}
	return b, nil
}

// Again reads an event from the quarantine.
func (Dialect) Again(_ string, raw []byte) compat.Item { return item(raw, "") }

// item maps one event.
func item(raw []byte, agent string) compat.Item {
	item := compat.Item{Raw: raw}
	payload := compat.Member(raw, "payload")
	if !compat.IsObject(payload) {
		item.Bad("type", "an event must be an object with a payload")
		return item
	}
	kind := compat.Text(compat.Member(raw, "type"))
	ev := &item.Event
	var name, id string
	var data []byte
	ok := true
	for n, v := range compat.Members(payload) {
		switch string(n) {
		case "website":
			item.Key = compat.Text(v)
		case "name":
			name = compat.Text(v)
		case "id":
			id = compat.Text(v)
		case "data":
			data = v
		case "timestamp":
			ev.TS, ok = compat.Time(v)
		case "userAgent":
			agent = compat.Text(v)
		}
	}
	if !ok {
		item.Bad("timestamp", "the timestamp cannot be read")
		return item
	}
	if id == "" && kind == "identify" {
		id = compat.Text(compat.Member(data, "id")) // where the SDK for Node.js has it
	}
	ev.UserID = id
	switch kind {
	case "identify":
		if id == "" {
			item.Bad("id_missing", "identify needs an id")
			return item
		}
		item.Ops = append(item.Ops, compat.Set(events.ProfileSet, id, "", data, ev))
		return item
	case "event", "":
		ev.Name = name
		if name == "" {
			ev.Name = "$pageview"
		}
	default:
		ev.Name = "$" + kind
	}
	ev.Props = props(payload, data, agent)
	return item
}

// props are the data, and the rest of the payload under the names of docs/vocabulary.md.
func props(payload, data []byte, agent string) []byte {
	var p compat.Props
	p.Object(data, nil)
	host := compat.Text(compat.Member(payload, "hostname"))
	address := compat.Text(compat.Member(payload, "url"))
	if strings.HasPrefix(address, "/") && host != "" {
		address = "https://" + host + address
	}
	compat.Page(&p, address)
	for name, v := range compat.Members(payload) {
		switch n := string(name); n {
		case "title", "referrer":
			if compat.Text(v) != "" {
				p.Value(n, v)
			}
		case "hostname":
			p.Value("$host", v)
		case "language":
			p.Value("$locale", v)
		case "tag":
			p.Value("$tag", v)
		case "screen":
			width, height, ok := strings.Cut(compat.Text(v), "x")
			w, errW := strconv.Atoi(width)
			h, errH := strconv.Atoi(height)
			if ok && errW == nil && errH == nil {
				p.Value("$screen_width", strconv.AppendInt(nil, int64(w), 10))
				p.Value("$screen_height", strconv.AppendInt(nil, int64(h), 10))
			}
		}
	}
	p.Agent(agent)
	return p.JSON()
}

// Stored answers with what the SDK sends back with the next event, and shows.
func (Dialect) Stored(c *compat.Call, b *compat.Batch) compat.Answer {
	cache := c.Request.Header.Get("x-umami-cache")
	if cache == "" || strings.ContainsAny(cache, "\"\\") {
		cache = uuid.NewString()
	}
	if c.Operation == "umamiBatch" {
		n := strconv.Itoa(len(b.Items))
		return compat.JSON(`{"size":` + n + `,"processed":` + n + `,"errors":0,"details":[],"cache":"` + cache + `"}`)
	}
	session := uuid.NewSHA1(uuid.NameSpaceOID, []byte(cache)).String()
	return compat.JSON(`{"cache":"` + cache + `","sessionId":"` + session + `","visitId":"` + uuid.NewSHA1(uuid.NameSpaceURL, []byte(cache)).String() + `"}`)
}

// Refused answers as Umami does.
func (Dialect) Refused(_ *compat.Call, why compat.Failure) compat.Answer {
	message, code, status := why.Detail, "bad-request", why.Status()
	switch why.Kind {
	case compat.BadKey:
		message, status = "Website not found", http.StatusBadRequest
	case compat.Busy:
		code = "server-error"
	default:
	}
	a := compat.JSON(`{"error":{"message":` + string(compat.Quote(nil, message)) + `,"code":"` + code + `","status":` + strconv.Itoa(status) + `}}`)
	a.Status = status
	return a
}
