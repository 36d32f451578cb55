package native

import (
	"strconv"
	"time"

	"github.com/bahagh/nimbus/internal/events/ingest"
)

// headerSentAt says when a request was sent, by the clock of its sender, in Unix milliseconds.
const headerSentAt = "X-Sent-At"

const (
	// wrongClock is how far the sender's clock must be off before times are moved: a slow request is not a wrong clock.
	wrongClock = time.Minute
	// doubtful is how far it may be off before it is looked at twice. Of two attempts with the same event one may seem off
	// by more than wrongClock and the other by less, when the network took longer; both have to be the same event.
	doubtful = wrongClock / 4
)

// clockError returns how far the sender's clock is behind ours (negative: ahead). It is zero when the sender says nothing
// that can be read, and when all of it may be the time the request took.
func clockError(sentAt string, now time.Time) time.Duration {
	ms, err := strconv.ParseInt(sentAt, 10, 64)
	if err != nil {
		return 0
	}
	if behind := now.Sub(time.UnixMilli(ms)); behind.Abs() > doubtful {
		return behind
	}
	return 0
}

// setClock moves the times of events whose sender's clock is wrong, and makes those with a key known by it alone: an event
// that is sent again is moved by another difference, and must be the same event.
func setClock(events []ingest.Incoming, behind time.Duration) {
	for k := range events {
		e := &events[k]
		if e.TS.IsZero() || behind == 0 {
			continue
		}
		e.KeyAlone = true
		if behind.Abs() > wrongClock {
			e.TS = e.TS.Add(behind)
		}
	}
}
