package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// workers looks at the nodes that have the events where the database is a coordinator of Citus. The settings that make a
// 200 durable are theirs, and not those of the coordinator.
func (x *examination) workers(ctx context.Context, pool *pgxpool.Pool) {
	var citus bool
	err := pool.QueryRow(ctx, "SELECT to_regclass('pg_dist_node') IS NOT NULL").Scan(&citus)
	if err == nil && !citus {
		return
	}
	names := slices.Sorted(maps.Keys(durable))
	var rows pgx.Rows
	if err == nil {
		rows, err = pool.Query(ctx, "SELECT nodename || ':' || nodeport, success, result FROM run_command_on_workers($1)",
			"SELECT concat_ws(' ', current_setting('"+strings.Join(names, "'), current_setting('")+"'))")
	}
	if err != nil {
		x.fail("workers", err.Error(), "look into PostgreSQL's log")
		return
	}
	workers, healthy := 0, true
	var name, result string
	var answered bool
	if _, err := pgx.ForEachRow(rows, []any{&name, &answered, &result}, func() error {
		workers++
		values := strings.Fields(result)
		if !answered || len(values) != len(names) {
			healthy = false
			x.fail("workers", name+" does not answer: "+result, "start it: until then requests for the projects it has get a 503")
			return nil
		}
		for i, setting := range names {
			if !slices.Contains(durable[setting], values[i]) {
				healthy = false
				x.fail("workers", fmt.Sprintf("%s: %s is %s: a 200 is not durable", name, setting, values[i]), fmt.Sprintf("set %s = on there and reload", setting))
			}
		}
		return nil
	}); err != nil {
		x.fail("workers", err.Error(), "look into PostgreSQL's log")
		return
	}
	if healthy {
		x.fine("workers", "%d of Citus, durable", workers)
	}
}
