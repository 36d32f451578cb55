package arrivals

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/db"
)

// Event is what an arrival says of an event.
type Event struct {
	ProjectID uuid.UUID
	ID        uuid.UUID
	TS        time.Time
}

// fewProjects is up to how many projects are appended each by a statement of its own, which is the cheapest for the usual flush.
const fewProjects = 8

// Append says that events were stored. It is called once in the transaction that stores them, with all of them, those of a project
// next to each other. tx is a transaction, or a pipeline that is one.
func Append(ctx context.Context, tx db.DBTX, events []Event) error {
	groups := byProject(events)
	if len(groups) > fewProjects {
		return appendMany(ctx, tx, events)
	}
	for _, g := range groups {
		arg := db.ArrivalAddParams{ProjectID: g[0].ProjectID, MinTS: g[0].TS, MaxTS: g[0].TS, EventIDs: make([]uuid.UUID, len(g))}
		for k := range g {
			arg.EventIDs[k] = g[k].ID
			if g[k].TS.Before(arg.MinTS) {
				arg.MinTS = g[k].TS
			}
			if g[k].TS.After(arg.MaxTS) {
				arg.MaxTS = g[k].TS
			}
		}
		if err := db.New().ArrivalAdd(ctx, tx, arg); err != nil {
			return fmt.Errorf("record arrivals: %w", err)
		}
	}
	return nil
}

func appendMany(ctx context.Context, tx db.DBTX, events []Event) error {
	projects, ids, ts := make([]uuid.UUID, len(events)), make([]uuid.UUID, len(events)), make([]time.Time, len(events))
	for k := range events {
		projects[k], ids[k], ts[k] = events[k].ProjectID, events[k].ID, events[k].TS
	}
	if err := db.New().ArrivalsAdd(ctx, tx, projects, ids, ts); err != nil {
		return fmt.Errorf("record arrivals: %w", err)
	}
	return nil
}

func byProject(events []Event) (groups [][]Event) {
	for start := 0; start < len(events); {
		end := start + 1
		for end < len(events) && events[end].ProjectID == events[start].ProjectID {
			end++
		}
		groups = append(groups, events[start:end])
		start = end
	}
	return groups
}
