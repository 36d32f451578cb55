package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// testdata/schema-000002 is a backup made by the Nimbus whose schema was version 2, under keyA: 41 events of a project with
// a write key, the account below, sent and counted by that version.
func earlier(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("testdata", "schema-000002"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func earlierTenant(t *testing.T, p *process) *tenant {
	t.Helper()
	x := &tenant{t: t, email: "ada@example.com", project: "01a201fa-c42a-725b-ae98-32b304d72190",
		id: "nk_eCHVX2HxBosODEkv", secret: "ns_coAETHiy5WfPTQasPse5hXt6D9Dtp1sTffpElJFZ6hF"}
	var session struct {
		AccessToken string `json:"access_token"`
	}
	x.call(p, http.MethodPost, "/v1/auth/login", map[string]string{"email": x.email, "password": password}, 200, &session)
	x.token = session.AccessToken
	return x
}

// What was stored by an earlier version is all there after the upgrade: people log in, keys sign, counts are right, and an
// event that is sent again is still known.
func TestAnUpgradeKeepsWhatAnEarlierVersionStored(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.EmptyDSN(t)
	settings := []string{"NIMBUS_DATABASE_URL=" + dsn, "NIMBUS_SECRET_KEY=" + keyA, "NIMBUS_DATA_DIR=" + dataDir(t)}
	if got := nimbus(t, settings, "restore", earlier(t)); got.code != 0 || !strings.Contains(got.stdout, "41 events") {
		t.Fatalf("restore: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	p := start(t, settings, "serve")
	x := earlierTenant(t, p)
	var m struct{ Total float64 }
	x.call(p, http.MethodGet, "/v1/metrics?bucket=1mo&from=2026-01-01T00:00:00Z&to=2026-12-01T00:00:00Z&project_id="+x.project, nil, 200, &m)
	if m.Total != 41 {
		t.Errorf("%v events are counted, want 41", m.Total)
	}
	users := x.users(p)
	if n := users["u0"] + users["u1"] + users["u2"] + users["u3"] + users["u4"]; n != 40 {
		t.Errorf("%d events of the five users are there, want 40", n)
	}
	again := []byte(fmt.Sprintf(`{"project_id":%q,"events":[{"name":"purchase","ts":"2026-01-04T10:03:00Z","user_id":"u3","anonymous_id":"a3","idempotency_key":"k3","seq":3,"props":{"n":3,"plan":"pro"}},{"name":"no_ts","idempotency_key":"k0"}]}`, x.project))
	if status, answer, err := x.sendBody(p, again); err != nil || status != http.StatusOK || !strings.Contains(string(answer), `"accepted":0,"duplicates":2`) {
		t.Errorf("sent again: %d, %v: %s", status, err, answer)
	}
	p.stop()
	if got := nimbus(t, settings, "rollups", "verify"); got.code != 0 || !strings.Contains(got.stdout, "0 counts differ") {
		t.Errorf("verify: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// A migration that was cut off is not guessed at: nothing starts, and the way out is told and works.
func TestAHalfFailedUpgradeIsExplainedAndCanBeFinished(t *testing.T) {
	t.Parallel()
	dsn := nimbustest.EmptyDSN(t)
	settings := []string{"NIMBUS_DATABASE_URL=" + dsn, "NIMBUS_SECRET_KEY=" + keyA, "NIMBUS_DATA_DIR=" + dataDir(t)}
	if got := nimbus(t, settings, "restore", earlier(t)); got.code != 0 {
		t.Fatalf("restore: %d\n%s", got.code, got.stderr)
	}
	pool, err := postgres.Open(t.Context(), dsn, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var latest int
	if err := pool.QueryRow(t.Context(), "SELECT version FROM schema_migrations").Scan(&latest); err != nil {
		t.Fatal(err)
	}
	// As when the process was killed between the record of its beginning and the transaction of the last migration.
	if got := nimbus(t, settings, "migrate", "down"); got.code != 0 {
		t.Fatalf("migrate down: %s", got.stderr)
	}
	if _, err := pool.Exec(t.Context(), "UPDATE schema_migrations SET version = $1, dirty = true", latest); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"serve", "migrate"} {
		if got := nimbus(t, settings, command); got.code != 1 || !strings.Contains(got.stderr, "dirty") || !strings.Contains(got.stderr, "migrate force") {
			t.Errorf("%s on a dirty schema: %d\n%s", command, got.code, got.stderr)
		}
	}
	if got := nimbus(t, settings, "migrate", "force", fmt.Sprint(latest-1)); got.code != 0 {
		t.Fatalf("migrate force: %s", got.stderr)
	}
	p := start(t, settings, "serve") // which applies it
	if got := earlierTenant(t, p).users(p); len(got) == 0 {
		t.Error("the events are gone")
	}
}

// Every file of the backup is one that a checkout has.
func TestTheEarlierBackupIsWhole(t *testing.T) {
	t.Parallel()
	if entries, err := os.ReadDir(earlier(t)); err != nil || len(entries) < 10 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	if got := nimbus(t, nil, "verify", earlier(t)); got.code != 0 || !strings.Contains(got.stdout, "is whole: 41 events") {
		t.Errorf("verify: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}
