package live

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/bus"
	"github.com/bahagh/nimbus/test/nimbustest"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

// node is a hub whose callers have access, until the test revokes it.
type node struct {
	*Hub
	t testing.TB

	mu      sync.Mutex
	refusal error
	asked   int
}

func newNode(t testing.TB, bus bus.Bus, change ...func(*Config)) *node {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Announce = 10 * time.Millisecond // how often an announcement is repeated
	cfg.Heartbeat = time.Hour            // most clients of these tests do not answer
	for _, c := range change {
		c(&cfg)
	}
	n := &node{t: t}
	h, err := New(Options{Config: cfg, Bus: bus, Secrets: [][]byte{secret}, Revive: func(_ context.Context, p *auth.Principal) (*auth.Principal, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.asked++
		return p, n.refusal
	}, Access: func(context.Context, uuid.UUID) error { return nil }, Registry: prometheus.NewRegistry(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	n.Hub = h
	t.Cleanup(func() { h.Close(t.Context()) })
	return n
}

var project = uuid.MustParse("3fa85f64-5717-4562-b3fc-2c963f66afa6")

// store stores events of these names, each with its number.
func (n *node) store(names ...string) {
	n.Stored(project, sequence(names...))
}

var stored struct {
	sync.Mutex
	n int
}

func sequence(names ...string) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, name := range names {
			stored.Lock()
			stored.n++
			b := fmt.Appendf(nil, `{"name":%q,"n":%d}`, name, stored.n)
			stored.Unlock()
			if !yield(name, b) {
				return
			}
		}
	}
}

// stream is a subscription that the test reads by hand, at its own pace.
type stream struct {
	*Subscription
	t testing.TB
}

func (n *node) stream(c string, names ...string) *stream {
	n.t.Helper()
	var from *cursor
	if c != "" {
		var err error
		if from, err = decodeCursor(c); err != nil {
			n.t.Fatal(err)
		}
	}
	s, err := n.subscribe(auth.WithPrincipal(n.t.Context(), &auth.Principal{Kind: auth.KindAPIKey, KeyID: "k"}), project, webSocket, names, from)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { n.unsubscribe(s) })
	return &stream{s, n.t}
}

// read returns the queued frames, as "name" for an event and "missed n" for a gap, and the last cursor. Hellos are
// left out.
func (s *stream) read() (got []string, at string) {
	s.t.Helper()
	for {
		frames := s.next(7)
		if len(frames) == 0 {
			return got, at
		}
		for _, f := range frames {
			at = string(f.cursor)
			switch f.kind {
			case kindEvent:
				var e struct {
					Type, Cursor string
					Event        struct{ Name string }
				}
				if err := json.Unmarshal(f.json, &e); err != nil || e.Cursor != at || e.Type != "event" {
					s.t.Fatalf("%v: %s", err, f.json)
				}
				if want := fmt.Sprintf("id: %s\nevent: event\ndata: %s\n\n", at, f.json); string(f.sse) != want {
					s.t.Fatalf("%q, want %q", f.sse, want)
				}
				got = append(got, e.Event.Name)
			case kindMissed:
				if f.known {
					got = append(got, fmt.Sprint("missed ", f.count))
				} else {
					got = append(got, "missed some")
				}
			case kindHello, kindPosition, kindEnd:
			}
		}
	}
}

func (s *stream) want(want ...string) (at string) {
	s.t.Helper()
	got, at := s.read()
	if !slices.Equal(got, want) {
		s.t.Fatalf("got %q, want %q", got, want)
	}
	return at
}

// await reads until all of these came, in any order of their nodes.
func (s *stream) await(want ...string) (at string) {
	s.t.Helper()
	var got []string
	nimbustest.Eventually(s.t, fmt.Sprintf("%q come", want), func() bool {
		more, last := s.read()
		if len(more) > 0 {
			got, at = append(got, more...), last
		}
		return len(got) >= len(want)
	})
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.t.Fatalf("got %q, want %q", got, want)
	}
	return at
}

func repeat(name string, n int) []string { return slices.Repeat([]string{name}, n) }

func small(c *Config) { c.RingEvents = 4 }

