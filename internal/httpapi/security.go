package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// Credentials checks the kinds of credentials that the contract's security schemes name.
type Credentials struct {
	Access    func(ctx context.Context, token string) (*auth.Principal, error)
	Refresh   func(ctx context.Context, token string) (*auth.Principal, error)
	Secret    func(ctx context.Context, secret string) (*auth.Principal, error)
	WriteKey  func(ctx context.Context, key, origin string) (*auth.Principal, error)
	Ticket    func(ctx context.Context, ticket, projectID string) (*auth.Principal, error)
	Signature func(ctx context.Context, keyID, timestamp, signature, method, path string, body func() ([]byte, error)) (*auth.Principal, error)
}

// Access is the authorization: which caller may call which operation on which project.
type Access interface {
	Scope(p *auth.Principal, rule auth.Rule) error
	Project(ctx context.Context, p *auth.Principal, rule auth.Rule, project uuid.UUID, self bool) error
}

// scheme is one kind of credentials: a set of security schemes that the contract requires together.
type scheme struct {
	present func(r *http.Request) bool
	verify  func(c echo.Context) (*auth.Principal, error)
	name    string // in the answer to a caller without credentials
}

const (
	headerKeyID     = "X-Api-Key-Id"
	headerTimestamp = "X-Api-Timestamp"
	headerSignature = "X-Api-Signature"
	headerSecret    = "X-Api-Key"
	headerWriteKey  = "X-Write-Key"
	headerSession   = "X-Nimbus-Session"
)

// schemes maps the contract's requirements, by their sorted names, to the code that checks them.
func (cr *Credentials) schemes() map[string]scheme {
	has := func(headers ...string) func(*http.Request) bool {
		return func(r *http.Request) bool {
			return slices.ContainsFunc(headers, func(h string) bool { return r.Header.Get(h) != "" })
		}
	}
	bearer := func(r *http.Request) bool { return bearerToken(r) != "" }
	return map[string]scheme{
		"bearerAuth": {bearer, func(c echo.Context) (*auth.Principal, error) {
			return cr.Access(c.Request().Context(), bearerToken(c.Request()))
		}, "an access token (Authorization: Bearer)"},
		"refreshToken": {bearer, func(c echo.Context) (*auth.Principal, error) {
			return cr.Refresh(c.Request().Context(), bearerToken(c.Request()))
		}, "a refresh token (Authorization: Bearer)"},
		// The cookie alone does not prove which site made the browser send it; a page of another site cannot add the
		// header.
		"refreshCookie+sameSite": {func(r *http.Request) bool {
			return r.Header.Get(headerSession) == "cookie" && refreshCookie(r) != ""
		}, func(c echo.Context) (*auth.Principal, error) {
			p, err := cr.Refresh(c.Request().Context(), refreshCookie(c.Request()))
			if err == nil {
				p.InCookie = true
			}
			return p, err
		}, "the session's cookie (with X-Nimbus-Session: cookie)"},
		// Any of the three headers makes it a signed request: the check then names the missing ones.
		"apiKeyId+apiSignature+apiTimestamp": {has(headerKeyID, headerTimestamp, headerSignature), cr.verifySignature,
			"a signature (X-Api-Key-Id, X-Api-Timestamp, X-Api-Signature)"},
		"apiKey": {has(headerSecret), func(c echo.Context) (*auth.Principal, error) {
			return cr.Secret(c.Request().Context(), c.Request().Header.Get(headerSecret))
		}, "the project's secret (X-API-Key)"},
		"writeKey": {has(headerWriteKey), func(c echo.Context) (*auth.Principal, error) {
			h := c.Request().Header
			return cr.WriteKey(c.Request().Context(), h.Get(headerWriteKey), h.Get(echo.HeaderOrigin))
		}, "a write key (X-Write-Key)"},
	}
}

// ofStreams are for browsers, which cannot set headers on a stream. They are no security schemes of the contract: a
// generated client fills those in with whatever credentials it has, and a secret would end up in a URL.
func (cr *Credentials) ofStreams() []scheme {
	return []scheme{
		{func(r *http.Request) bool { return r.URL.Query().Has("ticket") }, func(c echo.Context) (*auth.Principal, error) {
			return cr.Ticket(c.Request().Context(), c.QueryParam("ticket"), c.Param("project_id"))
		}, "a ticket (ticket in the query)"},
		{func(r *http.Request) bool { return protocolToken(r) != "" }, func(c echo.Context) (*auth.Principal, error) {
			return cr.Access(c.Request().Context(), protocolToken(c.Request()))
		}, "an access token as a WebSocket subprotocol (nimbus.token.…)"},
	}
}

