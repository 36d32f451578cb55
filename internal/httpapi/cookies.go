package httpapi

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/bahagh/nimbus/internal/access/auth"
)

// hostPrefix makes browsers take a cookie over https only, from this very host, for the whole of it. Without it a page of a
// sibling subdomain can set a cookie of the same name for the parent domain, and log a person in as somebody else.
const hostPrefix = "__Host-"

// ownCookies are the cookies of a login, as everything behind this file knows them.
var ownCookies = []string{auth.RefreshCookie, auth.LoginCookie}

// isOwnCookie says whether a Set-Cookie is that of a login.
func isOwnCookie(cookie string) bool {
	name, _, _ := strings.Cut(cookie, "=")
	return slices.Contains(ownCookies, name)
}

var cookiePath = regexp.MustCompile(`; Path=[^;]*`)

// overHTTPS gives the cookies of an answer the prefix, and what it asks for.
func overHTTPS(answer http.Header) {
	for i, cookie := range answer[echo.HeaderSetCookie] {
		if isOwnCookie(cookie) {
			cookie = hostPrefix + cookiePath.ReplaceAllString(cookie, "; Path=/")
		}
		answer[echo.HeaderSetCookie][i] = cookie + "; Secure"
	}
}

// believeHostCookies takes the prefix off the cookies of a request that came over https. One without it is left out: nobody
// knows who has set it.
func believeHostCookies(r *http.Request) {
	sent := r.Cookies()
	if len(sent) == 0 {
		return
	}
	r.Header.Del("Cookie")
	for _, c := range sent {
		if slices.Contains(ownCookies, c.Name) {
			continue
		}
		c.Name = strings.TrimPrefix(c.Name, hostPrefix)
		r.AddCookie(c)
	}
}
