package main_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/test/nimbustest"
)

var resetLink = regexp.MustCompile(`(?m)^https://nimbus\.example/reset#(np_[A-Za-z0-9_-]{43})$`)

func TestAccountsAreManagedBesideTheServer(t *testing.T) {
	t.Parallel()
	settings := []string{"NIMBUS_DATABASE_URL=" + nimbustest.DSN(t), "NIMBUS_JWT_SECRET=" + keyA, "NIMBUS_SECRET_KEY=" + keyB, "NIMBUS_DATA_DIR=" + dataDir(t),
		"NIMBUS_ENVIRONMENT=production", "NIMBUS_BCRYPT_COST=10", "NIMBUS_PUBLIC_URL=https://nimbus.example"}
	p := start(t, settings, "serve")
	accounts := func(words ...string) string {
		t.Helper()
		got := nimbus(t, settings, append([]string{"accounts"}, words...)...)
		if got.code != 0 {
			t.Fatalf("accounts %s: %d\n%s%s", words, got.code, got.stdout, got.stderr)
		}
		return got.stdout
	}
	refused := func(code int, says string, words ...string) {
		t.Helper()
		got := nimbus(t, settings, append([]string{"accounts"}, words...)...)
		if got.code != code || !strings.Contains(got.stderr, says) {
			t.Errorf("accounts %s: %d\n%s%s", words, got.code, got.stdout, got.stderr)
		}
	}
	x := &tenant{t: t}
	setPassword := func(output string) (token string) {
		t.Helper()
		link := resetLink.FindStringSubmatch(output)
		if link == nil {
			t.Fatalf("no link: %s", output)
		}
		var session struct {
			AccessToken string `json:"access_token"`
		}
		x.call(p, http.MethodPost, "/v1/auth/password-reset/complete", map[string]string{"token": link[1], "new_password": password}, 200, &session)
		return session.AccessToken
	}
	login := func(email string, status int) {
		t.Helper()
		x.call(p, http.MethodPost, "/v1/auth/login", map[string]string{"email": email, "password": password}, status, nil)
	}

	// The first account operates the server; nobody had to be let in for it.
	x.token = setPassword(accounts("create", "Ada@example.com"))
	x.call(p, http.MethodGet, "/v1/instance/accounts", nil, 200, nil)
	refused(1, "There is an account with this address already", "create", "ada@example.com")
	refused(1, "must be an e-mail address", "create", "ada")
	x.token = setPassword(accounts("create", "bob@example.com"))
	x.call(p, http.MethodGet, "/v1/instance/accounts", nil, 403, nil)
	x.call(p, http.MethodPost, "/v1/projects", map[string]string{"name": "Bob's"}, 201, nil)

	if out := accounts("list"); !regexp.MustCompile(`(?m)^ada@example\.com +\S+ +\S+ +0 +0 +operator$`).MatchString(out) ||
		!regexp.MustCompile(`(?m)^bob@example\.com +\S+ +\S+ +1 +0 +-$`).MatchString(out) {
		t.Errorf("%s", out)
	}
	accounts("disable", "BOB@example.com")
	login("bob@example.com", 403)
	if out := accounts("list"); !strings.Contains(out, "disabled") {
		t.Errorf("%s", out)
	}
	accounts("enable", "bob@example.com")
	login("bob@example.com", 200)
	x.token = setPassword(accounts("reset-password", "bob@example.com"))
	accounts("make-operator", "bob@example.com")
	x.call(p, http.MethodGet, "/v1/instance/accounts", nil, 200, nil)
	refused(1, "have no other owner: Bob's", "delete", "bob@example.com")
	accounts("delete", "bob@example.com", "with-projects")
	login("bob@example.com", 401)
	refused(1, "there is no account of bob@example.com", "disable", "bob@example.com")
	refused(1, "the last account that operates", "delete", "ada@example.com")

	refused(2, "accounts takes list, create")
	refused(2, `not "remove"`, "remove", "ada@example.com")
	refused(2, "accounts create needs the address", "create")
	refused(2, `accounts list does not take "x"`, "list", "x")
	refused(2, `accounts disable does not take "operator"`, "disable", "ada@example.com", "operator")
}
