package app_test

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/internal/platform/embedded"
	"github.com/bahagh/nimbus/test/apptest"
	"github.com/bahagh/nimbus/test/nimbustest"
)

var grace = nimbustest.Person{"sub": "grace-1", "email": "grace@example.com", "email_verified": true}

const callback = "/v1/auth/oidc/callback"

func withProvider(p *nimbustest.Provider) []string {
	return []string{"NIMBUS_OIDC_ISSUER=" + p.Issuer(), "NIMBUS_OIDC_CLIENT_ID=" + p.ClientID, "NIMBUS_OIDC_CLIENT_SECRET=" + p.ClientSecret,
		"NIMBUS_OIDC_REDIRECT_URL=https://nimbus.example" + callback, "NIMBUS_OIDC_NAME=Example Ltd"}
}

// cookies are those that a reply sets, by their names.
func cookies(r *apptest.Reply) map[string]*http.Cookie {
	out := map[string]*http.Cookie{}
	for _, c := range (&http.Response{Header: r.Header}).Cookies() {
		out[c.Name] = c
	}
	return out
}

// leave sends the browser to the provider, and returns the cookie it leaves with and the path it comes back to.
func leave(t *testing.T, browser *apptest.Client, p *nimbustest.Provider, query string, person nimbustest.Person) (*http.Cookie, string) {
	t.Helper()
	r := browser.Do("GET", "/v1/auth/oidc/login"+query, nil).Want(302)
	set := cookies(r)
	login := cmp.Or(set["nimbus_oidc"], set["__Host-nimbus_oidc"])
	if login == nil {
		t.Fatalf("no cookie: %v", r.Header)
	}
	return login, callback + "?" + p.Authorize(t, r.Header.Get("Location"), person).Encode()
}

func wantRedirect(t *testing.T, r *apptest.Reply, location string) {
	t.Helper()
	if got := r.Want(302).Header.Get("Location"); got != location {
		t.Fatalf("the browser goes to %s, want %s", got, location)
	}
}

func TestABrowserLogsInWithTheProviderAndKeepsItsSessionInACookie(t *testing.T) {
	t.Parallel()
	p := nimbustest.OIDC(t)
	a := apptest.Boot(t, withProvider(p)...)
	browser := a.Client(t).With("X-Forwarded-Proto", "https")

	login, back := leave(t, browser, p, "?return_to="+url.QueryEscape("/projects?sort=name#top"), grace)
	if login.Name != "__Host-nimbus_oidc" || !login.HttpOnly || !login.Secure || login.SameSite != http.SameSiteLaxMode || login.Path != "/" || login.Domain != "" || login.MaxAge != 600 {
		t.Errorf("cookie %s", login.Raw)
	}
	// Providers add parameters of their own.
	r := browser.With("Cookie", login.Name+"="+login.Value).Do("GET", back+"&session_state=x&scope=openid&iss="+url.QueryEscape(p.Issuer()), nil)
	wantRedirect(t, r, "/projects?sort=name#top")
	set := cookies(r)
	if c := set["__Host-nimbus_oidc"]; c == nil || c.MaxAge >= 0 || c.Path != login.Path {
		t.Errorf("what the login needed stays: %v", r.Header)
	}
	session := set["__Host-nimbus_refresh"]
	if session == nil || !session.HttpOnly || !session.Secure || session.SameSite != http.SameSiteStrictMode || session.Path != "/" || session.Domain != "" {
		t.Fatalf("the session's cookie: %v", r.Header)
	}
	var s struct {
		AccessToken string `json:"access_token"`
		Account     struct{ Email string }
	}
	browser.With("Cookie", session.Name+"="+session.Value).With("X-Nimbus-Session", "cookie").Do("POST", "/v1/auth/refresh", nil).Want(200).JSON(&s)
	if s.Account.Email != "grace@example.com" {
		t.Errorf("logged in as %s", s.Account.Email)
	}
	me := a.Client(t).Bearer(s.AccessToken)
	me.Do("POST", "/v1/projects", map[string]string{"name": "hers"}).Want(201)
	change := map[string]string{"current_password": apptest.Password, "new_password": "Another-Horse-8"}
	if r := me.Do("POST", "/v1/auth/password", change).WantCode(422, "validation_failed"); !strings.Contains(string(r.Body), "no_password") {
		t.Errorf("%s", r.Body)
	}
}

func TestATokenOfTheProviderIsTakenWhereAnAccessTokenIs(t *testing.T) {
	t.Parallel()
	p := nimbustest.OIDC(t)
	a := apptest.Boot(t, withProvider(p)...)
	token := p.Token(t, p.Claims("grace-1", nil))
	machine := a.Client(t).Bearer(token)
	machine.Do("GET", "/v1/auth/me", nil).WantCode(401, "identity_not_linked")
	login, back := leave(t, a.Client(t), p, "", grace)
	wantRedirect(t, a.Client(t).With("Cookie", login.Name+"="+login.Value).Do("GET", back, nil), "/")

	machine.Do("GET", "/v1/auth/me", nil).Want(200)
	var project struct{ Project struct{ ID string } }
	machine.Do("POST", "/v1/projects", map[string]string{"name": "x"}).Want(201).JSON(&project)
	var sessions struct{ Items []struct{ Current bool } }
	machine.Do("GET", "/v1/auth/sessions", nil).Want(200).JSON(&sessions)
	if len(sessions.Items) != 2 || !sessions.Items[0].Current {
		t.Errorf("the token's session is not in the list: %+v", sessions.Items)
	}
	// Whatever their ids are, which the hashes of tokens are: newest first.
	a.Exec(t, `INSERT INTO sessions (id, account_id, created_at, last_seen_at, expires_at)
		SELECT '00000000-0000-8000-8000-000000000001', account_id, created_at + interval '1 second', created_at, expires_at
		FROM sessions ORDER BY created_at DESC LIMIT 1`)
	machine.Do("GET", "/v1/auth/sessions", nil).Want(200).JSON(&sessions)
	if len(sessions.Items) != 3 || !sessions.Items[1].Current {
		t.Errorf("a session that is newer is not before the token's: %+v", sessions.Items)
	}
	machine.With("Accept", "text/event-stream").Do("GET", "/v1/projects/"+project.Project.ID+"/live", nil).Want(200)
	machine.Do("POST", "/v1/auth/refresh", nil).WantCode(401, "wrong_token_type")
	machine.Do("POST", "/v1/auth/logout", nil).Want(204)
	machine.Do("GET", "/v1/auth/me", nil).WantCode(401, "session_ended")
}

