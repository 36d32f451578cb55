package live

// transport is how a stream reaches its client.
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

// heartbeat is what tells the client that the server is there. A WebSocket answers it; a comment is ignored, and a connection
// that is dead fails to take it.
func (d transport) heartbeat(b []byte) []byte {
	if d == eventStream {
		return append(b, ": beat\n\n"...)
	}
	return appendFrame(b, opPing, nil)
}

// last is what follows the last frame.
func (d transport) last(b []byte, e *end) []byte {
	if d == eventStream {
		return b
	}
	return appendClose(b, e.code, e.reason)
}
