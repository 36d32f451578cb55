package projects_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
)

func TestCreateMakesTheCallerTheOwnerAndShowsTheSecretOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := asAccount(t, b.account)
	description := "All of it"
	reply, err := b.api.CreateProject(ctx, api.CreateProjectRequestObject{
		Body: &api.CreateProjectRequest{Name: "Web shop", Description: &description},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := reply.(api.CreateProject201JSONResponse)
	p := got.Project
	if p.Name != "Web shop" || p.Description != "All of it" || p.Role != api.RoleOwner || p.APIKeyID != got.APIKeyID || p.ID.Version() != 7 {
		t.Errorf("project %+v", p)
	}
	if p.CreatedAt.Location() != time.UTC || time.Since(p.CreatedAt) > time.Minute || !p.CreatedAt.Equal(p.UpdatedAt) {
		t.Errorf("created %v, updated %v", p.CreatedAt, p.UpdatedAt)
	}
	b.works(t, projects.Pair{ID: got.APIKeyID, Secret: got.APIKeySecret}, true, "from the reply")

	again, err := b.api.GetProject(ctx, api.GetProjectRequestObject{ProjectID: p.ID})
	if err != nil || !reflect.DeepEqual(api.Project(again.(api.GetProject200JSONResponse)), p) {
		t.Errorf("GetProject = %+v, %v; want %+v", again, err, p)
	}
	// Nothing in the database is the secret, whichever way a value is written.
	var dump string
	if err := b.pool.QueryRow(ctx, `SELECT string_agg(k::text || encode(k.secret_box, 'escape'), ' ') FROM api_keys k`).Scan(&dump); err != nil {
		t.Fatal(err)
	}
	if dump == "" || strings.Contains(dump, got.APIKeySecret) {
		t.Error("the database shows the secret")
	}
}

func TestAProjectWithoutADescriptionHasAnEmptyOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	reply, err := b.api.CreateProject(asAccount(t, b.account), api.CreateProjectRequestObject{Body: &api.CreateProjectRequest{Name: "Web shop"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := reply.(api.CreateProject201JSONResponse).Project.Description; got != "" {
		t.Errorf("description %q", got)
	}
}

func TestAProjectExistsWithItsOwnerAndKeyOrNotAtAll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `ALTER TABLE api_keys ADD CONSTRAINT refuse CHECK (false)`)
	if _, _, err := b.projects.Create(t.Context(), b.account, projects.Settings{Name: "Web shop"}); err == nil {
		t.Fatal("created without a key")
	}
	if n := b.count(t, `SELECT count(*) FROM projects`) + b.count(t, `SELECT count(*) FROM project_members`); n != 0 {
		t.Errorf("%d rows of a project that was not created remain", n)
	}
}

func TestListPagesThroughMyProjectsNewestFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stranger := *b
	stranger.account = b.newAccount(t, "eve@example.com")
	var want []string
	for i := range 7 {
		p, _ := b.create(t, fmt.Sprintf("Project %d", i))
		want = append(want, p.Name)
		stranger.create(t, "Someone else's")
	}
	gone, _ := b.create(t, "Deleted")
	if err := b.projects.Delete(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(want)
	ctx := asAccount(t, b.account)
	for _, limit := range []int32{1, 2, 3, 6, 7, 8, 200} {
		var got []string
		params := api.ListProjectsParams{Limit: &limit}
		for pages := 0; ; pages++ {
			if pages > len(want) {
				t.Fatalf("limit %d: the pages do not end", limit)
			}
			reply, err := b.api.ListProjects(ctx, api.ListProjectsRequestObject{Params: params})
			if err != nil {
				t.Fatal(err)
			}
			page := reply.(api.ListProjects200JSONResponse)
			if len(page.Items) > int(limit) || len(page.Items) == 0 {
				t.Errorf("limit %d: a page of %d", limit, len(page.Items))
			}
			for _, p := range page.Items {
				got = append(got, p.Name)
			}
			if page.NextCursor == nil {
				break
			}
			params.Cursor = page.NextCursor
			if pages == 0 {
				b.exec(t, `UPDATE projects SET name = name`) // rows move in their table; pages must not
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: projects %q, want %q", limit, got, want)
		}
	}
}

func TestListShowsFiftyByDefaultAndNoneAsAnEmptyList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := asAccount(t, b.account)
	reply, err := b.api.ListProjects(ctx, api.ListProjectsRequestObject{})
	if page, _ := reply.(api.ListProjects200JSONResponse); err != nil || page.Items == nil || len(page.Items) != 0 || page.NextCursor != nil {
		t.Errorf("ListProjects without projects = %+v, %v", reply, err)
	}
	for range 51 {
		b.create(t, "Project")
	}
	reply, err = b.api.ListProjects(ctx, api.ListProjectsRequestObject{})
	if page, _ := reply.(api.ListProjects200JSONResponse); err != nil || len(page.Items) != 50 || page.NextCursor == nil {
		t.Errorf("the first page has %d projects, %v", len(page.Items), err)
	}
}

func TestListRefusesACursorItDidNotMake(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cursor := "nonsense"
	_, err := b.api.ListProjects(asAccount(t, b.account), api.ListProjectsRequestObject{Params: api.ListProjectsParams{Cursor: &cursor}})
	wantProblem(t, err, problem.Field("query", "/cursor", "cursor",
		"must be the next_cursor of the page before, unchanged; leave it out for the first page"), "cursor")
}

func TestUpdateLeavesWhatIsAbsent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, _, err := b.projects.Create(t.Context(), b.account, projects.Settings{Name: "Web shop", Description: "All of it"})
	if err != nil {
		t.Fatal(err)
	}
	b.exec(t, `UPDATE projects SET updated_at = '2020-01-01'`)
	name, description, empty := "Shop", "Half of it", ""
	for _, tc := range []struct {
		body                  api.UpdateProjectRequest
		wantName, wantDetails string
	}{
		{api.UpdateProjectRequest{Name: &name}, "Shop", "All of it"},
		{api.UpdateProjectRequest{Description: &description}, "Shop", "Half of it"},
		{api.UpdateProjectRequest{Description: &empty}, "Shop", ""},
	} {
		reply, err := b.api.UpdateProject(asAccount(t, b.account), api.UpdateProjectRequestObject{ProjectID: project.ID, Body: &tc.body})
		if err != nil {
			t.Fatal(err)
		}
		got := reply.(api.UpdateProject200JSONResponse)
		if got.Name != tc.wantName || got.Description != tc.wantDetails || got.APIKeyID != project.APIKeyID || got.Role != api.RoleOwner ||
			time.Since(got.UpdatedAt) > time.Minute || !got.CreatedAt.Equal(project.CreatedAt) {
			t.Errorf("project %+v, want name %q and description %q", got, tc.wantName, tc.wantDetails)
		}
	}
}

