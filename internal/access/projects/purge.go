package projects

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// settleTime is how long after its deletion a project is left alone: longer than any request that was let in before
// may take to store its events, which would else stay for ever.
const settleTime = 2 * time.Minute

// expiredKeyDays is how long an expired API key is kept, so that the operator can still see what it was.
const expiredKeyDays = 30

// Purge removes what is left of every deleted project: its events with their counts, its event keys, in steps of
// 10,000 rows, and last the project itself. Each step is committed by itself, so a Purge that was stopped, by ctx or by
// a crash, is taken up by the next one. Projects that cannot be purged do not keep the others waiting; the error
// names each.
func (p *Projects) Purge(ctx context.Context) error {
	failed := []uuid.UUID{} // and not nil, which is NULL, and leaves nothing to purge
	var problems []error
	for {
		ids, err := p.store.projectsToPurge(ctx, p.now().Add(-settleTime), failed)
		if err != nil || len(ids) == 0 {
			return errors.Join(append(problems, err)...)
		}
		for _, id := range ids {
			if err := p.store.purge(ctx, id, p.now()); err != nil {
				failed, problems = append(failed, id), append(problems, fmt.Errorf("purge project %s: %w", id, err))
				if ctx.Err() != nil {
					return errors.Join(problems...)
				}
			}
		}
	}
}

// Deletion is how far the removal of a deleted project is.
type Deletion struct {
	ProjectID     uuid.UUID
	Running       bool // false: nothing has been removed yet
	DeletedAt     time.Time
	EventsDeleted int64
	EventsLeft    int64
}

// Deletion says how far the removal of a deleted project is, to those who were its members. Once nothing is left of the
// project it is not found, as before it was deleted.
func (p *Projects) Deletion(ctx context.Context, accountID, projectID uuid.UUID) (Deletion, error) {
	return p.store.deletion(ctx, accountID, projectID)
}

// PruneKeys removes the API keys that expired more than 30 days before now.
func (p *Projects) PruneKeys(ctx context.Context, now time.Time) error {
	return p.store.pruneAPIKeys(ctx, now.Add(-expiredKeyDays*24*time.Hour))
}
