package live

import (
	"crypto/rand"
	"encoding/binary"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/platform/bus"
)

// topic is a project with subscribers, on this node or on another one.
type topic struct {
	hub     *Hub
	project uuid.UUID
	own     uint64 // id of this node as a source of the project's events, for the life of the topic

	mu          sync.RWMutex
	seq         uint64    // of the newest event stored by this node
	wantedUntil time.Time // until then other nodes get the events too
	streams     []*Subscription
	left        time.Time // when the last stream ended
	keeps       bool      // events go into the ring: there is a subscriber, one is joining, or one left lately
	joining     int       // streams that wait for the bus
	stop        func()    // the subscription to the bus, once there is one
	sources     []source  // the first is this node
	ring        ring

	opening  sync.Mutex    // held by the stream that subscribes to the bus; others that join meanwhile wait for it
	appended chan struct{} // wakes run
	closed   chan struct{}
	round    round
}

// source is a node that publishes events of the project: its events after floor, up to seq, are in the ring.
type source struct {
	position
	floor    uint64
	lastSeen time.Time
	over     bool // it has announced its end
}

func newTopic(h *Hub, project uuid.UUID) *topic {
	t := &topic{hub: h, project: project, own: newSourceID(), appended: make(chan struct{}, 1), closed: make(chan struct{})}
	go t.run()
	return t
}

// newSourceID is random: if a restarted source had its old id, its new numbers from 1 would look like old events.
func newSourceID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:]) | 1
}

// full reports whether the project is at its limit of streams on this node.
func (t *topic) full() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.streams) >= t.hub.cfg.PerProject
}

// publish numbers events that this node has stored, and passes them to its streams and to the nodes with subscribers.
func (t *topic) publish(stored iter.Seq2[string, []byte]) {
	var events []event
	for name, json := range stored {
		events = append(events, event{strings.Clone(name), json}) // the name is part of the request's body
	}
	if len(events) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	m := &message{source: t.own, first: t.seq + 1, events: events}
	t.seq += uint64(len(events))
	if t.keeps {
		t.append(m)
	}
	if t.wantedUntil.After(time.Now()) {
		t.send(m)
	}
}

// send queues a message for the other nodes, a large one in parts. t.mu is held, so that the order is that of the
// numbers.
func (t *topic) send(m *message) {
	for {
		n, bytes := 0, 0
		for n < len(m.events) && (n == 0 || bytes < maxMessageBytes) {
			bytes += len(m.events[n].json)
			n++
		}
		t.hub.post(channelOf(t.project), (&message{source: m.source, first: m.first, events: m.events[:n]}).encode())
		if n == len(m.events) {
			return
		}
		m = &message{source: m.source, first: m.first + uint64(n), events: m.events[n:]}
	}
}

// receive handles a message of another node.
func (t *topic) receive(b []byte) {
	m, err := decodeMessage(b)
	if err != nil {
		t.hub.log.Warn("a message of the live stream cannot be read", "project_id", t.project, "error", err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.source != t.own && t.keeps {
		t.append(m)
	}
}

// append puts a message into the ring. Skipped sequence numbers of a source become a gap.
func (t *topic) append(m *message) {
	o := t.source(m.source)
	if o == nil {
		t.sources = append(t.sources, source{position: position{m.source, m.first - 1}, floor: m.first - 1})
		o = &t.sources[len(t.sources)-1]
	}
	o.lastSeen, o.over = time.Now(), m.last
	c := cursor{at: t.hub.now(), positions: t.positions(nil)}
	if m.first > o.seq+1 {
		missing := m.first - o.seq - 1
		o.seq = m.first - 1
		c.advance(o.source, o.seq)
		t.ring.push(entry{source: o.source, seq: o.seq, gap: true, count: int64(missing), frame: frame{cursor: c.append(nil)}})
	}
	for k := range m.events {
		seq := m.first + uint64(k)
		if seq <= o.seq {
			continue // a duplicate
		}
		o.seq = seq
		c.advance(o.source, seq)
		e := &m.events[k]
		t.ring.push(entry{name: e.name, source: o.source, seq: seq, frame: eventFrame(&c, e.json)})
	}
	t.trim()
	t.signal()
}

// loseOthers records that messages of other nodes may be missing.
func (t *topic) loseOthers() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.keeps {
		return
	}
	t.sources = t.sources[:1] // the others start again with their next message
	t.gap()
}

// gap appends a gap of unknown size.
func (t *topic) gap() {
	c := cursor{at: t.hub.now(), positions: t.positions(nil)}
	t.ring.push(entry{gap: true, frame: frame{cursor: c.append(nil)}})
	t.trim()
	t.signal()
}

// announceEnd sends the other nodes the last sequence number of this one, and that no event follows.
func (t *topic) announceEnd() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wantedUntil.After(time.Now()) {
		t.hub.post(channelOf(t.project), (&message{source: t.own, first: t.seq + 1, last: true}).encode())
	}
}

