package main

import (
	"io"
	"testing"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

// A run while the server is away costs nothing: the next one delivers its event.
func TestEveryRunIsCountedOnceTheServerIsThere(t *testing.T) {
	t.Parallel()
	app := apptest.Boot(t)
	x := app.Tenant(t)
	var key struct{ Key string }
	x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/write-keys", map[string]any{"allowed_origins": []string{}}).Want(201).JSON(&key)
	env := map[string]string{"NIMBUS_URL": "http://127.0.0.1:1", "NIMBUS_PROJECT_ID": x.ProjectID.String(), "NIMBUS_WRITE_KEY": key.Key}
	spool := t.TempDir()
	for k, url := range []string{"http://127.0.0.1:1", "http://127.0.0.1:1", app.URL} {
		env["NIMBUS_URL"] = url
		if err := run(t.Context(), []string{"Ada"}, func(name string) string { return env[name] }, spool, io.Discard); err != nil {
			t.Fatalf("run %d: %v", k, err)
		}
	}
	// On a slow machine the last run may have had too little time as well: then this is the next one.
	tracker, err := nimbus.New(nimbus.Config{URL: app.URL, ProjectID: x.ProjectID.String(), WriteKey: key.Key, SpoolDir: spool})
	if err != nil {
		t.Fatal(err)
	}
	if err := tracker.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := x.Count(); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}
