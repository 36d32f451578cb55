package replica

import "time"

// history is by when the primary was seen to have written up to which position, so that a position which the standby has
// reached can be turned into time.
type history struct {
	identity int64    // of the primary; 0 before it was known
	unseen   []sample // what the standby has not replayed, oldest first
	last     int64    // the newest position
	replayed int64    // where the standby was when it was last asked
	caught   bool     // the standby has replayed one of the samples
}

type sample struct {
	at       time.Time
	position int64
}

// maxSamples bounds what is remembered of a standby that stands still.
const maxSamples = 4096

func (h *history) add(at time.Time, position int64) {
	if position == h.last {
		return // it was there before
	}
	if position < h.last {
		// Another primary took over, and has written less than the last one was seen to: old positions mean nothing.
		h.unseen, h.caught = nil, false
	}
	h.last = position
	if len(h.unseen) == maxSamples {
		kept := h.unseen[:0]
		for k := 0; k < maxSamples; k += 2 {
			kept = append(kept, h.unseen[k])
		}
		h.unseen = kept
	}
	h.unseen = append(h.unseen, sample{at, position})
}

// behind is how far a standby that has replayed up to a position is behind. The time is that since the primary was first
// seen to have what the standby lacks: it is short by what lies between two measurements.
func (h *history) behind(now time.Time, replayed int64) lag {
	if h.caught && replayed < h.replayed {
		// An older copy stands in its place. What that lacks was replayed once and is forgotten, so since when it lacks it is
		// not known before it has everything.
		h.unseen, h.caught = []sample{{now, h.last}}, false
	}
	h.replayed = replayed
	seen := 0
	for seen < len(h.unseen) && h.unseen[seen].position <= replayed {
		seen++
	}
	h.caught = h.caught || seen > 0
	h.unseen = append(h.unseen[:0], h.unseen[seen:]...)
	l := lag{bytes: max(0, h.last-replayed), known: h.caught}
	if len(h.unseen) > 0 {
		l.time = now.Sub(h.unseen[0].at)
	}
	return l
}
