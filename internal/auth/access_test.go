package auth_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/auth"
	"github.com/bahagh/nimbus/internal/nimbustest"
	"github.com/bahagh/nimbus/internal/postgres"
	"github.com/bahagh/nimbus/internal/problem"
)

// accessBundle is three projects: one of the account, one of someone else, and one of the account that was deleted.
type accessBundle struct {
	pool                  *pgxpool.Pool
	access                *auth.Access
	account               uuid.UUID
	mine, theirs, deleted uuid.UUID
}

func setupAccess(t *testing.T) accessBundle {
	t.Helper()
	pool := nimbustest.DB(t)
	b := accessBundle{pool, auth.NewAccess(pool), uuid.New(), uuid.New(), uuid.New(), uuid.New()}
	_, err := pool.Exec(t.Context(), `
		WITH a AS (INSERT INTO accounts (id, email, password_hash) VALUES ('`+b.account.String()+`', 'ada@example.com', '')),
		p AS (INSERT INTO projects (id, name, deleted_at) VALUES
			('`+b.mine.String()+`', 'mine', NULL), ('`+b.theirs.String()+`', 'theirs', NULL), ('`+b.deleted.String()+`', 'deleted', now()))
		INSERT INTO project_members (project_id, account_id, role) VALUES
			('`+b.mine.String()+`', '`+b.account.String()+`', 'viewer'), ('`+b.deleted.String()+`', '`+b.account.String()+`', 'owner')`)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func as(t *testing.T, p auth.Principal) context.Context { return auth.WithPrincipal(t.Context(), &p) }

func TestAccessIsForMembersAndForTheProjectsOwnKey(t *testing.T) {
	t.Parallel()
	b := setupAccess(t)
	stranger := uuid.New()
	for name, tc := range map[string]struct {
		principal auth.Principal
		want      []uuid.UUID
	}{
		"a member":                      {auth.Principal{Kind: auth.KindAccount, AccountID: b.account}, []uuid.UUID{b.mine}},
		"a stranger":                    {auth.Principal{Kind: auth.KindAccount, AccountID: stranger}, nil},
		"an API key":                    {auth.Principal{Kind: auth.KindAPIKey, ProjectID: b.theirs}, []uuid.UUID{b.theirs}},
		"a write key":                   {auth.Principal{Kind: auth.KindWriteKey, ProjectID: b.mine}, nil},
		"a refresh token":               {auth.Principal{Kind: auth.KindRefresh, AccountID: b.account}, nil},
		"a key with an account's id":    {auth.Principal{Kind: auth.KindAPIKey, AccountID: b.account}, []uuid.UUID{{}}},
		"an account with a project's":   {auth.Principal{Kind: auth.KindAccount, AccountID: stranger, ProjectID: b.mine}, nil},
		"a principal of no known kind":  {auth.Principal{AccountID: b.account, ProjectID: b.mine}, nil},
		"an account with the nil UUID":  {auth.Principal{Kind: auth.KindAccount}, nil},
		"a key of a project not theirs": {auth.Principal{Kind: auth.KindAPIKey, ProjectID: stranger}, []uuid.UUID{stranger}},
	} {
		ctx := as(t, tc.principal)
		ids, err := b.access.ProjectIDs(ctx)
		if err != nil || !slices.Equal(ids, tc.want) {
			t.Errorf("%s may read %v, %v; want %v", name, ids, err, tc.want)
		}
		for what, project := range map[string]uuid.UUID{"mine": b.mine, "theirs": b.theirs, "deleted": b.deleted, "absent": uuid.New()} {
			err := b.access.Project(ctx, project)
			if slices.Contains(tc.want, project) {
				if err != nil {
					t.Errorf("%s, project %s: %v", name, what, err)
				}
				continue
			}
			// The whole answer, so that none of them tells more than another.
			var got *problem.Error
			if !errors.As(err, &got) || !reflect.DeepEqual(got, problem.NotFound()) {
				t.Errorf("%s, project %s: %#v, want the one 404", name, what, err)
			}
		}
	}
}

func TestAccessEndsWithTheMembership(t *testing.T) {
	t.Parallel()
	b := setupAccess(t)
	ctx := as(t, auth.Principal{Kind: auth.KindAccount, AccountID: b.account})
	if err := b.access.Project(ctx, b.mine); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(ctx, `DELETE FROM project_members WHERE project_id = $1`, b.mine); err != nil {
		t.Fatal(err)
	}
	if err := b.access.Project(ctx, b.mine); !problem.Is(err, problem.CodeNotFound) {
		t.Errorf("after the membership ended: %v", err)
	}
}

func TestAccessIsNotGuessedWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	b := setupAccess(t)
	b.pool.Close()
	ctx := as(t, auth.Principal{Kind: auth.KindAccount, AccountID: b.account})
	if err := b.access.Project(ctx, b.mine); !postgres.IsUnavailable(err) {
		t.Errorf("Project: %v, want an error that is unavailable", err)
	}
	if ids, err := b.access.ProjectIDs(ctx); ids != nil || !postgres.IsUnavailable(err) {
		t.Errorf("ProjectIDs: %v, %v, want an error that is unavailable", ids, err)
	}
}
