package db_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/db"
)

// beforeMigration is a migrated database, taken back to before the migration of a name, with the way forward and back again.
func beforeMigration(t *testing.T, name string) (pool *pgxpool.Pool, up, down func()) {
	t.Helper()
	pool, ctx := empty(t), testContext(t)
	if err := db.Migrate(ctx, pool, nil); err != nil {
		t.Fatal(err)
	}
	st, err := db.ReadStatus(ctx, pool)
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(db.Migrations, "migrations/*.up.sql")
	if err != nil {
		t.Fatal(err)
	}
	later := len(files) - slices.IndexFunc(files, func(file string) bool { return strings.HasSuffix(file, "_"+name+".up.sql") })
	up = func() {
		if err := db.MigrateTo(ctx, pool, st.Latest, nil); err != nil {
			t.Fatal(err)
		}
	}
	down = func() {
		if err := db.Down(ctx, pool, later); err != nil {
			t.Fatal(err)
		}
	}
	down()
	return pool, up, down
}

// text is the one text that a statement returns.
func text(t *testing.T, pool *pgxpool.Pool, sql string) (out string) {
	t.Helper()
	if err := pool.QueryRow(testContext(t), sql).Scan(&out); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}

const (
	project = "'00000000-0000-0000-0000-00000000000a'"
	board   = "'00000000-0000-0000-0000-00000000000b'"
	// The tiles of a board in a line: where they are, and the number of the insight, or the text.
	placed = `SELECT coalesce(string_agg(concat(x, ',', y, ' ', w, 'x', h, ' ', coalesce(ltrim(right(insight_id::text, 2), '0'), text)), '; ' ORDER BY y, x), '') FROM tiles`
	// What a node of the previous release reads of a board.
	read = `SELECT coalesce(string_agg(concat(position, ' ', ltrim(right(report_id::text, 2), '0'), ' ', width), '; ' ORDER BY position), '')
		FROM board_tiles WHERE project_id = ` + project + ` AND board_id = ` + board
)

// report is the statement with which the previous release saves a report.
func report(id string) string {
	return `INSERT INTO reports (project_id, id, name, description, question, view, created_by)
		VALUES (` + project + `, '00000000-0000-0000-0000-0000000000` + id + `', 'r` + id + `', '', '{"measure": "users"}', '{"chart": "bar"}', NULL)`
}

// lay are the statements with which the previous release replaces the tiles of a board.
func lay(ids, widths string) string {
	return `DELETE FROM board_tiles WHERE project_id = ` + project + ` AND board_id = ` + board + `;
		INSERT INTO board_tiles (project_id, board_id, position, report_id, width)
		SELECT ` + project + `, ` + board + `, generate_series(0, cardinality(ids) - 1), unnest(ids), unnest(widths)
		FROM (SELECT (SELECT array_agg(('00000000-0000-0000-0000-0000000000' || i)::uuid) FROM unnest('{` + ids + `}'::text[]) i) ids, '{` + widths + `}'::text[] widths) AS x`
}

func TestReportsBecomeInsightsAndTheirBoardsAGrid(t *testing.T) {
	t.Parallel()
	pool, up, down := beforeMigration(t, "saved")
	run(t, pool, `INSERT INTO projects (id, name) VALUES (`+project+`, 'p')`)
	for _, id := range []string{"01", "02", "03", "04", "05"} {
		run(t, pool, report(id))
	}
	run(t, pool, `INSERT INTO boards (project_id, id, name, description) VALUES (`+project+`, `+board+`, 'b', '')`)
	run(t, pool, lay("01,02,03,04,05", "half,half,full,half,full"))
	const before = "0 1 half; 1 2 half; 2 3 full; 3 4 half; 4 5 full"
	if got := text(t, pool, read); got != before {
		t.Fatalf("laid as %s", got)
	}

	up()
	if got, want := text(t, pool, placed), "0,0 6x4 1; 6,0 6x4 2; 0,4 12x4 3; 0,8 6x4 4; 0,12 12x4 5"; got != want {
		t.Errorf("placed at %s, want %s", got, want)
	}
	if got := text(t, pool, `SELECT string_agg(concat(name, ' ', kind, ' ', question, ' ', view), '; ' ORDER BY id) FROM insights WHERE name < 'r02'`); got !=
		`r01 metrics {"measure": "users"} {"chart": "bar"}` {
		t.Errorf("kept as %s", got)
	}

	// What the previous release did not know goes on the way down, and the rest is as it was.
	run(t, pool, `INSERT INTO tiles (project_id, board_id, x, y, w, h, text) VALUES (`+project+`, `+board+`, 0, 99, 3, 1, 'words');
		INSERT INTO insights (project_id, id, name, description, kind, question, view) VALUES (`+project+`, gen_random_uuid(), 'f', '', 'funnel', '{}', '{}')`)
	down()
	if got := text(t, pool, read); got != before {
		t.Errorf("after the way down: %s", got)
	}
	if got := text(t, pool, `SELECT string_agg(name, ' ' ORDER BY name) FROM reports`); got != "r01 r02 r03 r04 r05" {
		t.Errorf("after the way down: %s", got)
	}
	up()
}

