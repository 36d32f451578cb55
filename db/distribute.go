package db

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
)

// spread are the tables that grow with the events. Where the extension citus is there, they are distributed by project, so that
// all rows of a project are on one node: rows that are stored, counted, asked and deleted together stay together. They have no
// foreign keys and no triggers, because Citus would refuse them. All other tables are small, refer to each other, and stay on
// the coordinator. The first table is distributed first; the others are placed beside it.
var spread = []string{"events", "event_keys", "event_counts", "arrivals", "arrival_cursors", "persons", "person_links",
	"person_merges", "event_parts", "event_part_columns", "event_part_days", "cohort_people", "profile_operations", "profile_pending",
	"profiles", "catalogue", "person_numbers", "erasures"}

// notSpread returns the tables that exist and are not distributed; none without Citus. It reads Citus's catalogue, so that a
// run that was cut off goes on where it was.
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

// distribute hands the remaining tables to Citus, with their rows. The caller holds the lock. Citus copies the rows to the
// workers, and the same commit truncates the local copy: nobody would read it, and its months would never count as empty.
func distribute(ctx context.Context, conn *pgx.Conn, logger *slog.Logger) error {
	tables, err := notSpread(ctx, conn)
	if err != nil {
		return err
	}
	for _, table := range tables {
		with := spread[0]
		if table == with {
			with = "none" // not beside the tables of other programs
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
