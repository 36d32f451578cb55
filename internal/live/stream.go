package live

import (
	"bufio"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"syscall"
	"time"
)

// connState is the state of a connection. It only moves forward, except between connIdle and connWriting.
//
//	connPending → connIdle ⇄ connWriting → connEnding → connClosed
type connState uint8

const (
	connPending connState = iota // the request is not answered yet: there is no connection
	connIdle                     // nothing is queued; a round may write without blocking
	connWriting                  // the goroutine of this stream writes, and nothing else does
	connEnding                   // the last frame is written; the client has closeTime to close
	connClosed                   // closed by the server: nothing is written any more
)

// link is the connection of a stream. Rounds (fanout.go) write without blocking. A goroutine of this stream writes
// the bytes that the socket did not take, and exists only while there are any.
type link struct {
	state      connState
	conn       net.Conn        // nil while pending
	raw        syscall.RawConn // nil when conn is no socket: then the goroutine does all writes
	rest       []byte          // bytes that the socket did not take
	sentCursor []byte          // the cursor of the last frame sent

	heartbeatAt  time.Time // time of the next heartbeat
	heartbeatDue bool
	pingSince    time.Time // when the unanswered ping was sent; zero: there is none
	pong         []byte    // the answer to the client's ping

	end        *end // why the stream ends; nil while it goes on
	peerClosed bool // the client has sent its close
}

const (
	// framesAtOnce is about how many frames one write has.
	framesAtOnce = 64
	// writeBytes is how much a client must receive within Config.WriteTime.
	writeBytes = 16 << 10
	// closeTime is how long a client may take to end the connection after the last frame.
	closeTime = 5 * time.Second
)

// open begins to send.
func (s *Subscription) open(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.state = conn, connIdle
	if c, ok := conn.(syscall.Conn); ok {
		s.raw, _ = c.SyscallConn() // nil on an error: then it is no socket
	}
	//nolint:gosec // jitter, so that streams that began together are not pinged together; it needs no secrecy
	s.heartbeatAt = time.Now().Add(rand.N(s.topic.hub.cfg.Heartbeat))
	s.wake()
}

// wake starts the goroutine that writes for this stream, if there is none. s.mu is held.
func (s *Subscription) wake() {
	if s.state == connIdle {
		s.state = connWriting
		go s.write()
	}
}

// trySend sends the round's chunk to the stream without blocking. It returns the number of events sent.
func (s *Subscription) trySend(a *attempt) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.group.chunk
	switch {
	case s.state != connIdle || s.place >= c.to: // the goroutine that is writing finds the events in the ring
		return 0
	case s.place != c.from || s.resuming != nil || s.raw == nil || c.gap:
		s.wake()
		return 0
	}
	s.place, s.last = c.to, c.last
	s.counted.events += c.events
	if c.events == 0 {
		return 0
	}
	s.sentCursor = c.sentCursor
	n, err := a.write(s.raw, c.bytes)
	if err != nil {
		s.disconnect()
		return 0
	}
	if n < len(c.bytes) {
		s.rest = c.bytes[n:]
		s.wake()
	}
	return int(c.events)
}

// disconnect closes the connection, which ends read. s.mu is held, and there is a connection.
func (s *Subscription) disconnect() {
	s.state = connClosed
	_ = s.conn.Close()
}

// write sends queued bytes until there are none. While the state is connWriting nothing else writes.
func (s *Subscription) write() {
	for {
		b, last := s.pull()
		for len(b) > 0 {
			err := s.conn.SetWriteDeadline(time.Now().Add(s.topic.hub.cfg.WriteTime))
			n := 0
			if err == nil {
				n, err = s.conn.Write(b[:min(len(b), writeBytes)])
			}
			if err != nil {
				s.mu.Lock()
				s.disconnect()
				s.mu.Unlock()
				return
			}
			if b = b[n:]; len(b) == 0 && last {
				s.awaitClose()
				return
			}
		}
		if b == nil {
			return
		}
	}
}

