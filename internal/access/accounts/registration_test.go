package accounts

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/mail"
)

// oneInvitation is a Memberships with one invitation, for whoever has the token.
type oneInvitation struct {
	token    string
	accepted []uuid.UUID
}

func (o *oneInvitation) Invited(_ context.Context, token, _ string) error {
	if token != o.token {
		return problem.New(problem.CodeLinkInvalid, "no")
	}
	return nil
}

func (o *oneInvitation) Accept(ctx context.Context, _ pgx.Tx, token string, account uuid.UUID, email string) error {
	if err := o.Invited(ctx, token, email); err != nil {
		return err
	}
	o.accepted = append(o.accepted, account)
	return nil
}

func (o *oneInvitation) Abandon(context.Context, pgx.Tx, uuid.UUID, bool) error { return nil }
func (o *oneInvitation) Changed()                                               {}

// The door is the same for those who come through the identity provider.
func TestAProviderDoesNotOpenAServerThatIsClosed(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	b.register(t) // the first account
	members := &oneInvitation{token: "ni_right"}
	open := b.Service
	restrict := func(kind Registration, domains ...string) {
		b.Service = b.another(t, func(c *Config) {
			c.Registration, c.Domains, c.Members = kind, domains, members
			c.OIDC = &OIDC{Issuer: b.provider.Issuer(), ClientID: b.provider.ClientID, ClientSecret: b.provider.ClientSecret,
				RedirectURL: "https://nimbus.example/v1/auth/oidc/callback", Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()}
		})
	}
	grace := but(but(ada, "sub", "grace-1"), "email", "grace@example.org")
	with := func(invitation string) error {
		target, sealed, err := b.StartOIDC(t.Context(), "/", invitation)
		if err != nil {
			t.Fatal(err)
		}
		q := b.provider.Authorize(t, target, grace)
		_, _, err = b.FinishOIDC(t.Context(), sealed, OIDCAnswer{State: q.Get("state"), Code: q.Get("code")})
		return err
	}
	restrict(RegistrationClosed)
	wantFailure(t, with(""), FailureRegistrationClosed)
	b.enter(t, ada) // has an account
	restrict(RegistrationOpen, "example.com")
	wantFailure(t, with(""), FailureRegistrationClosed)
	restrict(RegistrationInvite)
	wantFailure(t, with(""), FailureRegistrationClosed)
	wantFailure(t, with("ni_wrong"), FailureRegistrationClosed)
	if n := b.count(t, "SELECT count(*) FROM accounts"); n != 1 || len(members.accepted) != 0 {
		t.Fatalf("%d accounts", n)
	}
	if err := with("ni_right"); err != nil || len(members.accepted) != 1 {
		t.Errorf("%v, %d accepted", err, len(members.accepted))
	}
	if err := with(""); err != nil { // from now on without
		t.Error(err)
	}

	id := members.accepted[0]
	if _, err := open.Update(t.Context(), id, AccountChange{Disabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, with(""), FailureDisabled)
}

// Whoever may not register must not keep processors busy with his password.
func TestWhoMayNotRegisterCostsNoHash(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	closed := b.another(t, func(c *Config) { c.Registration = RegistrationClosed })
	closed.passwords.takeAll(t) // hashing would wait for the context to end
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := closed.Register(ctx, NewAccount{Email: "eve@example.com", Password: testPassword})
	wantCode(t, err, "registration_closed")
	_, err = closed.Reset(ctx, "np_nothing", testPassword)
	wantCode(t, err, "link_invalid")
}

func TestWhereABrowserMayGoAfterALogin(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"/": "/", "/projects/1?a=b#c": "/projects/1?a=b#c",
		"/people/auth0|123":     "/people/auth0%7C123",
		"/people/auth0%7C123":   "/people/auth0%7C123",
		"/people/{x} \"y\"":     "/people/%7Bx%7D%20%22y%22",
		"/people/\u00E9":        "/people/%C3%A9",
		"":                      "/",
		"projects":              "/",
		"//evil.example":        "/",
		"/\\evil.example":       "/",
		"https://evil.example/": "/",
		"javascript:alert(1)":   "/",
		"/\t/evil.example":      "/",
		"/%zz":                  "/",
		"/" + strings.Repeat("x", maxReturnBytes): "/",
	} {
		if got := localPath(from); got != want {
			t.Errorf("%.50q: %q, want %q", from, got, want)
		}
	}
}

func TestALinkToANewPasswordIsMailedToWhoeverHasTheAccountAndNobodyLearnsWhoThatIs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := b.register(t)
	var log bytes.Buffer
	sent := make(chan *mail.Message, 10)
	outbox := mail.NewOutbox(func(_ context.Context, m *mail.Message) error { sent <- m; return nil }, "https://nimbus.example",
		prometheus.NewRegistry(), slog.New(slog.NewTextHandler(&log, nil)))
	s := b.another(t, func(c *Config) { c.Outbox = outbox })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); outbox.Run(ctx) }()
	ask := func(email string) {
		t.Helper()
		if err := s.RequestReset(t.Context(), email); err != nil {
			t.Fatal(err)
		}
	}
	ask("nobody@example.com")
	ask("ADA@example.com")
	ask(testEmail) // a second one so soon fills a mailbox
	m := <-sent
	_, rest, _ := strings.Cut(m.Text, "https://nimbus.example/reset#")
	token, _, _ := strings.Cut(rest, "\n")
	if m.To != testEmail || !strings.HasPrefix(token, "np_") {
		t.Fatalf("%+v", m)
	}
	// A change of password ends what was sent before it.
	fresh, err := s.Reset(t.Context(), token, otherGood)
	if err != nil || fresh.Account.ID != session.Account.ID {
		t.Fatal(err)
	}
	b.clock.advance(2 * mailPause)
	ask(testEmail)
	m = <-sent
	_, rest, _ = strings.Cut(m.Text, "#")
	token, _, _ = strings.Cut(rest, "\n")
	if _, err := s.ChangePassword(t.Context(), session.Account.ID, otherGood, testPassword); err != nil {
		t.Fatal(err)
	}
	_, err = s.Reset(t.Context(), token, otherGood)
	wantCode(t, err, "link_invalid")

	b.clock.advance(2 * mailPause)
	ask(testEmail)
	m = <-sent
	b.clock.advance(mailTime + time.Second)
	_, rest, _ = strings.Cut(m.Text, "#")
	token, _, _ = strings.Cut(rest, "\n")
	_, err = s.Reset(t.Context(), token, otherGood)
	wantCode(t, err, "link_invalid")
	cancel()
	<-done
	if len(sent) != 0 || strings.Contains(log.String(), "ada") {
		t.Errorf("%d more mails; log: %s", len(sent), log.String())
	}
	b.clock.advance(48 * time.Hour)
	if err := s.Prune(t.Context(), b.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, "SELECT count(*) FROM password_resets"); n != 0 {
		t.Errorf("%d links are left", n)
	}
}
