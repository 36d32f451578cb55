package audit_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/access/audit"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

// newProject is a project that is there, with no members.
func newProject(t *testing.T, pool *pgxpool.Pool) uuid.UUID {
	t.Helper()
	id := uuid.New()
	if _, err := pool.Exec(t.Context(), `INSERT INTO projects (id, name) VALUES ($1, 'x')`, id); err != nil {
		t.Fatal(err)
	}
	return id
}

func entries(t *testing.T, pool *pgxpool.Pool, project uuid.UUID) []audit.Stored {
	t.Helper()
	page, next, err := audit.NewLog(pool).Page(t.Context(), project, audit.Filter{}, 100, "")
	if err != nil || next != "" {
		t.Fatal(next, err)
	}
	return page
}

func TestAnEntryIsThereWithItsChangeOrNotAtAll(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	project := newProject(t, pool)
	account := uuid.New()
	ctx := auth.WithPrincipal(t.Context(), &auth.Principal{Kind: auth.KindAccount, AccountID: account})
	ctx = auth.WithRequest(ctx, auth.Request{ID: "r", IP: "203.0.113.7", UserAgent: "curl"})
	undone := errors.New("undone")
	for _, outcome := range []error{undone, nil} {
		err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
			changes := make(audit.Changes)
			changes.Diff("name", "a", "b")
			changes.Diff("description", "same", "same")
			if err := audit.Record(ctx, tx, audit.Entry{ProjectID: project, Action: audit.ProjectUpdate, Target: "t", Changes: changes}); err != nil {
				return err
			}
			return outcome
		})
		if !errors.Is(err, outcome) {
			t.Fatal(err)
		}
	}
	got := entries(t, pool, project)
	if len(got) != 1 {
		t.Fatalf("%d entries", len(got))
	}
	e := got[0]
	if e.ActorKind != "account" || e.ActorID != account.String() || e.Action != "project.update" || e.Target != "t" ||
		string(e.Changes) != `{"name": {"new": "b", "old": "a"}}` || e.From != auth.RequestOf(ctx) {
		t.Errorf("%+v %s", e, e.Changes)
	}
}

func TestAnEntryNamesWhoDidIt(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	project, account := newProject(t, pool), uuid.New()
	for _, tc := range []struct {
		principal *auth.Principal
		entry     audit.Entry
		kind, id  string
	}{
		{nil, audit.Entry{}, "system", ""},
		{nil, audit.Entry{Account: account}, "account", account.String()}, // who is just logging in
		{&auth.Principal{Kind: auth.KindRefresh, AccountID: account}, audit.Entry{}, "account", account.String()},
		{&auth.Principal{Kind: auth.KindRefresh, AccountID: account}, audit.Entry{System: true}, "system", ""},
		{&auth.Principal{Kind: auth.KindAPIKey, KeyID: "nk_x"}, audit.Entry{}, "key", "nk_x"},
	} {
		ctx := t.Context()
		if tc.principal != nil {
			ctx = auth.WithPrincipal(ctx, tc.principal)
		}
		tc.entry.ProjectID, tc.entry.Action = project, audit.KeyCreate
		if err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error { return audit.Record(ctx, tx, tc.entry) }); err != nil {
			t.Fatal(err)
		}
		if e := entries(t, pool, project)[0]; e.ActorKind != tc.kind || e.ActorID != tc.id || string(e.Changes) != "{}" {
			t.Errorf("%+v: %s %q", tc, e.ActorKind, e.ActorID)
		}
	}
}

