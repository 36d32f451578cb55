package nimbus

import (
	"context"
	"encoding/json"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// The names of the events that Page and Screen track.
const (
	pageview   = "$pageview"
	screenview = "$screen"
)

// Option says more of what a call of [Calls] tracks or changes.
type Option struct {
	field  optionField
	text   string
	key    string
	number int64
	ts     time.Time
}

// EventOption is the name that Option had.
type EventOption = Option

type optionField int

const (
	fieldUserID optionField = iota
	fieldAnonymousID
	fieldGroup
	fieldIdempotencyKey
	fieldSeq
	fieldTS
)

// WithUserID says who did it, or who it is about, once known. An empty id is none.
func WithUserID(id string) Option { return Option{field: fieldUserID, text: id} }

// WithAnonymousID says who did it, or who it is about, before the user is known. An empty id is none.
func WithAnonymousID(id string) Option { return Option{field: fieldAnonymousID, text: id} }

// WithGroup says that it is a group whose profile a call such as [Calls.AddPeople] changes. Events have no group.
func WithGroup(groupType, key string) Option {
	return Option{field: fieldGroup, text: groupType, key: key}
}

// WithIdempotencyKey identifies what is tracked, for a program that may track the same thing twice: with the same ts, name,
// person and key it is stored once. Without it each call is one of its own.
func WithIdempotencyKey(key string) Option { return Option{field: fieldIdempotencyKey, text: key} }

// WithTS says when it happened, if it was not just now. It is kept to the microsecond. The zero time is refused, as any
// time before 1971 is.
func WithTS(ts time.Time) Option { return Option{field: fieldTS, ts: ts} }

// WithSeq orders events of the same ts. Operations have none.
func WithSeq(seq int64) Option { return Option{field: fieldSeq, number: seq} }

func (o *Option) apply(e *Event) {
	switch o.field {
	case fieldUserID:
		e.UserID = o.text
	case fieldAnonymousID:
		e.AnonymousID = o.text
	case fieldIdempotencyKey:
		e.IdempotencyKey = o.text
	case fieldSeq:
		e.Seq = o.number
	case fieldTS:
		e.TS = o.ts
	case fieldGroup:
	}
}

func (o *Option) applyTo(p *Operation) {
	switch o.field {
	case fieldUserID:
		p.UserID = o.text
	case fieldAnonymousID:
		p.AnonymousID = o.text
	case fieldIdempotencyKey:
		p.IdempotencyKey = o.text
	case fieldGroup:
		p.Group = Group{Type: o.text, Key: o.key}
	case fieldTS:
		p.TS = o.ts
	case fieldSeq:
	}
}

// Calls say what happened, and what is known of people and groups. Those of a [Tracker] say with options of whom they speak;
// those of a [Visitor] speak of the visitor, unless options say otherwise.
//
// Each takes what happened now and returns. props are nil, a map[string]any, a [json.RawMessage], or anything else that encodes
// as a JSON object; they are encoded before the call returns, so that they may be changed afterwards.
//
// They return a *[RejectedError] for what the server would surely refuse, [ErrQueueFull] when there is no room, and [ErrClosed]
// after Close; nothing is sent then. ctx bounds only the wait for room under [Block]: an event of a request that was just
// cancelled is tracked all the same.
type Calls struct {
	event     func(ctx context.Context, now time.Time, e *Event, props any) error
	operation func(ctx context.Context, now time.Time, o *Operation, props any) error
	register  *register
	refuse    func(error) error
}

// Track queues an event.
func (c *Calls) Track(ctx context.Context, name string, props any, options ...Option) error {
	// The time comes first, so that a zero WithTS is refused: it is a time that the caller forgot to set, not now.
	now := time.Now()
	e := Event{Name: name, TS: now}
	for k := range options {
		options[k].apply(&e)
	}
	return c.event(ctx, now, &e, props)
}

// Page queues a $pageview.
func (c *Calls) Page(ctx context.Context, props any, options ...Option) error {
	return c.Track(ctx, pageview, props, options...)
}

// Screen queues a $screen, that of an app, with its name as the prop name.
func (c *Calls) Screen(ctx context.Context, name string, props any, options ...Option) error {
	return c.Track(ctx, screenview, merged(map[string]any{"name": name}, props), options...)
}

// Identify says who a person is. With an anonymous id, that of [WithAnonymousID] or of the visitor, it links the two: they are one
// person, now and in the past. props become properties of the profile.
func (c *Calls) Identify(ctx context.Context, userID string, props any, options ...Option) error {
	if nobody(userID) { // beside an anonymous id it would count as absent; who asks to identify it must learn that it names nobody
		return c.refuse(namesNobody("/user_id"))
	}
	if isNil(props) {
		props = noProps
	}
	return c.change(ctx, &Operation{Op: OpSet}, props, append(options[:len(options):len(options)], WithUserID(userID)))
}

// Alias says that another anonymous id, such as that of an app, is the user's too.
func (c *Calls) Alias(ctx context.Context, userID, anonymousID string, options ...Option) error {
	if nobody(anonymousID) {
		return c.refuse(namesNobody("/anonymous_id"))
	}
	return c.Identify(ctx, userID, nil, append(options[:len(options):len(options)], WithAnonymousID(anonymousID))...)
}

// Group says what is known of a group, such as Group(ctx, "company", "acme", props). Of a [Visitor] it also says that they belong to
// it: later events have the prop company.
func (c *Calls) Group(ctx context.Context, groupType, key string, props any, options ...Option) error {
	if isNil(props) {
		props = noProps
	}
	return c.change(ctx, &Operation{Op: OpSet}, props, append(options[:len(options):len(options)], WithGroup(groupType, key)))
}

// SetPeople makes these the person's properties.
func (c *Calls) SetPeople(ctx context.Context, props any, options ...Option) error {
	return c.change(ctx, &Operation{Op: OpSet}, props, options)
}

// SetPeopleOnce sets the properties that the person does not have yet.
func (c *Calls) SetPeopleOnce(ctx context.Context, props any, options ...Option) error {
	return c.change(ctx, &Operation{Op: OpSetOnce}, props, options)
}

// AddPeople adds to numbers, which begin at 0.
func (c *Calls) AddPeople(ctx context.Context, props any, options ...Option) error {
	return c.change(ctx, &Operation{Op: OpAdd}, props, options)
}

// AppendPeople puts a value at the end of a list.
func (c *Calls) AppendPeople(ctx context.Context, props any, options ...Option) error {
	return c.change(ctx, &Operation{Op: OpAppend}, props, options)
}

// UnionPeople adds to a list what it does not have.
func (c *Calls) UnionPeople(ctx context.Context, props any, options ...Option) error {
	return c.change(ctx, &Operation{Op: OpUnion}, props, options)
}

// RemovePeople takes out of a list what is equal.
func (c *Calls) RemovePeople(ctx context.Context, props any, options ...Option) error {
	return c.change(ctx, &Operation{Op: OpRemove}, props, options)
}

// UnsetPeople takes properties away.
func (c *Calls) UnsetPeople(ctx context.Context, names []string, options ...Option) error {
	return c.change(ctx, &Operation{Op: OpUnset, Names: names}, nil, options)
}

// DeletePerson deletes the profile; events stay.
func (c *Calls) DeletePerson(ctx context.Context, options ...Option) error {
	return c.change(ctx, &Operation{Op: OpDelete}, nil, options)
}

// Register gives all later events these props, unless they have their own. It returns a *[RejectedError] when one cannot be encoded.
func (c *Calls) Register(props map[string]any) error { return c.register.add(props) }

// Unregister takes away what Register gave.
func (c *Calls) Unregister(names ...string) { c.register.remove(names) }

// noProps are the props of an operation that only links, or only makes a group known.
var noProps = json.RawMessage("{}")

func isNil(props any) bool {
	raw, err := encoded(props)
	return len(raw) == 0 && err == nil
}

func (c *Calls) change(ctx context.Context, o *Operation, props any, options []Option) error {
	now := time.Now()
	o.TS = now
	for k := range options {
		options[k].applyTo(o)
	}
	return c.operation(ctx, now, o, props)
}

// register are the props that events get.
type register struct {
	mu    sync.Mutex                     // of changes
	props atomic.Pointer[map[string]any] // replaced, never changed; nil until there are any
	keep  func(props map[string]any)     // nil where they end with the program
}

func (r *register) add(props map[string]any) error {
	fixed := make(map[string]any, len(props))
	for name, value := range props {
		var bad refusal
		raw, err := appendValue(nil, value, 1)
		if err != nil {
			bad.add("/props/"+name, "type", err.Error())
			return bad.err()
		}
		fixed[name] = json.RawMessage(raw)
	}
	r.change(func(all map[string]any) { maps.Copy(all, fixed) })
	return nil
}

func (r *register) remove(names []string) {
	r.change(func(all map[string]any) {
		for _, name := range names {
			delete(all, name)
		}
	})
}

func (r *register) change(how func(all map[string]any)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]any)
	if props := r.props.Load(); props != nil {
		maps.Copy(all, *props)
	}
	how(all)
	r.props.Store(&all)
	if r.keep != nil {
		r.keep(all)
	}
}

// under returns props with those that are registered below them.
func (r *register) under(props any) any {
	if below := r.props.Load(); below != nil {
		return merged(*below, props)
	}
	return props
}

// merged returns props with others below them. Props that are no object stay as they are, and are refused for it.
func merged(below map[string]any, props any) any {
	if len(below) == 0 {
		return props
	}
	all := maps.Clone(below)
	own, ok := props.(map[string]any)
	if !ok && props != nil {
		var exact map[string]json.RawMessage // numbers stay as they are written
		raw, err := json.Marshal(props)
		if err != nil || json.Unmarshal(raw, &exact) != nil {
			return props
		}
		for name, value := range exact {
			all[name] = value
		}
	}
	maps.Copy(all, own)
	return all
}
