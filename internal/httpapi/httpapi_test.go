package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/postgres"
	"github.com/bahagh/nimbus/openapi"
)

// handlers answers the operations that a test is about; any other panics.
type handlers struct {
	api.ServerInterface
	getMe, ingest, listProjects, login, logout, exportAudit echo.HandlerFunc
}

func (h *handlers) GetMe(c echo.Context) error  { return h.getMe(c) }
func (h *handlers) Login(c echo.Context) error  { return h.login(c) }
func (h *handlers) Logout(c echo.Context) error { return h.logout(c) }
func (h *handlers) ListProjects(c echo.Context, _ api.ListProjectsParams) error {
	return h.listProjects(c)
}

func (h *handlers) ExportAudit(c echo.Context, _ api.ProjectPath, _ api.ExportAuditParams) error {
	return h.exportAudit(c)
}

func (h *handlers) IngestEvents(c echo.Context, _ api.IngestEventsParams) error { return h.ingest(c) }

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// testBundle is the HTTP layer in front of handlers that the test writes.
type testBundle struct {
	*handlers
	echo *echo.Echo
	log  *syncBuffer
	reg  *prometheus.Registry
}

var wrongType = problem.New(problem.CodeWrongTokenType, "another kind")

var keyScopes = []string{"events:write", "events:read", "metrics:read"}

// openAccess allows every caller everything that the scopes allow; a caller without scopes is an account, which needs
// none.
type openAccess struct{}

func (openAccess) Scope(p *auth.Principal, rule auth.Rule) error {
	if p.Scopes == nil || p.Allows(rule.Scope) {
		return nil
	}
	return problem.New(problem.CodeInsufficientScope, "no")
}

func (openAccess) Project(context.Context, *auth.Principal, auth.Rule, uuid.UUID, bool) error {
	return nil
}

// credentials accept the name of each kind as valid, and refuse everything else.
func credentials() Credentials {
	token := func(valid, other string, scopes []string) func(context.Context, string) (*auth.Principal, error) {
		return func(_ context.Context, token string) (*auth.Principal, error) {
			switch token {
			case valid:
				return &auth.Principal{KeyID: valid, Scopes: scopes}, nil
			case other:
				return nil, wrongType
			case "no-database":
				return nil, problem.Unavailable(errors.New("down"))
			}
			return nil, problem.New(problem.CodeInvalidToken, "%s is no token", "it")
		}
	}
	return Credentials{
		Access:  token("access", "refresh", nil),
		Refresh: token("refresh", "access", nil),
		Secret:  token("secret", "", keyScopes),
		WriteKey: func(_ context.Context, key, origin string) (*auth.Principal, error) {
			if origin != "https://shop.example" {
				return nil, problem.New(problem.CodeOriginNotAllowed, "not from here")
			}
			return &auth.Principal{KeyID: key, Scopes: auth.WriteKeyScopes}, nil
		},
		Signature: func(_ context.Context, keyID, timestamp, signature, method, path string, body func() ([]byte, error)) (*auth.Principal, error) {
			b, err := body()
			if err != nil {
				return nil, err
			}
			if signature != fmt.Sprintf("%s:%s:%s:%s", timestamp, method, path, b) {
				return nil, problem.New(problem.CodeInvalidSignature, "no")
			}
			return &auth.Principal{KeyID: keyID, Scopes: keyScopes}, nil
		},
	}
}

