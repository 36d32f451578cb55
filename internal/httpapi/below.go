package httpapi

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// below serves the routes under a path such as /analytics. A proxy may take the path off or leave it: what comes without it is
// served too, as health checks are that ask the node itself. Routes, signatures and the log know paths without it; answers name
// paths that browsers can go to, and so with it.
func below(base string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			stripBase(c.Request(), base)
			h := c.Response().Header()
			c.Response().Before(func() { addBase(h, base) })
			return next(c)
		}
	}
}

// stripBase takes the base off a request that has it. The request line goes with it: it is what was signed.
func stripBase(r *http.Request, base string) {
	raw, ok := withoutBase(r.URL.EscapedPath(), base)
	if !ok {
		return
	}
	u := *r.URL
	u.Path, _ = withoutBase(u.Path, base)
	if u.RawPath != "" {
		u.RawPath = raw
	}
	r.RequestURI, _ = withoutBase(r.RequestURI, base)
	r.URL = &u
}

func withoutBase(path, base string) (string, bool) {
	rest, ok := strings.CutPrefix(path, base)
	switch {
	case !ok:
		return path, false
	case strings.HasPrefix(rest, "/"):
		return rest, true
	case rest == "" || rest[0] == '?':
		return "/" + rest, true
	}
	return path, false // /analytics2
}

// addBase puts the base before what an answer sends browsers to, and before the paths of its cookies.
func addBase(h http.Header, base string) {
	for _, name := range []string{echo.HeaderLocation, "Content-Location"} {
		if to := h.Get(name); strings.HasPrefix(to, "/") {
			h.Set(name, base+to)
		}
	}
	for i, cookie := range h[echo.HeaderSetCookie] {
		if isOwnCookie(cookie) {
			h[echo.HeaderSetCookie][i] = strings.Replace(cookie, "; Path=/", "; Path="+base+"/", 1)
		}
	}
}
