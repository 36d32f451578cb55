package curl_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestMain(m *testing.M) { nimbustest.Main(m) }

func run(t *testing.T, url string) (string, error) {
	t.Helper()
	for program, install := range map[string]string{"curl": "curl", "openssl": "openssl", "gzip": "gzip", "awk": "mawk"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("the example needs %s: apt-get install %s", program, install)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*nimbustest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "nimbus.sh")
	cmd.Env = append(os.Environ(), "NIMBUS_URL="+url)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestTheExampleRunsAsItStands(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	out, err := run(t, a.URL)
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, want := range []string{`"accepted":1000,"duplicates":0`, `"accepted":0,"duplicates":1000`, "page 10: 100 events\n", "All as it should be."} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in the output:\n%s", want, out)
		}
	}
	// What it prints may be pasted anywhere.
	if strings.Contains(out, "ns_") {
		t.Error("the secret is printed")
	}
	if n := strings.Count(a.Metrics(t), "nimbus_events_ingested_total 1000\n"); n != 1 {
		t.Error("the server counts something else")
	}
}

func TestTheExampleSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(broken.Close)
	for url, want := range map[string]string{
		broken.URL:           "FAILED: status 418 instead of 201",
		"http://127.0.0.1:1": "FAILED: no answer from http://127.0.0.1:1",
	} {
		if out, err := run(t, url); err == nil || !strings.Contains(out, want) {
			t.Errorf("%v:\n%s", err, out)
		}
	}
}