func setup(t *testing.T, origins ...string) *testBundle {
	t.Helper()
	s := &testBundle{handlers: &handlers{}, log: &syncBuffer{}, reg: prometheus.NewRegistry()}
	var err error
	s.echo, err = New(s.handlers, Options{AppName: "Test", Log: Logger(slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		Registry: s.reg, AllowedOrigins: origins, Credentials: credentials(), Access: openAccess{}, Operations: api.Operations, Spec: openapi.YAML, Dashboard: builtDashboard,
		Ready: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// do sends a request; headers come in pairs of name and value.
func (s *testBundle) do(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, target, r)
	for k := 0; k < len(headers); k += 2 {
		req.Header.Add(headers[k], headers[k+1])
	}
	w := httptest.NewRecorder()
	s.echo.ServeHTTP(w, req)
	return w
}

type problemBody struct {
	Type, Title, Detail, Code string
	Status                    int
	RequestID                 string `json:"request_id"`
	Errors                    []struct {
		In, Pointer, Code string
		Index             *int
	}
	Accepted, Duplicates, Rejected *int
}

func decodeProblem(t *testing.T, w *httptest.ResponseRecorder) problemBody {
	t.Helper()
	var p problemBody
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Fatalf("not a problem: %d %s %v", w.Code, w.Body, err)
	}
	if p.Status != w.Code || p.RequestID == "" || p.RequestID != w.Header().Get("X-Request-Id") || p.Title == "" || p.Detail == "" || p.Type != "/docs/errors#"+p.Code {
		t.Errorf("not a whole problem: %d %s", w.Code, w.Body)
	}
	return p
}

func TestTheServerIsNotBuiltWhenAnOperationCannotBeGuarded(t *testing.T) {
	t.Parallel()
	ok := contract.Requirement{"bearerAuth": nil}
	ops := map[string]*contract.Operation{
		"nothing":      {ID: "nothing"},
		"noSecurity":   {ID: "noSecurity", Scope: "account"},
		"noScope":      {ID: "noScope", Role: "account", Security: []contract.Requirement{ok}},
		"noRole":       {ID: "noRole", Scope: "account", Security: []contract.Requirement{ok}},
		"openProject":  {ID: "openProject", Scope: "account", Role: "account", Project: "path", Security: []contract.Requirement{ok}},
		"noProject":    {ID: "noProject", Scope: "account", Role: "admin", Security: []contract.Requirement{ok}},
		"unknown":      {ID: "unknown", Scope: "account", Role: "account", Security: []contract.Requirement{ok, {"cookieAuth": nil}}},
		"halfASigning": {ID: "halfASigning", Scope: "account", Role: "account", Security: []contract.Requirement{{"apiKeyId": nil}}},
		"tooMuch":      {ID: "tooMuch", Scope: "account", Role: "account", Security: []contract.Requirement{{"bearerAuth": nil, "apiKey": nil}}},
		"emptyOne":     {ID: "emptyOne", Scope: "account", Role: "account", Security: []contract.Requirement{{}}},
		"good":         {ID: "good", Scope: "account", Role: "account", Security: []contract.Requirement{ok}},
		"public":       {ID: "public", Public: true},
	}
	_, err := New(&handlers{}, Options{Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(), Credentials: credentials(),
		Access: openAccess{}, Operations: ops, Spec: openapi.YAML, Dashboard: builtDashboard, Ready: func(http.ResponseWriter, *http.Request) {}})
	if err == nil {
		t.Fatal("the server was built")
	}
	for id, want := range map[string]string{
		"nothing": "states neither its security, x-scope and x-role nor that it is public", "noSecurity": "states neither", "noScope": "states neither",
		"noRole": "states neither", "openProject": `has the x-role account and names its project in "path"`, "noProject": `has the x-role admin and names its project in ""`,
		"unknown": `requires "cookieAuth", which no code checks`, "halfASigning": `requires "apiKeyId", which`,
		"tooMuch": `requires "apiKey+bearerAuth", which`, "emptyOne": `requires "", which`,
	} {
		if !strings.Contains(err.Error(), "operation "+id+" "+want) {
			t.Errorf("%s is not reported: %v", id, err)
		}
	}
	for _, id := range []string{"good", "public"} {
		if strings.Contains(err.Error(), "operation "+id+" ") {
			t.Errorf("%s is reported: %v", id, err)
		}
	}
}

// No handler is set, so an operation that lets a stranger through panics and answers 500.
func TestNobodyPassesWithoutCredentials(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for id, op := range api.Operations {
		if op.Public {
			continue
		}
		path := strings.NewReplacer("{project_id}", uuid.NewString(), "{key_id}", uuid.NewString(), "{event_id}", uuid.NewString(),
			"{session_id}", uuid.NewString(), "{account_id}", uuid.NewString(), "{api_key_id}", "nk_x").Replace(op.Path)
		for _, headers := range [][]string{nil, {"Authorization", "Basic YTpi"}, {"Authorization", "Bearer "}, {"Authorization", "Bearer"}, {"Cookie", "access=access"}, {"Authorization", "Bearer forged"}} {
			w := s.do(op.Method, path, "{}", slices.Concat(headers, []string{"Content-Type", "application/json"})...)
			p := decodeProblem(t, w)
			if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s with %q: %d %s", id, headers, w.Code, p.Code)
			}
		}
	}
}

func TestEachKindOfCredentialsOpensWhatTheContractSays(t *testing.T) {
	t.Parallel()
	const none = ""
	signed := []string{"X-Api-Key-Id", "key", "X-Api-Timestamp", "7", "X-Api-Signature", "7:POST:/v1/events:{}"}
	for _, tt := range []struct {
		name, method, path string
		headers            []string
		status             int
		code               problem.Code
		who                string
		challenge          string
	}{
		{"an access token", "GET", "/v1/auth/me", []string{"Authorization", "Bearer access"}, 200, none, "access", none},
		{"a token behind a lower-case word and spaces", "GET", "/v1/auth/me", []string{"Authorization", "bearer   access "}, 200, none, "access", none},
		{"a refresh token where access is needed", "GET", "/v1/auth/me", []string{"Authorization", "Bearer refresh"}, 401, problem.CodeWrongTokenType, none, "Bearer"},
		{"an unknown token", "GET", "/v1/auth/me", []string{"Authorization", "Bearer x"}, 401, problem.CodeInvalidToken, none, "Bearer"},
		{"a secret where a session is needed", "GET", "/v1/auth/me", []string{"X-Api-Key", "secret"}, 401, problem.CodeUnauthenticated, none, "Bearer"},
		{"no database to ask", "GET", "/v1/auth/me", []string{"Authorization", "Bearer no-database"}, 503, problem.CodeDatabaseUnavailable, none, none},
		{"logging out with either token: refresh", "POST", "/v1/auth/logout", []string{"Authorization", "Bearer refresh"}, 200, none, "refresh", none},
		{"logging out with either token: access", "POST", "/v1/auth/logout", []string{"Authorization", "Bearer access"}, 200, none, "access", none},
		{"logging out with neither", "POST", "/v1/auth/logout", []string{"Authorization", "Bearer x"}, 401, problem.CodeInvalidToken, none, "Bearer"},
		{"a secret sends events", "POST", "/v1/events", []string{"X-Api-Key", "secret"}, 200, none, "secret", none},
		{"a write key sends events", "POST", "/v1/events", []string{"X-Write-Key", "w", "Origin", "https://shop.example"}, 200, none, "w", none},
		{"a write key from elsewhere", "POST", "/v1/events", []string{"X-Write-Key", "w", "Origin", "https://evil.example"}, 403, problem.CodeOriginNotAllowed, none, none},
		{"a write key reads nothing", "GET", "/v1/events?project_id=" + uuid.NewString(), []string{"X-Write-Key", "w", "Origin", "https://shop.example"}, 401, problem.CodeUnauthenticated, none, "Bearer"},
		{"a session sends no events", "POST", "/v1/events", []string{"Authorization", "Bearer access"}, 401, problem.CodeWrongTokenType, none, "Nimbus-Key"},
		{"a signature", "POST", "/v1/events", signed, 200, none, "key", none},
		{"a signature, which leaves out the query", "POST", "/v1/events?x=1", signed, 422, problem.CodeValidation, none, none}, // x is unknown
		{"a signature over something else", "POST", "/v1/events", []string{"X-Api-Key-Id", "key", "X-Api-Timestamp", "7", "X-Api-Signature", "7:GET:/v1/events:{}"}, 401, problem.CodeInvalidSignature, none, "Nimbus-Key"},
		{"half a signature", "POST", "/v1/events", signed[:2], 401, problem.CodeUnauthenticated, none, "Nimbus-Key"},
		// The first kind that is present decides: a valid secret does not make up for a wrong signature.
		{"a wrong signature beside a good secret", "POST", "/v1/events", []string{"X-Api-Key", "secret", "X-Api-Key-Id", "key", "X-Api-Timestamp", "8", "X-Api-Signature", "7:POST:/v1/events:{}"}, 401, problem.CodeInvalidSignature, none, "Nimbus-Key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			who := ""
			answer := func(c echo.Context) error {
				who = auth.From(c.Request().Context()).KeyID
				return c.NoContent(http.StatusOK)
			}
			s.getMe, s.logout, s.ingest = answer, answer, answer
			body := ""
			if tt.method == "POST" && tt.path != "/v1/auth/logout" {
				body = "{}"
			}
			w := s.do(tt.method, tt.path, body, slices.Concat(tt.headers, []string{"Content-Type", "application/json"})...)
			if w.Code != tt.status || who != tt.who || w.Header().Get("WWW-Authenticate") != tt.challenge {
				t.Errorf("%d as %q, %q: %s", w.Code, who, w.Header().Get("WWW-Authenticate"), w.Body)
			}
			if tt.code != none {
				if p := decodeProblem(t, w); p.Code != string(tt.code) {
					t.Errorf("%s, want %s", p.Code, tt.code)
				}
			}
		})
	}
	s := setup(t)
	p := decodeProblem(t, s.do("POST", "/v1/events", "{}", "X-Api-Timestamp", "7"))
	if p.Detail != "A signed request needs X-Api-Key-Id and X-Api-Signature too." {
		t.Errorf("what is missing is not named: %s", p.Detail)
	}
}

