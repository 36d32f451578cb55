package db_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/db"
)

func onWaiting(waiting chan struct{}) *slog.Logger {
	return slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		if strings.Contains(string(b), "waiting") {
			waiting <- struct{}{}
		}
		return len(b), nil
	}), nil))
}

// ofAnOlderRelease is a database as releases up to schema version 8 left it: its tables are those of version, and
// schema_migrations says recorded.
func ofAnOlderRelease(t *testing.T, version uint, recorded int, dirty bool) *pgxpool.Pool {
	t.Helper()
	pool, ctx := empty(t), testContext(t)
	if version > 0 {
		if err := db.MigrateTo(ctx, pool, version, nil); err != nil {
			t.Fatal(err)
		}
	}
	run(t, pool, fmt.Sprintf(`DROP TABLE IF EXISTS nimbus_schema_migrations;
		CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
		INSERT INTO schema_migrations VALUES (%d, %t)`, recorded, dirty))
	return pool
}

func run(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := pool.Exec(testContext(t), sql); err != nil {
		t.Fatal(err)
	}
}

// recorded is what older releases read.
func recorded(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	var all string
	if err := pool.QueryRow(testContext(t), "SELECT coalesce(string_agg(version || ' ' || dirty, ','), '') FROM schema_migrations").Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestADatabaseOfAnOlderReleaseIsAdopted(t *testing.T) {
	t.Parallel()
	for v := uint(1); v <= 8; v++ {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			t.Parallel()
			pool, ctx := ofAnOlderRelease(t, v, int(v), false), testContext(t)
			if st, err := db.ReadStatus(ctx, pool); err != nil || st.Current != v {
				t.Fatalf("before: %+v, %v", st, err)
			}
			if there(t, pool, "nimbus_schema_migrations") {
				t.Fatal("looking changed something")
			}
			if err := db.Migrate(ctx, pool, nil); err != nil {
				t.Fatal(err)
			}
			if err := db.Check(ctx, pool); err != nil {
				t.Error(err)
			}
			// The older release starts again beside this one.
			if got := recorded(t, pool); got != "8 false" {
				t.Errorf("older releases read %q, want version 8", got)
			}
			if err := db.Down(ctx, pool, 1); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// What an older release was doing when it was killed is told by the tables.
func TestADirtyVersionOfAnOlderReleaseIsMendedWhereTheTablesProveIt(t *testing.T) {
	t.Parallel()
	for v := 1; v <= 8; v++ {
		for name, found := range map[string]int{"not applied": v - 1, "applied": v, "not taken back": v + 1} {
			if found < 1 || found > 8 {
				continue
			}
			t.Run(fmt.Sprintf("%d %s", v, name), func(t *testing.T) {
				t.Parallel()
				pool, ctx := ofAnOlderRelease(t, uint(found), v, true), testContext(t)
				if err := db.Migrate(ctx, pool, nil); err != nil {
					t.Fatal(err)
				}
				if err := db.Check(ctx, pool); err != nil {
					t.Error(err)
				}
				if got := recorded(t, pool); got != "8 false" {
					t.Errorf("older releases read %q, want version 8", got)
				}
			})
		}
	}
}

func TestAnOlderReleaseThatMadeNothingYetIsBegunAnew(t *testing.T) {
	t.Parallel()
	pool, ctx := ofAnOlderRelease(t, 0, 1, true), testContext(t)
	if err := db.Migrate(ctx, pool, nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Check(ctx, pool); err != nil {
		t.Error(err)
	}
}

// Older releases are told when they may not run any more.
func TestAnOlderReleaseIsTurnedAwayWhereTheSchemaIsNotForIt(t *testing.T) {
	t.Parallel()
	pool, ctx := ofAnOlderRelease(t, 8, 8, false), testContext(t)
	fsys := copyOf(t, db.Migrations)
	fsys["migrations/000900_break.up.sql"] = fsys["migrations/000004_job_turns.down.sql"]
	if err := db.MigrateCompatible(ctx, pool, fsys, 900); err != nil {
		t.Fatal(err)
	}
	if got := recorded(t, pool); got != "900 false" {
		t.Errorf("older releases read %q, want a version that they do not know", got)
	}
}

// Nothing is written before it is certain that the schema is ours.
func TestASchemaOfAnotherProgramIsRefusedUntouched(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		setup func(t *testing.T) *pgxpool.Pool
		want  string
	}{
		"tables of our names": {func(t *testing.T) *pgxpool.Pool {
			pool := empty(t)
			run(t, pool, "CREATE TABLE projects (id int); CREATE TABLE events (id int)")
			return pool
		}, "[events projects]"},
		"our version table in another form": {func(t *testing.T) *pgxpool.Pool {
			pool := empty(t)
			run(t, pool, "CREATE TABLE nimbus_schema_migrations (v int)")
			return pool
		}, "nimbus_schema_migrations"},
		"another program's schema_migrations over ours": {func(t *testing.T) *pgxpool.Pool {
			return ofAnOlderRelease(t, 8, 42, false)
		}, "says version 42, but the tables are those of version 8; if they are whole, nimbus migrate force 8"},
		"a dirty version far from the tables": {func(t *testing.T) *pgxpool.Pool {
			return ofAnOlderRelease(t, 3, 6, true)
		}, "version 6, but the tables are those of version 3"},
		"no record": {func(t *testing.T) *pgxpool.Pool {
			pool := ofAnOlderRelease(t, 5, 5, false)
			run(t, pool, "DROP TABLE schema_migrations")
			return pool
		}, "nimbus migrate force 5"},
		"tables of no version": {func(t *testing.T) *pgxpool.Pool {
			pool := ofAnOlderRelease(t, 8, 8, false)
			run(t, pool, "DROP TABLE job_turns")
			return pool
		}, "of no version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, ctx := tt.setup(t), testContext(t)
			before := shape(ctx, t, pool)
			for what, err := range map[string]error{"migrate": db.Migrate(ctx, pool, nil), "check": db.Check(ctx, pool)} {
				if !errors.Is(err, db.ErrForeign) {
					t.Errorf("%s: %v, want ErrForeign", what, err)
				}
				wantError(t, err, tt.want)
			}
			if after := shape(ctx, t, pool); after != before {
				t.Errorf("it was changed:\n%s\nwas:\n%s", after, before)
			}
		})
	}
}

// Another program's tables, and its schema_migrations, are beside ours and stay as they are.
func TestTheTablesOfAnotherProgramAreLeftAlone(t *testing.T) {
	t.Parallel()
	pool, ctx := empty(t), testContext(t)
	run(t, pool, `CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
		INSERT INTO schema_migrations VALUES (3, true); CREATE TABLE orders (id int)`)
	if err := db.Migrate(ctx, pool, nil); err != nil {
		t.Fatal(err)
	}
	if got := recorded(t, pool); got != "3 true" {
		t.Errorf("its schema_migrations says %q, want what it said", got)
	}
	st, err := db.ReadStatus(ctx, pool)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Down(ctx, pool, int(st.Latest)); err != nil {
		t.Fatal(err)
	}
	if got := recorded(t, pool); got != "3 true" || !there(t, pool, "orders") {
		t.Errorf("after the way back its schema_migrations says %q", got)
	}
}

// shape is every table with its columns, and what the tables of versions hold.
func shape(ctx context.Context, t *testing.T, pool *pgxpool.Pool) (out string) {
	t.Helper()
	if err := pool.QueryRow(ctx, `SELECT string_agg(c.relname || ' ' || a.attname || ' ' || c.relfilenode, chr(10) ORDER BY c.relname, a.attname)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace`).Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Tables is what the migrations make.
func TestTheListOfTablesIsThatOfTheSchema(t *testing.T) {
	t.Parallel()
	pool, ctx := empty(t), testContext(t)
	if err := db.Migrate(ctx, pool, nil); err != nil {
		t.Fatal(err)
	}
	var made []string
	if err := pool.QueryRow(ctx, `SELECT array_agg(relname::text ORDER BY relname) FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'nimbus_schema_migrations'
		  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'e')`).Scan(&made); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(db.Tables, " "), strings.Join(made, " "); got != want {
		t.Errorf("Tables:\n%s\nthe migrations make:\n%s", got, want)
	}
}