func TestASlowReaderIsToldExactlyWhatItMissed(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{}, small)
	slow, quick, some, none := n.stream(""), n.stream(""), n.stream("", "b"), n.stream("", "c")
	for _, s := range []*stream{slow, quick, some, none} {
		s.want()
	}
	n.store("a", "b", "a")
	quick.want("a", "b", "a")
	some.want("b")
	n.store("b", "b", "a", "b", "a", "b", "a") // the ring keeps the last four: b a b a
	slow.want("missed 6", "b", "a", "b", "a")
	quick.want("missed 3", "b", "a", "b", "a")
	some.want("missed 2", "b", "b")
	none.want() // nothing that it would have shown
	n.store("c")
	none.want("c")
	late := n.stream("", "b")
	n.store("b", "b", "b", "b", "b")
	late.want("missed 1", "b", "b", "b", "b")
	slow.want("missed 2", "b", "b", "b", "b")
}

func TestTheRingIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{}, func(c *Config) { c.RingBytes = 64 << 10 })
	s := n.stream("")
	for range 100 {
		n.Stored(project, func(yield func(string, []byte) bool) {
			yield("large", []byte(`{"name":"large","props":"`+strings.Repeat("x", 10<<10)+`"}`))
		})
	}
	s.topic.mu.RLock()
	kept, bytes := len(s.topic.ring.entries), s.topic.ring.bytes
	s.topic.mu.RUnlock()
	if bytes > 64<<10 || kept == 0 || kept > 6 {
		t.Errorf("%d events of %d bytes are kept", kept, bytes)
	}
	s.want(append([]string{fmt.Sprint("missed ", 100-kept)}, repeat("large", kept)...)...)
}

func TestAResumedStreamRepeatsNothingAndLeavesNothingOut(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{}, small)
	first := n.stream("")
	n.store("a", "b")
	at := first.want("a", "b")
	n.store("c", "d")
	n.stream(at).want("c", "d")
	n.stream(at, "d").want("d")
	n.store("e", "f", "g")
	again := n.stream(at)
	again.want("missed 1", "d", "e", "f", "g")
	n.stream(at, "g").want("missed some", "g") // whether a "g" was among the evicted events is not known
	n.store("h")
	end := again.want("h")
	n.stream(end).want()

	// A cursor that was made up does no harm.
	c := cursor{at: time.Now(), positions: []position{{source: 7, seq: 1 << 60}, {source: again.topic.own, seq: 1 << 60}}}
	made := n.stream(string(c.append(nil)))
	made.want("missed some")
	n.store("i")
	made.want() // the cursor claims to have seen that
}

func TestStoringCostsNothingWhileNobodyListens(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{}, func(c *Config) { c.Linger = time.Millisecond })
	asked := false
	look := func(func(string, []byte) bool) { asked = true }
	n.Stored(project, look)
	s, err := n.subscribe(auth.WithPrincipal(t.Context(), &auth.Principal{}), uuid.New(), webSocket, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n.Stored(project, look)
	if asked {
		t.Error("the events of a project were read that nobody listens to")
	}
	n.unsubscribe(s)
	nimbustest.Eventually(t, "the topic is let go", func() bool { return n.topicCount.Load() == 0 })
}

// lossy is a bus that loses messages while the test switches the loss on.
type lossy struct {
	*bus.Hub
	mu   sync.Mutex
	away bool
	gone int // messages with events
	lost []func()
}

func (b *lossy) Publish(ctx context.Context, channel string, message []byte) error {
	b.mu.Lock()
	away := b.away
	if m, err := decodeMessage(message); away && err == nil && len(m.events) > 0 {
		b.gone++
	}
	b.mu.Unlock()
	if away {
		return errors.New("the bus is away")
	}
	return b.Hub.Publish(ctx, channel, message)
}

func (b *lossy) dropped() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gone
}

func (b *lossy) Subscribe(channel string, receive func([]byte), lost func()) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = append(b.lost, lost)
	return b.Hub.Subscribe(channel, receive, lost)
}

// set ends or begins the loss; at its end every subscriber is told, as after a reconnect, if tell says so.
func (b *lossy) set(away, tell bool) {
	b.mu.Lock()
	b.away = away
	lost := slices.Clone(b.lost)
	b.mu.Unlock()
	if tell {
		for _, f := range lost {
			f()
		}
	}
}

// acquainted returns two nodes: the first has a subscriber, and the second has received its announcement.
func acquainted(t *testing.T, bus bus.Bus) (a, b *node, s *stream) {
	t.Helper()
	a, b = newNode(t, bus), newNode(t, bus)
	s = a.stream("")
	s.want()
	b.awaitWanted(a)
	return a, b, s
}

