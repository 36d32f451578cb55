package backup_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/db"
	"github.com/bahagh/nimbus/internal/platform/backup"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

var (
	made  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	quiet = slog.New(slog.DiscardHandler)
)

func nobody(string, int64) {}

// bundle is a backup of a database with a project and events of three months.
type bundle struct {
	pool *pgxpool.Pool
	dir  string
}

func setup(t *testing.T) bundle {
	t.Helper()
	b := bundle{nimbustest.DB(t), filepath.Join(t.TempDir(), "backup")}
	if _, err := b.pool.Exec(t.Context(), `
		SELECT ensure_event_partition(m) FROM unnest('{2026-01-01Z,2026-02-01Z,2026-03-01Z}'::timestamptz[]) AS m;
		SELECT ensure_event_partition(m, '2026-01-01Z', '2020-01-01Z') FROM unnest('{2025-12-01Z,2019-12-01Z}'::timestamptz[]) AS m;
		INSERT INTO projects (id, name) SELECT ('018f0000-0000-7000-8000-00000000000' || n)::uuid, E'a\tb\\ü' FROM generate_series(1, 3) AS n;
		INSERT INTO events (project_id, id, ts, received_at, seq, name, props)
		SELECT p.id, overlay(event_id_floor(ts)::text placing lpad(n::text, 12, '0') from 25)::uuid, ts, ts, n, 'e', '{"a": "\\ \t \n", "n": 1.50}'
		FROM projects p, generate_series(1, 90) AS n, LATERAL (SELECT '2025-12-01Z'::timestamptz + n * interval '1 day' AS ts) AS x`); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Write(t.Context(), b.pool, b.dir, "v1", made, nobody); err != nil {
		t.Fatal(err)
	}
	return b
}

