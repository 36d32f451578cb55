package apptest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/internal/access/projects"
	"github.com/bahagh/nimbus/internal/app"
	"github.com/bahagh/nimbus/internal/events/ingest"
	"github.com/bahagh/nimbus/internal/live"
	"github.com/bahagh/nimbus/internal/platform/config"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// Clock is a fake clock that tests move by hand.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
	frozen time.Time
}

// Now is the real time, moved by what was added.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.frozen.IsZero() {
		return c.frozen
	}
	return time.Now().Add(c.offset)
}

// Add moves the clock.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
	if !c.frozen.IsZero() {
		c.frozen = c.frozen.Add(d)
	}
}

// Freeze stops the clock, except for Add: for tests whose own duration would matter, as at the end of a minute, an
// hour or a day.
func (c *Clock) Freeze() {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen = now
}

// App is the real program, running on a port of its own with a database of its own.
type App struct {
	URL   string
	Clock *Clock
	DSN   string
	Log   *LogBuffer
	Admin http.Handler
	API   http.Handler // the handler that serves URL

	program *app.App
	stop    func()
}

// Boot starts the program; it stops when the test ends. Settings are variables such as "NIMBUS_LOG_LEVEL=debug".
func Boot(t testing.TB, settings ...string) *App {
	t.Helper()
	return BootOn(t, nimbustest.DSN(t), settings...)
}

// BootOn starts the program on a given database, so that a test can start it again.
func BootOn(t testing.TB, dsn string, settings ...string) *App {
	t.Helper()
	return BootWith(t, dsn, nil, settings...)
}

// BootWith is BootOn with other bounds of ingestion; change may be nil.
func BootWith(t testing.TB, dsn string, change func(*ingest.BatcherConfig), settings ...string) *App {
	t.Helper()
	var options []app.Option
	if change != nil {
		options = append(options, app.WithIngestion(change))
	}
	return BootOptions(t, dsn, options, settings...)
}

