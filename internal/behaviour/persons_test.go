package behaviour_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/people"
)

// TestWhoIsWhomIsByTheDefinition holds what views hand to scans to the definition, which package people has.
func TestWhoIsWhomIsByTheDefinition(t *testing.T) {
	t.Parallel()
	const seed, rounds, users, ids = 20261130, 5000, 4, 3
	t.Logf("seed %d, %d rounds", seed, rounds)
	r := rand.New(rand.NewPCG(seed, 2))
	user := func(no uint32) behaviour.PersonKey {
		return behaviour.PersonKey{Kind: behaviour.User, Key: fmt.Sprint("u", no)}
	}
	anonymous := func(no uint32) behaviour.PersonKey {
		return behaviour.PersonKey{Kind: behaviour.Anonymous, Key: fmt.Sprint("a", no)}
	}
	numbers := map[behaviour.PersonKey]uint32{}
	for no := range uint32(users) {
		numbers[user(1+no)] = 1 + no
	}
	for no := range uint32(ids) {
		numbers[anonymous(1+users+no)] = 1 + users + no
	}
	for round := range rounds {
		var events []behaviour.StoredEvent
		var links []people.Link
		for i := range r.IntN(14) {
			at := people.Moment{TS: 1 + r.Int64N(8)}
			at.Received = at.TS + r.Int64N(5)
			at.ID[12] = byte(i)
			l := people.Link{Anonymous: 1 + users + uint32(r.IntN(ids)), User: 1 + uint32(r.IntN(users)), At: at}
			links = append(links, l)
			events = append(events, behaviour.StoredEvent{
				ID: at.ID, TS: time.UnixMicro(at.TS), ReceivedAt: time.UnixMicro(at.Received),
				UserID: user(l.User).Key, AnonymousID: anonymous(l.Anonymous).Key,
			})
		}
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		var pairs [][2]uint32
		var merges []people.Merge
		for range r.IntN(4) {
			m := people.Merge{From: 1 + uint32(r.IntN(users)), Into: 1 + uint32(r.IntN(users))}
			merges, pairs = append(merges, m), append(pairs, [2]uint32{m.From, m.Into})
		}
		asOf, known := int64(0), int64(people.NoAsOf)
		if r.IntN(2) == 0 {
			asOf = 1 + r.Int64N(14)
			known = asOf
		}
		got, want := behaviour.Identify(events, numbers, pairs, asOf, users+ids), people.Resolve(links, merges, known)
		for no := range uint32(1 + users + ids) {
			for ts := range int64(10) {
				at := people.Moment{TS: ts, Received: ts + r.Int64N(5)}
				at.ID[12] = byte(r.IntN(14))
				if is := person(got, no, at); is != want.Person(no, at) {
					t.Fatalf("round %d: %d at %+v is person %d, want %d; links %+v, merges %+v, as of %d",
						round, no, at, is, want.Person(no, at), links, merges, asOf)
				}
			}
		}
	}
}

// person is who did an event that carries an id, as scans read an identity.
func person(id *behaviour.Identity, no uint32, at people.Moment) uint32 {
	if s, ok := id.Splits[no]; ok && !s.Before(at.TS, at.Received, parts.Tie(at.ID)) {
		return s.To
	}
	return id.Canonical(no)
}

// The id of an operation does not begin with its time: of one moment it comes before all events, or after all, and the events
// themselves are in the order of what follows the time.
func TestASplitComesWhereTheWholeIDOrders(t *testing.T) {
	t.Parallel()
	const at = 1_767_225_600_000_000
	event := func(tie byte) uuid.UUID {
		return events.NewID(time.UnixMicro(at), [events.IDHashBytes]byte{3: tie})
	}
	operation := func(first byte) uuid.UUID { return uuid.UUID{0: first, 6: 0x87, 8: 0x80} }
	for _, c := range []struct {
		name      string
		told, of  uuid.UUID
		ts, later int64
		want      bool
	}{
		{"an operation with a high id", operation(0xff), event(9), at, 0, true},
		{"an operation with a low id", operation(0), event(1), at, 0, false},
		{"an event before", event(5), event(4), at, 0, true},
		{"the event itself", event(5), event(5), at, 0, false},
		{"an event after", event(5), event(6), at, 0, false},
		{"received later", operation(0xff), event(1), at, 1, false},
		{"an earlier moment", operation(0), event(9), at - 1, 9, true},
	} {
		s := behaviour.Split{TS: at, Received: at, ID: c.told}
		if got := s.Before(c.ts, at+c.later, parts.Tie(c.of)); got != c.want {
			t.Errorf("%s: before %t, want %t", c.name, got, c.want)
		}
		if got := s.BeforeID(c.ts, at+c.later, c.of); got != c.want {
			t.Errorf("%s: with the whole id before %t, want %t", c.name, got, c.want)
		}
	}
}
