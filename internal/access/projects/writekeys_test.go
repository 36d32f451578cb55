package projects_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

func TestWriteKeysAreListedNewestFirstUntilTheyAreDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := asAccount(t, b.account)
	project, _ := b.create(t, "Web shop")
	list := func() []uuid.UUID {
		t.Helper()
		reply, err := b.api.ListWriteKeys(ctx, api.ListWriteKeysRequestObject{ProjectID: project.ID})
		if err != nil {
			t.Fatal(err)
		}
		items := reply.(api.ListWriteKeys200JSONResponse).Items
		if items == nil {
			t.Error("the list is null")
		}
		var ids []uuid.UUID
		for _, k := range items {
			ids = append(ids, k.ID)
		}
		return ids
	}
	if got := list(); len(got) != 0 {
		t.Errorf("a new project has the write keys %v", got)
	}
	var want []uuid.UUID
	for _, origins := range [][]string{{}, {"https://Shop.example.com:443", "https://*.example.org"}} {
		reply, err := b.api.CreateWriteKey(ctx, api.CreateWriteKeyRequestObject{ProjectID: project.ID, Body: &api.WriteKeyRequest{AllowedOrigins: origins}})
		if err != nil {
			t.Fatal(err)
		}
		got := reply.(api.CreateWriteKey201JSONResponse)
		if got.AllowedOrigins == nil || len(got.AllowedOrigins) != len(origins) {
			t.Errorf("origins %#v, want %d", got.AllowedOrigins, len(origins))
		}
		want = append([]uuid.UUID{got.ID}, want...)
	}
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("write keys %v, want %v", got, want)
	}
	for len(want) > 0 {
		if _, err := b.api.DeleteWriteKey(ctx, api.DeleteWriteKeyRequestObject{ProjectID: project.ID, KeyID: want[0]}); err != nil {
			t.Fatal(err)
		}
		_, err := b.api.DeleteWriteKey(ctx, api.DeleteWriteKeyRequestObject{ProjectID: project.ID, KeyID: want[0]})
		wantProblem(t, err, problem.NotFound(), "deleting twice")
		want = want[1:]
		if got := list(); !slices.Equal(got, want) {
			t.Errorf("write keys %v, want %v", got, want)
		}
	}
}

func TestChangedOriginsAndDeletedWriteKeysActAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := asAccount(t, b.account)
	project, _ := b.create(t, "Web shop")
	key, err := b.projects.CreateWriteKey(ctx, project.ID, "", []string{"https://a.example"})
	if err != nil {
		t.Fatal(err)
	}
	reply, err := b.api.UpdateWriteKey(ctx, api.UpdateWriteKeyRequestObject{
		ProjectID: project.ID, KeyID: key.ID, Body: &api.WriteKeyRequest{AllowedOrigins: []string{"https://B.example"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := reply.(api.UpdateWriteKey200JSONResponse)
	if got.Key != key.Key || !got.CreatedAt.Equal(key.CreatedAt) || !slices.Equal(got.AllowedOrigins, []string{"https://b.example"}) {
		t.Errorf("write key %+v", got)
	}
	_, err = b.keys.VerifyWriteKey(ctx, key.Key, "https://a.example")
	wantCode(t, err, problem.CodeOriginNotAllowed, "the origin taken away")
	if _, err := b.keys.VerifyWriteKey(ctx, key.Key, "https://b.example"); err != nil {
		t.Errorf("the origin added: %v", err)
	}
	if err := b.projects.DeleteWriteKey(ctx, project.ID, key.ID); err != nil {
		t.Fatal(err)
	}
	_, err = b.keys.VerifyWriteKey(ctx, key.Key, "https://b.example")
	wantCode(t, err, problem.CodeInvalidKey, "deleted")
}

// A client that knows no names replaces the origins and must not take the name away.
func TestAWriteKeyHasANameThatStaysUntilItIsChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := asAccount(t, b.account)
	project, _ := b.create(t, "Web shop")
	made, err := b.api.CreateWriteKey(ctx, api.CreateWriteKeyRequestObject{ProjectID: project.ID, Body: &api.WriteKeyRequest{Name: new("shop")}})
	if err != nil {
		t.Fatal(err)
	}
	key := made.(api.CreateWriteKey201JSONResponse)
	if key.Name != "shop" {
		t.Errorf("made with the name %q", key.Name)
	}
	for _, tc := range []struct {
		name *string
		want string
	}{{nil, "shop"}, {new("checkout"), "checkout"}, {nil, "checkout"}} {
		_, err := b.api.UpdateWriteKey(ctx, api.UpdateWriteKeyRequestObject{ProjectID: project.ID, KeyID: key.ID,
			Body: &api.WriteKeyRequest{Name: tc.name, AllowedOrigins: []string{"https://a.example"}}})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := b.projects.WriteKeys(ctx, project.ID)
		if err != nil || len(keys) != 1 || keys[0].Name != tc.want || len(keys[0].AllowedOrigins) != 1 {
			t.Errorf("%+v, %v; want the name %q", keys, err, tc.want)
		}
	}
}

func TestBadOriginsChangeNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := asAccount(t, b.account)
	project, _ := b.create(t, "Web shop")
	key, err := b.projects.CreateWriteKey(ctx, project.ID, "", []string{"https://a.example"})
	if err != nil {
		t.Fatal(err)
	}
	bad := &api.WriteKeyRequest{AllowedOrigins: []string{"https://ok.example", "https://shop.*.example"}}
	want := problem.Field("body", "/allowed_origins/1", "format",
		"must have a wildcard only as its whole first label, as in https://*.example.com")
	_, err = b.api.CreateWriteKey(ctx, api.CreateWriteKeyRequestObject{ProjectID: project.ID, Body: bad})
	wantProblem(t, err, want, "create")
	_, err = b.api.UpdateWriteKey(ctx, api.UpdateWriteKeyRequestObject{ProjectID: project.ID, KeyID: key.ID, Body: bad})
	wantProblem(t, err, want, "update")
	keys, err := b.projects.WriteKeys(ctx, project.ID)
	if err != nil || len(keys) != 1 || !slices.Equal(keys[0].AllowedOrigins, []string{"https://a.example"}) {
		t.Errorf("write keys %+v, %v", keys, err)
	}
}

func TestAProjectHasAtMost100WriteKeysHoweverManyAreMadeAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, _ := b.create(t, "Web shop")
	other, _ := b.create(t, "Another")
	var made, refused atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 15 {
				_, err := b.projects.CreateWriteKey(t.Context(), project.ID, "", nil)
				switch {
				case err == nil:
					made.Add(1)
				case problem.Is(err, problem.CodeLimitReached):
					refused.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if made.Load() != 100 || refused.Load() != 20 {
		t.Errorf("%d were made and %d refused, want 100 and 20", made.Load(), refused.Load())
	}
	keys, err := b.projects.WriteKeys(t.Context(), project.ID)
	if err != nil || len(keys) != 100 {
		t.Errorf("%d write keys are listed, %v", len(keys), err)
	}
	if _, err := b.projects.CreateWriteKey(t.Context(), other.ID, "", nil); err != nil {
		t.Errorf("the limit of one project holds for another: %v", err)
	}
	if err := b.projects.DeleteWriteKey(t.Context(), project.ID, keys[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.projects.CreateWriteKey(t.Context(), project.ID, "", nil); err != nil {
		t.Errorf("no write key after one was deleted: %v", err)
	}
}
