package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/test/apptest"
)

type session struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	Account      struct{ Email string }
}

func credentials(email, password string) map[string]string {
	return map[string]string{"email": email, "password": password}
}

func TestAccountLifecycle(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	anyone := a.Client(t)
	var s session
	anyone.Do("POST", "/v1/auth/register", credentials("Ada@Example.com", apptest.Password)).Want(201).JSON(&s)
	if s.TokenType != "Bearer" || s.ExpiresIn != 3600 || s.Account.Email != "ada@example.com" {
		t.Errorf("%+v", s)
	}
	anyone.Do("POST", "/v1/auth/register", credentials("ada@example.COM", apptest.Password)).WantCode(409, "email_taken")
	anyone.Do("POST", "/v1/auth/login", credentials("ADA@example.com", apptest.Password)).Want(200)
	wrong := anyone.Do("POST", "/v1/auth/login", credentials("ada@example.com", "Wrong-Horse-7")).WantCode(401, "invalid_credentials")
	unknown := anyone.Do("POST", "/v1/auth/login", credentials("eve@example.com", "Wrong-Horse-7")).WantCode(401, "invalid_credentials")
	if detail(wrong) != detail(unknown) {
		t.Errorf("unknown accounts can be told from wrong passwords: %s / %s", wrong.Body, unknown.Body)
	}
	for _, weak := range []string{"short1A", "alllower1", "ALLUPPER1", "NoDigitsHere", strings.Repeat("aB1", 25), strings.Repeat("ä", 36) + "B1"} {
		anyone.Do("POST", "/v1/auth/register", credentials("new@example.com", weak)).WantCode(422, "validation_failed")
	}
	r := anyone.Do("POST", "/v1/auth/register", map[string]any{"email": "no", "password": 1, "admin": true}).WantCode(422, "validation_failed")
	for _, pointer := range []string{`"/email"`, `"/password"`, `"/admin"`} {
		if !strings.Contains(string(r.Body), pointer) {
			t.Errorf("%s is not named: %s", pointer, r.Body)
		}
	}

	me := anyone.Bearer(s.AccessToken)
	me.Do("GET", "/v1/auth/me", nil).Want(200)
	anyone.Bearer(s.RefreshToken).Do("GET", "/v1/auth/me", nil).WantCode(401, "wrong_token_type")
	anyone.Bearer(s.AccessToken).Do("POST", "/v1/auth/refresh", nil).WantCode(401, "wrong_token_type")

	var changed session
	me.Do("POST", "/v1/auth/password", map[string]string{"current_password": "Wrong-Horse-7", "new_password": "Another-Horse-8"}).WantCode(401, "invalid_credentials")
	me.Do("POST", "/v1/auth/password", map[string]string{"current_password": apptest.Password, "new_password": "Another-Horse-8"}).Want(200).JSON(&changed)
	me.Do("GET", "/v1/auth/me", nil).WantCode(401, "session_ended")
	anyone.Bearer(s.RefreshToken).Do("POST", "/v1/auth/refresh", nil).WantCode(401, "session_ended")
	anyone.Do("POST", "/v1/auth/login", credentials("ada@example.com", apptest.Password)).WantCode(401, "invalid_credentials")

	me = anyone.Bearer(changed.AccessToken)
	a.Clock.Add(time.Hour + time.Minute)
	me.Do("GET", "/v1/auth/me", nil).WantCode(401, "token_expired")
	anyone.Bearer(changed.RefreshToken).Do("POST", "/v1/auth/refresh", nil).Want(200).JSON(&changed)
	anyone.Bearer(changed.AccessToken).Do("GET", "/v1/auth/me", nil).Want(200)
	anyone.Bearer(changed.AccessToken).Do("POST", "/v1/auth/logout", nil).Want(204)
	anyone.Bearer(changed.AccessToken).Do("GET", "/v1/auth/me", nil).WantCode(401, "session_ended")
}

func TestARefreshTokenWorksOnce(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	anyone := a.Client(t)
	a.Clock.Freeze()
	var first, again, second session
	anyone.Bearer(x.RefreshToken).Do("POST", "/v1/auth/refresh", nil).Want(200).JSON(&first)
	anyone.Bearer(x.RefreshToken).Do("POST", "/v1/auth/refresh", nil).Want(200).JSON(&again)
	if first.RefreshToken != again.RefreshToken {
		t.Error("a lost reply would log the user out: the successor differs within the grace")
	}
	anyone.Bearer(first.RefreshToken).Do("POST", "/v1/auth/refresh", nil).Want(200).JSON(&second)
	a.Clock.Add(time.Minute)
	anyone.Bearer(x.RefreshToken).Do("POST", "/v1/auth/refresh", nil).WantCode(401, "token_reused")
	// The thief and the owner are both out.
	anyone.Bearer(second.RefreshToken).Do("POST", "/v1/auth/refresh", nil).WantCode(401, "session_ended")
	anyone.Bearer(second.AccessToken).Do("GET", "/v1/auth/me", nil).WantCode(401, "session_ended")
}

