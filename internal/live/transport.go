package live

// transport is WebSocket or Server-Sent Events.
type transport byte

const (
	webSocket   transport = 'w'
	eventStream transport = 'e'
)

// append appends a frame as it goes over the connection.
func (d transport) append(b []byte, f *frame) []byte {
	if f.json == nil {
		render(f)
	}
	if d == eventStream {
		return append(b, f.sse...)
	}
	return appendFrame(b, opText, f.json)
}

// heartbeat appends a heartbeat: a ping, which a WebSocket client answers, or a comment, which a client of
// Server-Sent Events ignores; a dead connection fails to take either.
func (d transport) heartbeat(b []byte) []byte {
	if d == eventStream {
		return append(b, ": heartbeat\n\n"...)
	}
	return appendFrame(b, opPing, nil)
}

// last appends the bytes that follow the last frame.
func (d transport) last(b []byte, e *end) []byte {
	if d == eventStream {
		return b
	}
	return appendClose(b, e.code, e.reason)
}
