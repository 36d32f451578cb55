package build

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
)

// Survey marks the days of every project whose parts have not as many events as event_counts says, and merges what is
// left of days that are over. Days that the catalogue does not know as their parts do are built, too. So days are built of which nothing says that they should be: events that a node of an
// earlier release stored or deleted, which knows of no parts, and everything after a restore, which brings none back.
func (b *Builder) Survey(ctx context.Context) error {
	return b.each(ctx, b.store.NextProject, func(ctx context.Context, project uuid.UUID) error {
		days, err := b.store.Unequal(ctx, project)
		if err != nil {
			return err
		}
		if len(days) > 0 {
			if err := b.step(ctx, func() error { return b.markWrong(ctx, project) }); err != nil {
				return err
			}
		}
		if err := b.catalogue(ctx, project); err != nil {
			return err
		}
		return b.mergeAll(ctx, project)
	})
}

// catalogue builds the days that the catalogue does not know. Their parts are right, and readers use them meanwhile.
func (b *Builder) catalogue(ctx context.Context, project uuid.UUID) error {
	days, err := b.store.Uncatalogued(ctx, project)
	if err != nil {
		return err
	}
	for _, day := range days {
		if err := b.step(ctx, func() error { return b.Rebuild(ctx, project, day) }); err != nil {
			return err
		}
	}
	return nil
}

func (b *Builder) markWrong(ctx context.Context, project uuid.UUID) error {
	return b.store.Work(ctx, project, func(w *behaviour.Work) error {
		if err := w.Begin(ctx); err != nil {
			return err
		}
		days, err := w.Unequal(ctx)
		if err != nil {
			return err
		}
		var wrong []int32
		for _, day := range days {
			proven, err := w.Proven(ctx, day)
			if err != nil {
				return err
			}
			if !proven {
				wrong = append(wrong, day)
			}
		}
		if len(wrong) == 0 {
			return nil
		}
		b.o.Logger.InfoContext(ctx, "days whose parts are not what the counts say are built anew",
			"project", project, "days", len(wrong))
		return w.MarkDirty(ctx, wrong)
	})
}

// Report is what Verify found.
type Report struct {
	Days  int     // compared
	Wrong []int32 // UTC days whose parts are not what the events say, or damaged
}

// Verify compares the parts of a project with event_counts, day by day, and reads every column. With mend, days that
// are wrong are built anew.
func (b *Builder) Verify(ctx context.Context, project uuid.UUID, mend bool) (Report, error) {
	var r Report
	days, err := b.store.Days(ctx, project)
	if err != nil {
		return r, err
	}
	for _, day := range days {
		wrong := false
		err := b.step(ctx, func() error {
			return b.store.Work(ctx, project, func(w *behaviour.Work) (err error) {
				wrong, err = verifyDay(ctx, w, day)
				return err
			})
		})
		if err != nil {
			return r, err
		}
		r.Days++
		if !wrong {
			continue
		}
		r.Wrong = append(r.Wrong, day)
		if mend {
			if err := b.step(ctx, func() error { return b.Rebuild(ctx, project, day) }); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

func verifyDay(ctx context.Context, w *behaviour.Work, day int32) (wrong bool, err error) {
	proven, err := w.Proven(ctx, day)
	if err != nil || !proven {
		return true, err
	}
	all, err := w.Parts(ctx, day, day+1)
	if err != nil {
		return false, err
	}
	for i := range all {
		h, columns, err := readPart(ctx, w, &all[i])
		if err == nil {
			err = (&parts.Part{Header: h, Columns: columns}).Check()
		}
		if errors.Is(err, parts.ErrDamaged) || errors.Is(err, parts.ErrVersion) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}
