package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/build"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/events/compat"
	"github.com/bahagh/nimbus/internal/insights/answers"
	"github.com/bahagh/nimbus/internal/people"
)

// peopleVerbs are the words after people.
var peopleVerbs = []string{"erase", "export"}

// runPeople erases or exports somebody on the database itself.
func runPeople(ctx context.Context, e *env) error {
	verb, project, person, err := peopleWords(e.args)
	if err != nil {
		return usageError{err} // before a database is started for it
	}
	d, err := e.database(ctx)
	if err != nil {
		return err
	}
	defer d.Close(context.WithoutCancel(ctx))
	store := behaviour.NewStore(d.Pool)
	if verb == "export" {
		known := answers.NewAPI(answers.New(answers.Options{Store: store, Timeout: e.cfg.QueryTimeout, Now: time.Now}))
		err = known.WritePerson(ctx, project, person, e.stdout)
	} else {
		quarantine := compat.NewQuarantine(d.Pool, prometheus.NewRegistry(), time.Now)
		builder := build.New(store, build.Options{Share: 1, Logger: e.log})
		err = erasePerson(ctx, e, people.NewEraser(store, people.EraseOptions{
			Now: time.Now, Rebuild: builder.Rebuild, Also: []people.Also{quarantine.Erase}}), project, person)
	}
	if problem.Is(err, problem.CodeNotFound) {
		return fmt.Errorf("nothing is known of %q in project %s", person, project)
	}
	return told(err)
}

// peopleWords reads the words after people.
func peopleWords(args []string) (verb string, project uuid.UUID, person string, err error) {
	if len(args) == 0 || !slices.Contains(peopleVerbs, args[0]) {
		return "", project, "", fmt.Errorf("people takes %s", alternatives(peopleVerbs))
	}
	if len(args) != 3 || args[2] == "" {
		return "", project, "", fmt.Errorf("people %s takes the id of a project and of a person", args[0])
	}
	if project, err = uuid.Parse(args[1]); err != nil {
		return "", project, "", fmt.Errorf("people %s: %q is not the id of a project", args[0], args[1])
	}
	return args[0], project, args[2], nil
}

// erasePerson goes on until nothing is left. When it is cut off, the job of a running server does.
func erasePerson(ctx context.Context, e *env, eraser *people.Eraser, project uuid.UUID, person string) error {
	for {
		x, done, err := eraser.Erase(ctx, project, person)
		if err != nil {
			return err
		}
		if done {
			_, err = fmt.Fprintf(e.stdout, "Erased, with %d events. The audit log has it as %s.\n", x.Events, x.ID)
			return err
		}
		e.log.Info("erasing", "events", x.Events)
	}
}
