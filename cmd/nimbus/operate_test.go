package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bahagh/nimbus/test/nimbustest"
)

var (
	keyA = strings.Repeat("0123456789abcdef", 4)
	keyB = strings.Repeat("fedcba9876543210", 4)
)

func TestCommandsAnswerAndMistakesAreExplained(t *testing.T) {
	t.Parallel()
	const leak = "Not-For-The-Terminal"
	production := []string{"NIMBUS_ENVIRONMENT=production", "NIMBUS_BCRYPT_COST=10", "NIMBUS_JWT_SECRET=" + keyA, "NIMBUS_SECRET_KEY=" + keyB}
	for _, tt := range []struct {
		name     string
		settings []string
		args     []string
		code     int
		stdout   []string
		stderr   []string // each one a whole line, in this order, and no others
	}{
		{name: "version", args: []string{"version"}, stdout: []string{"nimbus ", runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n", "sdk.js /sdk/", " sha384-"}},
		{name: "help", args: []string{"help"}, stdout: []string{"Usage: nimbus COMMAND", "\n  serve ", "\n  demo ", "\n  migrate ", "\n  keys ", "\n  check-config ", "\n  version "}},
		{name: "no words", stdout: []string{"Usage: nimbus COMMAND"}},
		{name: "-h", args: []string{"-h"}, stdout: []string{"Usage: nimbus COMMAND"}},
		{name: "--help", args: []string{"--help"}, stdout: []string{"Usage: nimbus COMMAND"}},
		{name: "unknown command", args: []string{"sreve"}, code: 2, stderr: []string{`nimbus: there is no command "sreve"; see nimbus help`}},
		{name: "words too many", args: []string{"serve", "now"}, code: 2, stderr: []string{`nimbus: serve takes no words after its flags, and there is "now"`}},
		{name: "unknown flag", args: []string{"serve", "-prot=1"}, code: 2,
			stderr: []string{"nimbus: the settings are not valid:", "  flag provided but not defined: -prot"}},
		{name: "bad settings, all at once", args: []string{"serve", "-secret-key=" + leak, "-log-level=loud"}, code: 2,
			settings: []string{"NIMBUS_ADDR=nowhere", "NIMBUS_DB_POOL_SIZE=1", "NIMBUS_JWT_SECRET=" + leak, "NIMBUS_SECRET_KEY_PREVIOUS=" + leak, "NIMBUS_JWT_SECRTE=" + leak},
			stderr: []string{"nimbus: the settings are not valid:",
				"  NIMBUS_SECRET_KEY_PREVIOUS must be 32 bytes as hex or base64; make one with: openssl rand -hex 32",
				"  -secret-key must be 32 bytes as hex or base64; make one with: openssl rand -hex 32",
				"  -log-level must be debug, info, warn or error",
				"  NIMBUS_JWT_SECRTE is not a setting of Nimbus; is it misspelt?",
				`  NIMBUS_ADDR must be host:port, such as 127.0.0.1:8080 or :8080, not "nowhere"`,
				"  NIMBUS_DB_POOL_SIZE must be 8 to 1000, not 1",
				"  NIMBUS_JWT_SECRET is 20 bytes long and must be at least 32; make one with: openssl rand -hex 32"}},
		{name: "production without secrets", args: []string{"serve"}, code: 2, settings: production[:2],
			stderr: []string{"nimbus: the settings are not valid:",
				"  NIMBUS_JWT_SECRET must be set in production; make one with: openssl rand -hex 32",
				"  NIMBUS_SECRET_KEY must be set in production; make one with: openssl rand -hex 32"}},
		{name: "demo in production", args: []string{"demo"}, code: 1, settings: production,
			stderr: []string{"nimbus: demo makes an account with a well-known password and does not run in production"}},
		{name: "check-config", args: []string{"check-config", "-db-pool-size=9"}, settings: append([]string{"NIMBUS_DATABASE_URL=postgres://u:" + leak + "@h/d"}, production...),
			stdout: []string{"NIMBUS_DB_POOL_SIZE=9\n", "NIMBUS_DATABASE_URL=postgres://u:xxxxx@h/d\n", "NIMBUS_JWT_SECRET=(set)\n", "NIMBUS_SECRET_KEY=(set)\n",
				"NIMBUS_SECRET_KEY_PREVIOUS=\n", "NIMBUS_ENVIRONMENT=production\n", "\nThe settings are valid.\n"}},
		{name: "migrate sideways", args: []string{"migrate", "sideways"}, code: 2, stderr: []string{`nimbus: migrate takes up, down, status or force, not "sideways"`}},
		{name: "migrate down a few", args: []string{"migrate", "down", "few"}, code: 2, stderr: []string{`nimbus: migrate down: "few" is not a number`}},
		{name: "migrate down less than nothing", args: []string{"migrate", "down", "-1"}, code: 2, stderr: []string{`nimbus: migrate down: "-1" is not a number`}},
		{name: "migrate up two", args: []string{"migrate", "up", "2"}, code: 2, stderr: []string{`nimbus: migrate up does not take "2"`}},
		{name: "migrate force nothing", args: []string{"migrate", "force"}, code: 2, stderr: []string{"nimbus: migrate force needs the version to set"}},
		{name: "keys", args: []string{"keys"}, code: 2, stderr: []string{"nimbus: keys takes one word: rewrap"}},
		{name: "keys unwrap", args: []string{"keys", "unwrap"}, code: 2, stderr: []string{"nimbus: keys takes one word: rewrap"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			got := nimbus(t, append([]string{"NIMBUS_DATA_DIR=" + dir}, tt.settings...), tt.args...)
			if got.code != tt.code {
				t.Errorf("exit code %d, want %d", got.code, tt.code)
			}
			lines := slices.DeleteFunc(strings.Split(got.stderr, "\n"), func(l string) bool { return l == "" })
			if !slices.Equal(lines, tt.stderr) {
				t.Errorf("stderr:\n%s\nwant:\n%s", got.stderr, strings.Join(tt.stderr, "\n"))
			}
			for _, want := range tt.stdout {
				if !strings.Contains(got.stdout, want) {
					t.Errorf("%q is not in the output:\n%s", want, got.stdout)
				}
			}
			if len(tt.stdout) == 0 && got.stdout != "" {
				t.Errorf("stdout: %s", got.stdout)
			}
			for _, secret := range []string{leak, keyA, keyB} {
				if strings.Contains(got.stdout+got.stderr, secret) {
					t.Errorf("a secret is shown:\n%s%s", got.stdout, got.stderr)
				}
			}
			if files, _ := filepath.Glob(dir + "*"); len(files) > 0 {
				t.Errorf("a data directory was made: %q", files)
			}
		})
	}
	if got := nimbus(t, []string{"NIMBUS_JWT_SECRET=" + keyA}, "serve", "-h"); got.code != 0 || !strings.Contains(got.stderr, "(NIMBUS_JWT_SECRET)") || strings.Contains(got.stderr, keyA) {
		t.Errorf("serve -h: %d\n%s", got.code, got.stderr)
	}
}

func TestMigrateGoesUpAndDownAndSaysWhereItIs(t *testing.T) {
	t.Parallel()
	settings := []string{"NIMBUS_DATABASE_URL=" + nimbustest.EmptyDSN(t)}
	migrate := func(args ...string) (current, latest int, dirty bool) {
		t.Helper()
		got := nimbus(t, settings, append([]string{"migrate"}, args...)...)
		m := regexp.MustCompile(`^schema version (\d+), this binary has (\d+)(, DIRTY)?\n$`).FindStringSubmatch(got.stdout)
		if got.code != 0 || m == nil {
			t.Fatalf("migrate %s: %d\n%s%s", args, got.code, got.stdout, got.stderr)
		}
		current, _ = strconv.Atoi(m[1])
		latest, _ = strconv.Atoi(m[2])
		return current, latest, m[3] != ""
	}
	current, latest, _ := migrate("status")
	if current != 0 || latest == 0 {
		t.Fatalf("a new database is at %d of %d", current, latest)
	}
	want := func(step string, want int, args ...string) {
		t.Helper()
		if current, _, dirty := migrate(args...); current != want || dirty {
			t.Errorf("%s: version %d, dirty %t, want %d", step, current, dirty, want)
		}
	}
	want("up", latest, "up")
	want("up again", latest, "up")
	want("no word means up", latest)
	want("one step down", latest-1, "down")
	// A server that may not migrate refuses, and says what to do.
	if got := nimbus(t, append(settings, "NIMBUS_AUTO_MIGRATE=false", "NIMBUS_DATA_DIR="+dataDir(t)), "serve"); got.code != 1 || !strings.Contains(got.stderr, "run nimbus migrate up") {
		t.Errorf("serve on an old schema: %d\n%s", got.code, got.stderr)
	}
	want("up after down", latest, "up")
	want("all the way down", 0, "down", strconv.Itoa(latest))
	want("force applies nothing", latest, "force", strconv.Itoa(latest))
	want("force takes back nothing", 0, "force", "0")
	want("up from there", latest, "up")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"down", strconv.Itoa(latest + 1)}, fmt.Sprintf("nimbus: migrate down: %d steps, but only %d migrations are applied", latest+1, latest)},
		{[]string{"down", "0"}, "nimbus: migrate down: 0 steps, want at least 1"},
		{[]string{"force", "9999"}, "nimbus: migrate force: this binary has no migration 9999"},
	} {
		if got := nimbus(t, settings, append([]string{"migrate"}, tt.args...)...); got.code != 1 || strings.TrimSpace(got.stderr) != tt.want {
			t.Errorf("migrate %s: %d\n%s\nwant %s", tt.args, got.code, got.stderr, tt.want)
		}
	}
	want("nothing of this changed anything", latest, "status")
}