func TestAPrincipalWithoutTheScopeIsRefused(t *testing.T) {
	t.Parallel()
	op := &contract.Operation{ID: "x", Scope: "projects:write", Role: "account", Security: []contract.Requirement{{"apiKey": nil}}}
	cr := credentials()
	g, err := guard(op, cr.schemes(), openAccess{}, func(_ echo.Context, err error) error { return err })
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.Header.Set("X-Api-Key", "secret")
	err = g(func(echo.Context) error { t.Error("the handler was reached"); return nil })(e.NewContext(req, httptest.NewRecorder()))
	if !problem.Is(err, problem.CodeInsufficientScope) {
		t.Errorf("%v", err)
	}
}

func TestThePathThatIsSignedIsThatOfTheRequestLine(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/v1/events":                         "/v1/events",
		"/v1/events?a=/b?c":                  "/v1/events",
		"/v1/ev%65nts?a=b":                   "/v1/ev%65nts",
		"/v1/a%2Fb":                          "/v1/a%2Fb",
		"/v1/a%2fb":                          "/v1/a%2fb",
		"//v1/events":                        "//v1/events",
		"/v1/events?":                        "/v1/events",
		"/v1/%C3%BC":                         "/v1/%C3%BC",
		"http://nimbus.example/v1/ev%65nts?": "/v1/ev%65nts",
		"http://nimbus.example/v1/a%2Fb?c=d": "/v1/a%2Fb",
		"http://nimbus.example":              "",
		"*":                                  "*",
	} {
		line := "POST " + target + " HTTP/1.1\r\nHost: nimbus.example\r\n\r\n"
		if target == "*" {
			line = strings.Replace(line, "POST", "OPTIONS", 1)
		}
		r, err := http.ReadRequest(newReader(line))
		if err != nil {
			t.Fatal(err)
		}
		if requestPath(r) != want {
			t.Errorf("%s: %q, want %q", target, requestPath(r), want)
		}
	}
}

