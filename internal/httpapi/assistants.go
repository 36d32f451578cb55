package httpapi

import (
	"bytes"
	"io"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// Assistants answers the messages of the Model Context Protocol.
type Assistants struct {
	// Serve makes the handler of the messages. It asks api for everything that it answers; the request that it is given has a
	// principal in its context and a body that has been read. nil: /mcp is not there.
	Serve   func(api http.Handler) func(http.ResponseWriter, *http.Request) error
	Origins []string // of pages that may send messages
}

const assistantsPath = "/mcp"

// registerAssistants serves /mcp. It is no operation of the contract, because its messages are another protocol's; each thing
// that a message asks is one. So here is checked who the caller is, how many messages he sends and how large they are, and
// with the operation everything else, scope and role included.
func registerAssistants(e *echo.Echo, o Options, shared *edge) error {
	if o.Assistants.Serve == nil {
		return nil
	}
	as := &contract.Operation{ID: "mcp", Method: http.MethodPost, Path: assistantsPath,
		Security: []contract.Requirement{{"bearerAuth": nil}, {"apiKey": nil}}}
	refused := func(_ echo.Context, err error) error { return err }
	if shared.limited {
		refused = shared.limits.strangers(shared.clients)
	}
	who, err := newAuthentication(as.ID, as.Security, shared.schemes, refused)
	if err != nil {
		return err
	}
	chain := append(shared.transport(as), ofOrigins(o.Assistants.Origins), func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			p, err := who.of(c)
			if err != nil {
				return err
			}
			c.SetRequest(c.Request().WithContext(auth.WithPrincipal(c.Request().Context(), p)))
			return next(c)
		}
	})
	if shared.limited {
		chain = append(chain, shared.limits.perCaller(as))
	}
	serve := o.Assistants.Serve(e)
	e.POST(assistantsPath, func(c echo.Context) error {
		body, err := JSONBody(c)
		if err != nil {
			return err
		}
		if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
			return problem.New(problem.CodeMalformedJSON, "Send one message in a request: the protocol has no lists of them since 2025-06-18.")
		}
		r := c.Request().Clone(c.Request().Context())
		r.Header.Del(echo.HeaderContentEncoding)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(bytes.Clone(body))), int64(len(body)) // a question may outlive its request
		return serve(c.Response(), r)
	}, chain...)
	return nil
}

// ofOrigins refuses pages that are not of these origins. A page has no key unless its reader gave it one; the protocol asks for
// the check all the same, against pages whose name is made to resolve to this server (DNS rebinding).
func ofOrigins(allowed []string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if origin := c.Request().Header.Get(echo.HeaderOrigin); origin != "" && !slices.Contains(allowed, origin) && !slices.Contains(allowed, "*") {
				return problem.New(problem.CodeOriginNotAllowed, "Pages of %.100q may not send messages; NIMBUS_ALLOWED_ORIGINS names those that may.", origin)
			}
			return next(c)
		}
	}
}