// What an operator would see otherwise is a backup of nothing, and a doctor who finds an empty database in good health.
func TestCommandsThatAreNotToldWhereThingsAreMakeNone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	for _, args := range [][]string{{"doctor"}, {"backup", filepath.Join(t.TempDir(), "backup")}, {"keys", "rewrap"},
		{"rollups", "verify"}, {"parts", "status"}, {"migrate", "status"}, {"migrate", "down"}} {
		got := nimbus(t, []string{"NIMBUS_DATA_DIR=" + dir}, args...)
		if got.code == 0 || !strings.Contains(got.stdout+got.stderr, "there is no database in "+dir+": set NIMBUS_DATA_DIR or NIMBUS_DATABASE_URL") {
			t.Errorf("%s: %d\n%s%s", args, got.code, got.stdout, got.stderr)
		}
	}
	// Nor secrets, which would be none of the server's.
	dsn := nimbustest.DSN(t)
	for _, args := range [][]string{{"doctor"}, {"keys", "rewrap"}} {
		got := nimbus(t, []string{"NIMBUS_DATABASE_URL=" + dsn, "NIMBUS_DATA_DIR=" + dir}, args...)
		if !strings.Contains(got.stdout+got.stderr, "set NIMBUS_SECRET_KEY or NIMBUS_DATA_DIR to what the server has") {
			t.Errorf("%s: %d\n%s%s", args, got.code, got.stdout, got.stderr)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is there: %v", dir, err)
	}
}