func (cr *Credentials) verifySignature(c echo.Context) (*auth.Principal, error) {
	r := c.Request()
	var missing []string
	for _, h := range []string{headerKeyID, headerTimestamp, headerSignature} {
		if r.Header.Get(h) == "" {
			missing = append(missing, h)
		}
	}
	if len(missing) > 0 {
		return nil, problem.New(problem.CodeUnauthenticated, "A signed request needs %s too.", strings.Join(missing, " and "))
	}
	return cr.Signature(r.Context(), r.Header.Get(headerKeyID), r.Header.Get(headerTimestamp), r.Header.Get(headerSignature),
		sentMethod(c.Request()), requestPath(r), func() ([]byte, error) { return bodyOf(c).Raw(r) })
}

// requestPath is the path as it was sent, escapes and all, because that is what was signed.
func requestPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(path, "/") {
		return r.URL.EscapedPath()
	}
	return path
}

func bearerToken(r *http.Request) string {
	kind, token, ok := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if !ok || !strings.EqualFold(kind, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// protocolToken is the access token among the subprotocols that a WebSocket client offers: the one place where a
// browser can put it.
func protocolToken(r *http.Request) string {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(line, ",") {
			if token, ok := strings.CutPrefix(strings.TrimSpace(p), "nimbus.token."); ok {
				return token
			}
		}
	}
	return ""
}

func refreshCookie(r *http.Request) string {
	c, err := r.Cookie(auth.RefreshCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// guard returns the middleware that enforces the security of one operation: one of the alternatives, in the order of
// the contract, and then of more. It fails when the contract requires something that nothing here can check. refused
// turns what was wrong with the credentials into the error that is answered.
func guard(op *contract.Operation, known map[string]scheme, access Access, refused func(echo.Context, error) error, more ...scheme) (echo.MiddlewareFunc, error) {
	if op.Public {
		return func(next echo.HandlerFunc) echo.HandlerFunc { return next }, nil
	}
	if len(op.Security) == 0 || op.Scope == "" || op.Role == "" {
		return nil, fmt.Errorf("operation %s states neither its security, x-scope and x-role nor that it is public", op.ID)
	}
	if (op.Role == contract.RoleAccount || op.Role == contract.RoleOperator) != (op.Project == "") {
		return nil, fmt.Errorf("operation %s has the x-role %s and names its project in %q", op.ID, op.Role, op.Project)
	}
	ways, err := newAuthentication(op.ID, op.Security, known, refused, more...)
	if err != nil {
		return nil, err
	}
	rule := auth.RuleOf(op)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			p, err := ways.of(c)
			if err != nil {
				return err
			}
			if err := access.Scope(p, rule); err != nil {
				return err
			}
			r := c.Request()
			c.SetRequest(r.WithContext(auth.WithPrincipal(r.Context(), p)))
			return next(c)
		}
	}, nil
}

// authentication is the kinds of credentials that something takes, in the order in which they are tried.
type authentication struct {
	alternatives []scheme
	missing      string // what is answered to a caller without any
	challenge    string // WWW-Authenticate of a 401
	refused      func(echo.Context, error) error
}

// newAuthentication fails when security requires something that nothing here can check.
func newAuthentication(id string, security []contract.Requirement, known map[string]scheme, refused func(echo.Context, error) error, more ...scheme) (*authentication, error) {
	a := &authentication{refused: refused}
	var names []string
	for _, req := range security {
		key := requirementKey(req)
		s, ok := known[key]
		if !ok {
			return nil, fmt.Errorf("operation %s requires %q, which no code checks", id, key)
		}
		a.alternatives = append(a.alternatives, s)
		names = append(names, s.name)
		if key == "bearerAuth" || key == "refreshToken" {
			a.challenge = "Bearer"
		} else if a.challenge == "" {
			a.challenge = "Nimbus-Key"
		}
	}
	for _, s := range more {
		a.alternatives = append(a.alternatives, s)
		names = append(names, s.name)
	}
	a.missing = fmt.Sprintf("Send %s.", strings.Join(names, ", or "))
	return a, nil
}

// of is who sent the request.
func (a *authentication) of(c echo.Context) (*auth.Principal, error) {
	p, err := authenticate(c, a.alternatives, a.missing)
	if err != nil {
		if err = a.refused(c, err); problem.KindOf(toProblem(err).Code).Status == http.StatusUnauthorized {
			c.Response().Header().Set(echo.HeaderWWWAuthenticate, a.challenge)
		}
		return nil, err
	}
	return p, nil
}

// authenticate uses the first alternative whose credentials are present. A token of the wrong type falls through to
// the next one, because access and refresh tokens come in the same header.
func authenticate(c echo.Context, alternatives []scheme, missing string) (*auth.Principal, error) {
	var last error
	for _, s := range alternatives {
		if !s.present(c.Request()) {
			continue
		}
		p, err := s.verify(c)
		if err == nil {
			return p, nil
		}
		last = err
		if !problem.Is(err, problem.CodeWrongTokenType) {
			break
		}
	}
	if last != nil {
		return nil, last
	}
	if bearerToken(c.Request()) != "" {
		return nil, problem.New(problem.CodeWrongTokenType, "A session's token is not taken here. %s", missing)
	}
	return nil, problem.New(problem.CodeUnauthenticated, "%s", missing)
}

func requirementKey(req contract.Requirement) string {
	names := make([]string, 0, len(req))
	for n := range req {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, "+")
}

// checkParams refuses a request whose parameters break the contract, naming all of them. A path parameter that cannot
// be an id gets a 404, like every other id that does not exist.
func checkParams(op *contract.Operation) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if errs := op.CheckParams(c.Request(), c.Param); len(errs) > 0 {
				if slices.ContainsFunc(errs, func(e contract.FieldError) bool { return e.In == "path" }) {
					return problem.NotFound()
				}
				return errs
			}
			if c.Request().URL.RawQuery != "" { // ingestion has none
				// Echo keeps the map, and the generated code reads it there.
				if query := c.QueryParams(); op.CanonicalTimes(query) {
					c.Request().URL.RawQuery = query.Encode()
				}
			}
			if op.BodyRequired && c.Request().ContentLength == 0 {
				if err := checkJSONType(c.Request()); err != nil {
					return err
				}
				return problem.New(problem.CodeMalformedJSON, "The body is missing.")
			}
			return next(c)
		}
	}
}

