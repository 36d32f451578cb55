package behaviour

// The session rules, in microseconds.
const (
	SessionGap    = 30 * 60 * 1_000_000
	SessionLength = 24 * 60 * 60 * 1_000_000
)

// Session is a run of a person's events. It belongs to its start.
type Session struct {
	// Start and Last are the times of the first and of the last event, in microseconds since 1970, UTC.
	Start, Last int64
	// Events is how many events it has, whether the filter of a question lets them through or not.
	Events uint32
}

// Over says whether no later event can be in the session as of a moment: an event at that moment would begin another.
func (s *Session) Over(asOf int64) bool {
	return asOf-s.Last > SessionGap || asOf-s.Start > SessionLength
}

// Sessionizer cuts the events of one person into sessions. Events are added in their order, before any filter.
type Sessionizer struct {
	// Sessions are those begun so far. They stay valid until Reset.
	Sessions []Session
	client   uint32
}

// Reset begins with the next person.
func (s *Sessionizer) Reset() { s.Sessions, s.client = s.Sessions[:0], 0 }

// Add takes the next event and returns the number of its session, from 1. The client is a code of the session id that
// the event carries, 0 for none: an event without one, and a session that has none yet, go with any.
func (s *Sessionizer) Add(ts int64, client uint32) uint32 {
	n := len(s.Sessions)
	if n > 0 {
		last := &s.Sessions[n-1]
		other := client != 0 && s.client != 0 && client != s.client
		if !other && ts-last.Last <= SessionGap && ts-last.Start <= SessionLength {
			last.Last = ts
			last.Events++
			if s.client == 0 {
				s.client = client
			}
			return uint32(n)
		}
	}
	s.Sessions = append(s.Sessions, Session{Start: ts, Last: ts, Events: 1})
	s.client = client
	return uint32(n + 1)
}
