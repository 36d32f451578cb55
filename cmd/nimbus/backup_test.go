package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The whole way of an operator who loses a machine: a backup of a server that runs, its proof, and a new server.
func TestABackupOfARunningServerBecomesANewServer(t *testing.T) {
	t.Parallel()
	old, fresh, backup := dataDir(t), dataDir(t), filepath.Join(t.TempDir(), "backup")
	p := start(t, []string{"NIMBUS_DATA_DIR=" + old}, "serve")
	x := register(t, p)
	var users []string
	for i := range 500 {
		users = append(users, fmt.Sprintf("user-%d\t\\N \"é\"", i)) // what COPY writes in its own way
	}
	x.ingest(p, users...)

	got := nimbus(t, []string{"NIMBUS_DATA_DIR=" + old}, "backup", backup)
	if secrets := filepath.Join(old, "secrets.json"); got.code != 0 || !strings.Contains(got.stdout, "500 events") || !strings.Contains(got.stdout, "Keep "+secrets) {
		t.Fatalf("backup: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	x.ingest(p, "too late") // the server goes on, and the backup is of a moment before
	if got := nimbus(t, []string{"NIMBUS_DATA_DIR=" + old}, "backup", backup); got.code != 1 || !strings.Contains(got.stderr, "is not empty") {
		t.Errorf("a second backup into the same directory: %d\n%s", got.code, got.stderr)
	}
	if got := nimbus(t, []string{"NIMBUS_DATA_DIR=" + old}, "restore", backup); got.code != 1 || !strings.Contains(got.stderr, "the database is not empty") {
		t.Errorf("a restore over what is there: %d\n%s", got.code, got.stderr)
	}
	p.stop()

	if got := nimbus(t, nil, "verify", backup); got.code != 0 || !strings.Contains(got.stdout, "is whole: 500 events") {
		t.Errorf("verify: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := nimbus(t, []string{"NIMBUS_DATA_DIR=" + fresh}, "restore", backup); got.code != 1 || !strings.Contains(got.stderr, "put the secrets.json of the old data directory") {
		t.Errorf("a restore without the secret key: %d\n%s", got.code, got.stderr)
	}
	secrets, err := os.ReadFile(filepath.Join(old, "secrets.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(fresh, "secrets.json"), secrets, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := nimbus(t, []string{"NIMBUS_DATA_DIR=" + fresh}, "restore", backup); got.code != 0 || !strings.Contains(got.stdout, "500 events and all else are restored") {
		t.Fatalf("restore: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	p = start(t, []string{"NIMBUS_DATA_DIR=" + fresh}, "serve")
	if got := x.users(p); len(got) != len(users) || got[users[7]] != 1 || x.total(p) != len(users) {
		t.Errorf("%d users and a total of %d are there, want %d", len(got), x.total(p), len(users))
	}
	x.ingest(p, append(users, "one more")...) // signed with the secret of the old server; what is there is not doubled
	if got := x.total(p); got != len(users)+1 {
		t.Errorf("%d events after sending all of them again and one more, want %d", got, len(users)+1)
	}

	// Without the key everything but the secrets can be saved.
	lost := dataDir(t)
	if got := nimbus(t, []string{"NIMBUS_DATA_DIR=" + lost}, "restore", backup, "without-keys"); got.code != 0 || !strings.Contains(got.stdout, "until they are replaced") {
		t.Errorf("restore without-keys: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func TestBackupCommandsSayWhatTheyTake(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"backup":           "backup takes one word",
		"verify a b":       "verify takes one word",
		"restore":          "restore takes the directory",
		"restore a nokeys": "restore takes the directory",
	} {
		if got := nimbus(t, nil, strings.Fields(args)...); got.code != 2 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %d %s", args, got.code, got.stderr)
		}
	}
	for _, verb := range []string{"restore", "verify"} {
		if got := nimbus(t, nil, verb, t.TempDir()); got.code != 1 || !strings.Contains(got.stderr, "it is not a backup, or one that was not finished") {
			t.Errorf("%s of nothing: %d %s", verb, got.code, got.stderr)
		}
	}
}
