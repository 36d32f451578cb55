package segment

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events/compat"
)

// Dialect is the wire format of Segment.
type Dialect struct{}

// Name is its x-dialect.
func (Dialect) Name() string { return "segment" }

// kinds are the operations for one call, and the type of the call when it does not say one.
var kinds = map[string]string{"segmentTrack": "track", "segmentIdentify": "identify", "segmentPage": "page", "segmentScreen": "screen",
	"segmentGroup": "group", "segmentAlias": "alias"}

const success = "{\n  \"success\": true\n}"

// Stub answers what the SDKs load, and takes the measurements of the SDK itself.
func (Dialect) Stub(c *compat.Call) *compat.Answer {
	var a compat.Answer
	switch c.Operation {
	case "segmentMetrics":
		a = compat.JSON(success)
	case "segmentSettings":
		a = compat.JSON(settings(c))
	case "rudderSourceConfig":
		a = compat.JSON(sourceConfig(c))
	case "rudderClusterInfo":
		a = compat.JSON(`{"nodeCount":1}`)
	default:
		return nil
	}
	return &a
}

// settings sends the calls of the browser's SDK back here and to no other integration.
func settings(c *compat.Call) string {
	proto := "http"
	if c.Request.TLS != nil || strings.EqualFold(c.Request.Header.Get("X-Forwarded-Proto"), "https") {
		proto = "https"
	}
	key := string(compat.Quote(nil, c.Param("write_key")))
	host := string(compat.Quote(nil, c.Request.Host+c.Base+"/v1"))
	return `{"integrations":{"Segment.io":{"apiKey":` + key + `,"apiHost":` + host + `,"protocol":"` + proto +
		`","unbundledIntegrations":[],"addBundledMetadata":true,"deliveryStrategy":{"strategy":"standard"}}},` +
		`"plan":{"track":{"__default":{"enabled":true,"integrations":{}}},"identify":{"__default":{"enabled":true}},"group":{"__default":{"enabled":true}}},` +
		`"edgeFunction":{},"analyticsNextEnabled":true,"middlewareSettings":{},"enabledMiddleware":{},` +
		`"metrics":{"sampleRate":0},"legacyVideoPluginsEnabled":false,"remotePlugins":[]}`
}

func sourceConfig(c *compat.Call) string {
	key := string(compat.Quote(nil, writeKey(c, nil)))
	return `{"source":{"id":"nimbus","name":"Nimbus","writeKey":` + key + `,"enabled":true,"workspaceId":"nimbus","config":` +
		`{"statsCollection":{"errors":{"enabled":false},"metrics":{"enabled":false}}},"connections":[],"destinations":[],` +
		`"dataplanes":{}},"consentManagementMetadata":{"providers":[]}}`
}

var errBody = errors.New("the body is not a JSON object")

// Read reads a batch, or one call.
func (Dialect) Read(c *compat.Call) (*compat.Batch, error) {
	body, ok := compat.Decodable(c.Body)
	if !ok || !compat.IsObject(body) {
		return nil, errBody
	}
	b := &compat.Batch{SDK: c.Request.UserAgent(), Key: writeKey(c, body)}
	e := &envelope{now: c.Now, again: attempt(c.Request) > 0, agent: compat.BrowserAgent(c.Request)}
	kind, single := kinds[c.Operation]
	if single || !compat.IsArray(compat.Member(body, "batch")) {
		if compat.IsNull(compat.Member(body, "type")) && !single {
			return nil, errors.New("the body has neither a batch nor a type")
		}
		e.kind = kind
		b.Items = append(b.Items, e.item(body))
		return b, nil
	}
	var batch []byte
	for name, value := range compat.Members(body) {
		switch string(name) {
		case "sentAt":
			e.sentAt, _ = compat.Time(value)
		case "context":
			e.context = value
		case "batch":
			batch = value
		}
	}
	for call := range compat.Elements(batch) {
		b.Items = append(b.Items, e.item(call))
	}
	return b, nil
}

// Again reads a call from the quarantine.
func (Dialect) Again(operation string, raw []byte) compat.Item {
	return (&envelope{kind: kinds[operation]}).item(raw)
}

// Archived reads a call as Segment keeps it. The time at which it was received tells a wrong clock, as it does in a request.
func (Dialect) Archived(line []byte) compat.Item {
	receivedAt, _ := compat.Time(compat.Member(line, "receivedAt"))
	return (&envelope{now: receivedAt}).item(line)
}

// Stored is the same for all.
func (Dialect) Stored(*compat.Call, *compat.Batch) compat.Answer { return compat.JSON(success) }

// Refused answers in plain text: rudder-py takes JSON without a code and a message for a broken connection, and tries again
// for ever.
func (Dialect) Refused(_ *compat.Call, why compat.Failure) compat.Answer {
	text := why.Detail
	switch why.Kind {
	case compat.BadKey:
		text = "invalid write key"
	case compat.TooLarge:
		text = "request size exceeds max limit"
	default:
	}
	return compat.Answer{Status: why.Status(), Type: "text/plain; charset=utf-8", Body: []byte(text)}
}

