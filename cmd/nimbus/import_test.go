package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/nimbustest"
)

// A file is stored once, line by line, though the import of it is killed with SIGKILL again and again.
func TestAnImportThatIsKilledIsGoneOnWith(t *testing.T) {
	t.Parallel()
	const lines, kills = 40_000, 3
	p := start(t, []string{"NIMBUS_DATABASE_URL=" + nimbustest.DSN(t), "NIMBUS_DATA_DIR=" + dataDir(t)}, "serve")
	x := register(t, p)
	file := filepath.Join(t.TempDir(), "export.ndjson")
	var content bytes.Buffer
	at := time.Now().Add(-24 * time.Hour).Unix() // where the count of what is stored looks
	for k := range lines {
		fmt.Fprintf(&content, `{"event":"e","properties":{"time":%d,"distinct_id":"u%d","$insert_id":"i%d"}}`+"\n", at, k, k)
	}
	content.WriteString(`{"event":"","properties":{}}` + "\n")
	if err := os.WriteFile(file, content.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := []string{"NIMBUS_URL=" + p.url, "NIMBUS_PROJECT_ID=" + x.project, "NIMBUS_KEY_ID=" + x.id, "NIMBUS_SECRET=" + x.secret}
	for k := range kills {
		cmd := exec.CommandContext(t.Context(), binary, "import", "mixpanel", file)
		cmd.Env = environment(settings...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		nimbustest.Eventually(t, "progress", func() bool { return x.total(p) >= (k+1)*lines/(kills+2) })
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
	}
	before := x.total(p)
	if before == lines {
		t.Fatal("everything was stored before the last kill")
	}
	if _, err := os.Stat(file + ".nimbus-import"); err != nil {
		t.Error(err)
	}
	got := nimbus(t, settings, "import", "mixpanel", file)
	if got.code != 0 || !strings.Contains(got.stdout, "40001 lines, 40000 events and 0 operations") ||
		!strings.Contains(got.stdout, "name_missing                   1  first export.ndjson:40001") {
		t.Errorf("%d\n%s%s", got.code, got.stdout, got.stderr)
	}
	stored := x.users(p)
	for user, n := range stored {
		if n != 1 {
			t.Errorf("%s is stored %d times", user, n)
		}
	}
	if len(stored) != lines || x.total(p) != lines {
		t.Errorf("%d of %d are stored, %d counted", len(stored), lines, x.total(p))
	}
	// Once more, without what is known of the runs before.
	if err := os.Remove(file + ".nimbus-import"); err != nil {
		t.Fatal(err)
	}
	got = nimbus(t, settings, "import", "mixpanel", file)
	if got.code != 0 || !strings.Contains(got.stdout, "of this run 40000 were there already") || x.total(p) != lines {
		t.Errorf("again: %d\n%s%s; %d stored", got.code, got.stdout, got.stderr, x.total(p))
	}
}

func TestImportSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	key := "NIMBUS_SECRET=ns_" + strings.Repeat("x", 43)
	project := "NIMBUS_PROJECT_ID=018df8e1-3c00-8000-8000-000000000001"
	for _, c := range []struct {
		settings []string
		args     []string
		code     int
		says     string
	}{
		{nil, []string{"-h"}, 0, "Usage: nimbus import"},
		{[]string{key, project}, nil, 2, "import needs a format: segment, mixpanel, posthog, amplitude, csv or ndjson"},
		{[]string{key, project}, []string{"csv"}, 2, "needs files or URLs"},
		{nil, []string{"csv", "x"}, 2, "NIMBUS_SECRET or NIMBUS_WRITE_KEY"},
		{[]string{key}, []string{"csv", "x"}, 2, "ProjectID"},
		{[]string{key, project}, []string{"matomo", "x"}, 2, `no format "matomo"`},
		{[]string{key, project}, []string{"csv", "x", "-column", "when=at"}, 2, `no "when"`},
		{[]string{key, project}, []string{"csv", "x", "-zone", "Nowhere/Land"}, 2, "Nowhere/Land"},
		{[]string{key, project}, []string{"csv", "absent.csv"}, 1, "absent.csv"},
		{[]string{key, project}, []string{"csv", "."}, 1, "is a directory"},
	} {
		got := nimbus(t, c.settings, append([]string{"import"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.says) {
			t.Errorf("%q: %d %q, want %d and %q", c.args, got.code, got.stderr, c.code, c.says)
		}
	}
}
