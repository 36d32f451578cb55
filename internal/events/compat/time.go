package compat

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/bahagh/nimbus/internal/events/ingest"
)

// The forms of a time that SDKs send, beside RFC 3339 and numbers. One without a zone is UTC.
var timeForms = []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04Z07:00", "2006-01-02"}

// Time reads a time: RFC 3339 and what is close to it, or seconds or milliseconds since 1970, told apart by their
// magnitude. The zero time and true when there is none; false when it cannot be read.
func Time(v []byte) (time.Time, bool) {
	if IsNull(v) {
		return time.Time{}, true
	}
	s := strings.TrimSpace(Text(v))
	if v[0] == '"' {
		if s == "" {
			return time.Time{}, true
		}
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return t, true
		}
		for _, form := range timeForms {
			if t, err := time.Parse(form, s); err == nil {
				return t, true
			}
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > maxMilliseconds {
		return time.Time{}, false
	}
	if math.Abs(f) >= leastMilliseconds {
		f /= 1000
	}
	return time.UnixMicro(int64(math.Round(f * 1e6))).UTC(), true // a float64 has room for microseconds until the year 2255
}

const (
	leastMilliseconds = 1e11     // as seconds it would be the year 5138
	maxMilliseconds   = 2.534e14 // the year 9999
)

const (
	// wrongClock is how far the sender's clock must be off before times are moved. It is long because many SDKs send the
	// same sentAt again after a wait, which looks like a wrong clock.
	wrongClock = 5 * time.Minute
	// doubtful is how far it may be off before an event is known by its key alone: of two attempts one may look right
	// and the other one wrong, and both must be the same event.
	doubtful = time.Minute
)

// Clock is what a request says about the clock of its sender.
type Clock struct {
	Behind time.Duration // how far it is behind ours; negative: ahead; zero when the request does not say
	Again  bool          // the request says that it was sent before
}

// ClockOf compares the time at which a request was sent, by its own clock, with ours.
func ClockOf(now, sentAt time.Time, again bool) Clock {
	if sentAt.IsZero() {
		return Clock{Again: again}
	}
	return Clock{Behind: now.Sub(sentAt), Again: again}
}

// Correct moves the time of an event whose sender's clock is wrong. On a request that was sent before, what looks like a
// wrong clock may be the wait since the first attempt.
func (c Clock) Correct(e *ingest.Incoming) {
	if e.TS.IsZero() {
		return
	}
	off := c.Behind.Abs()
	e.KeyAlone = c.Again || off >= doubtful
	if off >= wrongClock && !c.Again {
		e.SentTS = e.TS
		e.TS = e.TS.Add(c.Behind)
	}
}