// writeKey is the user of Basic authorization, else what the body or the query says.
func writeKey(c *compat.Call, body []byte) string {
	if user, _, ok := c.Request.BasicAuth(); ok && user != "" {
		return user
	}
	if encoded, ok := strings.CutPrefix(c.Request.Header.Get("Authorization"), "Basic "); ok {
		// Some clients leave the colon out.
		if text, err := base64.StdEncoding.DecodeString(encoded); err == nil && len(text) > 0 {
			return string(text)
		}
	}
	if key := compat.Text(compat.Member(body, "writeKey")); key != "" {
		return key
	}
	return c.Request.URL.Query().Get("writeKey")
}

// attempt is how often a request was sent before, as far as it says.
func attempt(r *http.Request) int {
	n, _ := strconv.Atoi(r.Header.Get("X-Retry-Count"))
	return n
}

// envelope is what the calls of a request share.
type envelope struct {
	kind    string // of a call that does not say its type
	context []byte
	sentAt  time.Time
	now     time.Time
	again   bool
	agent   string
}

// call is one call, its members as they were sent.
type call struct {
	kind, event, name, category, userID, anonymousID, messageID, groupID, previousID, channel string
	properties, traits, context                                                               []byte
	timestamp, originalTimestamp, sentAt                                                      []byte
}

func parse(raw []byte) *call {
	c := &call{}
	for name, v := range compat.Members(raw) {
		switch string(name) {
		case "type":
			c.kind = compat.Text(v)
		case "event":
			c.event = compat.Text(v)
		case "name":
			c.name = compat.Text(v)
		case "category":
			c.category = compat.Text(v)
		case "userId":
			c.userID = compat.Text(v)
		case "anonymousId":
			c.anonymousID = compat.Text(v)
		case "messageId":
			c.messageID = compat.Text(v)
		case "groupId":
			c.groupID = compat.Text(v)
		case "previousId":
			c.previousID = compat.Text(v)
		case "channel":
			c.channel = compat.Text(v)
		case "properties":
			c.properties = v
		case "traits":
			c.traits = v
		case "context":
			c.context = v
		case "timestamp":
			c.timestamp = v
		case "originalTimestamp":
			c.originalTimestamp = v
		case "sentAt":
			c.sentAt = v
		}
	}
	return c
}

// item maps one call.
func (e *envelope) item(raw []byte) compat.Item {
	item := compat.Item{Raw: raw}
	if !compat.IsObject(raw) {
		item.Bad("type", "a call must be an object")
		return item
	}
	c := parse(raw)
	if c.kind == "" {
		c.kind = e.kind
	}
	c.kind = strings.ToLower(c.kind)
	at := c.originalTimestamp
	if compat.IsNull(at) {
		at = c.timestamp
	}
	ts, ok := compat.Time(at)
	if !ok {
		item.Bad("timestamp", "the timestamp cannot be read")
		return item
	}
	if c.userID == "" && c.anonymousID == "" {
		if c.kind != "group" && c.kind != "alias" {
			item.Bad("id_missing", "a call needs a userId or an anonymousId")
			return item
		}
	}
	ev := &item.Event
	ev.TS, ev.IdempotencyKey = ts, c.messageID
	ev.UserID, ev.AnonymousID = c.userID, c.person()
	e.correct(c, &item)
	switch c.kind {
	case "track":
		if ev.Name = c.event; strings.TrimSpace(c.event) == "" {
			ev.Name = ""
			item.Bad("name_missing", "a track call needs an event name")
			return item
		}
		ev.Props = e.props(c)
	case "page":
		ev.Name, ev.Props = "$pageview", e.props(c)
	case "screen":
		ev.Name, ev.Props = "$screen", e.props(c)
	case "identify", "group", "alias":
		profile(c, &item)
	default:
		item.Bad("type_unknown", "the type of a call is track, identify, page, screen, group or alias")
	}
	return item
}

// correct moves the time of a call whose sender's clock is wrong.
func (e *envelope) correct(c *call, item *compat.Item) {
	sentAt := e.sentAt
	if own, ok := compat.Time(c.sentAt); ok && !own.IsZero() {
		sentAt = own
	}
	if !e.now.IsZero() {
		compat.ClockOf(e.now, sentAt, e.again).Correct(&item.Event)
	}
}

// person is the anonymous id of a call. rudder-go makes a new one for each call of a server that has only a userId: a link
// for each event, for ever. Identify and alias are where servers link.
func (c *call) person() string {
	if c.channel == "server" && c.userID != "" && c.kind != "identify" && c.kind != "alias" {
		if _, err := uuid.Parse(c.anonymousID); err == nil {
			return ""
		}
	}
	return c.anonymousID
}
