package live

import (
	"slices"
	"sync"
	"time"
)

// chunk is what a round sends to the streams of a group, made once for all of them.
type chunk struct {
	from, to         uint64 // places in the ring
	bytes            []byte // as they go over the connection
	events           int64
	sentCursor, last []byte // the cursor of the last frame, and that at the place to
	gap              bool   // events are missing among these, and each stream says so itself
}

// round is what one turn of topic.run works on. Only that uses it; what it holds is kept for the next turn.
type round struct {
	sent    uint64 // the place up to which rounds have come
	entries []entry
	streams []*Subscription
	groups  []*group
}

const (
	// roundBytes is about how much one round sends to a stream.
	roundBytes = 256 << 10
	// pieceStreams is how many streams are written to before others get their turn.
	pieceStreams = 256
)

// run sends what is appended, so that whoever stores events does not have to.
func (t *topic) run() {
	for {
		select {
		case <-t.closed:
			return
		case <-t.appended:
		}
		for t.sendRound() {
		}
		// A write costs much more than the bytes in it: events that come fast are better sent together.
		select {
		case <-t.closed:
			return
		case <-time.After(t.hub.cfg.RoundTime):
		}
	}
}

// sendRound sends the next entries of the ring to the streams that have come as far as the round before, and wakes the others.
// It reports whether there were any.
//
// A write to a socket is nearly all that an event costs here, so no goroutine is woken for it. Of those that write there
// are half as many as processors, and each lets others run between its pieces: ten thousand readers must not keep
// ingestion from its turn.
func (t *topic) sendRound() bool {
	r := &t.round
	if !r.snapshot(t) {
		return false
	}
	var writers sync.WaitGroup
	for piece := range slices.Chunk(r.streams, pieceStreams) {
		for _, s := range piece {
			if g := s.group; g.chunk.to != r.sent {
				g.fill(r)
				r.groups = append(r.groups, g)
			}
		}
		t.hub.writers <- struct{}{}
		writers.Go(func() {
			a, sent := newAttempt(), 0
			for _, s := range piece {
				sent += s.trySend(a)
			}
			t.hub.metrics.sent.Add(float64(sent))
			<-t.hub.writers
		})
	}
	writers.Wait()
	for _, g := range r.groups {
		g.chunk = chunk{} // a group that is quiet must not hold on to what has left the ring
	}
	clear(r.groups)
	clear(r.streams)
	clear(r.entries)
	return true
}

// snapshot copies what the round works on, so that it holds up neither who stores nor who comes and goes.
func (r *round) snapshot(t *topic) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	r.sent = max(r.sent, t.ring.tail)
	r.entries, r.streams, r.groups = r.entries[:0], append(r.streams[:0], t.streams...), r.groups[:0]
	bytes := 0
	for k := r.sent - t.ring.tail; k < uint64(len(t.ring.entries)) && len(r.entries) < framesAtOnce && bytes < roundBytes; k++ {
		r.entries = append(r.entries, t.ring.entries[k])
		bytes += t.ring.entries[k].size()
	}
	r.sent += uint64(len(r.entries))
	return len(r.entries) > 0
}

// fill makes the chunk of a group.
func (g *group) fill(r *round) {
	c := chunk{from: r.sent - uint64(len(r.entries)), to: r.sent}
	for k := range r.entries {
		e := &r.entries[k]
		c.gap = c.gap || e.gap
		c.last = e.frame.cursor
		if !e.gap && g.shows(e) {
			c.events++
			c.sentCursor = e.frame.cursor
			c.bytes = g.transport.append(c.bytes, &e.frame)
		}
	}
	g.chunk = c
}
