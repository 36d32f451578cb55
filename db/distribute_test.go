package db_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/db"
	"github.com/bahagh/nimbus/internal/postgres"
)

// catalogue is as much of Citus as distributing needs: what it keeps of a distributed table, and the function that makes
// one, which here only records how it was called, and whether the lock of the migrations was held.
var catalogue = fmt.Sprintf(`
CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY);
CREATE TABLE calls (n int GENERATED ALWAYS AS IDENTITY, call text, version bigint, locked boolean);
CREATE FUNCTION create_distributed_table(table_name regclass, distribution_column text, distribution_type text DEFAULT 'hash', colocate_with text DEFAULT 'default')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_dist_partition p WHERE p.logicalrelid = table_name) THEN
        RAISE EXCEPTION 'table %% is already distributed', table_name;
    END IF;
    INSERT INTO pg_dist_partition VALUES (table_name);
    INSERT INTO calls (call, version, locked) SELECT format('%%s by %%s with %%s', table_name, distribution_column, colocate_with),
        (SELECT max(m.version) FROM schema_migrations m), EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
            AND (l.classid::bigint << 32) + l.objid::bigint = %d);
END
$$;`, db.Gate)

var wantCalls = []string{"events by project_id with none", "event_keys by project_id with events", "event_counts by project_id with events"}

// With NIMBUS_TEST_CITUS_URL, a connection string of a Citus coordinator, the same is done there in earnest.
func TestTablesOfEventsAreDistributedOnceAfterTheMigrationsUnderTheirLock(t *testing.T) {
	t.Parallel()
	if coordinator := os.Getenv("NIMBUS_TEST_CITUS_URL"); coordinator != "" {
		t.Run("citus", func(t *testing.T) { distributedByCitus(t, coordinator) })
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
		if got := calls(); !slices.Equal(got, wantCalls) {
			t.Fatalf("run %d: calls under the lock, after the last migration: %q, want %q", run, got, wantCalls)
		}
	}
	// A run that was cut off before the last table.
	if _, err := pool.Exec(ctx, "DELETE FROM pg_dist_partition WHERE logicalrelid = 'event_counts'::regclass"); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(ctx, pool, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := calls(), append(slices.Clone(wantCalls), wantCalls[2]); !slices.Equal(got, want) {
		t.Errorf("after a run that was cut off: %q, want %q", got, want)
	}
}

func distributedByCitus(t *testing.T, coordinator string) {
	ctx := testContext(t)
	admin := open(t, coordinator, 1)
	const name = "nimbus_test_citus"
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		if _, err := admin.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	cfg := admin.Config().ConnConfig
	pool, err := postgres.Open(ctx, strings.TrimSpace(fmt.Sprintf("host='%s' port=%d user='%s' password='%s' dbname=%s", cfg.Host, cfg.Port, cfg.User, cfg.Password, name)), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(ctx, "CREATE EXTENSION citus"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := db.Migrate(ctx, pool, nil); err != nil {
			t.Fatal(err)
		}
	}
	var groups, tables int
	if err := pool.QueryRow(ctx, `SELECT count(DISTINCT p.colocationid), count(*) FROM pg_dist_partition p
		WHERE p.logicalrelid IN ('events'::regclass, 'event_keys'::regclass, 'event_counts'::regclass)`).Scan(&groups, &tables); err != nil {
		t.Fatal(err)
	}
	if groups != 1 || tables != 3 {
		t.Errorf("%d tables in %d groups, want 3 in one", tables, groups)
	}
	var created, dropped bool
	if err := pool.QueryRow(ctx, "SELECT ensure_event_partition('2020-01-01Z')").Scan(&created); err != nil || !created {
		t.Fatalf("a partition of a distributed table: %v, %v", created, err)
	}
	if _, err := pool.Exec(ctx, `INSERT INTO events (project_id, id, ts, received_at, seq, name, props)
		VALUES (gen_random_uuid(), event_id_floor('2020-01-02Z'), '2020-01-02Z', now(), 0, 'x', '{}')`); err != nil {
		t.Fatal(err)
	}
	if err := pool.QueryRow(ctx, "SELECT drop_empty_event_partition('2020-01-01Z')").Scan(&dropped); err != nil || dropped {
		t.Errorf("a partition with an event was dropped: %v, %v", dropped, err)
	}
}