func TestALoginThatFailsEndsAtThePageThatExplainsIt(t *testing.T) {
	t.Parallel()
	p := nimbustest.OIDC(t)
	a := apptest.Boot(t, withProvider(p)...)
	browser := a.Client(t)
	wantRedirect(t, browser.Do("GET", callback, nil), "/login?error=oidc_expired")
	wantRedirect(t, browser.With("Cookie", "nimbus_oidc=forged").Do("GET", callback+"?code=x&state=y", nil), "/login?error=oidc_expired")

	unverified := nimbustest.Person{"sub": "eve-1", "email": "grace@example.com"}
	login, back := leave(t, browser, p, "", unverified)
	r := browser.With("Cookie", login.Name+"="+login.Value).Do("GET", back, nil)
	wantRedirect(t, r, "/login?error=oidc_email_unverified")
	if set := cookies(r); len(set) != 0 {
		t.Errorf("cookies %v", set)
	}
	login, _ = leave(t, browser, p, "", grace)
	wantRedirect(t, browser.With("Cookie", login.Name+"="+login.Value).Do("GET", callback+"?error=access_denied&state=none", nil), "/login?error=oidc_expired")

	// Whatever stands in the address: a person is looking, and goes somewhere on this server.
	for from, to := range map[string]string{"//evil.example": "/", "https://evil.example": "/", "/\\evil.example": "/", "projects": "/", "": "/",
		"/people/auth0|123": "/people/auth0%7C123"} {
		login, back := leave(t, browser, p, "?return_to="+url.QueryEscape(from), grace)
		wantRedirect(t, browser.With("Cookie", login.Name+"="+login.Value).Do("GET", back, nil), to)
	}
	browser.Do("GET", "/v1/auth/oidc/login?next=/x", nil).WantCode(422, "validation_failed")
	browser.Do("GET", callback+"?state="+strings.Repeat("x", 201), nil).WantCode(422, "validation_failed")
	browser.Do("GET", callback+"?code=x&code=y", nil).WantCode(422, "validation_failed")
}

func TestTheWaysToLogInAreToldToEverybody(t *testing.T) {
	t.Parallel()
	var m struct {
		Password bool
		Oidc     struct {
			Enabled bool
			Name    *string
		}
	}
	p := nimbustest.OIDC(t)
	apptest.Boot(t, withProvider(p)...).Client(t).Do("GET", "/v1/auth/methods", nil).Want(200).JSON(&m)
	if !m.Password || !m.Oidc.Enabled || m.Oidc.Name == nil || *m.Oidc.Name != "Example Ltd" {
		t.Errorf("%+v", m)
	}
	m.Oidc.Name = nil
	without := apptest.Boot(t).Client(t)
	without.Do("GET", "/v1/auth/methods", nil).Want(200).JSON(&m)
	if !m.Password || m.Oidc.Enabled || m.Oidc.Name != nil {
		t.Errorf("%+v", m)
	}
	for _, path := range []string{"/v1/auth/oidc/login", callback} {
		wantRedirect(t, without.Do("GET", path, nil), "/login?error=oidc_not_configured")
	}
}

func TestNimbusStartsAndIsReadyWithoutItsProvider(t *testing.T) {
	t.Parallel()
	p := nimbustest.OIDC(t)
	p.Away()
	a := apptest.Boot(t, withProvider(p)...)
	if got := get(t, a, "/readiness").StatusCode; got != 200 {
		t.Errorf("readiness: %d", got)
	}
	wantRedirect(t, a.Client(t).Do("GET", "/v1/auth/oidc/login", nil), "/login?error=oidc_unavailable")
	r := a.Client(t).Bearer(p.Token(t, p.Claims("grace-1", nil))).Do("GET", "/v1/auth/me", nil).WantCode(503, "identity_provider_unavailable")
	if r.Header.Get("Retry-After") != "10" {
		t.Errorf("Retry-After: %s", r.Header.Get("Retry-After"))
	}
	a.Account(t) // those with a password are not concerned
	if !strings.Contains(a.Metrics(t), `nimbus_oidc_failures_total{question="keys"} 1`) {
		t.Error("the failure is not counted")
	}
	p.Fail(nil)
	a.Clock.Add(10e9)
	leave(t, a.Client(t), p, "", grace)
}

func TestALoginWithTheProviderNeedsTheDatabase(t *testing.T) {
	t.Parallel()
	p := nimbustest.OIDC(t)
	srv := nimbustest.PrivateServer(t, false)
	a := apptest.BootOn(t, srv.DSN(embedded.Database), withProvider(p)...)
	login, back := leave(t, a.Client(t), p, "", grace)
	if err := srv.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.Client(t).With("Cookie", login.Name+"="+login.Value).Do("GET", back, nil).WantCode(503, "database_unavailable")
}
