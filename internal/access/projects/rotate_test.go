package projects_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/projects"
)

func (b *testBundle) rotate(t testing.TB, project projects.Project, grace time.Duration) projects.Pair {
	t.Helper()
	_, pair, err := b.projects.RotateKeys(t.Context(), b.account, project.ID, grace)
	if err != nil {
		t.Fatalf("rotate: %v", err)
	}
	return pair
}

func TestARotatedPairStopsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, old := b.create(t, "Web shop")
	b.works(t, old, true, "before")
	fresh := b.rotate(t, project, 0)
	b.works(t, old, false, "after")
	b.works(t, fresh, true, "after")

	got, err := b.projects.Get(t.Context(), b.account, project.ID)
	if err != nil || got.APIKeyID != fresh.ID {
		t.Errorf("the project names the key %s, %v; want the newest, %s", got.APIKeyID, err, fresh.ID)
	}
}

func TestARotatedPairStopsAlsoOnANodeWhoseClockIsBehind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, old := b.create(t, "Web shop")
	b.rotate(t, project, 0)
	b.clock.advance(-4 * time.Minute)
	b.works(t, old, false, "four minutes behind")
}

func TestGraceLetsBothPairsLive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, first := b.create(t, "Web shop")
	second := b.rotate(t, project, time.Hour)
	b.works(t, first, true, "within the grace")
	b.works(t, second, true, "within the grace")

	// The second rotation ends later than the first: that must not prolong the life of the first pair.
	third := b.rotate(t, project, 2*time.Hour)
	b.clock.advance(time.Hour - time.Second)
	b.works(t, first, true, "a second before its end")
	b.clock.advance(time.Second)
	b.works(t, first, false, "at its end")
	b.works(t, second, true, "within its own grace")
	b.clock.advance(time.Hour)
	b.works(t, second, false, "at its end")
	b.works(t, third, true, "for good")

	// And one that ends sooner shortens it.
	b.rotate(t, project, 7*24*time.Hour)
	b.rotate(t, project, 0)
	b.works(t, third, false, "after a rotation without grace")
}

func TestGraceOfTheRequestIsInSecondsAndNoneWithoutABody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, first := b.create(t, "Web shop")
	ctx := asAccount(t, b.account)
	seconds := int32(60)
	reply, err := b.api.RotateKeys(ctx, api.RotateKeysRequestObject{ProjectID: project.ID, Body: &api.RotateKeysRequest{GraceSeconds: &seconds}})
	if err != nil {
		t.Fatal(err)
	}
	got := reply.(api.RotateKeys200JSONResponse)
	if got.Project.ID != project.ID || got.Project.APIKeyID != got.APIKeyID {
		t.Errorf("reply %+v does not name the new key in the project", got)
	}
	second := projects.Pair{ID: got.APIKeyID, Secret: got.APIKeySecret}
	b.clock.advance(59 * time.Second)
	b.works(t, first, true, "after 59 s")
	b.clock.advance(time.Second)
	b.works(t, first, false, "after 60 s")

	for name, body := range map[string]*api.RotateKeysRequest{"no body": nil, "an empty body": {}} {
		reply, err := b.api.RotateKeys(ctx, api.RotateKeysRequestObject{ProjectID: project.ID, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		b.works(t, second, false, "after "+name)
		got := reply.(api.RotateKeys200JSONResponse)
		second = projects.Pair{ID: got.APIKeyID, Secret: got.APIKeySecret}
		b.works(t, second, true, "after "+name)
	}
}

func TestConcurrentRotationsLeaveExactlyOneLivePair(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, first := b.create(t, "Web shop")
	const rotations = 12
	pairs := make([]projects.Pair, rotations)
	var group sync.WaitGroup
	for i := range pairs {
		group.Go(func() {
			var err error
			if _, pairs[i], err = b.projects.RotateKeys(t.Context(), b.account, project.ID, 0); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	live := 0
	for _, pair := range append(pairs, first) {
		if _, err := b.verify(t, pair); err == nil {
			live++
		}
	}
	if live != 1 {
		t.Errorf("%d pairs are alive after concurrent rotations, want 1", live)
	}
	if n := b.count(t, `SELECT count(*) FROM api_keys WHERE project_id = $1 AND expires_at IS NULL`, project.ID); n != 1 {
		t.Errorf("%d pairs have no end, want 1", n)
	}
}

func TestAFailedRotationLeavesTheOldPairAlive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, old := b.create(t, "Web shop")
	// The new key cannot be stored: what was done to the old one must not stay.
	b.exec(t, `ALTER TABLE api_keys ADD CONSTRAINT refuse CHECK (id = '`+old.ID+`')`)
	if _, _, err := b.projects.RotateKeys(t.Context(), b.account, project.ID, 0); err == nil {
		t.Fatal("the rotation succeeded")
	}
	b.works(t, old, true, "after a failed rotation")
}

func TestKeysExpiredLongAgoArePruned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, _ := b.create(t, "Web shop")
	b.rotate(t, project, time.Hour)
	last := b.rotate(t, project, 2*time.Hour)
	rows := func() int { return b.count(t, `SELECT count(*) FROM api_keys`) }
	prune := func() {
		if err := b.projects.PruneKeys(context.Background(), b.clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	b.clock.advance(time.Hour + 30*24*time.Hour)
	if prune(); rows() != 3 {
		t.Errorf("%d keys 30 days after the first expired, want all 3", rows())
	}
	b.clock.advance(time.Second)
	if prune(); rows() != 2 {
		t.Errorf("%d keys a second later, want 2", rows())
	}
	b.clock.advance(365 * 24 * time.Hour)
	if prune(); rows() != 1 {
		t.Errorf("%d keys a year later, want the living one", rows())
	}
	b.works(t, last, true, "after pruning")
}
