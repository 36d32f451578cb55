package db_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/db"
)

func TestKeptQuestionsAskWhatTheyAskedBeforePropsWerePaths(t *testing.T) {
	t.Parallel()
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
	paths := slices.IndexFunc(files, func(name string) bool { return strings.HasSuffix(name, "_paths.up.sql") })
	later := len(files) - paths // migrations from that one on
	if err := db.Down(ctx, pool, later); err != nil {
		t.Fatal(err)
	}
	const old = `{"prop": "http.status", "names": ["a.b"], "filter": {"op": "and", "filters": [{"op": "eq", "prop": "plan", "value": "a.b"},
		{"op": "not", "filter": {"op": "in", "prop": "tags[0]", "values": ["x[0]", 1.50]}}, {"op": "exists", "prop": "back\\slash"}]}, "breakdown_prop": "a.b.c"}`
	const want = `{"prop": "http\\.status", "names": ["a.b"], "filter": {"op": "and", "filters": [{"op": "eq", "prop": "plan", "value": "a.b"},
		{"op": "not", "filter": {"op": "in", "prop": "tags\\[0]", "values": ["x[0]", 1.50]}}, {"op": "exists", "prop": "back\\\\slash"}]}, "breakdown_prop": "a\\.b\\.c"}`
	if _, err := pool.Exec(ctx, `WITH p AS (INSERT INTO projects (id, name) VALUES (gen_random_uuid(), 'p') RETURNING id)
		INSERT INTO reports (project_id, id, name, description, question, view) SELECT id, gen_random_uuid(), 'r', '', $1::text::jsonb, '{}' FROM p`, old); err != nil {
		t.Fatal(err)
	}
	is := func(question string) (same bool) {
		if err := pool.QueryRow(ctx, "SELECT question = $1::text::jsonb FROM reports", question).Scan(&same); err != nil {
			t.Fatal(err)
		}
		return same
	}
	if err := db.MigrateTo(ctx, pool, st.Latest, nil); err != nil {
		t.Fatal(err)
	}
	if !is(want) {
		t.Error("names with dots, brackets and backslashes are not written as paths")
	}
	if err := db.Down(ctx, pool, later); err != nil {
		t.Fatal(err)
	}
	if !is(old) {
		t.Error("the way down does not give the names back")
	}
}
