package live

import (
	"slices"
	"sync"
	"time"
)

// chunk is the bytes that a round sends to the streams of a group, encoded once for all of them.
type chunk struct {
	from, to         uint64 // places in the ring
	bytes            []byte // as they go over the connection
	events           int64
	sentCursor, last []byte // the cursor of the last frame, and the one at the place to
	gap              bool   // events are missing here: each stream sends a missed frame of its own instead
}

// round is the state of one iteration of topic.run, which alone uses it; its memory is reused by the next iteration.
type round struct {
	sent    uint64 // rounds have sent the entries before this place
	entries []entry
	streams []*Subscription
	groups  []*group
}

const (
	// roundBytes is about how much one round sends to a stream.
	roundBytes = 256 << 10
	// pieceStreams is how many streams a writer serves before it yields.
	pieceStreams = 256
)

// run sends appended events, so that ingestion does not have to.
func (t *topic) run() {
	for {
		select {
		case <-t.closed:
			return
		case <-t.appended:
		}
		for t.sendRound() {
		}
		// The cost is per write, hardly per byte: events that follow each other fast are sent together.
		select {
		case <-t.closed:
			return
		case <-time.After(t.hub.cfg.RoundTime):
		}
	}
}

// sendRound sends the next entries of the ring to the streams that are level with the last round, and wakes the
// goroutines of the others. It reports whether there were entries.
//
// The write to the socket is nearly the whole cost of an event here, so it wakes no goroutine for each stream. There
// are half as many writers as processors, and each yields between its pieces: ten thousand subscribers must not
// starve ingestion.
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
		g.chunk = chunk{} // an idle group must not retain bytes that have left the ring
	}
	clear(r.groups)
	clear(r.streams)
	clear(r.entries)
	return true
}

// snapshot copies the entries and streams of the round, so that neither ingestion nor new subscribers wait for its
// writes.
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
