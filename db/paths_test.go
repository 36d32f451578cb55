package db_test

import "testing"

func TestKeptQuestionsAskWhatTheyAskedBeforePropsWerePaths(t *testing.T) {
	t.Parallel()
	pool, up, down := beforeMigration(t, "paths")
	ctx := testContext(t)
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
	up()
	if !is(want) {
		t.Error("names with dots, brackets and backslashes are not written as paths")
	}
	down()
	if !is(old) {
		t.Error("the way down does not give the names back")
	}
}
