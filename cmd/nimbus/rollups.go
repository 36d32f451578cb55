package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events/rollups"
)

// progressEvery is how often a long command says how far it is.
const progressEvery = time.Second

func runRollups(ctx context.Context, e *env) error {
	verb, project, err := verbAndProject("rollups", []string{"verify", "rebuild"}, e.args)
	if err != nil {
		return usageError{err} // before a database is started for it
	}
	d, err := e.database(ctx)
	if err != nil {
		return err
	}
	defer d.Close(context.WithoutCancel(ctx))
	proof := rollups.NewProof(d.Pool)
	said := time.Now()
	progress := func(done, total int) {
		if now := time.Now(); done == total || now.Sub(said) >= progressEvery {
			said = now
			e.log.Info("rollups "+verb, "done", done, "total", total)
		}
	}
	if verb == "verify" {
		r, err := proof.Verify(ctx, project, progress)
		printDifferences(e.stdout, r, "differ")
		if err == nil && r.Differences > 0 {
			return errors.New("the counts are not those of the events; nimbus rollups rebuild corrects them")
		}
		return err
	}
	r, err := proof.Rebuild(ctx, project, progress)
	printDifferences(e.stdout, r, "were corrected")
	return err
}

// verbAndProject reads the words after a command: what to do, and the project to do it for; nil for all of them.
func verbAndProject(command string, verbs, args []string) (verb string, project *uuid.UUID, err error) {
	if len(args) == 0 || len(args) > 2 || !slices.Contains(verbs, args[0]) {
		return "", nil, fmt.Errorf("%s takes %s, and then the id of a project if it is not for all", command, alternatives(verbs))
	}
	if len(args) == 1 {
		return args[0], nil, nil
	}
	id, err := uuid.Parse(args[1])
	if err != nil {
		return "", nil, fmt.Errorf("%s %s: %q is not the id of a project", command, args[0], args[1])
	}
	return args[0], &id, nil
}

// alternatives joins words as "a, b or c".
func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// printDifferences says what differed, and in what, what became of it.
func printDifferences(w io.Writer, r rollups.Report, what string) {
	var b strings.Builder
	for _, d := range r.First {
		name, has, should := fmt.Sprintf("%q", d.Name), "no row", "no row"
		if d.Name == rollups.Total {
			name = "the total"
		}
		if d.There {
			has = fmt.Sprint(d.Has)
		}
		if d.Should > 0 {
			should = fmt.Sprint(d.Should)
		}
		fmt.Fprintf(&b, "project %s, %ds, %s, %s: %s, should be %s\n", d.ProjectID, d.Granularity, name, d.Bucket.Format(time.RFC3339), has, should)
	}
	if more := r.Differences - int64(len(r.First)); more > 0 {
		fmt.Fprintf(&b, "… and %d more\n", more)
	}
	fmt.Fprintf(&b, "%d days of projects compared; %d counts %s, on %d of the days.\n", r.Slices, r.Differences, what, r.Wrong)
	_, _ = io.WriteString(w, b.String())
}
