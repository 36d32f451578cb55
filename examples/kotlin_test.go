//go:build kotlin

package examples

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
)

// From the folder of the example, with nothing but Maven and a running Nimbus, to the first event. What `make test-kotlin` has packed
// is in front of the program, and not in it: other tests, which are built meanwhile, have the same files in them.
func TestTheKotlinSDKIsInstalledFromTheServer(t *testing.T) {
	t.Parallel()
	app := apptest.Boot(t)
	x := app.Tenant(t)
	var key struct{ Key string }
	x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/write-keys", map[string]any{"allowed_origins": []string{}}).Want(201).JSON(&key)
	at, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	served := http.NewServeMux()
	served.Handle("/sdk/maven/", http.StripPrefix("/sdk", http.FileServer(http.Dir("../sdk/kotlin/target/dist"))))
	served.Handle("/", httputil.NewSingleHostReverseProxy(at))
	front := httptest.NewServer(served)
	defer front.Close()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("kotlin-cli")); err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	// Maven keeps what it once got, though the server has another build of the same version since.
	if err := os.RemoveAll(filepath.Join(home, ".m2/repository/io/github/bahagh/nimbus-analytics")); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), "mvn", "-B", "-q", "-ntp", "compile", "exec:java", "-Dexec.args=Ada")
	run.Dir = dir
	run.Env = append(os.Environ(), "MAVEN_OPTS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC", "NIMBUS_URL="+front.URL,
		"NIMBUS_PROJECT_ID="+x.ProjectID.String(), "NIMBUS_WRITE_KEY="+key.Key, "NIMBUS_CLI_HOME="+t.TempDir())
	out, err := run.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Hello, Ada!") {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := x.Count(); n != 1 {
		t.Errorf("%d events are stored\n%s", n, out)
	}
}
