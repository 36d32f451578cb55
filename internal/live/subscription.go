package live

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/access/auth"
)

// Subscription is one stream: its place in the ring of a project, and its connection (stream.go).
type Subscription struct {
	topic  *topic
	group  *group
	index  int // in topic.streams, guarded by topic.mu
	caller *caller

	mu       sync.Mutex // guards everything below; held shortly, and locked before topic.mu
	place    uint64
	counted  tally   // the entries before its place that it shows
	resuming *cursor // what the client has seen, while it catches up after a reconnect; else nil
	last     []byte  // the cursor at its place
	first    []frame // frames that are sent before all others
	link
}

// caller is the streams of a project with the same credentials, which are checked once for all of them.
type caller struct {
	principal *auth.Principal
	project   uuid.UUID
	streams   map[*Subscription]struct{}
}

// end is why a stream ends.
type end struct {
	code   int
	reason string
	silent bool // no end frame is sent: the client left, or broke the protocol
}

// The codes of an end frame, which are also the close codes of the WebSocket.
const (
	codeGoingAway       = 1001
	codeUnauthenticated = 4401
	codeNotFound        = 4404
)

// join creates a subscription that starts behind the cursor, or with the next event when there is none.
func (t *topic) join(d transport, names []string, c *cursor) *Subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &Subscription{topic: t, group: t.ring.join(d, names), index: len(t.streams), place: t.ring.head()}
	t.streams = append(t.streams, s)
	if c == nil {
		s.last = t.currentCursor()
		s.first = []frame{{kind: kindHello, cursor: s.last}}
	} else {
		s.resume(c)
	}
	s.counted = t.ring.upTo(s.group, s.place)
	return s
}

// resume goes back to the tail of the ring; show then skips the events that the cursor has already seen.
func (s *Subscription) resume(c *cursor) {
	t := s.topic
	s.first = []frame{{kind: kindHello, cursor: c.append(nil)}}
	var missed int64
	known := true
	for _, p := range c.positions {
		known = known && t.source(p.source) != nil
	}
	back := &cursor{at: c.at, positions: c.positions}
	for k := range t.sources {
		o := &t.sources[k]
		switch p := c.find(o.source); {
		case p == nil:
			known = known && o.floor == 0
		case p.seq < o.floor:
			missed += int64(o.floor - p.seq)
		}
	}
	if !known { // sources that this node no longer knows are of no use in the next cursor
		back.positions = nil
		for _, p := range c.positions {
			if t.source(p.source) != nil {
				back.positions = append(back.positions, p)
			}
		}
	}
	for k := range t.sources {
		back.advance(t.sources[k].source, t.sources[k].floor)
	}
	s.place, s.resuming, s.last = t.ring.tail, back, back.append(nil)
	if missed > 0 || !known {
		s.first = append(s.first, frame{kind: kindMissed, cursor: s.last, since: c.at, count: missed, known: known && s.group.names == nil})
	}
	s.finishCatchUp()
}

// finishCatchUp ends the catch-up once this node has received all events that the stream had seen on another node.
func (s *Subscription) finishCatchUp() {
	if s.resuming == nil || s.place != s.topic.ring.head() {
		return
	}
	for _, p := range s.resuming.positions {
		if o := s.topic.source(p.source); o != nil && o.seq < p.seq {
			return
		}
	}
	s.resuming = nil
}

// currentCursor is the cursor behind all received events.
func (t *topic) currentCursor() []byte {
	c := cursor{at: t.hub.now(), positions: t.positions(nil)}
	return c.append(nil)
}

// next returns the frames to send, about most of them.
func (s *Subscription) next(most int) []frame {
	frames := s.first
	s.first = nil
	t := s.topic
	t.mu.RLock()
	defer t.mu.RUnlock()
	if s.place < t.ring.tail {
		if f := s.skipLost(); f.count > 0 || !f.known {
			frames = append(frames, f)
		}
	}
	for s.place < t.ring.head() && len(frames) < most {
		e := &t.ring.entries[s.place-t.ring.tail]
		s.place++
		s.counted.add(s.group, e)
		if f, ok := s.show(e); ok {
			frames = append(frames, f)
		}
	}
	s.finishCatchUp()
	return frames
}

// skipLost skips the events that were evicted before the stream could show them, and returns the missed frame.
func (s *Subscription) skipLost() frame {
	t := s.topic
	gone := s.group.evicted
	// While the stream catches up, the evicted events may include some that the client saw on another node.
	f := frame{kind: kindMissed, since: atOf(s.last), count: gone.events - s.counted.events,
		known: gone.unknown == s.counted.unknown && s.resuming == nil}
	s.counted, s.place = gone, t.ring.tail
	c := cursor{at: t.hub.now()}
	if s.resuming != nil {
		c.positions = s.resuming.positions
	}
	for k := range t.sources {
		c.advance(t.sources[k].source, t.sources[k].floor)
	}
	if s.resuming != nil {
		s.resuming.positions = c.positions
	}
	s.last = c.append(nil)
	f.cursor = s.last
	return f
}

// show moves the cursor behind an entry and returns its frame, unless the filter hides it or the client has seen it.
func (s *Subscription) show(e *entry) (frame, bool) {
	f := e.frame
	count := e.count
	if s.resuming != nil {
		if p := s.resuming.find(e.source); p != nil && e.source != 0 {
			if e.seq <= p.seq {
				return frame{}, false
			}
			count = min(count, int64(e.seq-p.seq))
		}
		if e.source != 0 {
			s.resuming.advance(e.source, e.seq)
		}
		s.resuming.at = atOf(e.frame.cursor)
		if !e.gap {
			f = eventFrame(s.resuming, e.frame.event)
		} else {
			f.cursor = s.resuming.append(nil)
		}
	}
	since := s.last
	s.last = f.cursor
	switch {
	case e.gap:
		return frame{kind: kindMissed, cursor: f.cursor, since: atOf(since), count: count,
			known: e.source != 0 && s.group.names == nil}, true
	default:
		return f, s.group.shows(e)
	}
}

// atOf returns when a cursor that this server made was made.
func atOf(text []byte) time.Time {
	c, err := decodeCursor(string(text))
	if err != nil {
		return time.Time{}
	}
	return c.at
}

// leave ends the subscription.
func (s *Subscription) leave(now time.Time) {
	t := s.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ring.leave(s.group)
	last := len(t.streams) - 1
	t.streams[s.index] = t.streams[last]
	t.streams[s.index].index = s.index
	t.streams[last] = nil
	if t.streams = t.streams[:last]; last == 0 {
		t.left = now
	}
}
