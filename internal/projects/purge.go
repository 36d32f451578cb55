package projects

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// settleTime is how long after its deletion a project is left alone: longer than any request that was let in before
// may take to store its events, which would else stay for ever.
const settleTime = 2 * time.Minute

// expiredKeyDays is how long an expired API key is kept, so that the operator can still see what it was.
const expiredKeyDays = 30

// Purge removes what is left of every deleted project: its events, its counts and its event keys, in steps of
// 10,000 rows, and last the project itself. Each step is committed by itself, so a Purge that was stopped, by ctx or by a crash, is
// taken up by the next one. A project that cannot be purged does not keep the others waiting; the error names each.
func (p *Projects) Purge(ctx context.Context) error {
	for {
		ids, err := p.store.projectsToPurge(ctx, p.now().Add(-settleTime))
		if err != nil || len(ids) == 0 {
			return err
		}
		var failed []error
		for _, id := range ids {
			if err := p.store.purge(ctx, id); err != nil {
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

// PruneKeys removes the API keys that expired more than 30 days ago.
func (p *Projects) PruneKeys(ctx context.Context) error {
	return p.store.pruneAPIKeys(ctx, p.now().Add(-expiredKeyDays*24*time.Hour))
}