func scratch(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), nimbustest.EmptyDSN(t), 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// everything is a fingerprint of all rows of all tables.
func everything(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT c.relname, (xpath('/row/h/text()', query_to_xml(format('SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '''')) || '' '' || count(*) AS h FROM %I t', c.relname), false, true, '')))[1]::text
		FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> ALL ('{nimbus_schema_migrations,orders,"order lines"}') ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for rows.Next() {
		var name, sum string
		if err := rows.Scan(&name, &sum); err != nil {
			t.Fatal(err)
		}
		all.WriteString(name + " " + sum + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestARestoreHoldsWhatWasBackedUpAndNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := everything(t, b.pool)
	if !strings.Contains(want, " 270\n") {
		t.Fatalf("the 270 events are not there:\n%s", want)
	}
	pool := scratch(t)
	m, err := backup.Restore(t.Context(), pool, b.dir, quiet, nobody)
	if err != nil {
		t.Fatal(err)
	}
	if got := everything(t, pool); got != want {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
	var partitions string
	if err := pool.QueryRow(t.Context(), `SELECT string_agg(p.name, ' ' ORDER BY p.name) FROM event_partitions() AS p`).Scan(&partitions); err != nil {
		t.Fatal(err)
	}
	if want := "events_197001_202001 events_202501_202601 events_202601 events_202602 events_202603"; partitions != want {
		t.Errorf("partitions %s, want %s", partitions, want)
	}
	if m.Events() != 270 || m.Nimbus != "v1" || !m.CreatedAt.Equal(made) {
		t.Errorf("the manifest says %+v", m)
	}
	if _, err := backup.Restore(t.Context(), pool, b.dir, quiet, nobody); !errors.Is(err, backup.ErrNotEmpty) {
		t.Errorf("a second restore: %v", err)
	}
}

// Another program's tables in the schema are not ours to back up, and nothing of them keeps a backup from being restored, even
// where they refer to ours, to each other in a circle, or are named like nothing of ours is.
func TestTablesOfAnotherProgramAreLeftOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.pool.Exec(t.Context(), `CREATE TABLE orders (id int PRIMARY KEY, project uuid REFERENCES projects);
		CREATE TABLE "order lines" (id int PRIMARY KEY, of int REFERENCES orders);
		ALTER TABLE orders ADD FOREIGN KEY (id) REFERENCES "order lines" DEFERRABLE INITIALLY DEFERRED;
		CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	dir, pool := filepath.Join(t.TempDir(), "b"), scratch(t)
	m, err := backup.Write(t.Context(), b.pool, dir, "v1", made, nobody)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, table := range m.Tables {
		names = append(names, table.Name)
	}
	slices.Sort(names)
	if want := db.BackedUp(); !slices.Equal(names, want) {
		t.Errorf("the backup has %v, want %v", names, want)
	}
	if _, err := backup.Restore(t.Context(), pool, dir, quiet, nobody); err != nil {
		t.Fatal(err)
	}
	if got, want := everything(t, pool), everything(t, scratchOf(t, b.dir)); got != want {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
}

func scratchOf(t *testing.T, dir string) *pgxpool.Pool {
	t.Helper()
	pool := scratch(t)
	if _, err := backup.Restore(t.Context(), pool, dir, quiet, nobody); err != nil {
		t.Fatal(err)
	}
	return pool
}

// What means something in its own cluster only is not carried to another.
func TestWhatIsDerivedIsLeftOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO arrivals (project_id, min_ts, max_ts, ids) VALUES (gen_random_uuid(), now(), now(), '{}');
		INSERT INTO event_part_days (project_id, day, dirty, snapshot) VALUES (gen_random_uuid(), 1, false, pg_current_snapshot())`); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "b")
	if _, err := backup.Write(t.Context(), b.pool, dir, "v1", made, nobody); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := scratchOf(t, dir).QueryRow(t.Context(), "SELECT (SELECT count(*) FROM arrivals) + (SELECT count(*) FROM event_part_days)").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows of another cluster, %v", n, err)
	}
}

// Backups of earlier releases hold every table of the schema.
func TestABackupWithATableOfAnotherProgramIsRestoredWithoutIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := everything(t, b.pool)
	path := filepath.Join(b.dir, "manifest.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m backup.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	theirs := m.Tables[0]
	theirs.Name = "orders"
	m.Tables = append([]backup.Table{theirs}, m.Tables...)
	if raw, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := everything(t, scratchOf(t, b.dir)); got != want {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
}

func TestABackupIsOfOneMoment(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	if _, err := pool.Exec(t.Context(), "SELECT ensure_event_partition('2026-01-01Z')"); err != nil {
		t.Fatal(err)
	}
	// Projects after the first table has been written: members, events, counts and all else must not know them either.
	late := func(string, int64) {
		if _, err := pool.Exec(context.WithoutCancel(t.Context()), `INSERT INTO projects (id, name) SELECT gen_random_uuid(), 'late' FROM generate_series(1, 40);
			INSERT INTO events (project_id, id, ts, received_at, seq, name, props)
			SELECT id, overlay(event_id_floor('2026-01-02Z')::text placing right(gen_random_uuid()::text, 12) from 25)::uuid, '2026-01-02Z', '2026-01-02Z', 1, 'late', '{}' FROM projects;
			INSERT INTO event_counts SELECT id, 86400, 'late', '2026-01-02Z', 1 FROM projects ON CONFLICT (project_id, granularity, name, bucket) DO UPDATE SET count = event_counts.count + 1`); err != nil {
			t.Error(err)
		}
	}
	m, err := backup.Write(t.Context(), pool, filepath.Join(t.TempDir(), "b"), "v1", made, late)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range m.Tables {
		if table.Rows != 0 {
			t.Errorf("%s has %d rows of a later moment", table.Name, table.Rows)
		}
	}
}

func TestABackupIsTheSameHoweverTheDatabaseWritesDates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := everything(t, b.pool)
	if _, err := b.pool.Exec(t.Context(), `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = %L', current_database(), 'SQL, DMY'); END $$`); err != nil {
		t.Fatal(err)
	}
	b.pool.Reset()
	dir, pool := filepath.Join(t.TempDir(), "b"), scratch(t)
	if _, err := backup.Write(t.Context(), b.pool, dir, "v1", made, nobody); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Restore(t.Context(), pool, dir, quiet, nobody); err != nil {
		t.Fatal(err)
	}
	if got := everything(t, pool); got != want {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
}

// The schema is the first of the search path only until another one is made before it, as one with the name of the role.
func TestABackupIsOfTheSchemaThatTheServerUses(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.EmptyDSN(t)
	in := func(path string) *pgxpool.Pool {
		pool, err := postgres.Open(t.Context(), dsn, 4, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["search_path"] = path })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		return pool
	}
	pool := in("own")
	if _, err := pool.Exec(t.Context(), "CREATE SCHEMA own; CREATE SCHEMA first"); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), pool, quiet); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "INSERT INTO projects (id, name) VALUES (gen_random_uuid(), 'p')"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"own", "first, own"} {
		dir, to := filepath.Join(t.TempDir(), "b"), scratch(t)
		if _, err := backup.Write(t.Context(), in(path), dir, "v1", made, nobody); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if _, err := backup.Restore(t.Context(), to, dir, quiet, nobody); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		var n int
		if err := to.QueryRow(t.Context(), "SELECT count(*) FROM projects").Scan(&n); err != nil || n != 1 {
			t.Errorf("%s: %d projects, %v; want 1", path, n, err)
		}
	}
}

func TestADamagedBackupIsRefusedBeforeAnythingIsRestored(t *testing.T) {
	t.Parallel()
	edit := func(change func(m map[string]any)) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
			if err != nil {
				t.Fatal(err)
			}
			var m map[string]any
			if err := json.Unmarshal(b, &m); err != nil {
				t.Fatal(err)
			}
			change(m)
			if b, err = json.Marshal(m); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "manifest.json"), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tt := range map[string]struct {
		damage func(t *testing.T, dir string)
		want   string
	}{
		"a byte changed": {func(t *testing.T, dir string) {
			path := filepath.Join(dir, "events.copy.zst")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "events.copy.zst has changed"},
		"cut off": {func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, "events.copy.zst"), 10); err != nil {
				t.Fatal(err)
			}
		}, "events.copy.zst has 10 bytes"},
		"a file gone": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "projects.copy.zst")); err != nil {
				t.Fatal(err)
			}
		}, "no such file"},
		"no manifest": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "manifest.json")); err != nil {
				t.Fatal(err)
			}
		}, "not finished"},
		"of a newer Nimbus": {edit(func(m map[string]any) { m["schema_version"] = 900000 }), "use v1 or newer"},
		"of another format": {edit(func(m map[string]any) { m["format"] = 2 }), "format 2"},
		"a name that leads out": {edit(func(m map[string]any) {
			m["tables"].([]any)[0].(map[string]any)["file"] = "../x"
		}), "leads out of the directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			tt.damage(t, b.dir)
			pool := scratch(t)
			if _, err := backup.Restore(t.Context(), pool, b.dir, quiet, nobody); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if got := everything(t, pool); got != "" {
				t.Errorf("something was restored:\n%s", got)
			}
		})
	}
}

func TestARestoreThatFailsHalfWayCanBeRepeated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pool := scratch(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := backup.Restore(ctx, pool, b.dir, quiet, func(table string, _ int64) {
		if table == "events" {
			cancel()
		}
	})
	if err == nil {
		t.Fatal("a restore that was interrupted succeeded")
	}
	if _, err := backup.Restore(t.Context(), pool, b.dir, quiet, nobody); err != nil {
		t.Fatal(err)
	}
	if got, want := everything(t, pool), everything(t, b.pool); got != want {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
}
