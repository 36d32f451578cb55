package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/auth"
	"github.com/bahagh/nimbus/internal/problem"
	"github.com/bahagh/nimbus/internal/wire"
)

// Credentials checks the kinds of credentials that the contract's security schemes name.
type Credentials struct {
	Access    func(ctx context.Context, token string) (*auth.Principal, error)
	Refresh   func(ctx context.Context, token string) (*auth.Principal, error)
	Secret    func(ctx context.Context, secret string) (*auth.Principal, error)
	WriteKey  func(ctx context.Context, key, origin string) (*auth.Principal, error)
	Signature func(ctx context.Context, keyID, timestamp, signature, method, path string, body func() ([]byte, error)) (*auth.Principal, error)
}

// scheme is one way to prove who one is: a set of security schemes that the contract requires together.
type scheme struct {
	present func(r *http.Request) bool
	verify  func(c echo.Context) (*auth.Principal, error)
	name    string // as told to a caller who has no credentials
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
		// The cookie alone proves nothing about who made the browser send it; a page of another site cannot add the header.
		"refreshCookie+sameSite": {func(r *http.Request) bool {
			return r.Header.Get(headerSession) == "cookie" && refreshCookie(r) != ""
		}, func(c echo.Context) (*auth.Principal, error) {
			p, err := cr.Refresh(c.Request().Context(), refreshCookie(c.Request()))
			if err == nil {
				p.InCookie = true
			}
			return p, err
		}, "the session's cookie (with X-Nimbus-Session: cookie)"},
		// One of the three is enough to mean a signed request: the check then names what is missing.
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
		r.Method, wirePath(r), func() ([]byte, error) { return bodyOf(c).Raw(r) })
}

// wirePath is the path as it was sent, escapes and all, because that is what was signed.
func wirePath(r *http.Request) string {
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

func refreshCookie(r *http.Request) string {
	c, err := r.Cookie(auth.RefreshCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// guard returns the middleware that enforces the security of one operation: one of the alternatives, in the order of
// the contract. It fails when the contract requires something that nothing here can check.
func guard(op *wire.Operation, known map[string]scheme) (echo.MiddlewareFunc, error) {
	if op.Public {
		return func(next echo.HandlerFunc) echo.HandlerFunc { return next }, nil
	}
	if len(op.Security) == 0 || op.Scope == "" {
		return nil, fmt.Errorf("operation %s states neither its security and x-scope nor that it is public", op.ID)
	}
	var alternatives []scheme
	var names []string
	challenge := ""
	for _, req := range op.Security {
		key := requirementKey(req)
		s, ok := known[key]
		if !ok {
			return nil, fmt.Errorf("operation %s requires %q, which no code checks", op.ID, key)
		}
		alternatives = append(alternatives, s)
		names = append(names, s.name)
		if key == "bearerAuth" || key == "refreshToken" {
			challenge = "Bearer"
		} else if challenge == "" {
			challenge = "Nimbus-Key"
		}
	}
	missing := fmt.Sprintf("Send %s.", strings.Join(names, ", or "))
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			p, err := authenticate(c, alternatives, missing)
			if err != nil {
				if problem.KindOf(toProblem(err).Code).Status == http.StatusUnauthorized {
					c.Response().Header().Set(echo.HeaderWWWAuthenticate, challenge)
				}
				return err
			}
			if !p.Allows(op.Scope) {
				return problem.New(problem.CodeInsufficientScope, "This needs the scope %s.", op.Scope)
			}
			r := c.Request()
			c.SetRequest(r.WithContext(auth.WithPrincipal(r.Context(), p)))
			return next(c)
		}
	}, nil
}

// authenticate takes the first alternative whose credentials are there. A token of the wrong type goes on to the next
// one, because access and refresh tokens come in the same header.
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

func requirementKey(req wire.Requirement) string {
	names := make([]string, 0, len(req))
	for n := range req {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, "+")
}

// checkParams refuses a request whose parameters break the contract, naming all of them. A path that cannot be the id
// of anything is not found, like every other id that is not there.
func checkParams(op *wire.Operation) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if errs := op.CheckParams(c.Request(), c.Param); len(errs) > 0 {
				if slices.ContainsFunc(errs, func(e wire.FieldError) bool { return e.In == "path" }) {
					return problem.NotFound()
				}
				return errs
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
