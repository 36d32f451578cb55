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

// topic is a project somebody listens to, on this node or on another one.
type topic struct {
	hub     *Hub
	project uuid.UUID
	own     uint64 // this node as an source of the project's events, for as long as the topic lives

	mu          sync.RWMutex
	seq         uint64    // of the newest event stored by this node
	wantedUntil time.Time // by other nodes
	streams     []*Subscription
	left        time.Time // when the last of them ended
	keeps       bool      // events go into the ring: somebody listens here, is about to, or did lately
	joining     int       // streams that wait for the bus
	stop        func()    // the subscription to the bus, once there is one
	sources     []source  // the first is this node
	ring        ring

	opening  sync.Mutex    // held by the stream that subscribes to the bus; others that come meanwhile wait for that too
	appended chan struct{} // wakes run
	closed   chan struct{}
	round    round
}

// source is what this node has of the events of an source: those after floor, up to seq, are in the ring.
type source struct {
	position
	floor uint64
	heard time.Time
	over  bool // it has said that nothing more comes
}

func newTopic(h *Hub, project uuid.UUID) *topic {
	t := &topic{hub: h, project: project, own: newSourceID(), appended: make(chan struct{}, 1), closed: make(chan struct{})}
	go t.run()
	return t
}

// newSourceID is random: an source that came back with its old name and numbers from 1 would be taken for its own past.
func newSourceID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:]) | 1
}

// full reports whether the project has as many streams here as it may.
func (t *topic) full() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.streams) >= t.hub.cfg.PerProject
}

// publish numbers events that this node has stored, and hands them to its streams and to the nodes that want them.
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

// send queues a message for the other nodes, a large one in parts. Under the lock: their order is that of the numbers.
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

// receive takes a message of another node.
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

// append puts a message into the ring. What an source sent that did not come becomes a gap.
func (t *topic) append(m *message) {
	o := t.source(m.source)
	if o == nil {
		t.sources = append(t.sources, source{position: position{m.source, m.first - 1}, floor: m.first - 1})
		o = &t.sources[len(t.sources)-1]
	}
	o.heard, o.over = time.Now(), m.last
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
			continue // it came before
		}
		o.seq = seq
		c.advance(o.source, seq)
		e := &m.events[k]
		t.ring.push(entry{name: e.name, source: o.source, seq: seq, frame: eventFrame(&c, e.json)})
	}
	t.trim()
	t.signal()
}

// lose notes that messages of other nodes may be missing.
func (t *topic) loseOthers() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.keeps {
		return
	}
	t.sources = t.sources[:1] // the others begin anew with what comes next
	t.gap()
}

// gap tells the streams that events are missing, without anybody knowing how many.
func (t *topic) gap() {
	c := cursor{at: t.hub.now(), positions: t.positions(nil)}
	t.ring.push(entry{gap: true, frame: frame{cursor: c.append(nil)}})
	t.trim()
	t.signal()
}

// announceEnd tells the other nodes how far this one has come, and that it goes no further.
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
		e := t.ring.evict()
		if o := t.source(e.source); o != nil {
			o.floor = max(o.floor, e.seq)
		}
	}
}

func (t *topic) signal() {
	select {
	case t.appended <- struct{}{}:
	default: // run has not come round since the last time; it will find this too
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

// positions appends where the sources are.
func (t *topic) positions(dst []position) []position {
	for k := range t.sources {
		if len(dst) < maxSources {
			dst = append(dst, t.sources[k].position)
		}
	}
	return dst
}

// expect begins to keep events, for a stream that is about to join, and reports whether none were kept before.
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

// listen subscribes to what other nodes store, unless that is done; it comes from when they receiveControl of it. It waits as long as
// the bus does, and meanwhile holds nothing that storing events needs.
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

// expire ends what is not needed any more and reports whether that is everything.
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
		case now.Sub(o.heard) <= linger:
			kept = append(kept, o)
		default:
			silent = silent || !o.over
		}
	}
	t.sources = kept
	if silent { // it went without a word, and may have stored events that it could not send any more
		t.gap()
	}
	return stop, !t.keeps && now.After(t.wantedUntil)
}