// awaitWanted waits until the node has the other one's announcement, and that one has the node's sequence number.
func (n *node) awaitWanted(by *node) {
	n.t.Helper()
	nimbustest.Eventually(n.t, "the nodes find each other", func() bool {
		here, there := n.current(), by.current()
		if here == nil {
			return false
		}
		there.mu.RLock()
		defer there.mu.RUnlock()
		return there.source(here.own) != nil
	})
}

func (n *node) current() *topic {
	n.Hub.mu.RLock()
	defer n.Hub.mu.RUnlock()
	return n.topics[project]
}

// hesitant is a bus that is slow to subscribe.
type hesitant struct {
	*bus.Hub
	asked, granted chan struct{}
}

func (b *hesitant) Subscribe(channel string, receive func([]byte), lost func()) func() {
	if channel == channelOf(project) {
		b.asked <- struct{}{}
		<-b.granted
	}
	return b.Hub.Subscribe(channel, receive, lost)
}

// The first stream of a project waits for the subscription to the bus; storing events meanwhile does not.
func TestABusThatHesitatesHoldsUpNobodyWhoStores(t *testing.T) {
	t.Parallel()
	bus := &hesitant{Hub: &bus.Hub{}, asked: make(chan struct{}), granted: make(chan struct{})}
	n := newNode(t, bus)
	opened := make(chan *stream)
	go func() { opened <- n.stream("") }()
	<-bus.asked
	n.store("a") // of the same project
	other := uuid.New()
	if _, err := n.subscribe(auth.WithPrincipal(t.Context(), &auth.Principal{}), other, webSocket, nil, nil); err != nil {
		t.Error(err)
	}
	n.sweep() // must not remove a topic that a stream is joining
	close(bus.granted)
	s := <-opened
	n.store("b")
	s.await("b")
}

func TestWhatIsLostBetweenNodesIsCounted(t *testing.T) {
	t.Parallel()
	bus := &lossy{Hub: &bus.Hub{}}
	_, b, s := acquainted(t, bus)
	b.store("a")
	s.await("a")
	bus.set(true, false)
	b.store("b", "b", "b")
	nimbustest.Eventually(t, "the events are lost", func() bool { return bus.dropped() == 1 })
	bus.set(false, false)
	s.await("missed 3") // before any further event: nodes send their sequence numbers
	b.store("c")
	s.await("c")
}

// A call of Redis has 10 ms, and a network of 1 Gbit/s carries a megabyte in these.
func TestALargeBatchTravelsInPartsThatTakeNoTime(t *testing.T) {
	t.Parallel()
	bus := &bus.Hub{}
	_, b, s := acquainted(t, bus)
	var mu sync.Mutex
	events, largest := 0, 0
	defer bus.Subscribe(channelOf(project), func(raw []byte) {
		m, err := decodeMessage(raw)
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		events, largest = events+len(m.events), max(largest, len(raw))
	}, func() {})()
	batch := repeat("large", 100)
	b.Stored(project, func(yield func(string, []byte) bool) {
		for _, name := range batch {
			if !yield(name, []byte(`{"name":"large","props":"`+strings.Repeat("x", 10<<10)+`"}`)) {
				return
			}
		}
	})
	s.await(batch...)
	nimbustest.Eventually(t, "all parts", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return events == len(batch)
	})
	mu.Lock()
	defer mu.Unlock()
	if largest > 100<<10 {
		t.Errorf("a message of %d bytes", largest)
	}
}

func TestAReconnectOfTheBusIsTold(t *testing.T) {
	t.Parallel()
	bus := &lossy{Hub: &bus.Hub{}}
	a, b, s := acquainted(t, bus)
	b.store("a")
	s.await("a")
	bus.set(false, true)
	s.await("missed some")
	b.awaitWanted(a)
	b.store("c")
	s.await("c")
}