func TestEveryErrorHasItsStatusAndKeepsItsCauseToItself(t *testing.T) {
	t.Parallel()
	const hidden = "SELECT secret"
	cause := errors.New(hidden)
	for _, tt := range []struct {
		name   string
		err    error
		status int
		code   problem.Code
		retry  string
	}{
		{"a problem", problem.NotFound(), 404, problem.CodeNotFound, ""},
		{"a problem, wrapped", fmt.Errorf("load %s: %w", hidden, problem.Wrap(cause, problem.CodeEmailTaken, "taken")), 409, problem.CodeEmailTaken, ""},
		{"fields", contract.Errors{{In: "body", Pointer: "/x", Code: "length", Detail: "long", Item: -1}}, 422, problem.CodeValidation, ""},
		{"not JSON", fmt.Errorf("%s: %w", hidden, &contract.SyntaxError{Offset: 3, Detail: "expected a value"}), 400, problem.CodeMalformedJSON, ""},
		{"a body cut off", &readError{cause}, 400, problem.CodeMalformedJSON, ""},
		{"no such path", echo.ErrNotFound, 404, problem.CodeNotFound, ""},
		{"no such method", echo.ErrMethodNotAllowed, 405, problem.CodeMethodNotAllowed, ""},
		{"echo: too large", echo.ErrStatusRequestEntityTooLarge, 413, problem.CodeBodyTooLarge, ""},
		{"echo: media type", echo.ErrUnsupportedMediaType, 415, problem.CodeUnsupportedMediaType, ""},
		{"echo: a parameter", echo.NewHTTPError(400, "limit is odd").SetInternal(cause), 422, problem.CodeValidation, ""},
		{"echo: anything else", echo.NewHTTPError(418, hidden), 500, problem.CodeInternal, ""},
		{"nobody knows", fmt.Errorf("%s: %w: %w", hidden, postgres.ErrUnconfirmed, context.DeadlineExceeded), 503, problem.CodeDatabaseUnavailable, "1"},
		{"time is up", fmt.Errorf("%s: %w", hidden, context.DeadlineExceeded), 503, problem.CodeTimeout, "1"},
		{"the database stops", fmt.Errorf("%s: %w", hidden, &pgconn.PgError{Code: "57P01", Message: hidden}), 503, problem.CodeDatabaseUnavailable, "1"},
		{"the database is full", &pgconn.PgError{Code: "53100", Message: hidden}, 503, problem.CodeDatabaseUnavailable, "1"},
		{"a deadlock", &pgconn.PgError{Code: "40P01", Message: hidden}, 503, problem.CodeDatabaseUnavailable, "1"},
		{"the connection breaks", fmt.Errorf("read: %w", io.ErrUnexpectedEOF), 503, problem.CodeDatabaseUnavailable, "1"},
		{"a constraint nobody expected", &pgconn.PgError{Code: "23505", Message: hidden, Detail: hidden}, 500, problem.CodeInternal, ""},
		{"anything else", cause, 500, problem.CodeInternal, ""},
		{"cancelled by ourselves", fmt.Errorf("%s: %w", hidden, context.Canceled), 500, problem.CodeInternal, ""},
		{"seconds are rounded up", &problem.Error{Code: problem.CodeShuttingDown, Detail: "x", RetryAfter: 1500 * time.Millisecond}, 503, problem.CodeShuttingDown, "2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.getMe = func(echo.Context) error { return tt.err }
			w := s.do("GET", "/v1/auth/me", "", "Authorization", "Bearer access")
			p := decodeProblem(t, w)
			if w.Code != tt.status || p.Code != string(tt.code) || w.Header().Get("Retry-After") != tt.retry {
				t.Errorf("%d %s, Retry-After %q", w.Code, p.Code, w.Header().Get("Retry-After"))
			}
			if strings.Contains(w.Body.String(), hidden) {
				t.Errorf("the caller sees the cause: %s", w.Body)
			}
			logged := strings.Contains(s.log.String(), `"msg":"request failed"`) && strings.Contains(s.log.String(), p.RequestID)
			if logged != (tt.status >= 500) {
				t.Errorf("logged: %t\n%s", logged, s.log)
			}
			if tt.code == problem.CodeInternal && !strings.Contains(s.log.String(), `"level":"ERROR"`) {
				t.Error("nobody is alarmed")
			}
		})
	}
	for _, kind := range problem.Kinds() {
		s := setup(t)
		s.getMe = func(echo.Context) error { return problem.Wrap(cause, kind.Code, "this happened") }
		w := s.do("GET", "/v1/auth/me", "", "Authorization", "Bearer access", "X-Request-Id", "find-me")
		for line := range strings.Lines(s.log.String()) {
			if strings.Count(line, `"request_id":"find-me"`) != 1 {
				t.Errorf("%s: a line without the id of its request: %s", kind.Code, line)
			}
		}
		if told := strings.Contains(s.log.String(), cause.Error()); told != (kind.Status >= 500) {
			t.Errorf("%s: whether the log has the cause is %t: %s", kind.Code, told, s.log)
		}
		if p := decodeProblem(t, w); w.Code != kind.Status || p.Code != string(kind.Code) || p.Title != kind.Title || p.Detail != "this happened" {
			t.Errorf("%s: %d %s", kind.Code, w.Code, w.Body)
		}
		if kind.Status == 401 && w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: a 401 that does not say how", kind.Code)
		}
	}
}

