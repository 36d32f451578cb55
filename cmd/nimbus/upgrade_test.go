package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

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

// killedAtEachMigration starts the program again and again, and kills it each time it says that a migration is done, until
// it is ready. It returns the process that is.
func killedAtEachMigration(t *testing.T, settings []string) *process {
	t.Helper()
	step := regexp.MustCompile(`msg=migrated|"msg":"migrated"|msg=ready|"msg":"ready"`)
	for kills := 0; kills < 100; kills++ {
		p := launch(t, binary, settings, "serve")
		p.await(step)
		if strings.Contains(p.text(), "ready") {
			if code := p.end(syscall.SIGTERM); code != 0 {
				t.Errorf("exit code %d on SIGTERM:\n%s", code, p.text())
			}
			t.Logf("%d kills", kills)
			return start(t, settings, "serve")
		}
		p.end(syscall.SIGKILL)
	}
	t.Fatal("it is never ready")
	return nil
}

// A kill -9 in the middle of the migrations never leaves a server that does not start.
func TestAServerThatWasKilledWhileItMigratedStartsAgain(t *testing.T) {
	t.Parallel()
	settings := []string{"NIMBUS_DATABASE_URL=" + nimbustest.EmptyDSN(t), "NIMBUS_SECRET_KEY=" + keyA, "NIMBUS_DATA_DIR=" + dataDir(t)}
	p := killedAtEachMigration(t, settings)
	x := register(t, p)
	x.ingest(p, "u")
	if got := x.users(p); got["u"] != 1 {
		t.Errorf("stored: %v", got)
	}
}

// previousRelease is the commit of the release before this one. Its programs run on the schema of this one.
const previousRelease = "92e933f0109253c92a73079d659e2dd2f9869030"

// previous builds the program of the previous release from the history.
func previous(t *testing.T) string {
	t.Helper()
	source := t.TempDir()
	archive := exec.CommandContext(t.Context(), "git", "-C", filepath.Join("..", ".."), "archive", "--format=tar", previousRelease)
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "-C", source)
	var said bytes.Buffer
	archive.Stderr, unpack.Stderr = &said, &said
	var err error
	if unpack.Stdin, err = archive.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unpack.Start(), archive.Run(), unpack.Wait()); err != nil {
		t.Fatalf("the previous release is not in the history, which must be fetched in full: %v\n%s", err, &said)
	}
	program, err := nimbustest.Build(t.TempDir(), source)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// A rollout may stop half-way and may be undone: a program of the previous release starts on a database that this one has
// migrated, also where this one was killed at it, serves beside it, and what each stores the other finds.
func TestTheProgramOfThePreviousReleaseRunsOnTheNewSchema(t *testing.T) {
	t.Parallel()
	before := previous(t)
	settings := []string{"NIMBUS_DATABASE_URL=" + nimbustest.EmptyDSN(t), "NIMBUS_SECRET_KEY=" + keyA, "NIMBUS_DATA_DIR=" + dataDir(t)}
	old := startProgram(t, before, settings, "serve")
	x := register(t, old)
	x.ingest(old, "a")

	p := killedAtEachMigration(t, settings) // while the old node serves
	x.ingest(p, "b")
	x.ingest(old, "c")
	old.stop()
	old = startProgram(t, before, settings, "serve") // as when the old node is killed and comes back, or the rollout is undone
	x.ingest(old, "d")
	p.stop()
	x.ingest(old, "e")
	if got := x.total(old); got != 5 {
		t.Errorf("the previous release counts %d events, want 5", got)
	}
	p = start(t, settings, "serve")
	if got := x.users(p); len(got) != 5 || x.total(p) != 5 {
		t.Errorf("stored: %v, counted: %d; want 5 of each", got, x.total(p))
	}
	old.stop()
	p.stop()
	if got := nimbus(t, settings, "rollups", "verify"); got.code != 0 || !strings.Contains(got.stdout, "0 counts differ") {
		t.Errorf("verify: %d\n%s%s", got.code, got.stdout, got.stderr)
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