// pull returns the next bytes to write, and whether they are the last; nil when there are none, and then the state is
// connIdle.
func (s *Subscription) pull() (b []byte, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rest != nil {
		b, s.rest = s.rest, nil
		return b, false
	}
	if s.pong != nil {
		b = appendFrame(b, opPong, s.pong)
		s.pong = nil
	}
	d, m, most := s.group.transport, s.topic.hub.metrics, framesAtOnce
	if s.end != nil {
		most = 0
	}
	frames := s.next(most)
	sent := 0
	for k := range frames {
		f := &frames[k]
		if f.kind == kindEvent {
			sent++
		}
		if f.kind == kindMissed && f.known {
			m.missed.Add(float64(f.count))
		}
		b = d.append(b, f)
		s.sentCursor = f.cursor
	}
	m.sent.Add(float64(sent))
	if s.end != nil {
		if !s.end.silent {
			b = d.append(b, &frame{kind: kindEnd, cursor: s.last, end: *s.end})
		}
		return d.last(b, s.end), true
	}
	if s.heartbeatDue {
		s.heartbeatDue = false
		if string(s.sentCursor) != string(s.last) {
			s.sentCursor = s.last
			b = d.append(b, &frame{kind: kindPosition, cursor: s.last})
		}
		b = d.heartbeat(b)
	}
	if b == nil {
		s.state = connIdle
		// The deadline would hold for rounds too. A closed connection fails at the next write.
		_ = s.conn.SetWriteDeadline(time.Time{})
	}
	return b, false
}

// awaitClose waits for the client to close after the last frame: if the server closed first, the client could lose it.
func (s *Subscription) awaitClose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peerClosed {
		s.disconnect()
		return
	}
	s.state = connEnding
	_ = s.conn.SetReadDeadline(time.Now().Add(closeTime)) // fails only when it is closed already
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok && s.group.transport == eventStream {
		_ = c.CloseWrite()
	}
}

// finish ends the stream. The first reason counts.
func (s *Subscription) finish(e end) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		s.end = &e
		s.wake()
	}
}

// heartbeat sends a heartbeat when it is due, and disconnects a client that has not answered the last one. While the
// stream's goroutine writes, the write deadline does that instead.
func (s *Subscription) heartbeat(now time.Time) {
	cfg := &s.topic.hub.cfg
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state != connIdle:
	case !s.pingSince.IsZero() && now.Sub(s.pingSince) >= cfg.PongTime:
		s.disconnect()
	case !now.Before(s.heartbeatAt):
		s.heartbeatAt, s.heartbeatDue = now.Add(cfg.Heartbeat), true
		if s.group.transport == webSocket && s.pingSince.IsZero() {
			s.pingSince = now
		}
		s.wake()
	}
}

// read reads from the client until the connection has ended.
func (s *Subscription) read(in *bufio.Reader) {
	defer func() { _ = s.conn.Close() }() // it may have been closed already
	if s.group.transport == webSocket {
		s.serveControlFrames(in)
	}
	_, _ = in.Discard(math.MaxInt) // only the end of the connection matters now
}

// serveControlFrames answers the control frames of a WebSocket client until one side closes.
func (s *Subscription) serveControlFrames(in *bufio.Reader) {
	var buffer [maxControl]byte
	for {
		op, content, err := readControl(in, &buffer)
		switch {
		case errors.Is(err, errClientMessage):
			s.finish(end{code: codePolicy, reason: "This stream takes no messages.", silent: true})
			return
		case errors.Is(err, errProtocol):
			s.finish(end{code: codeProtocol, reason: "This is no WebSocket.", silent: true})
			return
		case err != nil:
			return
		case op == opClose:
			s.clientCloses(content)
			return
		}
		s.mu.Lock()
		if op == opPing {
			s.pong = append(make([]byte, 0, len(content)), content...)
			s.wake()
		} else {
			s.pingSince = time.Time{}
		}
		s.mu.Unlock()
	}
}

// clientCloses handles the client's close frame: its code is sent back, and then the connection is closed.
func (s *Subscription) clientCloses(content []byte) {
	s.mu.Lock()
	s.peerClosed = true
	if s.state == connEnding {
		s.disconnect()
	}
	s.mu.Unlock()
	s.finish(end{code: closeCode(content), silent: true})
}

// attempt is a non-blocking write. One is reused for many writes, because a closure for each call would be an
// allocation.
type attempt struct {
	b   []byte
	n   int
	err error
	do  func(fd uintptr) bool
}

func newAttempt() *attempt {
	a := new(attempt)
	a.do = func(fd uintptr) bool {
		a.n, a.err = syscall.Write(int(fd), a.b)
		return true // done, even on an error: false would block until the socket is writable
	}
	return a
}

// write returns how many bytes the connection took.
func (a *attempt) write(c syscall.RawConn, b []byte) (int, error) {
	a.b = b
	if err := c.Write(a.do); err != nil {
		return 0, err
	}
	switch {
	case errors.Is(a.err, syscall.EAGAIN), errors.Is(a.err, syscall.EINTR):
		return 0, nil
	case a.err != nil:
		return 0, a.err
	}
	return a.n, nil
}
