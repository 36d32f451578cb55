package nimbus_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	nimbus "github.com/bahagh/nimbus/sdk/go"
)

var project = uuid.MustParse("3fa85f64-5717-4562-b3fc-2c963f66afa6")

// misbehaving is the URL of the server that all SDKs are tested against (test/sdktest), started once for all tests.
var misbehaving string

func TestMain(m *testing.M) {
	if os.Getenv(victimURL) != "" {
		beVictim()
	}
	dir, err := os.MkdirTemp("", "nimbus-sdktest-")
	if err != nil {
		panic(err)
	}
	code := func() int {
		defer os.RemoveAll(dir)
		binary := filepath.Join(dir, "server")
		build := exec.Command("go", "-C", "../..", "build", "-trimpath", "-o", binary, "./test/sdktest/cmd")
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // as everything else is compiled
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			panic(fmt.Sprintf("build the server: %v", err))
		}
		server := exec.Command(binary, "-until-eof")
		server.Stderr = os.Stderr
		stdin, err := server.StdinPipe()
		if err != nil {
			panic(err)
		}
		stdout, err := server.StdoutPipe()
		if err != nil {
			panic(err)
		}
		if err := server.Start(); err != nil {
			panic(err)
		}
		line, err := bufio.NewReader(stdout).ReadString('\n')
		if err != nil {
			panic(fmt.Sprintf("the server does not say where it is: %v", err))
		}
		misbehaving = strings.TrimSpace(line)
		defer func() {
			_ = stdin.Close()
			_ = server.Wait()
		}()
		return m.Run()
	}()
	os.Exit(code)
}

// request is one that arrived.
type request struct {
	ReceivedAt time.Time          `json:"received_at"`
	Path       string             `json:"path"`
	Headers    map[string]string  `json:"headers"`
	Signature  string             `json:"signature"`
	BodyBytes  int                `json:"body_bytes"`
	Text       string             `json:"text"`
	ProjectID  string             `json:"project_id"`
	Events     []nimbus.Event     `json:"events"`
	Operations []nimbus.Operation `json:"operations"`
	Status     int                `json:"status"`
}

// names are those of the events, in order.
func (r *request) names() string {
	var names []string
	for _, e := range r.Events {
		names = append(names, e.Name)
	}
	return strings.Join(names, " ")
}

type report struct {
	Requests []request `json:"requests"`
	Stored   []string  `json:"stored"`
}

// session is the server as one test has scripted it.
type session struct {
	t   *testing.T
	url string
}

func scripted(t *testing.T, script string) *session {
	t.Helper()
	var opened struct{ URL string }
	exchange(t, http.MethodPost, misbehaving+"/__script", script, http.StatusCreated, &opened)
	return &session{t, opened.URL}
}

func exchange(t *testing.T, method, url, body string, status int, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		t.Fatalf("%s %s: %d, %v: %.2000s", method, url, res.StatusCode, err, answer)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			t.Fatal(err)
		}
	}
}

// report is what has arrived; query says what to wait for: "requests=2" answered, "waiting=1" held.
func (s *session) report(query string) report {
	s.t.Helper()
	var r report
	exchange(s.t, http.MethodGet, s.url+"/__requests?"+query, "", http.StatusOK, &r)
	return r
}

func (s *session) release() {
	s.t.Helper()
	exchange(s.t, http.MethodPost, s.url+"/__release", "", http.StatusNoContent, nil)
}

// tracked is a tracker and what it has reported.
type tracked struct {
	*nimbus.Tracker
	t   *testing.T
	log *logBuffer

	mu      sync.Mutex
	drops   []drop
	changes []lostChange // the operations that were dropped
}

type drop struct {
	event nimbus.Event
	why   error
}

type lostChange struct {
	operation nimbus.Operation
	why       error
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// tracker sends to the session, only when told to, and tries again at once, unless change says otherwise.
func (s *session) tracker(change ...func(*nimbus.Config)) *tracked {
	s.t.Helper()
	x := &tracked{t: s.t, log: &logBuffer{}}
	c := nimbus.Config{URL: s.url, ProjectID: project.String(), KeyID: "nk_test", Secret: "ns_test",
		FlushInterval: time.Hour, MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(x.log, nil)), OnDrop: func(e nimbus.Event, why error) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.drops = append(x.drops, drop{e, why})
		}, OnDropOperation: func(o nimbus.Operation, why error) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.changes = append(x.changes, lostChange{o, why})
		}}
	for _, f := range change {
		f(&c)
	}
	var err error
	if x.Tracker, err = nimbus.New(c); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { // what is left does not matter
		if err := x.Close(s.t.Context()); err != nil {
			s.t.Logf("close: %v", err)
		}
	})
	return x
}

// track tracks an event of each name; flush sends them.
func (x *tracked) track(names ...string) {
	x.t.Helper()
	for _, name := range names {
		if err := x.Track(x.t.Context(), name, nil); err != nil {
			x.t.Fatal(err)
		}
	}
}

func (x *tracked) flush() {
	x.t.Helper()
	if err := x.Flush(x.t.Context()); err != nil {
		x.t.Fatal(err)
	}
	if s := x.Stats(); s.Tracked != s.Delivered+s.Rejected+s.Dropped+s.Waiting {
		x.t.Errorf("the counts do not add up: %+v", s)
	}
}

// droppedOperations are the operations that were dropped.
func (x *tracked) droppedOperations() []lostChange {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]lostChange(nil), x.changes...)
}

func (x *tracked) dropped() []drop {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]drop(nil), x.drops...)
}
