package rollups

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/db"
)

// Apply adds what c counted to event_counts, in one statement. Call it once in a transaction, last of all that locks:
// two calls could lock their rows in another order than one does, and deadlock. When it fails, roll back.
func Apply(ctx context.Context, tx pgx.Tx, c *Counts) error {
	if c.Empty() {
		return nil
	}
	rows := c.Rows()
	arg := db.CountsAddParams{
		ProjectIDs:    make([]uuid.UUID, len(rows)),
		Granularities: make([]int32, len(rows)),
		Names:         make([]string, len(rows)),
		Buckets:       make([]time.Time, len(rows)),
		Counts:        make([]int64, len(rows)),
	}
	for i := range rows {
		r := &rows[i]
		arg.ProjectIDs[i], arg.Granularities[i], arg.Names[i], arg.Buckets[i], arg.Counts[i] =
			r.ProjectID, r.Granularity, r.Name, r.Bucket, r.Count
	}
	if err := db.New().CountsAdd(ctx, tx, arg); err != nil {
		return fmt.Errorf("add %d counts: %w", len(rows), err)
	}
	return nil
}
