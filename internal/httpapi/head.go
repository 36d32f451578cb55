package httpapi

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/contract/problem"
)

type headKey struct{}

// headAsGet serves HEAD wherever there is GET, as RFC 9110 requires and uptime monitors expect. The handler sees a
// GET; net/http still knows the original method and sends the headers alone.
func headAsGet(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			r = r.WithContext(context.WithValue(r.Context(), headKey{}, true))
			r.Method = http.MethodGet
		}
		h.ServeHTTP(w, r)
	})
}

// sentMethod is the method as the client sent it, which is the one it signed.
func sentMethod(r *http.Request) string {
	if r.Context().Value(headKey{}) != nil {
		return http.MethodHead
	}
	return r.Method
}

// refuseHead refuses HEAD for a stream, whose answer has no headers apart from the stream.
func refuseHead(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if sentMethod(c.Request()) == http.MethodHead {
			c.Response().Header().Set(echo.HeaderAllow, http.MethodGet)
			return problem.New(problem.CodeMethodNotAllowed, "A stream has no answer to HEAD; use GET.")
		}
		return next(c)
	}
}
