package sessions

import (
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// Sessions counts sessions. It is for one goroutine; several count parts of the people and are merged.
type Sessions struct {
	q           Question
	all         tally             // without a breakdown
	groups      map[uint32]*tally // by value
	series      []Point
	counted     []uint32 // by bucket: the last person that was counted in it, and one
	entry, exit map[uint32]int
	people      int
	wanted      *Coordinate
	found       []query.Found
}

// tally is what is counted of sessions.
type tally struct {
	sessions, people, events, bounces, open int
	lengths                                 query.Durations
	last                                    uint32 // the last person that was counted, and one
}

// session is a session with the first and the last of its considered events.
type session struct {
	*behaviour.Session
	first, last *behaviour.Row
}

// New returns the sessions of nobody.
func New(q Question) *Sessions {
	s := &Sessions{q: q, groups: map[uint32]*tally{}, entry: map[uint32]int{}, exit: map[uint32]int{}}
	for _, start := range q.Bounds[:max(0, len(q.Bounds)-1)] {
		s.series = append(s.series, Point{Start: start})
	}
	s.counted = make([]uint32, len(s.series))
	return s
}

// Add counts the sessions of a person.
func (s *Sessions) Add(p *behaviour.Person) {
	before := s.people
	for lo, hi := 0, 0; lo < len(p.Rows); lo = hi {
		for hi = lo + 1; hi < len(p.Rows) && p.Rows[hi].Session == p.Rows[lo].Session; {
			hi++
		}
		one := session{&p.Sessions[p.Rows[lo].Session-1], &p.Rows[lo], &p.Rows[hi-1]}
		if !s.q.Range.Has(one.Start) {
			continue
		}
		s.people = before + 1
		if s.wanted != nil {
			s.collect(p.No, &one)
		} else {
			s.count(p.No, &one)
		}
	}
}

func (s *Sessions) count(no uint32, one *session) {
	s.tally(s.value(one)).take(no, one, s.q.AsOf)
	if e := s.q.Ends; e != nil {
		s.entry[one.first.Values[e.Column]]++
		s.exit[one.last.Values[e.Column]]++
	}
	if len(s.series) > 0 {
		i := query.PeriodOf(s.q.Bounds, one.Start)
		s.series[i].Sessions++
		if s.counted[i] != no+1 {
			s.counted[i] = no + 1
			s.series[i].People++
		}
	}
}

// value is the group of a session.
func (s *Sessions) value(one *session) uint32 {
	if s.q.Breakdown == nil {
		return 0
	}
	return one.first.Values[s.q.Breakdown.Column]
}

func (s *Sessions) tally(value uint32) *tally {
	if s.q.Breakdown == nil {
		return &s.all
	}
	t := s.groups[value]
	if t == nil {
		t = &tally{}
		s.groups[value] = t
	}
	return t
}

func (t *tally) take(no uint32, one *session, asOf int64) {
	t.sessions++
	t.events += int(one.Events)
	if one.Events == 1 {
		t.bounces++
	}
	if asOf != NoAsOf && !one.Over(asOf) {
		t.open++
	}
	if t.last != no+1 {
		t.last = no + 1
		t.people++
	}
	t.lengths = append(t.lengths, one.Last-one.Start)
}

func (t *tally) merge(other *tally) {
	t.sessions += other.sessions
	t.people += other.people
	t.events += other.events
	t.bounces += other.bounces
	t.open += other.open
	t.lengths = append(t.lengths, other.lengths...)
}

// Merge adds what other sessions of the same question counted, of other people. The other must not be used any more.
func (s *Sessions) Merge(other *Sessions) {
	s.all.merge(&other.all)
	for value, t := range other.groups {
		s.tally(value).merge(t)
	}
	for i := range s.series {
		s.series[i].Sessions += other.series[i].Sessions
		s.series[i].People += other.series[i].People
	}
	for value, n := range other.entry {
		s.entry[value] += n
	}
	for value, n := range other.exit {
		s.exit[value] += n
	}
	s.people += other.people
	s.found = append(s.found, other.found...)
}

// Result is some sessions. A rate is Bounces by Sessions, a mean Events by Sessions.
type Result struct {
	Sessions int
	People   int // who had them
	Events   int // in them
	Bounces  int // sessions of one event
	// Incomplete is how many were not over at as_of.
	Incomplete int
	Length     *query.Times // nil when there are none
}

// Group is the sessions of one value.
type Group struct {
	Value uint32
	Result
}

// Other is the sessions of the values that are not shown, and how many those are. People may be in several of them,
// and in groups: here they are not counted.
type Other struct {
	Values int
	Result
}

// Point is a bucket of the series.
type Point struct {
	Start            int64
	Sessions, People int
}

// End is a value that sessions begin or end with, and how many do.
type End struct {
	Value    uint32
	Sessions int
}

// EndsAnswer is the most frequent values, and how many sessions have another.
type EndsAnswer struct {
	Top   []End
	Other int
}

// Answer is what was asked for.
type Answer struct {
	Result
	Groups      []Group
	Other       *Other
	Series      []Point
	Entry, Exit *EndsAnswer
}

// Answer returns what was counted. It may be asked once.
func (s *Sessions) Answer() Answer {
	answer := Answer{Series: s.series}
	all := &s.all
	if s.q.Breakdown != nil {
		top, others := s.top()
		for _, g := range top {
			t := s.groups[g.Value]
			answer.Groups = append(answer.Groups, Group{g.Value, t.result()})
			all.merge(t)
		}
		if len(others) > 0 {
			rest := &tally{}
			for _, g := range others {
				rest.merge(s.groups[g.Value])
			}
			all.merge(rest)
			answer.Other = &Other{len(others), rest.result()}
			answer.Other.People = 0
		}
	}
	answer.Result = all.result()
	answer.People = s.people
	if e := s.q.Ends; e != nil {
		answer.Entry, answer.Exit = ends(s.entry, e), ends(s.exit, e)
	}
	return answer
}

func (t *tally) result() Result {
	return Result{t.sessions, t.people, t.events, t.bounces, t.open, t.lengths.Summary()}
}

func (s *Sessions) top() (top, others []query.Group) {
	size := func(t *tally) int { return t.sessions }
	return query.Top(s.groups, size, s.q.Breakdown.Top, s.q.Breakdown.Compare)
}

func ends(counts map[uint32]int, e *Ends) *EndsAnswer {
	top, others := query.Top(counts, func(n int) int { return n }, e.Top, e.Compare)
	answer := &EndsAnswer{}
	for _, g := range top {
		answer.Top = append(answer.Top, End{g.Value, g.Size})
	}
	for _, g := range others {
		answer.Other += g.Size
	}
	return answer
}

// Coordinate names a number of the answer: the sessions that all of it is true of.
type Coordinate struct {
	Bucket int // of the series, -1 for the whole
	// Group is the value of a group, with Other the rest; nil for all.
	Group *uint32
	Other bool
	// Bounced asks for sessions of one event, Open for those that were not over at as_of.
	Bounced, Open bool
	// Entry and Exit are values that sessions begin and end with; nil for any.
	Entry, Exit *uint32
}

// Collect makes it find the sessions behind a number instead of counting. It is asked before the first person.
func (s *Sessions) Collect(c Coordinate) { s.wanted = &c }

func (s *Sessions) collect(no uint32, one *session) {
	c := s.wanted
	value := s.value(one)
	s.tally(value).sessions++ // which groups are shown is known at the end
	switch {
	case c.Bucket >= 0 && query.PeriodOf(s.q.Bounds, one.Start) != c.Bucket,
		c.Group != nil && *c.Group != value,
		c.Bounced && one.Events != 1,
		c.Open && (s.q.AsOf == NoAsOf || one.Over(s.q.AsOf)),
		c.Entry != nil && one.first.Values[s.q.Ends.Column] != *c.Entry,
		c.Exit != nil && one.last.Values[s.q.Ends.Column] != *c.Exit:
		return
	}
	s.found = append(s.found, query.Found{Member: behaviour.Member{No: no, At: one.Start}, Value: value})
}

// People returns those behind the number, by their numbers: one for each session that it counts, with the session's
// start.
func (s *Sessions) People() []behaviour.Member {
	if s.wanted.Other {
		shown, _ := s.top()
		return query.Members(s.found, shown)
	}
	return query.Members(s.found, nil)
}
