package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// binary is the program as it is shipped, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nimbus-cmd-")
	if err != nil {
		panic(err)
	}
	if binary, err = nimbustest.Build(dir, filepath.Join("..", "..")); err != nil {
		_ = os.RemoveAll(dir)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	nimbustest.MainThen(m, func(code int) int {
		_ = os.RemoveAll(dir)
		return code
	})
}

// dataDir is one that the account of the embedded PostgreSQL can enter when the tests run as root.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nimbus-cmd-data-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the data directory: %v", err)
		}
	})
	return filepath.Join(dir, "data")
}

// environment is that of the tests without their own settings, and small settings for a program under test.
func environment(settings ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "NIMBUS_") || strings.HasPrefix(kv, "NIMBUS_POSTGRES_BIN=") {
			env = append(env, kv)
		}
	}
	return append(append(env, "NIMBUS_ADDR=127.0.0.1:0", "NIMBUS_ADMIN_ADDR=off", "NIMBUS_BCRYPT_COST=4", "NIMBUS_RATE_LIMIT_ENABLED=false"),
		settings...)
}

// result is what a command left when it ended.
type result struct {
	code           int
	stdout, stderr string
}

// nimbus runs a command to its end, in an empty directory.
func nimbus(t *testing.T, settings []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), nimbustest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env, cmd.Dir = environment(settings...), t.TempDir()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("nimbus %s does not end:\n%s%s", args, &stdout, &stderr)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// process is a Nimbus that stays up.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	url   string
	out   *output // stdout and stderr
	begun time.Time
	took  time.Duration
	done  chan struct{}
}

// output collects what a process writes and wakes whoever waits for a part of it.
type output struct {
	mu   sync.Mutex
	b    bytes.Buffer
	news chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.news)
	o.news = make(chan struct{})
	return o.b.Write(p)
}

func (o *output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String(), o.news
}

var (
	readyLine = regexp.MustCompile(`(?:msg=ready url=|"msg":"ready",.*"url":")(http://[^ "]+)`)
	demoReady = regexp.MustCompile(`API and docs +(http://\S+)/docs(?s:.*)It stays up until Ctrl-C`)
)

// start runs serve or demo and waits until it says that it is ready.
func start(t *testing.T, settings []string, args ...string) *process {
	t.Helper()
	return startProgram(t, binary, settings, args...)
}

// startProgram is start with the program of another release.
func startProgram(t *testing.T, program string, settings []string, args ...string) *process {
	t.Helper()
	ready := readyLine
	if args[0] == "demo" {
		ready = demoReady
	}
	p := launch(t, program, settings, args...)
	t.Cleanup(func() {
		select {
		case <-p.done:
		default:
			p.stop()
		}
	})
	p.await(ready)
	p.took = time.Since(p.begun)
	p.url = ready.FindStringSubmatch(p.text())[1]
	return p
}

// launch runs a program that the caller ends.
func launch(t *testing.T, program string, settings []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, out: &output{news: make(chan struct{})}, done: make(chan struct{})}
	p.cmd = exec.Command(program, args...) // no context: it is stopped by signals, which is what is tested
	p.cmd.Env, p.cmd.Dir = environment(settings...), t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.begun = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // its state is looked at
		close(p.done)
	}()
	return p
}

func (p *process) await(what *regexp.Regexp) {
	p.t.Helper()
	patience := time.After(nimbustest.Patience)
	for {
		text, news := p.out.read()
		if what.MatchString(text) {
			return
		}
		select {
		case <-news:
		case <-p.done:
			if text, _ := p.out.read(); !what.MatchString(text) {
				p.t.Fatalf("it ended with %s before it said %s:\n%s", p.cmd.ProcessState, what, text)
			}
		case <-patience:
			p.t.Fatalf("it does not say %s:\n%s", what, text)
		}
	}
}

