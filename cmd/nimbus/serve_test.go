package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/bahagh/nimbus/test/nimbustest"
)

func TestAServerOnItsOwnDatabaseSurvivesStopsAndKills(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	settings := []string{"NIMBUS_DATA_DIR=" + dir}
	p := start(t, settings, "serve")
	t.Logf("first start, with a new database: %s", p.took)
	x := register(t, p)
	x.ingest(p, "before")
	if info, err := os.Stat(filepath.Join(dir, "secrets.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the generated secrets: %v, %v", info, err)
	}

	second := nimbus(t, settings, "serve")
	if lines := strings.Split(strings.TrimSpace(second.stderr), "\n"); second.code != 1 || len(lines) != 1 ||
		!strings.HasPrefix(lines[0], "nimbus: data directory "+dir+" is in use by ") {
		t.Errorf("a second server on the same directory: %d\n%s", second.code, second.stderr)
	}
	x.ingest(p, "still up")

	if code := p.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d on SIGTERM:\n%s", code, p.text())
	}
	p = start(t, settings, "serve")
	t.Logf("start after a stop: %s", p.took)
	// The access token and the project's secret were made under secrets that must be the same now.
	x.ingest(p, "after the stop")

	if code := p.end(syscall.SIGKILL); code != -1 {
		t.Errorf("exit code %d", code)
	}
	p = start(t, settings, "serve")
	t.Logf("start after a kill: %s", p.took)
	x.ingest(p, "after the kill")
	got := x.users(p)
	for _, user := range []string{"before", "still up", "after the stop", "after the kill"} {
		if got[user] != 1 {
			t.Errorf("%q is stored %d times", user, got[user])
		}
	}
	if n := x.total(p); n != 4 {
		t.Errorf("the metrics count %d of 4", n)
	}

	if code := p.end(syscall.SIGINT); code != 0 {
		t.Errorf("exit code %d on Ctrl-C:\n%s", code, p.text())
	}
	// The tokens and secrets of a whole life are not in the log.
	for _, secret := range []string{x.token, x.secret, password} {
		if strings.Contains(p.text(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

// Acknowledged means stored: whatever a client was told is there after the restart, once, and nothing else is.
func TestStoppingOrKillingUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sig  syscall.Signal
		code int
	}{"stopping": {syscall.SIGTERM, 0}, "killing": {syscall.SIGKILL, -1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := []string{"NIMBUS_DATA_DIR=" + dataDir(t)}
			p := start(t, settings, "serve")
			x := register(t, p)
			var mu sync.Mutex
			acked, sent := make(map[string]bool), make(map[string]bool)
			enough, ended := make(chan struct{}), make(chan struct{})
			once := sync.OnceFunc(func() { close(enough) })
			var wg sync.WaitGroup
			for worker := range 8 {
				wg.Go(func() {
					for k := 0; ; k++ {
						users := []string{fmt.Sprintf("%d-%d-a", worker, k), fmt.Sprintf("%d-%d-b", worker, k)}
						mu.Lock()
						sent[users[0]], sent[users[1]] = true, true
						mu.Unlock()
						status, answer, err := x.send(p, users...)
						if err != nil {
							return // nobody listens any more
						}
						select {
						case <-ended:
							return // and somebody else has its port
						default:
						}
						switch status {
						case http.StatusOK:
							mu.Lock()
							acked[users[0]], acked[users[1]] = true, true
							if len(acked) >= 400 {
								once()
							}
							mu.Unlock()
						case http.StatusServiceUnavailable: // asked to come again
						default:
							t.Errorf("%d: %s", status, answer)
							return
						}
					}
				})
			}
			nimbustest.Await(t, "enough load", enough)
			if code := p.end(tt.sig); code != tt.code {
				t.Errorf("exit code %d:\n%s", code, p.text())
			}
			close(ended)
			wg.Wait()
			p = start(t, settings, "serve")
			stored := x.users(p)
			for user := range acked {
				if stored[user] != 1 {
					t.Errorf("%s was acknowledged and is stored %d times", user, stored[user])
				}
			}
			for user, n := range stored {
				if !sent[user] || n != 1 {
					t.Errorf("%s is stored %d times", user, n)
				}
			}
			if n := x.total(p); n != len(stored) {
				t.Errorf("the metrics count %d, stored are %d", n, len(stored))
			}
			t.Logf("%d sent, %d acknowledged, %d stored", len(sent), len(acked), len(stored))
		})
	}
}

func TestAServerThatCannotListenSaysSoAndEnds(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"NIMBUS_DATA_DIR=" + dataDir(t)}, "serve")
	taken := strings.TrimPrefix(p.url, "http://")
	for _, tt := range []struct{ command, variable string }{{"serve", "NIMBUS_ADDR"}, {"serve", "NIMBUS_ADMIN_ADDR"}, {"demo", "NIMBUS_ADDR"}} {
		got := nimbus(t, []string{"NIMBUS_DATA_DIR=" + dataDir(t), tt.variable + "=" + taken}, tt.command)
		if got.code != 1 || !regexp.MustCompile(`(?m)^nimbus: listen on `+tt.variable+`: .*address already in use$`).MatchString(got.stderr) {
			t.Errorf("%s with %s=%s: %d\n%s", tt.command, tt.variable, taken, got.code, got.stderr)
		}
	}
}

func TestProductionLogsJSONAndKeepsItsPrivateListenerApart(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := start(t, []string{"NIMBUS_DATA_DIR=" + dir, "NIMBUS_ENVIRONMENT=production", "NIMBUS_BCRYPT_COST=10", "NIMBUS_APP_NAME=Ours",
		"NIMBUS_JWT_SECRET=" + strings.Repeat("0123456789abcdef", 2), "NIMBUS_SECRET_KEY=" + keyA}, "serve")
	for line := range strings.Lines(p.text()) {
		if !strings.HasPrefix(line, "{") || !strings.Contains(line, `"app":"Ours"`) {
			t.Errorf("not JSON: %s", line)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "secrets.json")); err == nil {
		t.Error("secrets were made up in production")
	}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, err := do(req); err != nil || status != http.StatusNotFound {
			t.Errorf("%s on the public listener: %d, %v", path, status, err)
		}
	}
}

// With a drain time a stop first turns readiness red, and serves on until the proxies have noticed.
func TestAStopTurnsReadinessRedBeforeItEndsListening(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"NIMBUS_DATA_DIR=" + dataDir(t), "NIMBUS_DRAIN_SECONDS=3"}, "serve")
	x := register(t, p)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.await(regexp.MustCompile("readiness is red"))
	for path, want := range map[string]int{"/readiness": http.StatusServiceUnavailable, "/health": http.StatusOK} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, answer, err := do(req); err != nil || status != want {
			t.Errorf("%s: %d, %v: %s", path, status, err, answer)
		}
	}
	x.ingest(p, "late")
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.text())
	}
}

func TestTheLogHasTheFormatAskedFor(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"json": `"msg":"ready"`, "text": "msg=ready", "": "msg=ready"} {
		p := start(t, []string{"NIMBUS_DATABASE_URL=" + nimbustest.DSN(t), "NIMBUS_DATA_DIR=" + dataDir(t), "NIMBUS_LOG_FORMAT=" + format}, "serve")
		if !strings.Contains(p.text(), want) {
			t.Errorf("%q:\n%s", format, p.text())
		}
	}
}
