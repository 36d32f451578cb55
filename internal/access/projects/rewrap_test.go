package projects_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/access/projects"
)

func TestRewrapBringsEverySecretUnderTheCurrentKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, pair := b.create(t, "Web shop")
	// More than one page, each key sealed for itself.
	for range 600 {
		b.insertPair(t, project, 1)
	}
	b.exec(t, `UPDATE api_keys SET expires_at = NULL`)
	both := projects.NewKeys(b.pool, newRing(t, 2, 1), b.clock.Now)
	var seen []int
	n, err := both.Rewrap(t.Context(), func(done int) { seen = append(seen, done) })
	if err != nil || n != 601 {
		t.Fatalf("Rewrap = %d, %v; want 601", n, err)
	}
	if len(seen) != 2 || seen[0] != 500 || seen[1] != 601 {
		t.Errorf("progress %v, want [500 601]", seen)
	}
	b.keys = projects.NewKeys(b.pool, newRing(t, 2), b.clock.Now)
	b.works(t, pair, true, "with the new key alone")
	if n, err := b.keys.Rewrap(t.Context(), func(int) {}); n != 0 || err != nil {
		t.Errorf("a second Rewrap = %d, %v; want nothing to do", n, err)
	}
}

// insertPair stores a pair whose secret is sealed under a ring of the test's choice.
func (b *testBundle) insertPair(t testing.TB, project projects.Project, ringKey byte) {
	t.Helper()
	_, _, err := projects.New(b.pool, newRing(t, ringKey), projects.Config{Scopes: auth.KeyScopes(api.Operations), Now: b.clock.Now}).RotateKeys(t.Context(), b.account, project.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
}

func TestRewrapGoesOnPastSecretsItCannotOpenAndCountsThem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, pair := b.create(t, "Web shop")
	b.insertPair(t, project, 7)
	b.insertPair(t, project, 7)
	b.insertPair(t, project, 8)
	broken, _ := b.create(t, "Broken")
	b.exec(t, `UPDATE api_keys SET secret_box = '\x00' WHERE project_id = $1`, broken.ID)

	before := b.count(t, `SELECT count(*) FROM api_keys`)
	both := projects.NewKeys(b.pool, newRing(t, 2, 1), b.clock.Now)
	n, err := both.Rewrap(t.Context(), func(int) {})
	if n != 1 || before != 5 {
		t.Errorf("%d of %d secrets were sealed anew, want the one of 5 that can be", n, before)
	}
	if err == nil {
		t.Fatal("secrets that stay under an unknown key are no error")
	}
	for _, want := range []string{
		"4 secrets could not be opened",
		"2 sealed under key " + newRing(t, 7).CurrentID() + ", which is not among NIMBUS_SECRET_KEY and NIMBUS_SECRET_KEY_PREVIOUS",
		"1 sealed under key " + newRing(t, 8).CurrentID(),
		"1 (of API key " + broken.APIKeyID + ")",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if m := b.count(t, `SELECT count(*) FROM api_keys WHERE secret_key_id = $1`, newRing(t, 2).CurrentID()); m != 1 {
		t.Errorf("%d secrets are under the current key, want 1", m)
	}
	b.exec(t, `UPDATE api_keys SET expires_at = NULL WHERE id = $1`, pair.ID)
	b.keys = both
	b.works(t, pair, true, "after a Rewrap that met others it could not open")
}

func TestRewrapFindsSecretsThatAreAddedBehindIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	project, _ := b.create(t, "Web shop")
	// The key with the greatest id: whatever is added after it was read has been passed already.
	const last = "nk_zzzzzzzzzzzzzzzz"
	box, keyID, err := newRing(t, 1).Seal([]byte("ns_"), []byte(last))
	if err != nil {
		t.Fatal(err)
	}
	b.exec(t, `INSERT INTO api_keys (id, project_id, secret_box, secret_key_id, secret_hash) VALUES ($1, $2, $3, $4, '')`,
		last, project.ID, box, keyID)
	added := false
	n, err := projects.NewKeys(b.pool, newRing(t, 2, 1), b.clock.Now).Rewrap(t.Context(), func(int) {
		if !added {
			added = true
			b.insertPair(t, project, 1)
		}
	})
	if n != 3 || err != nil {
		t.Errorf("Rewrap = %d, %v; want 3", n, err)
	}
}

func TestRewrapWhileKeysAreRotatedLosesNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const many = 8
	all := make([]projects.Project, many)
	for i := range all {
		all[i], _ = b.create(t, "Project")
	}
	// Nodes that seal under the previous key go on rotating while two rewraps run.
	pairs := make([]projects.Pair, many)
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() {
			for range 5 {
				_, pair, err := b.projects.RotateKeys(t.Context(), b.account, all[i].ID, 0)
				if err != nil {
					t.Error(err)
					return
				}
				pairs[i] = pair
			}
		})
	}
	both := projects.NewKeys(b.pool, newRing(t, 2, 1), b.clock.Now)
	for range 2 {
		group.Go(func() {
			if _, err := both.Rewrap(t.Context(), func(int) {}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if _, err := both.Rewrap(t.Context(), func(int) {}); err != nil {
		t.Fatal(err)
	}
	b.keys = projects.NewKeys(b.pool, newRing(t, 2), b.clock.Now)
	for _, pair := range pairs {
		b.works(t, pair, true, "after rotations and rewraps at once")
	}
}