// BootOptions is BootOn with options of the program.
func BootOptions(t testing.TB, dsn string, options []app.Option, settings ...string) *App {
	t.Helper()
	environ := append([]string{"NIMBUS_DATABASE_URL=" + dsn, "NIMBUS_ADDR=127.0.0.1:0", "NIMBUS_ADMIN_ADDR=off",
		"NIMBUS_BCRYPT_COST=4", "NIMBUS_DATA_DIR=" + t.TempDir(), "NIMBUS_DB_POOL_SIZE=8",
		"NIMBUS_RATE_LIMIT_ENABLED=false"}, settings...)
	cfg, _, err := config.Load(flag.NewFlagSet("test", flag.ContinueOnError), nil, environ)
	if err != nil {
		t.Fatalf("settings: %v", err)
	}
	a := &App{Clock: &Clock{}, DSN: dsn, Log: &LogBuffer{}}
	log := slog.New(slog.NewJSONHandler(a.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	program, err := app.New(t.Context(), cfg, a.Clock.Now, log, append([]app.Option{app.WithStreaming(patient)}, options...)...)
	if err != nil {
		t.Fatalf("boot: %v", err)
	}
	a.program, a.Admin, a.API = program, program.Admin(), program.Handler()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- program.Run(ctx, func(addr string) { ready <- addr }) }()
	select {
	case addr := <-ready:
		a.URL = "http://" + addr
	case err := <-done:
		cancel()
		t.Fatalf("run: %v", err)
	}
	a.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	t.Cleanup(a.stop)
	return a
}

// patient makes a live stream wait for its client as long as a test waits for anything. A test's client answers pings only
// while it reads, and on a busy machine more than the usual 40 s lie between two reads: it would be cut off.
func patient(c *live.Config) { c.PongTime, c.WriteTime = nimbustest.Patience, nimbustest.Patience }

// Stop shuts the program down and waits for it.
func (a *App) Stop() { a.stop() }

// Exec changes the database behind the program's back.
func (a *App) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), a.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Query reads one row of the database.
func (a *App) Query(t testing.TB, sql string, into ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), a.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := conn.QueryRow(t.Context(), sql).Scan(into...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// JobError runs a background job of the program to its end, without waiting for its turn, and returns its error.
func (a *App) JobError(t testing.TB, name string) error {
	t.Helper()
	return a.program.RunJob(t.Context(), name)
}

// RunJob is JobError for a job that must succeed.
func (a *App) RunJob(t testing.TB, name string) {
	t.Helper()
	if err := a.program.RunJob(t.Context(), name); err != nil {
		t.Errorf("the job %q: %v", name, err)
	}
}

// LogBuffer keeps the log.
type LogBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends a line.
func (l *LogBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns everything logged so far.
func (l *LogBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Client calls the program and checks every reply against the contract.
type Client struct {
	t      testing.TB
	app    *App
	http   *http.Client
	header http.Header
}

// Client returns a caller without credentials.
func (a *App) Client(t testing.TB) *Client {
	return &Client{t: t, app: a, header: http.Header{},
		http: &http.Client{Transport: &checkedTransport{t: t, base: http.DefaultTransport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}} // a redirect is a reply too
}

// With returns a caller that also sends this header.
func (c *Client) With(name, value string) *Client {
	out := *c
	out.header = c.header.Clone()
	out.header.Set(name, value)
	return &out
}

// On returns the same caller at another node.
func (c *Client) On(a *App) *Client {
	out := *c
	out.app = a
	return &out
}

// Bearer returns a caller with this token.
func (c *Client) Bearer(token string) *Client { return c.With("Authorization", "Bearer "+token) }

// HTTP is the underlying client, for exchanges that are not one request and one reply.
func (c *Client) HTTP() *http.Client { return c.http }

// Header returns the headers it sends.
func (c *Client) Header() http.Header { return c.header.Clone() }

// Reply is an answer, read to its end.
type Reply struct {
	t      testing.TB
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request. body is nil, the exact bytes ([]byte), or a value to be sent as JSON.
func (c *Client) Do(method, path string, body any) *Reply {
	c.t.Helper()
	var b []byte
	switch v := body.(type) {
	case nil:
	case []byte:
		b = v
	default:
		var err error
		if b, err = json.Marshal(body); err != nil {
			c.t.Fatalf("encode the body: %v", err)
		}
	}
	req := c.Request(method, path, b)
	return c.Send(req)
}

// Request makes a request with the client's headers.
func (c *Client) Request(method, path string, body []byte) *http.Request {
	c.t.Helper()
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(c.t.Context()), method, c.app.URL+path, r)
	if err != nil {
		c.t.Fatalf("make the request: %v", err)
	}
	req.Header = c.header.Clone()
	if body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

// Send sends a request that was made by hand.
func (c *Client) Send(req *http.Request) *Reply {
	c.t.Helper()
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer res.Body.Close()
	read := io.ReadAll
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		read = firstEvent // the stream does not end
	}
	b, err := read(res.Body)
	if err != nil {
		c.t.Fatalf("read the answer: %v", err)
	}
	return &Reply{t: c.t, Status: res.StatusCode, Header: res.Header, Body: b}
}

// firstEvent reads a stream up to the end of its first event.
func firstEvent(r io.Reader) ([]byte, error) {
	var event []byte
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadBytes('\n')
		if event = append(event, line...); err != nil || len(bytes.TrimSpace(line)) == 0 {
			return event, err
		}
	}
}

// Want fails the test unless the status is this one.
func (r *Reply) Want(status int) *Reply {
	r.t.Helper()
	if r.Status != status {
		r.t.Fatalf("status %d, want %d: %s", r.Status, status, r.Body)
	}
	return r
}

// WantCode fails the test unless the answer is this problem.
func (r *Reply) WantCode(status int, code string) *Reply {
	r.t.Helper()
	r.Want(status)
	var p struct{ Code string }
	r.JSON(&p)
	if p.Code != code {
		r.t.Fatalf("code %q, want %q: %s", p.Code, code, r.Body)
	}
	return r
}

// JSON decodes the answer.
func (r *Reply) JSON(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.Body, v); err != nil {
		r.t.Fatalf("decode %T: %v: %s", v, err, r.Body)
	}
}

// Account is a person who is logged in.
type Account struct {
	*Client      // with the access token
	ID           uuid.UUID
	Email        string
	AccessToken  string
	RefreshToken string
}

// Password is one that every account of the tests has.
const Password = "Correct-Horse-7"

// Account registers an account.
func (a *App) Account(t testing.TB) *Account {
	t.Helper()
	return a.enter(t, "register", uuid.NewString()+"@example.com", http.StatusCreated)
}

// Login opens a session of its own for an account that is registered.
func (a *App) Login(t testing.TB, email string) *Account {
	t.Helper()
	return a.enter(t, "login", email, http.StatusOK)
}

func (a *App) enter(t testing.TB, how, email string, status int) *Account {
	t.Helper()
	var s struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		Account      struct{ ID uuid.UUID }
	}
	c := a.Client(t)
	c.Do("POST", "/v1/auth/"+how, map[string]string{"email": email, "password": Password}).Want(status).JSON(&s)
	return &Account{Client: c.Bearer(s.AccessToken), ID: s.Account.ID, Email: email, AccessToken: s.AccessToken, RefreshToken: s.RefreshToken}
}

// Tenant is an account with a project.
type Tenant struct {
	*Account
	ProjectID uuid.UUID
	KeyID     string
	Secret    string
}

// Tenant registers an account and creates a project.
func (a *App) Tenant(t testing.TB) *Tenant {
	t.Helper()
	account := a.Account(t)
	var p struct {
		Project      struct{ ID uuid.UUID }
		APIKeyID     string `json:"api_key_id"`
		APIKeySecret string `json:"api_key_secret"`
	}
	account.Do("POST", "/v1/projects", map[string]string{"name": t.Name()[:min(len(t.Name()), 100)]}).Want(201).JSON(&p)
	return &Tenant{Account: account, ProjectID: p.Project.ID, KeyID: p.APIKeyID, Secret: p.APIKeySecret}
}

// Invite makes an invitation to the tenant's project and returns its token.
func (x *Tenant) Invite(role, email string) string {
	x.t.Helper()
	body := map[string]string{"role": role}
	if email != "" {
		body["email"] = email
	}
	var made struct{ Token string }
	x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/invitations", body).Want(201).JSON(&made)
	return made.Token
}

// Join makes an account a member of the tenant's project, as people become members: it accepts an invitation.
func (x *Tenant) Join(who *Account, role string) {
	x.t.Helper()
	who.Do("POST", "/v1/invitations/accept", map[string]string{"token": x.Invite(role, "")}).Want(200)
}

// Operator registers an account that operates the instance. Called before every other account is made, it is the first one;
// otherwise two are operators.
func (a *App) Operator(t testing.TB) *Account {
	t.Helper()
	account := a.Account(t)
	a.Promote(t, account)
	return account
}

// Promote makes an account an operator of the instance.
func (a *App) Promote(t testing.TB, account *Account) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), a.DSN)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), "UPDATE accounts SET operator = true WHERE id = $1", account.ID); err != nil {
		t.Fatalf("make an operator: %v", err)
	}
}

