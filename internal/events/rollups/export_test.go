package rollups

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// InSteps makes a Proof compare and correct so few counts at a time.
func (p *Proof) InSteps(comparedRows int32, repairRows int) *Proof {
	p.comparedRows, p.repairRows = comparedRows, repairRows
	return p
}

// Repairing calls fn as between the comparison of a Rebuild and its corrections.
func (p *Proof) Repairing(ctx context.Context, project uuid.UUID, fn func()) error {
	return p.store.repairing(ctx, project, func(*pgxpool.Conn) error {
		fn()
		return nil
	})
}