func (t *topic) trim() {
	limit := t.hub.ringBytes()
	for len(t.ring.entries) > t.hub.cfg.RingEvents || t.ring.bytes > limit && len(t.ring.entries) > 1 {
		t.evict()
	}
}

// evict drops the oldest entry of the ring.
func (t *topic) evict() {
	e := t.ring.evict()
	if o := t.source(e.source); o != nil {
		o.floor = max(o.floor, e.seq)
	}
}

// forget empties the ring.
func (t *topic) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.ring.entries) > 0 {
		t.evict()
	}
}

func (t *topic) signal() {
	select {
	case t.appended <- struct{}{}:
	default: // run has a signal pending and will find this entry too
	}
}

func (t *topic) source(id uint64) *source {
	for k := range t.sources {
		if t.sources[k].source == id {
			return &t.sources[k]
		}
	}
	return nil
}

// positions appends the positions of the sources.
func (t *topic) positions(dst []position) []position {
	for k := range t.sources {
		if len(dst) < maxSources {
			dst = append(dst, t.sources[k].position)
		}
	}
	return dst
}

// expect starts the ring for a stream that is joining, and reports whether there was none before.
func (t *topic) expect() (fresh bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.joining++
	if t.keeps {
		return false
	}
	t.keeps = true
	t.sources = []source{{position: position{t.own, t.seq}, floor: t.seq}}
	return true
}

// listen subscribes to the events of other nodes, if it is not subscribed yet. Events arrive once the others have
// received the announcement. It blocks as long as the bus does, and meanwhile holds no lock that storing events
// needs.
func (t *topic) listen(bus bus.Bus) {
	t.opening.Lock()
	defer t.opening.Unlock()
	t.mu.RLock()
	open := t.stop != nil
	t.mu.RUnlock()
	if open {
		return
	}
	stop := bus.Subscribe(channelOf(t.project), t.receive, func() {
		t.loseOthers()
		t.hub.want(t.project)
	})
	t.mu.Lock()
	t.stop = stop
	t.mu.Unlock()
	t.hub.want(t.project)
}

// joined ends what expect began.
func (t *topic) joined() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.joining--
	t.left = time.Now()
}

// expire drops the ring and the sources that are no longer needed, and reports whether the whole topic is.
func (t *topic) expire(now time.Time, linger time.Duration) (stop func(), idle bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stop != nil && t.joining == 0 && len(t.streams) == 0 && now.Sub(t.left) > linger {
		stop, t.stop, t.keeps = t.stop, nil, false
		t.sources, t.ring = nil, ring{tail: t.ring.head()}
	}
	kept, silent := t.sources[:min(1, len(t.sources))], false
	for k := range t.sources {
		switch o := t.sources[k]; {
		case k == 0:
		case now.Sub(o.lastSeen) <= linger:
			kept = append(kept, o)
		default:
			silent = silent || !o.over
		}
	}
	t.sources = kept
	if silent { // a source vanished without announcing its end, and may have stored events that it could not send
		t.gap()
	}
	return stop, !t.keeps && now.After(t.wantedUntil)
}