// A node that is killed may have stored events that it never published. One that shuts down announces its end.
func TestANodeThatGoesSilentIsToldAndOneThatStopsIsNot(t *testing.T) {
	t.Parallel()
	bus := &lossy{Hub: &bus.Hub{}}
	a, b, s := acquainted(t, bus)
	b.store("a")
	s.await("a")
	b.Close(t.Context())
	nimbustest.Eventually(t, "the node that stopped says so", func() bool { return a.othersOver() })
	a.later()
	if a.othersOver() {
		t.Error("the node that stopped is not forgotten")
	}
	s.want()

	c := newNode(t, bus)
	c.awaitWanted(a)
	bus.set(true, false) // as if it were dead
	var told []string
	nimbustest.Eventually(t, "the node that went silent is missed", func() bool {
		a.later() // again, when a message was still on its way
		more, _ := s.read()
		told = append(told, more...)
		return len(told) > 0
	})
	if !slices.Equal(told, []string{"missed some"}) {
		t.Errorf("told %q", told)
	}
}

// othersOver reports whether there is another node, and it has announced its end.
func (n *node) othersOver() bool {
	topic := n.current()
	topic.mu.RLock()
	defer topic.mu.RUnlock()
	return len(topic.sources) == 2 && topic.sources[1].over
}

// later backdates the last message of the other nodes and sweeps.
func (n *node) later() {
	topic := n.current()
	topic.mu.Lock()
	for k := range topic.sources {
		topic.sources[k].lastSeen = time.Now().Add(-2 * n.cfg.Linger)
	}
	topic.mu.Unlock()
	n.sweep()
}

// Events that a node stores while it stops, after its own streams have ended, still reach the streams of the others.
func TestTheLastEventsOfANodeThatStopsReachTheOthers(t *testing.T) {
	t.Parallel()
	a, b, s := acquainted(t, &bus.Hub{})
	b.Drain(t.Context())
	if _, err := b.subscribe(auth.WithPrincipal(t.Context(), &auth.Principal{}), project, webSocket, nil, nil); !problem.Is(err, problem.CodeShuttingDown) {
		t.Errorf("a new stream: %v", err)
	}
	b.store(repeat("a", 100)...)
	b.Close(t.Context())
	s.await(repeat("a", 100)...)
	a.store("b")
	s.await("b")
}

// On each node the events of both come in an order of their own. A cursor of one must still mean the same on the other.
func TestACursorMeansTheSameOnEveryNode(t *testing.T) {
	t.Parallel()
	bus := &bus.Hub{}
	a, b, onA := acquainted(t, bus)
	onB := b.stream("")
	a.awaitWanted(b)
	want := []string{"a1", "b1", "a2", "b2"}
	a.store("a1")
	b.store("b1")
	a.store("a2")
	b.store("b2")
	onA.await(want...)
	onB.await(want...)

	for _, from := range []*node{a, b} {
		other := b
		if from == b {
			other = a
		}
		// From every place on one node: the events before and after the reconnect are all events, each once.
		all := from.stream(string((&cursor{at: time.Now()}).append(nil)))
		frames := all.next(10)
		var seen []string
		for _, f := range frames {
			if f.kind == kindEvent {
				seen = append(seen, eventName(t, f))
			}
			if f.kind == kindHello {
				continue
			}
			rest, _ := other.stream(string(f.cursor)).read()
			both := slices.Concat(seen, rest)
			slices.Sort(both)
			if !slices.Equal(both, []string{"a1", "a2", "b1", "b2"}) {
				t.Errorf("%q here and %q there", seen, rest)
			}
			// And a second reconnect half-way through the catch-up.
			half := other.stream(string(f.cursor)).next(2)
			if last := half[len(half)-1]; last.kind == kindEvent {
				rest, _ := from.stream(string(last.cursor)).read()
				both := append(slices.Concat(seen, rest), eventName(t, last))
				slices.Sort(both)
				if !slices.Equal(both, []string{"a1", "a2", "b1", "b2"}) {
					t.Errorf("%q here, %q there and %q here again", seen, eventName(t, last), rest)
				}
			}
		}
		if len(seen) != 4 {
			t.Errorf("only %q came", seen)
		}
	}
}

func eventName(t *testing.T, f frame) string {
	t.Helper()
	var e struct{ Name string }
	if err := json.Unmarshal(f.event, &e); err != nil {
		t.Fatal(err)
	}
	return e.Name
}

