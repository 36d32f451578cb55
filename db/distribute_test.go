package db_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/db"
)

// catalogue is as much of Citus as distributing needs: what it keeps of a distributed table, and the functions that make
// one, which here only record how they were called, and whether the lock of the migrations was held.
var catalogue = fmt.Sprintf(`
CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY);
CREATE TABLE calls (n int GENERATED ALWAYS AS IDENTITY, call text, version bigint, locked boolean);
CREATE FUNCTION record(call text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO calls (call, version, locked) SELECT call, (SELECT max(m.version) FROM nimbus_schema_migrations m),
        EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
            AND (l.classid::bigint << 32) + l.objid::bigint = %d);
END
$$;
CREATE FUNCTION create_distributed_table(table_name regclass, distribution_column text, distribution_type text DEFAULT 'hash', colocate_with text DEFAULT 'default')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_dist_partition p WHERE p.logicalrelid = table_name) THEN
        RAISE EXCEPTION 'table %% is already distributed', table_name;
    END IF;
    INSERT INTO pg_dist_partition VALUES (table_name);
    PERFORM record(format('%%s by %%s with %%s', table_name, distribution_column, colocate_with));
END
$$;
CREATE FUNCTION truncate_local_data_after_distributing_table(function_table regclass)
RETURNS void LANGUAGE sql AS $$ SELECT record(format('%%s truncated', function_table)) $$;`, db.Gate)

// wantCalls are those for the tables: the first by itself, the others where it is.
func wantCalls(tables ...string) (out []string) {
	for _, table := range tables {
		with := db.Spread[0]
		if table == with {
			with = "none"
		}
		out = append(out, fmt.Sprintf("%s by project_id with %s", table, with), table+" truncated")
	}
	return out
}

// Where NIMBUS_TEST_CITUS_URL puts the tests' databases on Citus, it is asked itself.
func TestTablesOfEventsAreDistributedOnceAfterTheMigrationsUnderTheirLock(t *testing.T) {
	t.Parallel()
	if os.Getenv("NIMBUS_TEST_CITUS_URL") != "" {
		distributedByCitus(t)
		return
	}
	ctx, pool := testContext(t), empty(t)
	if _, err := pool.Exec(ctx, catalogue); err != nil {
		t.Fatal(err)
	}
	calls := func() (out []string) {
		t.Helper()
		status, err := db.ReadStatus(ctx, pool)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := pool.Query(ctx, "SELECT call FROM calls WHERE locked AND version = $1 ORDER BY n", int64(status.Latest))
		if err == nil {
			out, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for run := range 2 { // the second makes none
		if err := db.Migrate(ctx, pool, nil); err != nil {
			t.Fatal(err)
		}
		if got, want := calls(), wantCalls(db.Spread...); !slices.Equal(got, want) {
			t.Fatalf("run %d: calls under the lock, after the last migration: %q, want %q", run, got, want)
		}
	}
	// A run that was cut off before the last table.
	if _, err := pool.Exec(ctx, "DELETE FROM pg_dist_partition WHERE logicalrelid = 'event_counts'::regclass"); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(ctx, pool, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := calls(), append(wantCalls(db.Spread...), wantCalls("event_counts")...); !slices.Equal(got, want) {
		t.Errorf("after a run that was cut off: %q, want %q", got, want)
	}
}

func distributedByCitus(t *testing.T) {
	ctx, pool := testContext(t), empty(t)
	exec := func(sql string) {
		t.Helper()
		if _, err := pool.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	read := func(into any, sql string) {
		t.Helper()
		if err := pool.QueryRow(ctx, sql).Scan(into); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	wantDistributed := func() {
		t.Helper()
		var tables, groups, spread int
		of := `FROM pg_dist_partition p WHERE p.logicalrelid IN ('events'::regclass, 'event_keys'::regclass, 'event_counts'::regclass)`
		read(&tables, "SELECT count(*) "+of)
		read(&groups, "SELECT count(DISTINCT p.colocationid) "+of)
		read(&spread, "SELECT count(DISTINCT nodeport) FROM citus_shards WHERE table_name = 'events'::regclass")
		if tables != 11 || groups != 1 || spread < 2 {
			t.Fatalf("%d tables in %d groups on %d workers, want 11 in one on two or more", tables, groups, spread)
		}
	}
	for range 2 {
		if err := db.Migrate(ctx, pool, nil); err != nil {
			t.Fatal(err)
		}
		wantDistributed()
	}

	// A database that was there before Citus.
	exec("SELECT undistribute_table(t) FROM unnest('{events,event_keys,event_counts}'::regclass[]) AS t")
	exec("SELECT ensure_event_partition('2020-01-01Z')")
	exec(`INSERT INTO events (project_id, id, ts, received_at, seq, name, props)
		SELECT gen_random_uuid(), event_id_floor('2020-01-02Z'), '2020-01-02Z', now(), n, 'x', '{}' FROM generate_series(1, 100) AS n`)
	exec(`INSERT INTO event_counts SELECT project_id, 86400, name, ts, 1 FROM events`)
	if err := db.Migrate(ctx, pool, nil); err != nil {
		t.Fatal(err)
	}
	wantDistributed()
	var rows, agree int
	read(&rows, "SELECT count(*) FROM events")
	read(&agree, "SELECT count(*) FROM events JOIN event_counts USING (project_id, name)")
	if rows != 100 || agree != 100 {
		t.Errorf("%d events and %d with their counts, want all 100", rows, agree)
	}

	var dropped bool
	if read(&dropped, "SELECT drop_empty_event_partition('2020-01-01Z')"); dropped {
		t.Error("a partition with events was dropped")
	}
	exec("DELETE FROM events")
	if read(&dropped, "SELECT drop_empty_event_partition('2020-01-01Z')"); !dropped {
		t.Error("a partition without events was not dropped")
	}
}
