package people_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/people"
)

const (
	seed   = 20261130
	rounds = 5000
)

// Numbers below this one are of users, from it on of anonymous ids.
const anonymous = 5

type event struct {
	user, anonymous uint32 // 0 for none
	at              people.Moment
}

func (e *event) number() uint32 {
	if e.user != 0 {
		return e.user
	}
	return e.anonymous
}

func stream(r *rand.Rand) (events []event, merges []people.Merge) {
	for i := range r.IntN(14) {
		e := event{at: people.Moment{TS: r.Int64N(8)}}
		e.at.Received = e.at.TS + r.Int64N(5)
		e.at.ID[12] = byte(i)
		if r.IntN(3) > 0 {
			e.user = 1 + uint32(r.IntN(anonymous-1))
		}
		if e.user == 0 || r.IntN(2) == 0 {
			e.anonymous = anonymous + uint32(r.IntN(3))
		}
		events = append(events, e)
	}
	for range r.IntN(4) {
		merges = append(merges, people.Merge{From: 1 + uint32(r.IntN(anonymous-1)), Into: 1 + uint32(r.IntN(anonymous-1))})
	}
	return events, merges
}

func links(events []event) (all []people.Link) {
	for _, e := range events {
		if e.user != 0 && e.anonymous != 0 {
			all = append(all, people.Link{Anonymous: e.anonymous, User: e.user, At: e.at})
		}
	}
	return all
}

// user follows merges, in their order: those that would close a circle were never made.
func user(merges []people.Merge, no uint32) uint32 {
	into := map[uint32]uint32{}
	root := func(no uint32) uint32 {
		for into[no] != 0 {
			no = into[no]
		}
		return no
	}
	for _, m := range merges {
		if from, to := root(m.From), root(m.Into); from != to {
			into[from] = to
		}
	}
	return root(no)
}

// reference says who did an event by the words of the definition.
func reference(events []event, merges []people.Merge, asOf int64, e *event) uint32 {
	if e.user != 0 {
		return user(merges, e.user)
	}
	known := slices.DeleteFunc(slices.Clone(events), func(l event) bool {
		return l.anonymous != e.anonymous || l.user == 0 || l.at.TS >= asOf || l.at.Received >= asOf
	})
	slices.SortFunc(known, func(a, b event) int { return a.at.Compare(&b.at) })
	if len(known) == 0 {
		return e.anonymous
	}
	owner := user(merges, known[0].user)
	for _, l := range known {
		if user(merges, l.user) != owner && e.at.Compare(&l.at) >= 0 {
			return e.anonymous // from the first conflict on
		}
	}
	return owner
}

func TestPeopleAreThoseOfTheDefinition(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d, %d rounds", seed, rounds)
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range rounds {
		events, merges := stream(r)
		asOf := int64(people.NoAsOf)
		if r.IntN(2) == 0 {
			asOf = r.Int64N(14)
		}
		shuffled := links(events)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		canon := people.Resolve(people.Needed(shuffled), merges, asOf)
		pieces := canon.Pieces()
		for _, e := range events {
			got, want := canon.Person(e.number(), e.at), reference(events, merges, asOf, &e)
			if got != want {
				t.Fatalf("round %d: %+v of %+v is person %d, want %d; merges %+v, as of %d", round, e, events, got, want, merges, asOf)
			}
			checkPieces(t, pieces, &e, want)
			checkIdentity(t, canon.Identity(), &e, want)
		}
	}
}

// checkPieces holds the pieces of people to who did an event: it is in one piece, and that is the person's.
func checkPieces(t *testing.T, pieces map[uint32][]people.Piece, e *event, person uint32) {
	t.Helper()
	found := 0
	for no, list := range pieces {
		for _, p := range list {
			if p.No == e.number() && p.Has(&e.at) {
				found++
				if no != person {
					t.Fatalf("%+v is in a piece of %d, want %d", e, no, person)
				}
			}
		}
	}
	if _, is := pieces[e.number()]; !is && person == e.number() {
		found++ // exactly the events with his number
	}
	if found != 1 {
		t.Fatalf("%+v of person %d is in %d pieces of %+v", e, person, found, pieces)
	}
}

// checkIdentity holds the map that scans use to who did an event.
func checkIdentity(t *testing.T, id *behaviour.Identity, e *event, person uint32) {
	t.Helper()
	got := id.Canonical(e.number())
	if to := id.Canonical(got); to != got {
		t.Fatalf("%d is mapped to %d, which is mapped to %d", e.number(), got, to)
	}
	if split, ok := id.Splits[e.number()]; ok && !split.Before(e.at.TS, e.at.Received, parts.Tie(e.at.ID)) {
		got = split.To
	}
	if got != person {
		t.Fatalf("%+v is of %d by the map, want %d", e, got, person)
	}
}

func TestConflictsAreReportedOnce(t *testing.T) {
	t.Parallel()
	at := func(ts int64) people.Moment { return people.Moment{TS: ts, Received: ts} }
	list := []people.Link{{7, 1, at(10)}, {7, 2, at(20)}, {7, 3, at(30)}, {7, 1, at(40)}, {8, 1, at(1)}}
	got := people.Resolve(list, nil, people.NoAsOf).Conflicts()
	if want := []people.Conflict{{Anonymous: 7, Owner: 1, User: 2, At: at(20)}}; !slices.Equal(got, want) {
		t.Errorf("conflicts %+v, want %+v", got, want)
	}
	if got := people.Resolve(list, []people.Merge{{From: 2, Into: 1}, {From: 3, Into: 2}}, people.NoAsOf).Conflicts(); len(got) != 0 {
		t.Errorf("users that are one conflict: %+v", got)
	}
}

// Of a thousand links of a pair the first is enough, unless it came late.
func TestFewLinksAreNeeded(t *testing.T) {
	t.Parallel()
	var list []people.Link
	for i := range int64(1000) {
		list = append(list, people.Link{Anonymous: 7, User: 1, At: people.Moment{TS: i + 10, Received: i + 10}})
	}
	list = append(list, people.Link{Anonymous: 7, User: 1, At: people.Moment{TS: 5, Received: 500}})
	if got := people.Needed(list); len(got) != 2 {
		t.Errorf("%d links are needed, want the first and the one that was known before it: %+v", len(got), got)
	}
}