func TestATicketThatWasUsedOnOneNodeIsUsedOnAll(t *testing.T) {
	t.Parallel()
	bus := &bus.Hub{}
	a, b := newNode(t, bus), newNode(t, bus)
	ticket, _, err := a.tickets.issue(&auth.Principal{Kind: auth.KindAPIKey, KeyID: "k"}, project)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Ticket(t.Context(), ticket, project.String()); err != nil {
		t.Fatal(err)
	}
	nimbustest.Eventually(t, "the other node hears of it", func() bool {
		b.tickets.mu.Lock()
		defer b.tickets.mu.Unlock()
		return len(b.tickets.used) == 1
	})
	if _, err := b.Ticket(t.Context(), ticket, project.String()); !problem.Is(err, problem.CodeInvalidTicket) {
		t.Errorf("the other node takes it again: %v", err)
	}
}

func TestAnUnreachableDatabaseEndsNoStream(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{})
	s := n.stream("")
	for _, tc := range []struct {
		err  error
		ends bool
	}{
		{errors.New("no connection"), false}, {problem.Unavailable(nil), false}, {nil, false},
		{problem.New(problem.CodeSessionEnded, "over"), true},
	} {
		n.mu.Lock()
		n.refusal = tc.err
		n.mu.Unlock()
		n.recheck(t.Context())
		s.mu.Lock()
		ends := s.end != nil
		s.mu.Unlock()
		if ends != tc.ends {
			t.Errorf("%v: ends: %t, want %t", tc.err, ends, tc.ends)
		}
	}
}

// Each check may take as long as its time-out when the database hangs.
func TestAnUnreachableDatabaseIsAskedForOneOfManyCallers(t *testing.T) {
	t.Parallel()
	n := newNode(t, &bus.Hub{}, func(c *Config) { c.Recheck = time.Hour })
	for k := range 3 {
		caller := &auth.Principal{Kind: auth.KindAPIKey, KeyID: fmt.Sprint("key ", k)}
		s, err := n.subscribe(auth.WithPrincipal(t.Context(), caller), project, webSocket, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.unsubscribe(s) })
	}
	for _, tc := range []struct {
		err   error
		asked int
	}{{nil, 3}, {problem.Unavailable(nil), 1}} {
		n.mu.Lock()
		n.refusal, n.asked = tc.err, 0
		n.mu.Unlock()
		n.recheck(t.Context())
		if n.asked != tc.asked {
			t.Errorf("%v: asked for %d callers, want %d", tc.err, n.asked, tc.asked)
		}
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add("")
	f.Add(string((&cursor{at: time.Now(), positions: []position{{1, 2}, {3, 1 << 63}}}).append(nil)))
	f.Fuzz(func(t *testing.T, s string) {
		c, err := decodeCursor(s)
		if err != nil {
			return
		}
		again, err := decodeCursor(string(c.append(nil)))
		if err != nil || !again.at.Equal(c.at) || !slices.Equal(again.positions, c.positions) {
			t.Errorf("%q: %+v, again %+v, %v", s, c, again, err)
		}
		if _, err := json.Marshal(c.at); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	})
}

func FuzzTicket(f *testing.F) {
	own := make([]byte, 32) // of this process: the fuzzer runs several, and each issues one
	_, _ = rand.Read(own)
	tickets, err := newTickets([][]byte{own}, time.Now)
	if err != nil {
		f.Fatal(err)
	}
	good, _, err := tickets.issue(&auth.Principal{Kind: auth.KindAPIKey, KeyID: "k"}, project)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if _, _, err := tickets.open(s, project); err == nil && s != good {
			t.Errorf("%q was never issued", s)
		}
	})
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add((&message{source: 1, first: 2, events: []event{{"a", []byte("{}")}}}).encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMessage(b)
		if err != nil {
			return
		}
		if again, err := decodeMessage(m.encode()); err != nil || len(again.events) != len(m.events) {
			t.Errorf("%x: %v", b, err)
		}
	})
}

// Somebody's events are deleted, and a stream that comes back must not get them from memory: on no node.
func TestWhatIsForgottenIsInNoRing(t *testing.T) {
	t.Parallel()
	a, b, s := acquainted(t, &bus.Hub{})
	b.store("a")
	s.await("a")
	b.Forget(project)
	nimbustest.Eventually(t, "the rings are empty", func() bool {
		for _, n := range []*node{a, b} {
			topic := n.current()
			topic.mu.RLock()
			kept := len(topic.ring.entries)
			topic.mu.RUnlock()
			if kept > 0 {
				return false
			}
		}
		return true
	})
	b.store("b")
	s.await("b")
}
