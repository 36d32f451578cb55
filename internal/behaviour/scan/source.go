package scan

import (
	"context"
	"errors"
	"fmt"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// ErrTooLarge says that a question needs more memory than it may have.
var ErrTooLarge = errors.New("the question needs more memory than one question may use")

// DamagedPart says which of the parts is damaged, so that the events of its day can be read instead.
type DamagedPart struct {
	Part int // index
	Err  error
}

func (e *DamagedPart) Error() string { return fmt.Sprintf("part %d: %v", e.Part, e.Err) }

func (e *DamagedPart) Unwrap() error { return e.Err }

// ErrNoColumn says that a prop is no column in some part of the range.
type ErrNoColumn struct{ Name, Prop string }

func (e *ErrNoColumn) Error() string {
	return fmt.Sprintf("prop %q of event %q is not kept as a column", e.Prop, e.Name)
}

// Source reads columns of parts.
type Source interface {
	// Read calls each with the bytes of every slice, in any order, not at once, and never changes them afterwards. A slice
	// that is not there, or shorter than asked for, is damage, and for the caller to notice. Read is safe for concurrent
	// use.
	Read(ctx context.Context, slices []parts.Slice, each func(i int, data []byte) error) error
}

// Memory is parts in memory: events that are in no stored part yet, and tests.
type Memory []*parts.Part

// Read implements Source.
func (m Memory) Read(ctx context.Context, slices []parts.Slice, each func(i int, data []byte) error) error {
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

// moved returns the numbers that are not, or not always, their own.
func moved(id *behaviour.Identity) []uint32 {
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