// end sends a signal and returns the exit code; -1 when it was killed.
func (p *process) end(sig syscall.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(nimbustest.Patience):
		_ = p.cmd.Process.Kill()
		<-p.done
		p.t.Errorf("it did not end on %s:\n%s", sig, p.text())
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop ends it as a supervisor does, which must go well.
func (p *process) stop() {
	p.t.Helper()
	if code := p.end(syscall.SIGTERM); code != 0 {
		p.t.Errorf("exit code %d on SIGTERM:\n%s", code, p.text())
	}
}

func (p *process) text() string {
	text, _ := p.out.read()
	return text
}

// tenant is an account and its project, good for every process on the same data.
type tenant struct {
	t                                 *testing.T
	email, token, project, id, secret string
}

const password = "Correct-Horse-7"

func register(t *testing.T, p *process) *tenant {
	t.Helper()
	x := &tenant{t: t, email: uuid.NewString() + "@example.com"}
	var session struct {
		AccessToken string `json:"access_token"`
	}
	x.call(p, http.MethodPost, "/v1/auth/register", map[string]string{"email": x.email, "password": password}, 201, &session)
	x.token = session.AccessToken
	var made struct {
		Project      struct{ ID string }
		APIKeyID     string `json:"api_key_id"`
		APIKeySecret string `json:"api_key_secret"`
	}
	x.call(p, http.MethodPost, "/v1/projects", map[string]string{"name": "Test"}, 201, &made)
	x.project, x.id, x.secret = made.Project.ID, made.APIKeyID, made.APIKeySecret
	return x
}

// call does a request with the tenant's access token and decodes the answer, which must have the status.
func (x *tenant) call(p *process, method, path string, body any, status int, into any) {
	x.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		x.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(x.t.Context(), method, p.url+path, bytes.NewReader(b))
	if err != nil {
		x.t.Fatal(err)
	}
	if body == nil {
		req.Body, req.ContentLength = nil, 0
	}
	req.Header.Set("Content-Type", "application/json")
	if x.token != "" {
		req.Header.Set("Authorization", "Bearer "+x.token)
	}
	got, answer, err := do(req)
	if err != nil || got != status {
		x.t.Fatalf("%s %s: %d, %v: %s", method, path, got, err, answer)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			x.t.Fatalf("%s %s: %v: %s", method, path, err, answer)
		}
	}
}

func do(req *http.Request) (int, []byte, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, b, err
}

// send sends an event for each user in a signed request.
func (x *tenant) send(p *process, users ...string) (status int, answer []byte, err error) {
	var events []map[string]string
	for _, u := range users {
		events = append(events, map[string]string{"name": "e", "user_id": u, "idempotency_key": u})
	}
	body, err := json.Marshal(map[string]any{"project_id": x.project, "events": events})
	if err != nil {
		return 0, nil, err
	}
	return x.sendBody(p, body)
}

// sendBody sends exactly these bytes in a signed request.
func (x *tenant) sendBody(p *process, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(x.t.Context()), http.MethodPost, p.url+"/v1/events", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	ts := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header = http.Header{"Content-Type": {"application/json"}, "X-Api-Key-Id": {x.id}, "X-Api-Timestamp": {ts},
		"X-Api-Signature": {projects.Sign(x.secret, ts, http.MethodPost, "/v1/events", body)}}
	return do(req)
}

// ingest is send for a server that must take it.
func (x *tenant) ingest(p *process, users ...string) {
	x.t.Helper()
	if status, answer, err := x.send(p, users...); err != nil || status != http.StatusOK {
		x.t.Fatalf("send events: %d, %v: %s", status, err, answer)
	}
}

// users is how many events of each user are stored.
func (x *tenant) users(p *process) map[string]int {
	x.t.Helper()
	out := make(map[string]int)
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				UserID string `json:"user_id"`
			}
			NextCursor *string `json:"next_cursor"`
		}
		x.call(p, http.MethodGet, "/v1/events?limit=1000&project_id="+x.project+cursor, nil, 200, &page)
		for _, e := range page.Items {
			out[e.UserID]++
		}
		if page.NextCursor == nil {
			return out
		}
		cursor = "&cursor=" + *page.NextCursor
	}
}

// total is the answer of the metrics, which come from the rollups.
func (x *tenant) total(p *process) int {
	x.t.Helper()
	var m struct{ Total float64 }
	x.call(p, http.MethodGet, "/v1/metrics?bucket=1d&limit=30&project_id="+x.project, nil, 200, &m)
	return int(m.Total)
}
