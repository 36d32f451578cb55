package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// From an empty folder, with nothing but the go command and a running Nimbus, to the first event.
func TestTheGoSDKIsInstalledFromTheServer(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../sdk/go/README.md")
	if err != nil {
		t.Fatal(err)
	}
	commands, program := shellBlock.FindSubmatch(b), goBlock.FindSubmatch(b)
	if commands == nil || program == nil {
		t.Fatal("sdk/go/README.md has no commands or no program")
	}
	app := apptest.Boot(t)
	x := app.Tenant(t)
	dir, cache := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), program[1], 0o600); err != nil {
		t.Fatal(err)
	}
	env, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	modules, proxies, _ := strings.Cut(strings.TrimSpace(string(env)), "\n")
	script := strings.ReplaceAll(string(commands[1]), "http://127.0.0.1:8080", app.URL) + "go run .\n"
	run := exec.CommandContext(t.Context(), "sh", "-eu", "-c", script)
	run.Dir = dir
	// A module cache of its own, because what is served here is no release. What the SDK needs comes first from the
	// modules that this repository was built from, so that no network is needed.
	run.Env = append(os.Environ(), "GOMODCACHE="+cache, "GOFLAGS=-modcacherw", "GOSUMDB=off", "CGO_ENABLED=0", "GOWORK=off",
		"GOPROXY=file://"+filepath.ToSlash(modules)+"/cache/download,"+proxies,
		"NIMBUS_PROJECT_ID="+x.ProjectID.String(), "NIMBUS_KEY_ID="+x.KeyID, "NIMBUS_SECRET="+x.Secret)
	out, err := run.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "events stored: 1\n") {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	if n := x.Count(); n != 1 {
		t.Errorf("%d events are stored", n)
	}
}