func TestADeletedProjectIsGoneAtOnceWithItsKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, pair := b.create(t, "Web shop")
	kept, keptPair := b.create(t, "Kept")
	key, err := b.projects.CreateWriteKey(t.Context(), project.ID, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.api.DeleteProject(asAccount(t, b.account), api.DeleteProjectRequestObject{ProjectID: project.ID}); err != nil {
		t.Fatal(err)
	}
	b.works(t, pair, false, "after the deletion")
	b.works(t, keptPair, true, "of another project")
	_, err = b.keys.VerifyWriteKey(t.Context(), key.Key, "")
	wantCode(t, err, problem.CodeInvalidKey, "write key")
	page, _, err := b.projects.List(t.Context(), b.account, 10, "")
	if err != nil || len(page) != 1 || page[0].ID != kept.ID {
		t.Errorf("List = %+v, %v", page, err)
	}
}

// operations is every operation on one project, each with a valid request.
func (b *testBundle) operations(project, key uuid.UUID) map[string]func(context.Context) error {
	name, origins := "Mine now", &api.WriteKeyRequest{AllowedOrigins: []string{"https://a.example"}}
	return map[string]func(context.Context) error{
		"getProject": func(ctx context.Context) error {
			_, err := b.api.GetProject(ctx, api.GetProjectRequestObject{ProjectID: project})
			return err
		},
		"updateProject": func(ctx context.Context) error {
			_, err := b.api.UpdateProject(ctx, api.UpdateProjectRequestObject{ProjectID: project, Body: &api.UpdateProjectRequest{Name: &name}})
			return err
		},
		"deleteProject": func(ctx context.Context) error {
			_, err := b.api.DeleteProject(ctx, api.DeleteProjectRequestObject{ProjectID: project})
			return err
		},
		"rotateKeys": func(ctx context.Context) error {
			_, err := b.api.RotateKeys(ctx, api.RotateKeysRequestObject{ProjectID: project})
			return err
		},
		"listWriteKeys": func(ctx context.Context) error {
			_, err := b.api.ListWriteKeys(ctx, api.ListWriteKeysRequestObject{ProjectID: project})
			return err
		},
		"createWriteKey": func(ctx context.Context) error {
			_, err := b.api.CreateWriteKey(ctx, api.CreateWriteKeyRequestObject{ProjectID: project, Body: origins})
			return err
		},
		"updateWriteKey": func(ctx context.Context) error {
			_, err := b.api.UpdateWriteKey(ctx, api.UpdateWriteKeyRequestObject{ProjectID: project, KeyID: key, Body: origins})
			return err
		},
		"deleteWriteKey": func(ctx context.Context) error {
			_, err := b.api.DeleteWriteKey(ctx, api.DeleteWriteKeyRequestObject{ProjectID: project, KeyID: key})
			return err
		},
	}
}

