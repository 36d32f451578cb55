package answers

import (
	"context"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// CustomEvent is several events under one name, each with conditions of its own if need be.
type CustomEvent struct {
	ID     uuid.UUID
	Name   string
	Events api.CustomEventParts
}

// codeUnknownCustomEvent is the code of a custom event that the project does not have.
const codeUnknownCustomEvent = "unknown_custom_event"

// customEvent is the condition of being any of the events of a custom event that fits filter, too, and its name.
func (r *resolver) customEvent(field string, id uuid.UUID, filter *scan.Filter) (marks uint64, label string) {
	e := r.customEventOf(id)
	if e == nil {
		r.refuse(field, codeUnknownCustomEvent, "must be the id of a custom event of this project")
		return 0, ""
	}
	return r.anyPart(field, e, "", filter), e.Name
}

// customEventOf is a custom event of the project, nil when it has none of this id.
func (r *resolver) customEventOf(id uuid.UUID) *CustomEvent {
	all, err := r.custom()
	if err != nil {
		r.fault = err
		return nil
	}
	if i := slices.IndexFunc(all, func(e CustomEvent) bool { return e.ID == id }); i >= 0 {
		return &all[i]
	}
	return nil
}

// anyPart is the condition of being any of the events of a custom event that has the name, any when it is empty, and fits filter, too.
func (r *resolver) anyPart(field string, e *CustomEvent, name string, filter *scan.Filter) (marks uint64) {
	for i := range e.Events {
		part := &e.Events[i]
		if name == "" || part.Event == name {
			// What is wrong with a filter was refused when it was saved.
			marks |= r.mark(field, []string{part.Event}, both(r.filter(field, part.Filter), filter))
		}
	}
	return marks
}

// both is a filter that asks for what two ask for; nil asks for nothing.
func both(a, b *scan.Filter) *scan.Filter {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return &scan.Filter{Op: scan.And, Filters: []scan.Filter{*a, *b}}
}

// CheckCustomEvent refuses the events of a custom event that no question could ask about, with every bad field under /events.
func CheckCustomEvent(events api.CustomEventParts) error {
	r := newResolver("")
	for i := range events {
		r.filter("events/"+strconv.Itoa(i)+"/filter", events[i].Filter)
	}
	return r.err()
}

// Check refuses a question that would be refused if it was asked now, with every bad field under /question.
func (a *API) Check(ctx context.Context, project uuid.UUID, question any) error {
	a, _, err := a.begin(ctx, project)
	if err != nil {
		return err
	}
	const at = "/question"
	switch v := question.(type) {
	case api.FunnelInsight:
		_, err = a.funnel(at, &v)
	case api.RetentionInsight:
		_, err = a.retention(at, &v)
	case api.LifecycleInsight:
		_, err = a.lifecycle(at, &v)
	case api.StickinessInsight:
		_, err = a.stickiness(at, &v)
	case api.UniquesInsight:
		_, err = a.uniques(at, &v)
	case api.PathsInsight:
		_, err = a.paths(at, &v)
	case api.SessionsInsight:
		_, err = a.sessions(at, &v)
	default:
		return problem.New(problem.CodeInternal, "No operation answers a %T.", v)
	}
	return err
}
