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
	index  int // in topic.streams, under the lock of that
	caller *caller

	mu    sync.Mutex // of all below; held for a moment, and before that of the topic
	place uint64
	done  tally   // what it would have shown, up to its place
	back  *cursor // while it catches up after a reconnect: what it has seen; else nil
	last  []byte  // the cursor at its place
	first []frame // what it is told before anything else
	link
}

// caller is everybody who listens to a project with the same credentials: they are checked together.
type caller struct {
	principal *auth.Principal
	project   uuid.UUID
	streams   map[*Subscription]struct{}
}

// end is why a stream ends.
type end struct {
	code   int
	reason string
	silent bool // without a frame that says so: the client left, or does not keep to the rules
}

// The codes of an end, which are those of the closed WebSocket too.
const (
	codeGoingAway       = 1001
	codeUnauthenticated = 4401
	codeNotFound        = 4404
)

// join makes a subscription that starts behind the cursor, or now.
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
	s.done = t.ring.upTo(s.group, s.place)
	return s
}

// resume goes back to where the ring begins and clientCloses out what the cursor has behind it.
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
	if !known { // what nobody knows here any more is of no use to the next cursor
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
	s.place, s.back, s.last = t.ring.tail, back, back.append(nil)
	if missed > 0 || !known {
		s.first = append(s.first, frame{kind: kindMissed, cursor: s.last, since: c.at, count: missed, known: known && s.group.names == nil})
	}
	s.finishCatchUp()
}

// finishCatchUp ends catching up once everything the stream has seen elsewhere has come here too.
func (s *Subscription) finishCatchUp() {
	if s.back == nil || s.place != s.topic.ring.head() {
		return
	}
	for _, p := range s.back.positions {
		if o := s.topic.source(p.source); o != nil && o.seq < p.seq {
			return
		}
	}
	s.back = nil
}

// currentCursor is the cursor behind everything that has come.
func (t *topic) currentCursor() []byte {
	c := cursor{at: t.hub.now(), positions: t.positions(nil)}
	return c.append(nil)
}

// next returns the frames that wait, at most about so many.
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
		s.done.add(s.group, e)
		if f, ok := s.show(e); ok {
			frames = append(frames, f)
		}
	}
	s.finishCatchUp()
	return frames
}

// skipLost skips what has left the ring before the stream could show it.
func (s *Subscription) skipLost() frame {
	t := s.topic
	gone := s.group.gone
	f := frame{kind: kindMissed, since: atOf(s.last), count: gone.events - s.done.events,
		known: gone.unknown == s.done.unknown && s.back == nil} // of what it has seen elsewhere nobody knows what left
	s.done, s.place = gone, t.ring.tail
	c := cursor{at: t.hub.now()}
	if s.back != nil {
		c.positions = s.back.positions
	}
	for k := range t.sources {
		c.advance(t.sources[k].source, t.sources[k].floor)
	}
	if s.back != nil {
		s.back.positions = c.positions
	}
	s.last = c.append(nil)
	f.cursor = s.last
	return f
}

// show moves the cursor behind an entry and returns its frame, unless the filter hides it or the stream has seen it.
func (s *Subscription) show(e *entry) (frame, bool) {
	f := e.frame
	count := e.count
	if s.back != nil {
		if p := s.back.find(e.source); p != nil && e.source != 0 {
			if e.seq <= p.seq {
				return frame{}, false
			}
			count = min(count, int64(e.seq-p.seq))
		}
		if e.source != 0 {
			s.back.advance(e.source, e.seq)
		}
		s.back.at = atOf(e.frame.cursor)
		if !e.gap {
			f = eventFrame(s.back, e.frame.event)
		} else {
			f.cursor = s.back.append(nil)
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

// atOf is when a cursor of ours was made.
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