// Who may do what in a project that is there is decided before, and tested by the matrix in internal/app.
func TestWhatIsDeletedIsTheSameAnswerAsWhatIsNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	theirs, pair := b.create(t, "Theirs")
	theirKey, err := b.projects.CreateWriteKey(t.Context(), theirs.ID, "", []string{"https://their.example"})
	if err != nil {
		t.Fatal(err)
	}
	eve := b.newAccount(t, "eve@example.com")
	mine, _, err := b.projects.Create(t.Context(), eve, projects.Settings{Name: "Mine"})
	if err != nil {
		t.Fatal(err)
	}
	deleted, _, err := b.projects.Create(t.Context(), eve, projects.Settings{Name: "Deleted"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.projects.Delete(t.Context(), deleted.ID); err != nil {
		t.Fatal(err)
	}
	for what, project := range map[string]uuid.UUID{"absent": uuid.New(), "deleted": deleted.ID} {
		calls := b.operations(project, theirKey.ID)
		delete(calls, "listWriteKeys") // reads the keys of any project, and finds none
		for name, call := range calls {
			wantProblem(t, call(asAccount(t, eve)), problem.NotFound(), name+" of a project that is "+what)
		}
	}
	// A key that exists, but in another project than the one in the path.
	for what, key := range map[string]uuid.UUID{"someone else's": theirKey.ID, "absent": uuid.New()} {
		calls := b.operations(mine.ID, key)
		for _, name := range []string{"updateWriteKey", "deleteWriteKey"} {
			wantProblem(t, calls[name](asAccount(t, eve)), problem.NotFound(), name+" of a write key that is "+what)
		}
	}

	if got, err := b.projects.Get(t.Context(), b.account, theirs.ID); err != nil || !reflect.DeepEqual(got, theirs) {
		t.Errorf("the project is %+v, %v after all that; want %+v", got, err, theirs)
	}
	b.works(t, pair, true, "after all that")
	keys, err := b.projects.WriteKeys(t.Context(), theirs.ID)
	if err != nil || len(keys) != 1 || !reflect.DeepEqual(keys[0], theirKey) {
		t.Errorf("the write keys are %+v, %v after all that", keys, err)
	}
}

func TestWithoutTheDatabaseEverythingIsUnavailableAndNobodyIsLetIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, pair := b.create(t, "Web shop")
	key, err := b.projects.CreateWriteKey(t.Context(), project.ID, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	b.pool.Close()
	calls := b.operations(project.ID, key.ID)
	calls["createProject"] = func(ctx context.Context) error {
		_, err := b.api.CreateProject(ctx, api.CreateProjectRequestObject{Body: &api.CreateProjectRequest{Name: "x"}})
		return err
	}
	calls["listProjects"] = func(ctx context.Context) error {
		_, err := b.api.ListProjects(ctx, api.ListProjectsRequestObject{})
		return err
	}
	calls["signature"] = func(context.Context) error { _, err := b.verify(t, pair); return err }
	calls["secret"] = func(ctx context.Context) error { _, err := b.keys.VerifySecret(ctx, pair.Secret); return err }
	calls["write key"] = func(ctx context.Context) error { _, err := b.keys.VerifyWriteKey(ctx, key.Key, ""); return err }
	calls["Purge"] = b.projects.Purge
	calls["PruneKeys"] = func(ctx context.Context) error { return b.projects.PruneKeys(ctx, b.clock.Now()) }
	calls["Rewrap"] = func(ctx context.Context) error { _, err := b.keys.Rewrap(ctx, func(int) {}); return err }
	for name, call := range calls {
		if err := call(asAccount(t, b.account)); !postgres.IsUnavailable(err) {
			t.Errorf("%s: error %v, want one that is unavailable", name, err)
		}
	}
}

func TestTheDataRetentionOfAProjectIsKeptChangedAndLifted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, _, err := b.projects.Create(t.Context(), b.account, projects.Settings{Name: "Limited", DataRetentionDays: 3650})
	if err != nil || project.DataRetentionDays != 3650 {
		t.Fatalf("%+v, %v", project, err)
	}
	name, days, never := "Renamed", int32(30), int32(0)
	for _, step := range []struct {
		change projects.Change
		want   int32
	}{{projects.Change{Name: &name}, 3650}, {projects.Change{DataRetentionDays: &days}, 30}, {projects.Change{DataRetentionDays: &never}, 0}} {
		project, err = b.projects.Update(t.Context(), b.account, project.ID, step.change)
		if err != nil || project.DataRetentionDays != step.want || project.Name != "Renamed" {
			t.Errorf("%+v, %v, want %d days", project, err, step.want)
		}
	}
	for _, days := range []int32{-1, 3651} {
		if _, _, err := b.projects.Create(t.Context(), b.account, projects.Settings{Name: "x", DataRetentionDays: days}); err == nil {
			t.Errorf("the database takes %d days", days)
		}
	}
}