func TestASecretKeyCanBeReplaced(t *testing.T) {
	t.Parallel()
	base := []string{"NIMBUS_DATABASE_URL=" + nimbustest.DSN(t), "NIMBUS_JWT_SECRET=" + keyA, "NIMBUS_DATA_DIR=" + dataDir(t)}
	with := func(settings ...string) []string { return append(slices.Clone(base), settings...) }
	p := start(t, with("NIMBUS_SECRET_KEY="+keyA), "serve")
	x := register(t, p)
	x.ingest(p, "under the old key")
	p.stop()

	// A server with the new key alone cannot check the signature, and must not let it pass.
	p = start(t, with("NIMBUS_SECRET_KEY="+keyB), "serve")
	if status, answer, err := x.send(p, "under no key"); err != nil || status == http.StatusOK {
		t.Errorf("%d, %v: %s", status, err, answer)
	}
	p.stop()

	p = start(t, with("NIMBUS_SECRET_KEY="+keyB, "NIMBUS_SECRET_KEY_PREVIOUS="+keyA), "serve")
	x.ingest(p, "under both keys")
	// Rewrapping is done while servers run.
	got := nimbus(t, with("NIMBUS_SECRET_KEY="+keyB, "NIMBUS_SECRET_KEY_PREVIOUS="+keyA), "keys", "rewrap")
	if got.code != 0 || !strings.Contains(got.stdout, "1 secrets are now under the current key.\n") {
		t.Errorf("rewrap: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	x.ingest(p, "while it runs")
	p.stop()

	p = start(t, with("NIMBUS_SECRET_KEY="+keyB), "serve")
	x.ingest(p, "under the new key")
	if got := x.users(p); len(got) != 4 || got["under no key"] != 0 {
		t.Errorf("%v", got)
	}
	if got := nimbus(t, with("NIMBUS_SECRET_KEY="+keyB), "keys", "rewrap"); got.code != 0 {
		t.Errorf("rewrap again: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	x.ingest(p, "and after that")
}

func TestTheDemoShowsWhatToDoNext(t *testing.T) {
	t.Parallel()
	settings := []string{"NIMBUS_DATA_DIR=" + dataDir(t), "NIMBUS_LOG_LEVEL=warn"}
	first := start(t, settings, "demo")
	x, accepted, duplicates := lookAround(t, first)
	if accepted < 1000 || duplicates != 0 {
		t.Errorf("%d events sent, %d there already", accepted, duplicates)
	}
	if total := x.total(first); total != accepted {
		t.Errorf("%d sent, %d counted", accepted, total)
	}
	first.stop()

	again := start(t, settings, "demo")
	x, more, known := lookAround(t, again)
	// Of 28 days, the oldest hour may have gone out of the window in between.
	if known > accepted || known < accepted*99/100 || more > accepted/100 {
		t.Errorf("the second time %d events were sent and %d were there already, of %d", more, known, accepted)
	}
	if total := x.total(again); total != accepted+more {
		t.Errorf("%d and %d sent, %d counted", accepted, more, total)
	}
	var list struct{ Items []struct{ ID string } }
	if x.call(again, http.MethodGet, "/v1/projects", nil, 200, &list); len(list.Items) != 1 {
		t.Errorf("%d projects", len(list.Items))
	}
}

// lookAround does what the demo says can be done.
func lookAround(t *testing.T, p *process) (x *tenant, sent, known int) {
	t.Helper()
	text := p.text()
	m := regexp.MustCompile(`(?m)^  Log in +(\S+)   (\S+)\n  Project +.*   (\S+)\n  API key +(\S+)   (\S+)\n  Sent +(\d+) events through the Go SDK \((\d+) were there already\)$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("the demo prints something else:\n%s", text)
	}
	sent, _ = strconv.Atoi(m[6])
	known, _ = strconv.Atoi(m[7])
	x = &tenant{t: t, email: m[1], project: m[3], id: m[4], secret: m[5]}
	var session struct {
		AccessToken string `json:"access_token"`
	}
	x.call(p, http.MethodPost, "/v1/auth/login", map[string]string{"email": m[1], "password": m[2]}, 200, &session)
	x.token = session.AccessToken

	line := regexp.MustCompile(`(?m)^  (curl .*)$`).FindStringSubmatch(text)
	if line == nil {
		t.Fatalf("no curl to copy:\n%s", text)
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("this test needs curl: apt-get install curl")
	}
	var answer struct {
		Metric string
		Total  float64
		Series []struct{ Value float64 }
		Groups []struct{ Value string }
	}
	if err := json.Unmarshal(shell(t, line[1]), &answer); err != nil || answer.Metric == "" || len(answer.Series) != 7 || answer.Total == 0 || len(answer.Groups) < 3 {
		t.Errorf("%s\nanswers %+v, %v", line[1], answer, err)
	}
	if status := shell(t, line[1]+" -o /dev/null -w '%{http_code} %{content_type}'"); string(status) != "200 application/json" {
		t.Errorf("%s\nanswers %s", line[1], status)
	}
	const day = 24 * time.Hour // the question is about the last seven, and one may end between the two answers
	if p.begun.Truncate(day).Equal(time.Now().Truncate(day)) && !strings.Contains(text, "total "+strconv.Itoa(int(answer.Total))+", exact, from rollup") {
		t.Errorf("curl counts %v:\n%s", answer.Total, text)
	}
	return x, sent, known
}

func shell(t *testing.T, command string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), nimbustest.Patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-c", command).Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}
