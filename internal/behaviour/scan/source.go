package scan

import (
	"context"
	"errors"
	"fmt"

	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// ErrTooLarge says that a question needs more memory than it may have.
var ErrTooLarge = errors.New("the question needs more memory than one question may use")

// ErrGone says that a part is no longer there: it was merged into another after its header was read.
var ErrGone = errors.New("a part was replaced while it was read")

// ErrNoColumn says that a prop is no column in some part of the range.
type ErrNoColumn struct{ Name, Prop string }

func (e *ErrNoColumn) Error() string {
	return fmt.Sprintf("prop %q of event %q is not kept as a column", e.Prop, e.Name)
}

// Slice is a piece of a column of one of the parts that a scan was given.
type Slice struct {
	Part   int // index
	Column int
	Offset int
	Length int
}

// Source reads columns of parts.
type Source interface {
	// Read calls each once for every slice, in their order, with its bytes, which are only valid during the call. It is safe for
	// concurrent use.
	//
	// Errors: ErrGone, those of each.
	Read(ctx context.Context, slices []Slice, each func(i int, data []byte) error) error
}

// Memory is parts in memory: events that are in no stored part yet, and tests.
type Memory []*parts.Part

// Read implements Source.
func (m Memory) Read(ctx context.Context, slices []Slice, each func(i int, data []byte) error) error {
	for i, s := range slices {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := each(i, m[s.Part].Columns[s.Column][s.Offset:s.Offset+s.Length]); err != nil {
			return err
		}
	}
	return nil
}

// Identity says which numbers are one person. The zero value leaves every number as it is.
type Identity struct {
	// Canon is the number of the person that each number belongs to; a number beyond its end is its own. A number that is
	// mapped to must be mapped to itself.
	Canon []uint32
	// Splits are anonymous numbers of which later events belong to somebody else than the earlier ones.
	Splits map[uint32]Split
}

// Split is where an anonymous id begins to be another person: what it did from then on.
type Split struct {
	TS       int64 // the event that tells, in the order
	Received int64
	Tie      uint64
	To       uint32
}

func (id *Identity) canon(no uint32) uint32 {
	if int(no) < len(id.Canon) {
		return id.Canon[no]
	}
	return no
}

// moved returns the numbers that are not, or not always, their own, in order.
func (id *Identity) moved() []uint32 {
	var all []uint32
	for no, to := range id.Canon {
		if _, split := id.Splits[uint32(no)]; split || to != uint32(no) {
			all = append(all, uint32(no))
		}
	}
	for no := range id.Splits {
		if int(no) >= len(id.Canon) {
			all = append(all, no)
		}
	}
	return all
}
