package behaviour

import (
	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// Piece is what carries an id: all of it, or, of an anonymous id that a conflict split, what came before the split or from it on.
type Piece struct {
	Key    PersonKey
	Split  *Split `json:",omitempty"` // nil: all
	Before bool   `json:",omitempty"`
}

// Pieces returns what makes a person. keys are those of all his ids, by number: see Of.
func (id *Identity) Pieces(person uint32, keys map[uint32]PersonKey) []Piece {
	pieces := make([]Piece, 0, len(keys))
	for no, key := range keys {
		p := Piece{Key: key}
		if split, ok := id.Splits[no]; ok {
			p.Split, p.Before = &split, split.To != person
		}
		pieces = append(pieces, p)
	}
	return pieces
}

// Alone returns an identity in which somebody is one person, and the only one that matters: his pieces are the person of the set, the
// rest of an id that a conflict split is not. numbers are those of his ids; of an id without one there is nothing to find.
func Alone(pieces []Piece, numbers map[PersonKey]uint32) (*Identity, *Set) {
	var who, last uint32
	for _, p := range pieces {
		no := numbers[p.Key]
		if last = max(last, no); no > 0 && (who == 0 || p.Split == nil) {
			who = no
		}
	}
	id := &Identity{Canon: make([]uint32, last+1), Splits: map[uint32]Split{}}
	for no := range id.Canon {
		id.Canon[no] = uint32(no)
	}
	for _, p := range pieces {
		no := numbers[p.Key]
		if no == 0 {
			continue
		}
		rest := no // is somebody else, or nobody where he himself has the number
		if rest == who {
			rest = 0
		}
		id.Canon[no] = who
		if p.Split == nil {
			continue
		}
		split := *p.Split
		if split.To = rest; !p.Before {
			id.Canon[no], split.To = rest, who
		}
		id.Splits[no] = split
	}
	return id, NewSet(who)
}

// has says whether the piece has an event.
func (p *Piece) has(e *StoredEvent) bool {
	return e.person() == p.Key &&
		(p.Split == nil || p.Split.Before(e.TS.UnixMicro(), e.ReceivedAt.UnixMicro(), parts.Tie(e.ID)) == p.Before)
}

// hasOperation says whether the piece has an operation on a profile.
func (p *Piece) hasOperation(o *Operation) bool {
	return keyOf(o.Of) == p.Key && (p.Split == nil || p.Split.BeforeID(o.TS.UnixMicro(), o.ReceivedAt.UnixMicro(), o.ID) == p.Before)
}
