package live

import (
	"encoding/binary"
	"errors"

	"github.com/google/uuid"
)

// event is a stored event on its way to the streams: its name, for the filters, and its JSON.
type event struct {
	name string
	json []byte
}

// message is consecutive events of one source, numbered from first on. Without events it carries the source's next
// sequence number, so that a node that missed the last events notices.
type message struct {
	source uint64
	first  uint64
	last   bool // no message follows: the node stops
	events []event
}

const (
	messageVersion = 1
	messageHead    = 1 + 1 + 8 + 8
	controlChannel = "nimbus.live"
	// maxMessageBytes is about the size at which a large batch is split: a message that takes longer than the
	// time-out of a call to Redis, a few milliseconds, would open the circuit breaker.
	maxMessageBytes = 64 << 10
)

func channelOf(project uuid.UUID) string { return controlChannel + "." + project.String() }

func (m *message) encode() []byte {
	size := messageHead
	for k := range m.events {
		size += len(m.events[k].name) + len(m.events[k].json) + 8
	}
	b := make([]byte, 0, size)
	b = append(b, messageVersion, 0)
	if m.last {
		b[1] = 1
	}
	b = binary.BigEndian.AppendUint64(b, m.source)
	b = binary.BigEndian.AppendUint64(b, m.first)
	for k := range m.events {
		b = binary.AppendUvarint(b, uint64(len(m.events[k].name)))
		b = append(b, m.events[k].name...)
		b = binary.AppendUvarint(b, uint64(len(m.events[k].json)))
		b = append(b, m.events[k].json...)
	}
	return b
}

var errMessage = errors.New("not a message of the live stream, or of another version")

// decodeMessage reads a message; its events share the memory of b.
func decodeMessage(b []byte) (*message, error) {
	if len(b) < messageHead || b[0] != messageVersion {
		return nil, errMessage
	}
	m := &message{last: b[1] == 1, source: binary.BigEndian.Uint64(b[2:]), first: binary.BigEndian.Uint64(b[10:])}
	if b[1] > 1 || m.source == 0 || m.first == 0 {
		return nil, errMessage
	}
	for b = b[messageHead:]; len(b) > 0; {
		name, rest, ok := cut(b)
		if !ok {
			return nil, errMessage
		}
		json, rest, ok := cut(rest)
		if !ok {
			return nil, errMessage
		}
		m.events = append(m.events, event{string(name), json})
		b = rest
	}
	return m, nil
}

// cut takes bytes that follow their number.
func cut(b []byte) (part, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(size)], b[n+int(size):], true
}

// control is a message between nodes that is not about events.
type control struct {
	Node uint64      `json:"node"`           // the sender
	Ask  bool        `json:"ask,omitempty"`  // the sender starts: the others announce their projects
	Want []uuid.UUID `json:"want,omitempty"` // projects with subscribers there
	Used []spent     `json:"used,omitempty"` // tickets that were used there
	// Forget are projects of which the sender has deleted stored events: the ring has them no more.
	Forget []uuid.UUID `json:"forget,omitempty"`
}
