package nimbus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Store keeps what a [Visitor] is known by, beyond the life of the program: short texts by name.
type Store interface {
	Get(name string) string // empty when there is none
	Set(name, value string) // an empty value forgets it
}

// VisitorConfig says how a [Visitor] is known. The meaning of a field's zero value stands behind the semicolon.
type VisitorConfig struct {
	Store          Store         // keeps ids, session and registered props; they end with the program
	SessionTimeout time.Duration // a session ends after so long without an event; 30 min
}

// sessionLength is how long a session lasts, whatever happens in it. The server cuts it there too.
const sessionLength = 24 * time.Hour

// The names in a [Store].
const (
	keptUser    = "user"
	keptAnon    = "anon"
	keptSession = "session"
	keptSuper   = "super"
)

// Visitor tracks for one person at one device: in a command, or in an app on a desktop. Every event and every operation gets
// their ids, and each event the prop session_id. It is safe for concurrent use.
type Visitor struct {
	Calls
	store   Store
	timeout time.Duration
	super   register

	mu sync.Mutex // of what is read and then written in the store
}

// Visitor returns a visitor whose events the tracker sends.
func (t *Tracker) Visitor(c VisitorConfig) *Visitor {
	v := &Visitor{store: c.Store, timeout: c.SessionTimeout}
	if v.store == nil {
		v.store = &memory{kept: make(map[string]string)}
	}
	if v.timeout == 0 {
		v.timeout = 30 * time.Minute
	}
	var kept map[string]json.RawMessage
	_ = json.Unmarshal([]byte(v.store.Get(keptSuper)), &kept) // what was damaged is as if it were not there
	v.super.change(func(all map[string]any) {
		for name, value := range kept {
			all[name] = value
		}
	})
	v.super.keep = func(props map[string]any) {
		raw, _ := json.Marshal(props) // of what was encoded before
		v.store.Set(keptSuper, string(raw))
	}
	v.Calls = Calls{
		event: func(ctx context.Context, now time.Time, e *Event, props any) error {
			user, anonymous, session := v.at(now, true)
			e.UserID, e.AnonymousID = or(e.UserID, user), or(e.AnonymousID, anonymous)
			return t.track(ctx, now, e, merged(map[string]any{"session_id": session}, v.super.under(props)))
		},
		operation: func(ctx context.Context, now time.Time, o *Operation, props any) error {
			if o.Group == (Group{}) {
				user, anonymous, _ := v.at(now, false)
				o.UserID, o.AnonymousID = or(o.UserID, user), or(o.AnonymousID, anonymous)
			}
			return t.change(ctx, now, o, props)
		},
		register: &v.super,
		refuse:   t.refuse,
	}
	return v
}

// or returns an id unless it names nobody, else another one.
func or(id, otherwise string) string {
	if nobody(id) {
		return otherwise
	}
	return id
}

// Identify says who the visitor is, as [Calls.Identify] does; later events carry the id. When it was another one before, the visitor
// is reset first: the ids of the one before are not theirs. An id that names nobody is refused, and the person before is forgotten.
func (v *Visitor) Identify(ctx context.Context, userID string, props any, options ...Option) error {
	before := v.store.Get(keptUser)
	switch {
	case nobody(userID):
		v.store.Set(keptUser, "")
		return v.refuse(namesNobody("/user_id"))
	case before != "" && before != userID:
		v.Reset()
	}
	v.store.Set(keptUser, userID)
	return v.Calls.Identify(ctx, userID, props, options...)
}

// Group says what is known of a group, as [Calls.Group] does, and that the visitor belongs to it.
func (v *Visitor) Group(ctx context.Context, groupType, key string, props any, options ...Option) error {
	if err := v.Calls.Group(ctx, groupType, key, props, options...); err != nil {
		return err
	}
	return v.Register(map[string]any{groupType: key})
}

// AnonymousID returns the id of the person before they are known.
func (v *Visitor) AnonymousID() string {
	_, anonymous, _ := v.at(time.Now(), false)
	return anonymous
}

// SessionID returns the id of the session, which ends after [VisitorConfig].SessionTimeout without an event and after 24 hours.
func (v *Visitor) SessionID() string {
	_, _, session := v.at(time.Now(), false)
	return session
}

// Reset forgets the person, the groups and what was registered, and begins a new session: for logging out.
func (v *Visitor) Reset() {
	v.mu.Lock()
	for _, name := range []string{keptUser, keptAnon, keptSession} {
		v.store.Set(name, "")
	}
	v.mu.Unlock()
	v.super.change(func(all map[string]any) { clear(all) })
}

// at returns who the visitor is, and their session, which an event keeps open.
func (v *Visitor) at(now time.Time, event bool) (user, anonymous, session string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	user = v.store.Get(keptUser)
	if anonymous = v.store.Get(keptAnon); anonymous == "" {
		anonymous = rand.Text()
		v.store.Set(keptAnon, anonymous)
	}
	id, times, _ := strings.Cut(v.store.Get(keptSession), " ")
	last, begun, _ := strings.Cut(times, " ")
	same := id != "" && now.Sub(milliseconds(last)) <= v.timeout && now.Sub(milliseconds(begun)) <= sessionLength
	if !same {
		id, begun = rand.Text(), strconv.FormatInt(now.UnixMilli(), 10)
	}
	if event || !same {
		v.store.Set(keptSession, id+" "+strconv.FormatInt(now.UnixMilli(), 10)+" "+begun)
	}
	return user, anonymous, id
}

func milliseconds(s string) time.Time {
	n, _ := strconv.ParseInt(s, 10, 64) // damaged, it is long ago
	return time.UnixMilli(n)
}

// memory is a [Store] that ends with the program.
type memory struct {
	mu   sync.Mutex
	kept map[string]string
}

func (m *memory) Get(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[name]
}

func (m *memory) Set(name, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept[name] = value
}
