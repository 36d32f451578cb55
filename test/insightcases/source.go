package insightcases

import (
	"encoding/json"
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/people"
)

// Source reads the events of a case naively.
type Source struct {
	c        *Case
	canon    *people.Canon
	users    map[string]uint32
	anons    map[string]uint32
	names    map[uint32]string // of people, as answers write them
	events   map[uint32][]*Event
	profiles map[uint32]people.Profile

	matchers []func(*Event) bool
	columns  []func(*Event) any
	codes    map[string]uint32
	values   []any // by code
}

// NewSource reads a case.
func NewSource(c *Case) *Source {
	s := &Source{
		c: c, users: map[string]uint32{}, anons: map[string]uint32{}, names: map[uint32]string{},
		events: map[uint32][]*Event{}, profiles: map[uint32]people.Profile{},
		codes: map[string]uint32{"": 0}, values: []any{nil},
	}
	known := s.known()
	s.resolve(known)
	for _, e := range known {
		if no := s.number(e); no != 0 && (!e.Bot || c.Question.IncludeBots) {
			person := s.canon.Person(no, e.at())
			s.events[person] = append(s.events[person], e)
		}
	}
	s.applyProfiles()
	return s
}

// known are the events known before as_of, of each id the copy received first, in their order.
func (s *Source) known() []*Event {
	first := map[string]*Event{}
	for i := range s.c.Events {
		e := &s.c.Events[i]
		if other := first[e.ID]; other == nil || e.received() < other.received() {
			first[e.ID] = e
		}
	}
	var known []*Event
	for _, e := range first {
		if asOf := s.c.Question.asOf(); int64(e.TS) < asOf && e.received() < asOf {
			known = append(known, e)
		}
	}
	slices.SortFunc(known, func(a, b *Event) int {
		x, y := a.at(), b.at()
		return x.Compare(&y)
	})
	return known
}

// id returns the number of an id; 0 for one that names nobody.
func (s *Source) id(ids map[string]uint32, id, prefix string) uint32 {
	if events.Junk(id) {
		return 0
	}
	if ids[id] == 0 {
		no := uint32(len(s.users) + len(s.anons) + 1)
		ids[id] = no
		s.names[no] = prefix + id
	}
	return ids[id]
}

func (s *Source) user(id string) uint32      { return s.id(s.users, id, "") }
func (s *Source) anonymous(id string) uint32 { return s.id(s.anons, id, "a:") }

// number is the number of the id that an event carries.
func (s *Source) number(e *Event) uint32 {
	if user := s.user(e.UserID); user != 0 {
		return user
	}
	return s.anonymous(e.AnonymousID)
}

func (s *Source) resolve(events []*Event) {
	var links []people.Link
	for _, e := range events {
		if user, anonymous := s.user(e.UserID), s.anonymous(e.AnonymousID); user != 0 && anonymous != 0 {
			links = append(links, people.Link{Anonymous: anonymous, User: user, At: e.at()})
		}
	}
	var merges []people.Merge
	for _, m := range s.c.Merges {
		merges = append(merges, people.Merge{From: s.user(m.From), Into: s.user(m.Into)})
	}
	s.canon = people.Resolve(people.Needed(links), merges, s.c.Question.asOf())
}

func (s *Source) applyProfiles() {
	operations := map[uint32][]people.Operation{}
	for _, o := range s.c.Profiles {
		no := s.user(o.UserID)
		if no == 0 || int64(o.TS) >= s.c.Question.asOf() {
			continue
		}
		op := people.Operation{Op: o.Op, TS: int64(o.TS)}
		switch o.Op {
		case people.Unset:
			must(json.Unmarshal(o.Props, &op.Names))
		case people.Delete:
		default:
			op.Props = map[string]people.Value{}
			for name, v := range decode(o.Props).(map[string]any) {
				op.Props[name] = profileValue(v)
			}
		}
		person := s.canon.Of(no)
		operations[person] = append(operations[person], op)
	}
	for person, list := range operations {
		if profile, ok := people.Apply(list); ok {
			s.profiles[person] = profile
		}
	}
}

// Match adds a condition and returns its mark.
func (s *Source) Match(fits func(*Event) bool) uint64 {
	s.matchers = append(s.matchers, fits)
	return 1 << (len(s.matchers) - 1)
}

// Step adds the condition of a step.
func (s *Source) Step(step Step) uint64 {
	return s.Match(func(e *Event) bool {
		return (step.Event == nil || *step.Event == e.Name) && step.Filter.Fits(e.Props)
	})
}

// Column adds a value column and returns its index.
func (s *Source) Column(value func(*Event) any) int {
	s.columns = append(s.columns, value)
	return len(s.columns) - 1
}

// Prop adds the column of a property.
func (s *Source) Prop(name string) int {
	return s.Column(func(e *Event) any { return e.Props[name] })
}

func (s *Source) code(v any) uint32 {
	k := key(v)
	code, ok := s.codes[k]
	if !ok {
		code = uint32(len(s.values))
		s.codes[k] = code
		s.values = append(s.values, v)
	}
	return code
}

// Value is what a code stands for.
func (s *Source) Value(code uint32) any { return s.values[code] }

// Compare orders codes by type and text.
func (s *Source) Compare(a, b uint32) int {
	x, y := key(s.values[a]), key(s.values[b])
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	default:
		return 0
	}
}

// People yields everybody who has an event: his considered events as rows.
func (s *Source) People(yield func(*behaviour.Person) bool) {
	client := map[string]uint32{"": 0}
	for person, events := range s.events {
		p := &behaviour.Person{No: person}
		var sessions behaviour.Sessionizer
		for _, e := range events {
			if _, ok := client[e.SessionID]; !ok {
				client[e.SessionID] = uint32(len(client))
			}
			session := sessions.Add(int64(e.TS), client[e.SessionID])
			if !s.c.Question.Filter.Fits(e.Props) {
				continue
			}
			row := behaviour.Row{TS: int64(e.TS), Session: session}
			for i, fits := range s.matchers {
				if fits(e) {
					row.Marks |= 1 << i
				}
			}
			for i, value := range s.columns {
				row.Values[i] = s.code(value(e))
			}
			p.Rows = append(p.Rows, row)
		}
		p.Sessions = sessions.Sessions
		if !yield(p) {
			return
		}
	}
}

func decode(text json.RawMessage) (v any) {
	must(unmarshal(text, &v))
	return v
}

func profileValue(v any) people.Value {
	switch v := v.(type) {
	case json.Number:
		return people.Number(v)
	case []any:
		list := make([]people.Value, len(v))
		for i := range v {
			list[i] = profileValue(v[i])
		}
		return list
	case map[string]any:
		object := map[string]people.Value{}
		for name := range v {
			object[name] = profileValue(v[name])
		}
		return object
	default:
		return v
	}
}

// plain is the reverse of profileValue, for filters.
func plain(v people.Value) any {
	switch v := v.(type) {
	case people.Number:
		return json.Number(v)
	case []people.Value:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i])
		}
		return list
	default:
		return v
	}
}
