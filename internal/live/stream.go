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

// link is the connection of a stream. Nobody waits for it but a goroutine that writes for this stream alone, and that is
// there only while something waits that the connection did not take at once: rounds (fanout.go) write what they can without
// waiting, and leave the rest to it.
type link struct {
	conn    net.Conn        // nil until the request was answered
	raw     syscall.RawConn // nil when conn is no socket: everything is then left to the goroutine
	writing bool            // the goroutine is there, and nobody else writes
	rest    []byte          // what the connection did not take
	told    []byte          // the cursor of the last frame sent

	beatAt  time.Time // when the client is told that the server is there
	beatDue bool
	asked   time.Time // since when a ping waits for its answer; zero: none does
	pong    []byte    // the answer to the client's

	end    *end
	parted bool // the end was written
	left   bool // the client has said that it ends
}

const (
	// framesAtOnce is about how many frames are written at once.
	framesAtOnce = 64
	// partBytes is what a client must take within the time for it.
	partBytes = 16 << 10
	// partTime is how long a client may take to end the connection after the last frame.
	partTime = 5 * time.Second
)

// open begins to send.
func (s *Subscription) open(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	if c, ok := conn.(syscall.Conn); ok {
		s.raw, _ = c.SyscallConn() // without it, it is no socket
	}
	//nolint:gosec // so that those who came together are not pinged together; nobody gains from guessing it
	s.beatAt = time.Now().Add(rand.N(s.topic.hub.cfg.Heartbeat))
	s.wake()
}

// wake sees to it that what waits is sent. s.mu is held.
func (s *Subscription) wake() {
	if s.conn != nil && !s.writing {
		s.writing = true
		go s.write()
	}
}

// offer sends what a round has for the stream, without waiting for anything. It returns the number of events sent.
func (s *Subscription) offer(a *attempt) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.group.chunk
	switch {
	case s.conn == nil || s.writing || s.place >= c.to: // who writes now finds it in the ring
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
	s.told = c.told
	n, err := a.write(s.raw, c.bytes)
	if err != nil {
		s.cut()
		return 0
	}
	if n < len(c.bytes) {
		s.rest = c.bytes[n:]
		s.wake()
	}
	return int(c.events)
}

// cut ends the connection; read notices. s.mu is held.
func (s *Subscription) cut() {
	s.writing = true // nobody else need try
	_ = s.conn.Close()
}

// write sends what waits, and what comes meanwhile, until nothing does. s.writing is its own.
func (s *Subscription) write() {
	for {
		b, last := s.pull()
		for len(b) > 0 {
			err := s.conn.SetWriteDeadline(time.Now().Add(s.topic.hub.cfg.WriteTime))
			n := 0
			if err == nil {
				n, err = s.conn.Write(b[:min(len(b), partBytes)])
			}
			if err != nil {
				_ = s.conn.Close()
				return
			}
			if b = b[n:]; len(b) == 0 && last {
				s.part()
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
	d, m, most := s.group.door, s.topic.hub.metrics, framesAtOnce
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
		s.told = f.cursor
	}
	m.sent.Add(float64(sent))
	if s.end != nil {
		if !s.end.silent {
			b = d.append(b, &frame{kind: kindEnd, cursor: s.last, end: *s.end})
		}
		return d.last(b, s.end), true
	}
	if s.beatDue {
		s.beatDue = false
		if string(s.told) != string(s.last) {
			s.told = s.last
			b = d.append(b, &frame{kind: kindPosition, cursor: s.last})
		}
		b = d.beat(b)
	}
	if b == nil {
		s.writing = false
		_ = s.conn.SetWriteDeadline(time.Time{}) // else it would hold for rounds too; a connection that is closed shows itself
	}
	return b, false
}

// part waits for the client to end the connection, after the last frame: closed at once, it could lose that.
func (s *Subscription) part() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parted = true
	if s.left {
		_ = s.conn.Close()
		return
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(partTime)) // one that is closed needs none
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok && s.group.door == eventStream {
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

// beat tells the client now and then that the server is there, and cuts it off when it does not answer. While something
// is written for the stream alone, the time for that watches over it.
func (s *Subscription) beat(now time.Time) {
	cfg := &s.topic.hub.cfg
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.conn == nil || s.writing:
	case !s.asked.IsZero() && now.Sub(s.asked) >= cfg.PongTime:
		s.cut()
	case !now.Before(s.beatAt):
		s.beatAt, s.beatDue = now.Add(cfg.Heartbeat), true
		if s.group.door == webSocket && s.asked.IsZero() {
			s.asked = now
		}
		s.wake()
	}
}

// read takes what the client sends until the connection has ended.
func (s *Subscription) read(in *bufio.Reader) {
	defer func() { _ = s.conn.Close() }() // it may have been closed already
	if s.group.door == webSocket {
		s.heed(in)
	}
	_, _ = in.Discard(math.MaxInt) // nothing more of it counts, but its end
}

// heed answers a WebSocket client until one of both sides ends.
func (s *Subscription) heed(in *bufio.Reader) {
	var buffer [maxControl]byte
	for {
		op, content, err := readControl(in, &buffer)
		switch {
		case errors.Is(err, errTalks):
			s.finish(end{code: codePolicy, reason: "This stream takes no messages.", silent: true})
			return
		case errors.Is(err, errProtocol):
			s.finish(end{code: codeProtocol, reason: "This is no WebSocket.", silent: true})
			return
		case err != nil:
			return
		case op == opClose:
			s.leaves(content)
			return
		}
		s.mu.Lock()
		if op == opPing {
			s.pong = append(make([]byte, 0, len(content)), content...)
			s.wake()
		} else {
			s.asked = time.Time{}
		}
		s.mu.Unlock()
	}
}

// leaves is what happens when the client ends: it gets its code back, and then the connection is closed.
func (s *Subscription) leaves(content []byte) {
	s.mu.Lock()
	s.left = true
	if s.parted {
		_ = s.conn.Close()
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
