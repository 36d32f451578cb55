package db

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
)

// spread are the tables that grow with the events. Where the extension citus is there, they are distributed by project, each
// project's rows of all of them on one node: what is stored, counted, asked and deleted together stays together. They have no
// foreign keys and no triggers, so that this is possible. All other tables are small, refer to each other, and stay where
// they are. The first table comes first: the others go where it is.
var spread = []string{"events", "event_keys", "event_counts", "arrivals", "arrival_cursors", "persons", "person_links",
	"person_merges", "event_parts", "event_part_columns", "event_part_days"}

// notSpread returns those of the tables that are there and not distributed; none where there is no Citus. Which there are
// is read from Citus's catalogue, so that a run that was cut off goes on where it was.
func notSpread(ctx context.Context, q Querier) ([]string, error) {
	var citus bool
	if err := q.QueryRow(ctx, "SELECT to_regclass('pg_dist_partition') IS NOT NULL").Scan(&citus); err != nil || !citus {
		return nil, err
	}
	var tables []string
	err := q.QueryRow(ctx, `SELECT coalesce(array_agg(t.name ORDER BY t.n), '{}') FROM unnest($1::text[]) WITH ORDINALITY AS t(name, n)
		WHERE to_regclass(t.name) IS NOT NULL AND NOT EXISTS (SELECT FROM pg_dist_partition p WHERE p.logicalrelid = to_regclass(t.name))`, spread).Scan(&tables)
	if err != nil {
		return nil, fmt.Errorf("look for distributed tables: %w", err)
	}
	return tables, nil
}

// distribute hands the tables to Citus that it does not have yet, with the rows they hold. The caller has the lock. The rows
// are copied to the workers, and what is left of them here is given up with the same commit: nobody would read it, and a
// month of it would never count as empty.
func distribute(ctx context.Context, conn *pgx.Conn, logger *slog.Logger) error {
	tables, err := notSpread(ctx, conn)
	if err != nil {
		return err
	}
	for _, table := range tables {
		with := spread[0]
		if table == with {
			with = "none" // what others distribute does not concern us
		}
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SELECT create_distributed_table($1::text::regclass, 'project_id', colocate_with => $2::text)", table, with); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "SELECT truncate_local_data_after_distributing_table($1::text::regclass)", table)
			return err
		})
		if err != nil {
			return fmt.Errorf("distribute %s: %w", table, err)
		}
		logger.Info("a table is distributed by project", "table", table)
	}
	return nil
}