// A browser's session: what its scripts can read is an access token, and what keeps the session is out of their reach.
func TestASessionIsKeptInACookieThatOnlyOurOwnPagesCanUse(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	browser := a.Client(t).With("X-Forwarded-Proto", "https")
	var s session
	cookie := func(r *apptest.Reply) *http.Cookie {
		t.Helper()
		s = session{}
		if len(r.Body) > 0 {
			r.JSON(&s)
		}
		cookies := (&http.Response{Header: r.Header}).Cookies()
		if len(cookies) != 1 || s.RefreshToken != "" {
			t.Fatalf("cookies %v, refresh token %q", cookies, s.RefreshToken)
		}
		if c := cookies[0]; c.Name != "__Host-nimbus_refresh" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie %s", c.Raw)
		}
		return cookies[0]
	}
	who := credentials("ada@example.com", apptest.Password)
	who["session"] = "cookie"
	first := cookie(browser.Do("POST", "/v1/auth/register", who).Want(201))
	if first.MaxAge != 7*24*3600 {
		t.Errorf("the cookie lives %d s", first.MaxAge)
	}
	with := func(c *http.Cookie) *apptest.Client { return browser.With("Cookie", c.Name+"="+c.Value) }
	ours := func(c *http.Cookie) *apptest.Client { return with(c).With("X-Nimbus-Session", "cookie") }

	for _, path := range []string{"/v1/auth/refresh", "/v1/auth/logout"} {
		with(first).Do("POST", path, nil).WantCode(401, "unauthenticated") // as a form of another site would
		with(first).With("X-Nimbus-Session", "token").Do("POST", path, nil).WantCode(401, "unauthenticated")
		browser.With("X-Nimbus-Session", "cookie").Do("POST", path, nil).WantCode(401, "unauthenticated")
	}
	// A page of a sibling subdomain can set a cookie without the prefix, of a session of its own: it would log the person in as
	// somebody else.
	planted := a.Account(t).RefreshToken
	browser.With("Cookie", "nimbus_refresh="+planted).With("X-Nimbus-Session", "cookie").Do("POST", "/v1/auth/refresh", nil).WantCode(401, "unauthenticated")
	ours(&http.Cookie{Name: "nimbus_refresh", Value: planted + "; " + first.Name + "=" + first.Value}).Do("POST", "/v1/auth/logout", nil).Want(204)
	first = cookie(browser.Do("POST", "/v1/auth/login", who).Want(200))
	second := cookie(ours(first).Do("POST", "/v1/auth/refresh", nil).Want(200))
	if second.Value == first.Value {
		t.Error("the token in the cookie was not replaced")
	}
	a.Client(t).Bearer(s.AccessToken).Do("GET", "/v1/auth/me", nil).Want(200)
	ours(second).Do("GET", "/v1/auth/me", nil).WantCode(401, "unauthenticated")

	change := map[string]string{"current_password": apptest.Password, "new_password": "Another-Horse-8", "session": "cookie"}
	third := cookie(browser.Bearer(s.AccessToken).Do("POST", "/v1/auth/password", change).Want(200))
	ours(second).Do("POST", "/v1/auth/refresh", nil).WantCode(401, "session_ended")
	if c := cookie(ours(third).Do("POST", "/v1/auth/logout", nil).Want(204)); c.MaxAge >= 0 || c.Value != "" {
		t.Errorf("logging out leaves %s", c.Raw)
	}
	ours(third).Do("POST", "/v1/auth/refresh", nil).WantCode(401, "session_ended")

	who["password"] = "Another-Horse-8"
	plain := a.Client(t).Do("POST", "/v1/auth/login", who).Want(200).Header.Get("Set-Cookie")
	if !strings.HasPrefix(plain, "nimbus_refresh=") || strings.Contains(plain, "Secure") {
		t.Errorf("a browser drops this cookie when it came over http: %s", plain)
	}
	delete(who, "session")
	r := browser.Do("POST", "/v1/auth/login", who).Want(200)
	if r.JSON(&s); s.RefreshToken == "" || r.Header.Get("Set-Cookie") != "" {
		t.Errorf("a cookie that nobody asked for: %v", r.Header)
	}
}

type project struct {
	ID          uuid.UUID
	Name        string
	Description string
	Role        string
	APIKeyID    string `json:"api_key_id"`
}

