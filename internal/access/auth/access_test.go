package auth_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
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

// read is an operation for every member and for keys with the scope.
var read = auth.Rule{Scope: "events:read", Role: "viewer"}

func TestAccessIsForMembersAndForTheProjectsOwnKey(t *testing.T) {
	t.Parallel()
	b := setupAccess(t)
	stranger := uuid.New()
	for name, tc := range map[string]struct {
		principal auth.Principal
		want      []uuid.UUID
		lists     bool // also when it is not asked about a certain project
	}{
		"a member":                     {auth.Principal{Kind: auth.KindAccount, AccountID: b.account}, []uuid.UUID{b.mine}, true},
		"a stranger":                   {auth.Principal{Kind: auth.KindAccount, AccountID: stranger}, nil, true},
		"an API key":                   {auth.Principal{Kind: auth.KindAPIKey, ProjectID: b.theirs}, []uuid.UUID{b.theirs}, true},
		"a write key":                  {auth.Principal{Kind: auth.KindWriteKey, ProjectID: b.mine}, []uuid.UUID{b.mine}, false},
		"a refresh token":              {auth.Principal{Kind: auth.KindRefresh, AccountID: b.account}, nil, true},
		"an account with a project's":  {auth.Principal{Kind: auth.KindAccount, AccountID: stranger, ProjectID: b.mine}, nil, true},
		"a principal of no known kind": {auth.Principal{AccountID: b.account, ProjectID: b.mine}, nil, true},
		"an account with the nil UUID": {auth.Principal{Kind: auth.KindAccount}, nil, true},
	} {
		ids, err := b.access.ProjectIDs(as(t, tc.principal))
		if err != nil || tc.lists && !slices.Equal(ids, tc.want) || !tc.lists && ids != nil {
			t.Errorf("%s may read %v, %v; want %v", name, ids, err, tc.want)
		}
		for what, project := range map[string]uuid.UUID{"mine": b.mine, "theirs": b.theirs, "deleted": b.deleted, "absent": uuid.New()} {
			err := b.access.Project(t.Context(), &tc.principal, read, project, false)
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

func TestARoleAllowsWhatItsOwnAndLesserRolesDo(t *testing.T) {
	t.Parallel()
	b := setupAccess(t)
	member := &auth.Principal{Kind: auth.KindAccount, AccountID: b.account}
	for _, role := range []auth.Role{auth.RoleViewer, auth.RoleAdmin, auth.RoleOwner} {
		if _, err := b.pool.Exec(t.Context(), `UPDATE project_members SET role = $1 WHERE project_id = $2`, role, b.mine); err != nil {
			t.Fatal(err)
		}
		for needed, allowed := range map[auth.Role]bool{
			auth.RoleViewer: true, auth.RoleAdmin: role != auth.RoleViewer, auth.RoleOwner: role == auth.RoleOwner,
			"": false, "boss": false, // what no contract says lets nobody through
		} {
			op := auth.Rule{Role: needed}
			err := b.access.Project(t.Context(), member, op, b.mine, false)
			if allowed != (err == nil) || !allowed && !problem.Is(err, problem.CodeInsufficientRole) {
				t.Errorf("%s, where %q is needed: %v", role, needed, err)
			}
			if err := b.access.Project(t.Context(), member, op, b.mine, true); err != nil {
				t.Errorf("%s to himself, where %q is needed of others: %v", role, needed, err)
			}
		}
	}
}

func TestWhatIsAboutDeletedProjectsIsAboutNoOthers(t *testing.T) {
	t.Parallel()
	b := setupAccess(t)
	op := auth.Rule{Role: "viewer", Scope: "events:read", Deleted: true}
	member := &auth.Principal{Kind: auth.KindAccount, AccountID: b.account}
	if err := b.access.Project(t.Context(), member, op, b.deleted, false); err != nil {
		t.Error(err)
	}
	key := &auth.Principal{Kind: auth.KindAPIKey, ProjectID: b.mine}
	for _, p := range []*auth.Principal{member, key} {
		if err := b.access.Project(t.Context(), p, op, b.mine, false); !problem.Is(err, problem.CodeNotFound) {
			t.Errorf("%v: a project that is there: %v", p.Kind, err)
		}
	}
}

func TestAKeyNeedsItsScopeAndAnAccountNone(t *testing.T) {
	t.Parallel()
	access := auth.NewAccess(nil)
	for _, tc := range []struct {
		principal auth.Principal
		allowed   bool
	}{
		{auth.Principal{Kind: auth.KindAPIKey, Scopes: []string{"events:write", "events:read"}}, true},
		{auth.Principal{Kind: auth.KindAPIKey, Scopes: []string{"events:write"}}, false},
		{auth.Principal{Kind: auth.KindAPIKey}, false},
		{auth.Principal{Kind: auth.KindWriteKey, Scopes: auth.WriteKeyScopes}, false},
		{auth.Principal{Kind: auth.KindAccount}, true},
		{auth.Principal{Kind: auth.KindRefresh}, true},
		{auth.Principal{}, false},
	} {
		err := access.Scope(&tc.principal, read)
		if tc.allowed != (err == nil) || !tc.allowed && !problem.Is(err, problem.CodeInsufficientScope) {
			t.Errorf("%+v: %v", tc.principal, err)
		}
	}
}

func TestAKeyScopeNeedsTheGreatestRoleOfItsOperations(t *testing.T) {
	t.Parallel()
	keys := []contract.Requirement{{"bearerAuth": nil}, {"apiKey": nil}}
	got := auth.KeyScopes(map[string]*contract.Operation{
		"a": {Scope: "x:read", Role: "viewer", Security: keys},
		"b": {Scope: "x:read", Role: "admin", Security: keys},
		"c": {Scope: "y:read", Role: "viewer", Security: keys},
		"d": {Scope: "z:write", Role: "owner", Security: []contract.Requirement{{"bearerAuth": nil}}},
		"e": {Public: true},
	})
	if want := map[string]auth.Role{"x:read": auth.RoleAdmin, "y:read": auth.RoleViewer}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAccessEndsWithTheMembership(t *testing.T) {
	t.Parallel()
	b := setupAccess(t)
	member := &auth.Principal{Kind: auth.KindAccount, AccountID: b.account}
	if err := b.access.Project(t.Context(), member, read, b.mine, false); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), `DELETE FROM project_members WHERE project_id = $1`, b.mine); err != nil {
		t.Fatal(err)
	}
	if err := b.access.Project(t.Context(), member, read, b.mine, false); !problem.Is(err, problem.CodeNotFound) {
		t.Errorf("after the end of the membership: %v, want not found", err)
	}
}

func TestAccessIsNotGuessedWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	b := setupAccess(t)
	b.pool.Close()
	member := auth.Principal{Kind: auth.KindAccount, AccountID: b.account}
	if err := b.access.Project(t.Context(), &member, read, b.mine, false); !postgres.IsUnavailable(err) {
		t.Errorf("Project: %v, want an error that is unavailable", err)
	}
	if ids, err := b.access.ProjectIDs(as(t, member)); ids != nil || !postgres.IsUnavailable(err) {
		t.Errorf("ProjectIDs: %v, %v, want an error that is unavailable", ids, err)
	}
}

func TestUsesAreStoredOnceAndNotLostAtTheEnd(t *testing.T) {
	t.Parallel()
	stored := map[string]time.Time{}
	calls := 0
	uses := auth.NewUses(func(_ context.Context, ids []string, ats []time.Time) error {
		calls++
		for i, id := range ids {
			stored[id] = ats[i]
		}
		return nil
	})
	at := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	uses.Note("a", at)
	uses.Note("a", at.Add(time.Second))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	uses.Run(ended, slog.New(slog.DiscardHandler)) // ends at once, and stores before that
	uses.Run(ended, slog.New(slog.DiscardHandler)) // nothing to store any more
	if calls != 1 || len(stored) != 1 || !stored["a"].Equal(at.Add(time.Second)) {
		t.Errorf("%v in %d calls", stored, calls)
	}
}
