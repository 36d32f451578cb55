package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// ReplicaLag returns whether the database is a standby and how far it is behind its primary.
func ReplicaLag(ctx context.Context, pool *pgxpool.Pool) (standby bool, lag time.Duration, err error) {
	var seconds float64
	// What was received and not replayed counts; a primary without traffic sends nothing, and that is no lag.
	err = pool.QueryRow(ctx, `SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
		THEN coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) ELSE 0 END::float8`).Scan(&standby, &seconds)
	if err != nil {
		return false, 0, fmt.Errorf("ask how far the replica is behind: %w", err)
	}
	return standby, time.Duration(seconds * float64(time.Second)), nil
}
