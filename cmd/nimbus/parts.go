package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/build"
	"github.com/bahagh/nimbus/internal/events/rollups"
)

func runParts(ctx context.Context, e *env) error {
	verb, project, err := verbAndProject("parts", []string{"status", "verify", "rebuild"}, e.args)
	if err != nil {
		return usageError{err} // before a database is started for it
	}
	d, err := e.database(ctx)
	if err != nil {
		return err
	}
	defer d.Close(context.WithoutCancel(ctx))
	store := behaviour.NewStore(d.Pool)
	p := &partsCommand{e, store, build.New(store, build.Options{Share: 1, Logger: e.log})}
	each := map[string]func(context.Context, uuid.UUID) error{"status": p.status, "verify": p.verify, "rebuild": p.rebuild}[verb]
	return p.projects(ctx, project, each)
}

// partsCommand is what nimbus parts does, project by project.
type partsCommand struct {
	*env
	store   *behaviour.Store
	builder *build.Builder
}

// errWrongParts says that verify found something, which is printed before.
var errWrongParts = errors.New("parts are not what the counts say; the server mends them by itself, and nimbus parts rebuild at once")

// projects runs fn for one project, or for all that have events or parts. Wrong parts of one are no reason to leave out
// the next.
func (p *partsCommand) projects(ctx context.Context, only *uuid.UUID, fn func(context.Context, uuid.UUID) error) error {
	if only != nil {
		if err := p.known(ctx, *only); err != nil {
			return err
		}
		return fn(ctx, *only)
	}
	var project uuid.UUID
	var wrong error
	for {
		next, found, err := p.store.NextProject(ctx, project)
		if err != nil || !found {
			return errors.Join(err, wrong)
		}
		project = next
		switch err := fn(ctx, project); {
		case errors.Is(err, errWrongParts):
			wrong = err
		case err != nil:
			return fmt.Errorf("project %s: %w", project, err)
		}
	}
}

// known fails when nothing is stored of a project, neither events nor parts.
func (p *partsCommand) known(ctx context.Context, project uuid.UUID) error {
	days, err := p.store.Days(ctx, project)
	if err != nil || len(days) > 0 {
		return err
	}
	backlog, err := p.store.Backlog(ctx, project)
	if err == nil && !backlog.Begun && backlog.Events == 0 {
		return rollups.ErrNoProject
	}
	return err
}

func (p *partsCommand) status(ctx context.Context, project uuid.UUID) error {
	size, err := p.store.Size(ctx, project)
	if err != nil {
		return err
	}
	backlog, err := p.store.Backlog(ctx, project)
	if err != nil {
		return err
	}
	dirty, err := p.store.Dirty(ctx, project)
	if err != nil {
		return err
	}
	unequal, err := p.store.Unequal(ctx, project)
	if err != nil {
		return err
	}
	since := ""
	if backlog.Events > 0 {
		since = ", the first since " + backlog.Oldest.UTC().Format(time.RFC3339)
	}
	_, err = fmt.Fprintf(p.stdout, "project %s: %d events in %d parts of %d days, %d bytes; %d events wait%s; %d days to build, %d with other counts\n",
		project, size.Events, size.Parts, size.Days, size.Bytes, backlog.Events, since, len(dirty), len(unequal))
	return err
}

func (p *partsCommand) verify(ctx context.Context, project uuid.UUID) error {
	r, err := p.builder.Verify(ctx, project, false)
	if err := p.print(project, r, "are wrong", err); err != nil {
		return err
	}
	if len(r.Wrong) > 0 {
		return errWrongParts
	}
	return nil
}

func (p *partsCommand) rebuild(ctx context.Context, project uuid.UUID) error {
	r, err := p.builder.Verify(ctx, project, true)
	return p.print(project, r, "were built anew", err)
}

// print says what was found, also before an error.
func (p *partsCommand) print(project uuid.UUID, r build.Report, what string, err error) error {
	slices.Sort(r.Wrong)
	for _, day := range r.Wrong {
		if _, err := fmt.Fprintf(p.stdout, "project %s, %s\n", project, behaviour.StartOf(day).Format(time.DateOnly)); err != nil {
			return err
		}
	}
	_, perr := fmt.Fprintf(p.stdout, "project %s: %d days compared; %d %s.\n", project, r.Days, len(r.Wrong), what)
	return errors.Join(err, perr)
}
