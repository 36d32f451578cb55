package query

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
)

// Views opens views of the behaviour store for questions.
type Views struct {
	Store   *behaviour.Store
	Timeout time.Duration // of a statement
	// Unproven is told which days of an answer had to be read from the events, because their parts failed the proof; nil: nobody is.
	Unproven func(ctx context.Context, project uuid.UUID, days []int32)
}

// maxDamaged bounds how many damaged days one question reads anew.
const maxDamaged = 8

// damagedDay is a day of which a part is damaged.
type damagedDay struct {
	day int32
	err error
}

func (d *damagedDay) Error() string { return fmt.Sprintf("day %d: %v", d.day, d.err) }
func (d *damagedDay) Unwrap() error { return d.err }

// View calls fn with a view of the UTC days from one to before another. Days of which fn finds a part damaged are read from the
// events, and fn is called again.
//
// Errors: those of fn and of behaviour.Store.View.
func (s *Views) View(ctx context.Context, project uuid.UUID, from, to int32, fn func(v *behaviour.View) error) error {
	var doubt, unproven []int32
	for {
		err := s.Store.View(ctx, project, from, to, s.Timeout, doubt, func(v *behaviour.View) error {
			unproven = v.Unproven
			err := fn(v)
			var part *scan.DamagedPart
			if errors.As(err, &part) {
				return &damagedDay{v.Day(part.Part), err}
			}
			return err
		})
		if len(unproven) > 0 && s.Unproven != nil {
			s.Unproven(ctx, project, unproven)
		}
		var damaged *damagedDay
		if !errors.As(err, &damaged) || len(doubt) == maxDamaged {
			return err
		}
		doubt = append(doubt, damaged.day)
	}
}