const authorizeKey = "nimbus.authorize"

// authorize refuses a caller without access to the project that the request names. A project in the path or the query
// is checked before the body is read; one in the body as soon as it is decoded, by Authorize.
func authorize(op *contract.Operation, access Access) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if op.Public || op.Project == "" || op.Project == contract.ProjectOfCaller {
			return next
		}
		rule := auth.RuleOf(op)
		return func(c echo.Context) error {
			check := func(project uuid.UUID) error {
				ctx := c.Request().Context()
				p := auth.From(ctx)
				self := false
				if op.Self != "" && p.Kind == auth.KindAccount {
					id, err := uuid.Parse(c.Param(op.Self))
					self = err == nil && id == p.AccountID
				}
				return access.Project(ctx, p, rule, project, self)
			}
			named := ""
			switch op.Project {
			case contract.InPath:
				named = c.Param("project_id")
			case contract.InQuery:
				named = c.QueryParam("project_id")
			default:
				c.Set(authorizeKey, check)
				return next(c)
			}
			project, err := uuid.Parse(named)
			if err != nil {
				return problem.NotFound() // not reached: checkParams has parsed it
			}
			if err := check(project); err != nil {
				return err
			}
			return next(c)
		}
	}
}

// Authorize refuses a caller without access to the project that the body names. The binder calls it for bodies that
// the strict handler decodes; a handler that decodes its own body must call it first.
func Authorize(c echo.Context, project uuid.UUID) error {
	check, ok := c.Get(authorizeKey).(func(uuid.UUID) error)
	if !ok {
		return fmt.Errorf("%s names its project in a body in which the contract has none", c.Path())
	}
	return check(project)
}
