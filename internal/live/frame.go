package live

import "time"

// kind is the type of a frame.
type kind string

const (
	kindHello    kind = "hello"
	kindEvent    kind = "event"
	kindMissed   kind = "missed"
	kindPosition kind = "position"
	kindEnd      kind = "end"
)

// frame is one message to a client. That of an event is encoded once, and all streams send the same bytes: json, cursor
// and event are parts of sse.
type frame struct {
	kind   kind
	sse    []byte // as a Server-Sent Event
	json   []byte // as a message of a WebSocket
	cursor []byte
	event  []byte // the JSON of the event itself

	count int64 // of kindMissed
	known bool  // of kindMissed: count is right
	since time.Time
	end   end // of kindEnd
}

// eventFrame is the frame of an event, as LiveEvent of the contract has it. The cursor is base64 and the JSON has no
// line breaks, so neither needs to be escaped.
func eventFrame(c *cursor, json []byte) frame {
	const idLine, eventLine, open, middle = "id: ", "\nevent: event\ndata: ", `{"type":"event","cursor":"`, `","event":`
	text := c.append(make([]byte, 0, 64))
	b := make([]byte, 0, len(idLine)+len(eventLine)+len(open)+len(middle)+2*len(text)+len(json)+3)
	b = append(b, idLine...)
	b = append(b, text...)
	cursorEnd := len(b)
	b = append(b, eventLine...)
	jsonStart := len(b)
	b = append(b, open...)
	b = append(b, text...)
	b = append(b, middle...)
	eventStart := len(b)
	b = append(b, json...)
	eventEnd := len(b)
	b = append(b, '}')
	jsonEnd := len(b)
	b = append(b, "\n\n"...)
	return frame{kind: kindEvent, sse: b, json: b[jsonStart:jsonEnd], cursor: b[len(idLine):cursorEnd], event: b[eventStart:eventEnd]}
}

// wrap makes any other frame out of its JSON.
func (f *frame) wrap(json []byte) {
	f.json = json
	f.sse = append(f.sse, "id: "...)
	f.sse = append(f.sse, f.cursor...)
	f.sse = append(f.sse, "\nevent: "...)
	f.sse = append(f.sse, f.kind...)
	f.sse = append(f.sse, "\ndata: "...)
	f.sse = append(f.sse, json...)
	f.sse = append(f.sse, "\n\n"...)
}
