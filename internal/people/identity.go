package people

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/bahagh/nimbus/internal/behaviour"
)

// Moment is the place of an event in the order (ts, received_at, id). Times are in microseconds since 1970, UTC.
type Moment struct {
	TS, Received int64
	ID           [16]byte
}

// Compare orders moments.
func (m *Moment) Compare(other *Moment) int {
	return cmp.Or(
		cmp.Compare(m.TS, other.TS), cmp.Compare(m.Received, other.Received), bytes.Compare(m.ID[:], other.ID[:]),
	)
}

// knownBefore says whether the event was known before as_of.
func (m *Moment) knownBefore(asOf int64) bool { return m.TS < asOf && m.Received < asOf }

// Link is an event that carries both an anonymous id and a user id.
type Link struct {
	Anonymous, User uint32
	At              Moment
}

// Merge makes one user of two. The merged one has the number that Into has.
type Merge struct{ From, Into uint32 }

// Conflict is the first event that linked an anonymous id to another user than it belongs to.
type Conflict struct {
	Anonymous   uint32
	Owner, User uint32 // people
	At          Moment
}

// NoAsOf is the as_of of everything that is known.
const NoAsOf = math.MaxInt64

// Needed returns the links that a question may need, as of now or of any earlier moment: of an anonymous id and a
// user the first in the order, and those before which none was known. All others may be forgotten.
func Needed(links []Link) []Link {
	links = slices.Clone(links)
	slices.SortFunc(links, func(a, b Link) int {
		return cmp.Or(cmp.Compare(a.Anonymous, b.Anonymous), cmp.Compare(a.User, b.User), a.At.Compare(&b.At))
	})
	kept := links[:0]
	var known int64 // since when one of the pair is known
	for i, l := range links {
		same := i > 0 && len(kept) > 0 && kept[len(kept)-1].Anonymous == l.Anonymous && kept[len(kept)-1].User == l.User
		if !same || max(l.At.TS, l.At.Received) < known {
			kept = append(kept, l)
			known = max(l.At.TS, l.At.Received)
		}
	}
	return kept
}

// Canon maps the numbers of ids to the numbers of people.
type Canon struct {
	to        []uint32
	splits    map[uint32]Moment
	conflicts []Conflict
}

// Resolve applies links that were known before as_of, and merges in their order.
func Resolve(links []Link, merges []Merge, asOf int64) *Canon {
	c := &Canon{splits: map[uint32]Moment{}}
	for _, m := range merges {
		if from, into := c.Of(m.From), c.Of(m.Into); from != into {
			c.set(from, into)
		}
	}
	c.flatten()
	known := make([]Link, 0, len(links))
	for _, l := range links {
		if l.At.knownBefore(asOf) {
			known = append(known, l)
		}
	}
	slices.SortFunc(known, func(a, b Link) int {
		return cmp.Or(cmp.Compare(a.Anonymous, b.Anonymous), a.At.Compare(&b.At))
	})
	for i := 0; i < len(known); {
		i = c.link(known, i)
	}
	return c
}

// link applies the links of one anonymous id, which come together and in the order, and returns the index after them.
func (c *Canon) link(known []Link, i int) int {
	anonymous := known[i].Anonymous
	owner := c.Of(known[i].User)
	c.set(anonymous, owner)
	split := false
	for ; i < len(known) && known[i].Anonymous == anonymous; i++ {
		if user := c.Of(known[i].User); user != owner && !split {
			split = true
			c.splits[anonymous] = known[i].At
			c.conflicts = append(c.conflicts, Conflict{anonymous, owner, user, known[i].At})
		}
	}
	return i
}

func (c *Canon) set(no, person uint32) {
	for next := uint32(len(c.to)); next <= no; next++ {
		c.to = append(c.to, next)
	}
	c.to[no] = person
}

// Of returns the person that an id belongs to, without regard to conflicts.
func (c *Canon) Of(no uint32) uint32 {
	for int(no) < len(c.to) && c.to[no] != no {
		no = c.to[no]
	}
	return no
}

// flatten makes every number point to its person directly.
func (c *Canon) flatten() {
	for no := range c.to {
		c.to[no] = c.Of(uint32(no))
	}
}

// Identity is the map as scans use it. An anonymous number that a conflict split is from then on a person by itself, with
// that number.
func (c *Canon) Identity() *behaviour.Identity {
	id := &behaviour.Identity{Canon: c.to, Splits: map[uint32]behaviour.Split{}}
	for no, at := range c.splits {
		id.Splits[no] = behaviour.Split{TS: at.TS, Received: at.Received, ID: at.ID, To: no}
	}
	return id
}

// Person returns who did the event that carries an id.
func (c *Canon) Person(no uint32, at Moment) uint32 {
	if split, ok := c.splits[no]; ok && at.Compare(&split) >= 0 {
		return no
	}
	return c.Of(no)
}

// Conflicts are those that were found, by anonymous id.
func (c *Canon) Conflicts() []Conflict { return c.conflicts }

// Piece is a part of the events that carry an id: those before a moment, those from it on, or all when Split is nil.
type Piece struct {
	No    uint32
	Split *Moment
	// Before says which side of Split: before it, or at and after it.
	Before bool
}

// Has says whether an event is in the piece.
func (p *Piece) Has(at *Moment) bool {
	return p.Split == nil || (at.Compare(p.Split) < 0) == p.Before
}

// Pieces are, for each person that is more or less than the events of the id with his own number, the pieces that
// make him. A person that is not in it is exactly the events of the id with his number. A number whose events are all
// another person's is in it without pieces.
func (c *Canon) Pieces() map[uint32][]Piece {
	pieces := map[uint32][]Piece{}
	own := func(person uint32) {
		if _, ok := pieces[person]; ok {
			return
		}
		pieces[person] = nil
		if c.Of(person) == person {
			pieces[person] = []Piece{{No: person}}
		}
	}
	for no := range c.to {
		no := uint32(no)
		person := c.Of(no)
		if person == no {
			continue
		}
		own(person)
		own(no)
		piece := Piece{No: no}
		if split, ok := c.splits[no]; ok {
			piece.Split, piece.Before = &split, true
			pieces[no] = append(pieces[no], Piece{No: no, Split: &split})
		}
		pieces[person] = append(pieces[person], piece)
	}
	return pieces
}
