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

// connState is where a connection is in its life. It only moves forward, but for connIdle and connWriting, which take turns.
//
//	connPending → connIdle ⇄ connWriting → connEnding → connClosed
type connState uint8

const (
	connPending connState = iota // the request is not answered yet: there is no connection
	connIdle                     // nothing waits; a round may write what the socket takes at once
	connWriting                  // the goroutine of this stream writes, and nobody else does
	connEnding                   // the last frame is written; the client has a moment to close
	connClosed                   // closed from here: nothing is written any more
)

// link is the connection of a stream. A goroutine writes for this stream alone, and exists only while something waits that the
// socket did not take at once: rounds (fanout.go) write what they can without blocking, and leave the rest to it.
type link struct {
	state      connState
	conn       net.Conn        // nil while pending
	raw        syscall.RawConn // nil when conn is no socket: everything is then left to the goroutine
	rest       []byte          // what the socket did not take
	sentCursor []byte          // the cursor of the last frame sent

	heartbeatAt  time.Time // when the client is told that the server is there
	heartbeatDue bool
	pingSince    time.Time // since when a ping waits for its answer; zero: none does
	pong         []byte    // the answer to the client's

	end        *end // why the stream ends; nil while it goes on
	peerClosed bool // the client has sent its close
}

const (
	// framesAtOnce is about how many frames are written at once.
	framesAtOnce = 64
	// writeBytes is what a client must take within the time for it.
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
		s.raw, _ = c.SyscallConn() // without it, it is no socket
	}
	//nolint:gosec // so that those who came together are not pinged together; nobody gains from guessing it
	s.heartbeatAt = time.Now().Add(rand.N(s.topic.hub.cfg.Heartbeat))
	s.wake()
}

// wake starts the goroutine that sends what waits, if there is none. s.mu is held.
func (s *Subscription) wake() {
	if s.state == connIdle {
		s.state = connWriting
		go s.write()
	}
}

// trySend sends what a round has for the stream, without waiting for anything. It returns the number of events sent.
func (s *Subscription) trySend(a *attempt) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.group.chunk
	switch {
	case s.state != connIdle || s.place >= c.to: // a goroutine that writes now finds it in the ring
		return 0
	case s.place != c.from || s.back != nil || s.raw == nil || c.gap:
		s.wake()
		return 0
	}
	s.place, s.last = c.to, c.last
	s.done.events += c.events
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

// write sends what waits, and what comes meanwhile, until nothing does. While the state is connWriting it alone writes.
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

// pull returns what is to be written next, and whether that is the last; or nil, and then nobody writes any more.
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
		_ = s.conn.SetWriteDeadline(time.Time{}) // else it would hold for rounds too; a connection that is closed shows itself
	}
	return b, false
}

// awaitClose waits for the client to end the connection, after the last frame: closed at once, it could lose that.
func (s *Subscription) awaitClose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peerClosed {
		s.disconnect()
		return
	}
	s.state = connEnding
	_ = s.conn.SetReadDeadline(time.Now().Add(closeTime)) // one that is closed needs none
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

// heartbeat tells the client now and then that the server is there, and cuts it off when it does not answer. While something
// is written for the stream alone, the time for that watches over it.
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

// read takes what the client sends until the connection has ended.
func (s *Subscription) read(in *bufio.Reader) {
	defer func() { _ = s.conn.Close() }() // it may have been closed already
	if s.group.transport == webSocket {
		s.serveControlFrames(in)
	}
	_, _ = in.Discard(math.MaxInt) // nothing more of it counts, but its end
}

// serveControlFrames answers a WebSocket client until one of both sides ends.
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

// clientCloses is what happens when the client ends: it gets its code back, and then the connection is closed.
func (s *Subscription) clientCloses(content []byte) {
	s.mu.Lock()
	s.peerClosed = true
	if s.state == connEnding {
		s.disconnect()
	}
	s.mu.Unlock()
	s.finish(end{code: closeCode(content), silent: true})
}

// attempt is a write that waits for nothing. It is made once for many, because a function that the runtime keeps is
// memory for each call else.
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
		return true // done, whatever came of it
	}
	return a
}

// write returns how much the connection took.
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