func TestEveryBadFieldReachesTheCaller(t *testing.T) {
	t.Parallel()
	s := setup(t)
	fields := []contract.FieldError{{In: "body", Pointer: "/events/0/name", Code: "length", Detail: "d", Item: 0},
		{In: "body", Pointer: "/events/0/ts", Code: "format", Detail: "d", Item: 0}, {In: "body", Pointer: "/events/3/name", Code: "required", Detail: "d", Item: 3}}
	s.ingest = func(echo.Context) error {
		return &problem.Error{Code: problem.CodeAllRejected, Detail: "all", Fields: fields}
	}
	p := decodeProblem(t, s.do("POST", "/v1/events", "{}", "X-Api-Key", "secret", "Content-Type", "application/json"))
	if len(p.Errors) != 3 || *p.Errors[2].Index != 3 || p.Errors[1].Pointer != "/events/0/ts" || *p.Accepted != 0 || *p.Duplicates != 0 || *p.Rejected != 2 {
		t.Errorf("%+v", p)
	}
	// Parameters: all of them, but only for callers who may ask; and a path that is no id is not found.
	w := s.do("GET", "/v1/projects?limit=x&cursor=&nothing=1", "", "Authorization", "Bearer access")
	if p := decodeProblem(t, w); w.Code != 422 || len(p.Errors) != 3 || p.Errors[0].In != "query" || p.Errors[0].Index != nil {
		t.Errorf("%d %+v", w.Code, p)
	}
	if w := s.do("GET", "/v1/projects/not-an-id", "", "Authorization", "Bearer access"); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := s.do("GET", "/v1/projects/not-an-id?limit=x", ""); w.Code != 401 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestABodyMustBeThereAndBeJSON(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.login = func(c echo.Context) error {
		if _, err := JSONBody(c); err != nil {
			return err
		}
		return c.NoContent(http.StatusOK)
	}
	for _, tt := range []struct {
		contentType, body string
		status            int
	}{
		{"application/json", "{}", 200},
		{"application/json; charset=UTF-8", "{}", 200},
		{"Application/JSON", "{}", 200},
		{"", "{}", 415},
		{"text/plain", "{}", 415},
		{"application/json; charset=latin1", "{}", 415},
		{"application/json; charset", "{}", 415},
		{"application/jsonp", "{}", 415},
		{"application/json", "", 400},
		{"text/plain", "", 415},
		{"application/json", strings.Repeat(" ", maxBodyBytes+1), 413},
	} {
		var headers []string
		if tt.contentType != "" {
			headers = []string{"Content-Type", tt.contentType}
		}
		if w := s.do("POST", "/v1/auth/login", tt.body, headers...); w.Code != tt.status {
			t.Errorf("%q with %d bytes: %d, want %d: %s", tt.contentType, len(tt.body), w.Code, tt.status, w.Body)
		}
	}
}

func TestIngestionTakesLargerBodiesThanTheRest(t *testing.T) {
	t.Parallel()
	s := setup(t)
	read := func(c echo.Context) error {
		b, err := JSONBody(c)
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, fmt.Sprint(len(b)))
	}
	s.login, s.ingest = read, read
	for _, tt := range []struct {
		path   string
		size   int
		status int
	}{
		{"/v1/auth/login", maxSmallBytes, 200}, {"/v1/auth/login", maxSmallBytes + 1, 413},
		{"/v1/events", maxBulkBytes, 200}, {"/v1/events", maxBulkBytes + 1, 413},
	} {
		body := strings.Repeat("x", tt.size)
		if w := s.do("POST", tt.path, body, "Content-Type", "application/json", "X-Api-Key", "secret"); w.Code != tt.status {
			t.Errorf("%s with %d bytes: %d, want %d", tt.path, tt.size, w.Code, tt.status)
		}
	}
}

func TestADecoderMustBeGenerated(t *testing.T) {
	t.Parallel()
	c := echo.New().NewContext(httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}")), httptest.NewRecorder())
	if err := (binder{}).Bind(&struct{}{}, c); err == nil || !strings.Contains(err.Error(), "has no generated decoder") {
		t.Errorf("%v", err)
	}
}
