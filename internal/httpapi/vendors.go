package httpapi

import (
	"bytes"
	"compress/zlib"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract"
)

// VendorRequest is a request in the wire format of another vendor, and what the edge does for it while it is answered:
// where its key stands, and how it is told what is wrong, only its dialect knows.
type VendorRequest struct {
	echo.Context
	Operation *contract.VendorOperation
	edge      *edge
}

// Vendors serves the operations with an x-dialect.
type Vendors struct {
	Operations map[string]*contract.VendorOperation
	Serves     func(dialect string) bool // whether it is switched on
	Serve      func(r *VendorRequest) error
}

// Body returns the body without its compression, which is found by its first bytes: posthog-js announces it nowhere. The
// bytes are valid until the request is answered.
//
// Errors: 400, 413 and 503, as of other bodies.
func (r *VendorRequest) Body() ([]byte, error) {
	x := bodyOf(r.Context)
	raw, err := x.Raw(r.Request())
	if err != nil {
		return nil, err
	}
	encoding := strings.ToLower(strings.TrimSpace(r.Request().Header.Get(echo.HeaderContentEncoding)))
	switch {
	case bytes.HasPrefix(raw, []byte{0x1f, 0x8b}):
		return x.gunzip(raw)
	case encoding == "deflate":
		return x.inflate(raw)
	case encoding == "zstd", encoding == "br": // which it refuses
		return x.Plain(r.Request())
	default:
		return raw, nil
	}
}

func (x *body) inflate(raw []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, malformed("deflate", err)
	}
	defer z.Close()
	plain, err := x.readAll(z)
	return plain, asMalformed("deflate", err)
}

// Admit counts a request against the limit of its caller. The error is a 429, which a dialect answers as its SDKs need it.
func (r *VendorRequest) Admit(p *auth.Principal) error {
	if !r.edge.limited {
		return nil
	}
	return r.edge.limits.take(r.Context, &r.edge.limits.ingestion, p.Subject())
}

// Deny counts refused credentials against their address, and returns the error to be answered.
func (r *VendorRequest) Deny(refused error) error {
	if !r.edge.limited {
		return refused
	}
	return r.edge.limits.strangers(r.edge.clients)(r.Context, refused)
}

// registerVendors adds a route for each path of each operation of the dialects that are switched on, with and without a
// slash at its end, and one for its preflight. Nothing is ever redirected: SDKs take a redirect for success, or follow it
// without the body.
func registerVendors(e *echo.Echo, v Vendors, shared *edge) {
	preflights := make(map[string]bool)
	for _, op := range v.Operations {
		if !v.Serves(op.Dialect) {
			continue
		}
		serve := func(c echo.Context) error { return v.Serve(&VendorRequest{c, op, shared}) }
		as := &contract.Operation{ID: op.ID, Method: op.Method, Path: op.Path, Cost: contract.CostIngestion, BodySize: contract.BodyBulk, Public: true}
		chain := append([]echo.MiddlewareFunc{openCORS}, shared.transport(as)...)
		for _, route := range op.Routes {
			for _, path := range []string{route, route + "/"} {
				e.Add(op.Method, path, serve, chain...)
				if !preflights[path] {
					preflights[path] = true
					e.OPTIONS(path, func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }, openCORS)
				}
			}
		}
	}
}

// routes are all of them, of every dialect that is switched on.
func (v Vendors) routes() map[string]bool {
	routes := make(map[string]bool)
	for _, op := range v.Operations {
		for _, route := range op.Routes {
			if v.Serves(op.Dialect) {
				routes[route], routes[route+"/"] = true, true
			}
		}
	}
	return routes
}

// openCORS lets pages of every origin send with credentials: mixpanel-browser sets withCredentials on each request, and a
// browser then takes no answer that is for "*". Nothing depends on cookies here, and the answer says nothing about the
// project.
func openCORS(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		h.Add(echo.HeaderVary, echo.HeaderOrigin)
		origin := r.Header.Get(echo.HeaderOrigin)
		if origin == "" {
			return next(c)
		}
		h.Set(echo.HeaderAccessControlAllowOrigin, origin)
		h.Set(echo.HeaderAccessControlAllowCredentials, "true")
		h.Set(echo.HeaderAccessControlExposeHeaders, "Retry-After, X-Request-Id")
		if r.Method == http.MethodOptions {
			h.Set(echo.HeaderAccessControlAllowMethods, "GET, POST")
			h.Set(echo.HeaderAccessControlMaxAge, "7200")
			h.Add(echo.HeaderVary, echo.HeaderAccessControlRequestHeaders)
			if asked := r.Header.Get(echo.HeaderAccessControlRequestHeaders); asked != "" {
				h.Set(echo.HeaderAccessControlAllowHeaders, asked)
			}
		}
		return next(c)
	}
}