// A rollout has nodes of both releases on one database.
func TestNodesOfThePreviousReleaseGoOnWithReports(t *testing.T) {
	t.Parallel()
	pool, up, _ := beforeMigration(t, "saved")
	up()
	run(t, pool, `INSERT INTO projects (id, name) VALUES (`+project+`, 'p')`)
	run(t, pool, `INSERT INTO boards (project_id, id, name, description) VALUES (`+project+`, `+board+`, 'b', '')`)
	for _, id := range []string{"01", "02", "03"} {
		run(t, pool, report(id))
	}
	// An insight of another kind and text stand on the board already, put there by a newer node.
	run(t, pool, `INSERT INTO insights (project_id, id, name, description, kind, question, view)
		VALUES (`+project+`, '00000000-0000-0000-0000-000000000009', 'f', '', 'funnel', '{}', '{}');
		INSERT INTO tiles (project_id, board_id, x, y, w, h, insight_id, text) VALUES
			(`+project+`, `+board+`, 0, 0, 12, 2, NULL, 'words'), (`+project+`, `+board+`, 4, 2, 8, 3, '00000000-0000-0000-0000-000000000009', NULL)`)

	run(t, pool, lay("01,02,03", "half,half,full"))
	const others = "0,0 12x2 words; 4,2 8x3 9; "
	if got, want := text(t, pool, placed), others+"0,5 6x4 1; 6,5 6x4 2; 0,9 12x4 3"; got != want {
		t.Errorf("placed at %s, want %s", got, want)
	}
	if got := text(t, pool, read); got != "0 1 half; 1 2 half; 2 3 full" {
		t.Errorf("read as %s", got)
	}
	run(t, pool, lay("03,01", "full,half"))
	if got, want := text(t, pool, placed), others+"0,5 12x4 3; 0,9 6x4 1"; got != want {
		t.Errorf("placed at %s, want %s", got, want)
	}

	if got := text(t, pool, `SELECT string_agg(concat(name, ' ', version), ' ' ORDER BY name) FROM reports`); got != "r01 1 r02 1 r03 1" {
		t.Errorf("the reports are %s", got)
	}
	run(t, pool, `UPDATE reports SET name = 'renamed', question = '{}', updated_at = now() WHERE project_id = `+project+` AND name = 'r01'`)
	run(t, pool, `DELETE FROM reports WHERE project_id = `+project+` AND name = 'r03'`)
	if got := text(t, pool, `SELECT string_agg(concat(name, ' ', kind, ' ', question), '; ' ORDER BY name) FROM insights`); got !=
		`f funnel {}; r02 metrics {"measure": "users"}; renamed metrics {}` {
		t.Errorf("the insights are %s", got)
	}
	if got, want := text(t, pool, placed), others+"0,9 6x4 1"; got != want {
		t.Errorf("placed at %s, want %s", got, want)
	}
	run(t, pool, `DELETE FROM reports WHERE name = 'f'`)
	if got := text(t, pool, `SELECT count(*)::text FROM insights WHERE name = 'f'`); got != "1" {
		t.Error("a report that is none was deleted")
	}
}