func TestTheDatabaseKeepsEveryEntryUntilItsProjectIsDeleted(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	ctx := t.Context()
	kept, deleted := newProject(t, pool), newProject(t, pool)
	for _, project := range []uuid.UUID{kept, deleted, uuid.Nil} {
		if err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
			return audit.Record(ctx, tx, audit.Entry{ProjectID: project, Action: audit.ProjectCreate})
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{`UPDATE audit_log SET actor_id = 'someone else'`, `DELETE FROM audit_log`, `TRUNCATE audit_log`} {
		if _, err := pool.Exec(ctx, sql); err == nil {
			t.Errorf("%s was done", sql)
		}
	}
	if _, err := pool.Exec(ctx, `UPDATE projects SET deleted_at = now() WHERE id = $1`, deleted); err != nil {
		t.Fatal(err)
	}
	tag, err := pool.Exec(ctx, `DELETE FROM audit_log WHERE project_id = $1`, deleted)
	if err != nil || tag.RowsAffected() != 1 {
		t.Errorf("%d rows of a deleted project, %v", tag.RowsAffected(), err)
	}
	if _, err := pool.Exec(ctx, `UPDATE audit_log SET action = 'x' WHERE project_id = $1`, deleted); err != nil {
		t.Error(err) // nothing is left to update
	}
	if n := len(entries(t, pool, kept)) + len(entries(t, pool, uuid.Nil)); n != 2 {
		t.Errorf("%d entries are left, want 2", n)
	}
}

func TestChangesHaveNoFieldThatStayedAndNoValueThatWasNotThere(t *testing.T) {
	t.Parallel()
	one, two := 1, 2
	c := make(audit.Changes)
	c.Diff("same", &one, &one)
	c.Diff("equal", []string{"a"}, []string{"a"})
	c.Diff("neither", (*int)(nil), nil)
	c.Diff("set", (*int)(nil), &one)
	c.Diff("unset", &two, (*int)(nil))
	c.Diff("changed", one, two)
	want := audit.Changes{"set": {New: 1}, "unset": {Old: 2}, "changed": {Old: 1, New: 2}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("%+v", c)
	}
}

func TestAnExportHasEveryEntryOnceHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	project := newProject(t, pool)
	const n = 2500 // more than two pages, and many at the same time
	if _, err := pool.Exec(t.Context(), `
		INSERT INTO audit_log (project_id, id, at, actor_kind, actor_id, action, target, changes, ip, user_agent, request_id)
		SELECT $1, gen_random_uuid(), timestamptz '2026-01-15' + i / 700 * interval '1 second', 'system', '', 'x', '', '{}', '', '', ''
		FROM generate_series(1, $2) AS i`, project, n); err != nil {
		t.Fatal(err)
	}
	seen := map[uuid.UUID]bool{}
	var last audit.Stored
	err := audit.NewLog(pool).All(t.Context(), project, audit.Filter{}, func(s *audit.Stored) error {
		if len(seen) > 0 && s.At.After(last.At) {
			t.Errorf("%s comes after %s", s.At, last.At)
		}
		seen[s.ID], last = true, *s
		return nil
	})
	if err != nil || len(seen) != n {
		t.Errorf("%d entries, %v", len(seen), err)
	}
}

// What concerns no project would stay for ever: it goes after a time, and the database lets nothing go that is young.
func TestEntriesWithoutAProjectArePrunedByAge(t *testing.T) {
	t.Parallel()
	pool := nimbustest.DB(t)
	project := newProject(t, pool)
	for _, of := range []uuid.UUID{uuid.Nil, project} {
		_, err := pool.Exec(t.Context(), `INSERT INTO audit_log (project_id, id, at, actor_kind, actor_id, action, target, changes, ip, user_agent, request_id)
			SELECT $1, gen_random_uuid(), now() - make_interval(days => d), 'system', '', 'account.login', 't', '{}', '', '', ''
			FROM generate_series(0, 3000) AS n, (VALUES (1), (29), (40), (500)) AS age(d) WHERE n = 0 OR d = 500`, of)
		if err != nil {
			t.Fatal(err)
		}
	}
	log := audit.NewLog(pool)
	left := func(want int) {
		t.Helper()
		var n, ofProject int
		err := pool.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE project_id <> $1), count(*) FILTER (WHERE project_id = $1) FROM audit_log`,
			project).Scan(&n, &ofProject)
		if err != nil || n != want || ofProject != 3004 {
			t.Errorf("%d entries are left, want %d, and %d of the project: %v", n, want, ofProject, err)
		}
	}
	if err := log.Prune(t.Context(), time.Now(), 400*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	left(3)
	if err := log.Prune(t.Context(), time.Now(), 35*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	left(2)
	if err := log.Prune(t.Context(), time.Now(), 24*time.Hour); err == nil { // as a clock far ahead would have it
		t.Error("the database has let a young entry go")
	}
	left(2)
}