func TestProjectLifecycle(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x, other := a.Tenant(t), a.Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String()
	var p project
	x.Do("GET", path, nil).Want(200).JSON(&p)
	if p.Role != "owner" || p.APIKeyID != x.KeyID {
		t.Errorf("%+v", p)
	}
	x.Do("PATCH", path, map[string]string{"name": "Renamed"}).Want(200).JSON(&p)
	if p.Name != "Renamed" {
		t.Errorf("%+v", p)
	}
	x.Do("PATCH", path, map[string]string{"description": "About"}).Want(200).JSON(&p)
	if p.Name != "Renamed" || p.Description != "About" {
		t.Errorf("what was absent changed: %+v", p)
	}
	for _, c := range []struct {
		method, path string
		body         any
	}{{"GET", path, nil}, {"PATCH", path, map[string]string{"name": "x"}}, {"DELETE", path, nil}, {"POST", path + "/rotate-keys", nil},
		{"GET", path + "/write-keys", nil}, {"POST", path + "/write-keys", map[string]any{"allowed_origins": []string{}}}} {
		other.Do(c.method, c.path, c.body).WantCode(404, "not_found")
	}
	x.Ingest(events(3)...)
	x.Do("DELETE", path, nil).Want(204)
	x.Do("GET", path, nil).WantCode(404, "not_found")
	x.Send(x.Signed(x.Batch(events(1)...))).WantCode(401, "invalid_key")
	a.Client(t).With("X-API-Key", x.Secret).Do("GET", "/v1/events?project_id="+x.ProjectID.String(), nil).WantCode(401, "invalid_key")
}

func TestProjectsArePaged(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	for range 4 {
		x.Do("POST", "/v1/projects", map[string]string{"name": "another"}).Want(201)
	}
	seen := map[uuid.UUID]bool{}
	for cursor := ""; ; {
		var page struct {
			Items      []project
			NextCursor *string `json:"next_cursor"`
		}
		x.Do("GET", "/v1/projects?limit=2"+cursor, nil).Want(200).JSON(&page)
		for _, p := range page.Items {
			seen[p.ID] = true
		}
		if page.NextCursor == nil {
			break
		}
		cursor = "&cursor=" + *page.NextCursor
	}
	if len(seen) != 5 {
		t.Errorf("%d projects in the pages, want 5", len(seen))
	}
}

func TestRotationStopsTheOldPair(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	a.Clock.Freeze()
	rotate := func(body any) *apptest.Tenant {
		var out struct {
			ID     string `json:"api_key_id"`
			Secret string `json:"api_key_secret"`
		}
		x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/rotate-keys", body).Want(200).JSON(&out)
		next := *x
		next.KeyID, next.Secret = out.ID, out.Secret
		return &next
	}
	second := rotate(nil)
	x.Send(x.Signed(x.Batch(events(1)...))).WantCode(401, "invalid_key")
	third := rotate(map[string]int{"grace_seconds": 60})
	second.Send(second.Signed(second.Batch(events(1)...))).Want(200)
	third.Send(third.Signed(third.Batch(events(1)...))).Want(200)
	a.Clock.Add(61 * time.Second)
	second.Send(second.Signed(second.Batch(events(1)...))).WantCode(401, "invalid_key")
	third.Send(third.Signed(third.Batch(events(1)...))).Want(200)
	x.Do("POST", "/v1/projects/"+x.ProjectID.String()+"/rotate-keys", map[string]int{"grace_seconds": -1}).WantCode(422, "validation_failed")
}

func TestWriteKeyLifecycle(t *testing.T) {
	t.Parallel()
	a := apptest.Boot(t)
	x := a.Tenant(t)
	path := "/v1/projects/" + x.ProjectID.String() + "/write-keys"
	var key struct {
		ID  uuid.UUID
		Key string
	}
	x.Do("POST", path, map[string]any{"allowed_origins": []string{}}).Want(201).JSON(&key)
	send := a.Client(t).With("X-Write-Key", key.Key)
	send.Do("POST", "/v1/events", x.Batch(events(1)...)).Want(200)
	x.Do("PUT", path+"/"+key.ID.String(), map[string]any{"allowed_origins": []string{"https://a.example.com"}}).Want(200)
	send.Do("POST", "/v1/events", x.Batch(events(1)...)).WantCode(403, "origin_not_allowed")
	x.Do("PUT", path+"/"+key.ID.String(), map[string]any{"allowed_origins": []string{"not an origin"}}).WantCode(422, "validation_failed")
	if r := x.Do("GET", path, nil).Want(200); !strings.Contains(string(r.Body), "https://a.example.com") {
		t.Errorf("the list: %s", r.Body)
	}
	x.Do("DELETE", path+"/"+key.ID.String(), nil).Want(204)
	send.With("Origin", "https://a.example.com").Do("POST", "/v1/events", x.Batch(events(1)...)).WantCode(401, "invalid_key")
}
