package projects

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// expiredKeyDays is how long an expired API key is kept, so that the operator can still see what it was.
const expiredKeyDays = 30

// Purge removes what is left of every deleted project: its events in steps of 10,000, then its counts and event keys,
// and last the project itself. Each step is committed by itself, so a Purge that was stopped, by ctx or by a crash, is
// taken up by the next one. A project that cannot be purged does not keep the others waiting; the error names each.
func (p *Projects) Purge(ctx context.Context) error {
	for {
		ids, err := p.store.projectsToPurge(ctx)
		if err != nil || len(ids) == 0 {
			return err
		}
		var failed []error
		for _, id := range ids {
			if err := p.purgeProject(ctx, id); err != nil {
				if ctx.Err() != nil {
					return err
				}
				failed = append(failed, fmt.Errorf("purge project %s: %w", id, err))
			}
		}
		if len(failed) > 0 {
			return errors.Join(failed...)
		}
	}
}

func (p *Projects) purgeProject(ctx context.Context, id uuid.UUID) error {
	for {
		deleted, err := p.store.purgeEvents(ctx, id)
		if err != nil {
			return err
		}
		if deleted == 0 {
			return p.store.purgeRest(ctx, id)
		}
	}
}

// PruneKeys removes the API keys that expired more than 30 days ago.
func (p *Projects) PruneKeys(ctx context.Context) error {
	return p.store.pruneAPIKeys(ctx, p.now().Add(-expiredKeyDays*24*time.Hour))
}