// Event is an event as a test writes it.
type Event = map[string]any

// Batch returns the body of an ingestion request.
func (x *Tenant) Batch(events ...Event) []byte {
	x.t.Helper()
	b, err := json.Marshal(map[string]any{"project_id": x.ProjectID, "events": events})
	if err != nil {
		x.t.Fatalf("encode events: %v", err)
	}
	return b
}

// Signed makes a signed ingestion request for the exact bytes.
func (x *Tenant) Signed(body []byte) *http.Request {
	x.t.Helper()
	return x.SignedAt(body, x.app.Clock.Now().Unix())
}

// SignedAt is Signed with another timestamp.
func (x *Tenant) SignedAt(body []byte, unixSeconds int64) *http.Request {
	x.t.Helper()
	return x.app.Client(x.t).Signed(x.KeyID, x.Secret, http.MethodPost, "/v1/events", body, unixSeconds)
}

// Signed makes a request that is signed with a key.
func (c *Client) Signed(keyID, secret, method, target string, body []byte, unixSeconds int64) *http.Request {
	c.t.Helper()
	ts := strconv.FormatInt(unixSeconds, 10)
	path, _, _ := strings.Cut(target, "?")
	req := c.Request(method, target, body)
	req.Header.Set("X-Api-Key-Id", keyID)
	req.Header.Set("X-Api-Timestamp", ts)
	req.Header.Set("X-Api-Signature", projects.Sign(secret, ts, method, path, body))
	return req
}

// Ingested is the answer to an ingestion request.
type Ingested struct {
	Accepted, Duplicates, Rejected int
	Errors                         []struct {
		Index         int
		Pointer, Code string
		Detail        string
	}
}

// Ingest sends events in a signed request and returns the answer, which must be a 200.
func (x *Tenant) Ingest(events ...Event) Ingested {
	x.t.Helper()
	var out Ingested
	x.Send(x.Signed(x.Batch(events...))).Want(http.StatusOK).JSON(&out)
	return out
}

// Count returns how many events of the project are stored.
func (x *Tenant) Count() int {
	x.t.Helper()
	n, cursor := 0, ""
	for {
		var page struct {
			Items      []struct{ ID uuid.UUID }
			NextCursor *string `json:"next_cursor"`
		}
		x.Do("GET", "/v1/events?limit=1000&project_id="+x.ProjectID.String()+cursor, nil).Want(200).JSON(&page)
		n += len(page.Items)
		if page.NextCursor == nil {
			return n
		}
		cursor = "&cursor=" + *page.NextCursor
	}
}

// Metrics scrapes the admin listener.
func (a *App) Metrics(t testing.TB) string {
	t.Helper()
	w := httptest.NewRecorder()
	a.Admin.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/metrics", nil))
	return w.Body.String()
}
