package accounts

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/test/nimbustest"
)

// oidcBundle is a service with a real provider, both with the same clock.
type oidcBundle struct {
	*testBundle
	provider *nimbustest.Provider
}

func setupOIDC(t testing.TB) *oidcBundle {
	t.Helper()
	b := &oidcBundle{testBundle: setup(t), provider: nimbustest.OIDC(t)}
	b.advance(0)
	b.Service = b.node(t)
	return b
}

// node is a node that knows nothing of the provider yet.
func (b *oidcBundle) node(t testing.TB) *Service {
	t.Helper()
	return b.another(t, func(c *Config) {
		c.OIDC = &OIDC{Issuer: b.provider.Issuer(), ClientID: b.provider.ClientID, ClientSecret: b.provider.ClientSecret,
			RedirectURL: "https://nimbus.example/v1/auth/oidc/callback", Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()}
	})
}

// advance moves both clocks.
func (b *oidcBundle) advance(d time.Duration) {
	b.clock.advance(d)
	b.provider.FastForward(b.clock.Now().Sub(b.provider.Now()))
}

var ada = nimbustest.Person{"sub": "ada-1", "email": "Ada@Example.com", "email_verified": true}

func but(p nimbustest.Person, name string, value any) nimbustest.Person {
	out := maps.Clone(p)
	out[name] = value
	return out
}

// begin sends a browser to the provider and returns what it comes back with.
func (b *oidcBundle) begin(t testing.TB, person nimbustest.Person) (sealed string, answer OIDCAnswer) {
	t.Helper()
	target, sealed, err := b.StartOIDC(t.Context(), "/projects", "")
	if err != nil {
		t.Fatal(err)
	}
	q := b.provider.Authorize(t, target, person)
	return sealed, OIDCAnswer{State: q.Get("state"), Code: q.Get("code")}
}

func (b *oidcBundle) login(t testing.TB, person nimbustest.Person) (*Session, error) {
	t.Helper()
	sealed, answer := b.begin(t, person)
	s, returnTo, err := b.FinishOIDC(t.Context(), sealed, answer)
	if err == nil && returnTo != "/projects" {
		t.Errorf("the browser goes to %s", returnTo)
	}
	return s, err
}

func (b *oidcBundle) enter(t testing.TB, person nimbustest.Person) *Session {
	t.Helper()
	s, err := b.login(t, person)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *oidcBundle) actions(t testing.TB) string {
	t.Helper()
	var actions string
	if err := b.pool.QueryRow(t.Context(), "SELECT coalesce(string_agg(action, ' ' ORDER BY id), '') FROM audit_log").Scan(&actions); err != nil {
		t.Fatal(err)
	}
	return actions
}

func wantFailure(t testing.TB, err error, want LoginFailure) {
	t.Helper()
	if err != want { //nolint:errorlint // what the browser is told is this very value
		t.Fatalf("got %v, want %s", err, want)
	}
}

func TestTheFirstLoginWithTheProviderMakesAnAccountAndLaterOnesFindIt(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	first := b.enter(t, ada)
	wantAccess(t, b.Service, first)
	if first.Account.Email != "ada@example.com" {
		t.Errorf("the account has the address %s", first.Account.Email)
	}
	second := b.enter(t, but(but(ada, "email", "elsewhere@example.com"), "email_verified", false))
	if second.Account.ID != first.Account.ID || second.Account.Email != "ada@example.com" {
		t.Errorf("another address at the provider leads to %+v", second.Account)
	}
	if got := b.actions(t); got != "account.register account.link account.login account.login" {
		t.Errorf("the audit log has %s", got)
	}
	for _, password := range []string{"", "x", testPassword} {
		if _, err := b.Login(t.Context(), "ada@example.com", password, place); err == nil {
			t.Errorf("the password %q opens an account that has none", password)
		}
	}
	_, err := b.ChangePassword(t.Context(), first.Account.ID, "", otherGood)
	if err == nil || !strings.Contains(err.Error(), "validation_failed") {
		t.Errorf("changing a password that is not there: %v", err)
	}
}

func TestTheProviderIsSentWhatALoginNeeds(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	target, sealed, err := b.StartOIDC(t.Context(), "/", "")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{"client_id": b.provider.ClientID, "response_type": "code", "scope": "openid email",
		"redirect_uri": "https://nimbus.example/v1/auth/oidc/callback", "code_challenge_method": "S256"} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	login := b.oidc.open(sealed)
	if login == nil || q.Get("state") != login.State || q.Get("nonce") != login.Nonce || len(login.State) < 26 || len(login.Nonce) < 26 {
		t.Errorf("state %q, nonce %q, login %+v", q.Get("state"), q.Get("nonce"), login)
	}
	if strings.Contains(target, login.Verifier) || strings.Contains(sealed, login.State) {
		t.Error("the browser sees what it must not")
	}
	again, _, err := b.StartOIDC(t.Context(), "/", "")
	if err != nil || again == target {
		t.Errorf("two logins share their secrets: %v", err)
	}
}

func TestAPublicClientSendsNoSecret(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	b.oidc.config.ClientSecret = ""
	sent := make(chan url.Values, 1)
	b.provider.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			body, _ := io.ReadAll(r.Body)
			form, _ := url.ParseQuery(string(body))
			sent <- maps.Clone(form)
			form.Set("client_secret", b.provider.ClientSecret) // which this provider insists on
			r.Body = io.NopCloser(strings.NewReader(form.Encode()))
		}
		next.ServeHTTP(w, r)
	})
	b.enter(t, ada)
	if form := <-sent; form.Has("client_secret") || form.Get("client_id") != b.provider.ClientID || form.Get("code_verifier") == "" {
		t.Errorf("sent %v", form)
	}
}

func TestAnAddressThatTheProviderDoesNotVouchForOpensNothing(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	before := b.register(t)
	for _, person := range []nimbustest.Person{
		but(ada, "email_verified", false), but(ada, "email_verified", "false"), but(ada, "email_verified", nil), but(ada, "email_verified", 0),
		but(ada, "email", ""), but(ada, "email", "nobody"), but(ada, "email", nil), but(ada, "email", "a b@example.com"),
	} {
		_, err := b.login(t, person)
		wantFailure(t, err, FailureEmailUnverified)
	}
	wantAccess(t, b.Service, before)
	if n := b.count(t, "SELECT count(*) FROM account_identities"); n != 0 {
		t.Errorf("%d identities were linked", n)
	}
	for i, yes := range []nimbustest.Person{but(ada, "email_verified", "true"), but(but(ada, "email_verified", nil), "xms_edov", 1)} {
		b.enter(t, but(but(yes, "sub", uuid.NewString()), "email", uuid.NewString()+"@example.com"))
		if n := b.count(t, "SELECT count(*) FROM account_identities"); n != i+1 {
			t.Errorf("%d identities after %d logins", n, i+1)
		}
	}
}

// Whoever registered the address before its owner first came must not stay in the owner's account.
func TestLinkingShutsOutWhoeverHasRegisteredTheAddressBefore(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	stranger := b.register(t)
	owner := b.enter(t, ada)
	if owner.Account.ID != stranger.Account.ID {
		t.Fatal("the address has two accounts")
	}
	wantAccess(t, b.Service, owner)
	_, err := b.VerifyAccess(t.Context(), stranger.AccessToken)
	wantCode(t, err, "session_ended")
	_, err = b.Refresh(t.Context(), stranger.RefreshToken)
	wantCode(t, err, "session_ended")
	_, err = b.Login(t.Context(), testEmail, testPassword, place)
	wantCode(t, err, "invalid_credentials")
	_, err = b.Register(t.Context(), NewAccount{Email: testEmail, Password: testPassword})
	wantCode(t, err, "email_taken")
	b.enter(t, ada)
	wantAccess(t, b.Service, owner) // a later login ends nothing
	if n := b.count(t, `SELECT count(*) FROM audit_log WHERE action = 'account.link' AND changes ? 'password' AND changes->'subject'->>'new' = 'ada-1'`); n != 1 {
		t.Errorf("%d entries say that the password was taken away", n)
	}
}

// Addresses are given to others in time, such as those of people who left. Subjects are not.
func TestAnotherSubjectWithTheSameAddressDoesNotGetTheAccount(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	owner := b.enter(t, ada)
	_, err := b.login(t, but(ada, "sub", "ada-2"))
	wantFailure(t, err, FailureConflict)
	wantAccess(t, b.Service, owner)
	if n := b.count(t, "SELECT count(*) FROM account_identities"); n != 1 {
		t.Errorf("%d identities", n)
	}
}

func TestTwoFirstLoginsAtOnceMeetInOneAccount(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	const logins = 4
	sealed, answers := make([]string, logins), make([]OIDCAnswer, logins)
	for i := range logins {
		sealed[i], answers[i] = b.begin(t, ada)
	}
	var all sync.WaitGroup
	for i := range logins {
		all.Go(func() {
			login := b.oidc.open(sealed[i])
			c, err := b.oidc.identify(t.Context(), login, answers[i].Code)
			if err == nil {
				_, err = b.enterAs(t.Context(), c, "")
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := b.count(t, "SELECT count(*) FROM accounts"); n != 1 {
		t.Errorf("%d accounts", n)
	}
	if n := b.liveSessions(t); n != logins {
		t.Errorf("%d sessions", n)
	}
}

func TestAnAnswerThatDoesNotBelongToTheBrowserOpensNothing(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	sealed, answer := b.begin(t, ada)
	other, _ := b.begin(t, ada)
	changed := []byte(sealed)
	changed[len(changed)/2] ^= 1
	for name, tt := range map[string]struct {
		sealed string
		change func(*OIDCAnswer)
		want   LoginFailure
	}{
		"no cookie":            {"", nil, FailureExpired},
		"another's cookie":     {other, nil, FailureExpired},
		"a changed cookie":     {string(changed), nil, FailureExpired},
		"not base64":           {"=" + sealed, nil, FailureExpired},
		"no state":             {sealed, func(a *OIDCAnswer) { a.State = "" }, FailureExpired},
		"another state":        {sealed, func(a *OIDCAnswer) { a.State += "x" }, FailureExpired},
		"another issuer":       {sealed, func(a *OIDCAnswer) { a.Issuer = "https://evil.example" }, FailureRefused},
		"the person said no":   {sealed, func(a *OIDCAnswer) { a.Error, a.Code = "access_denied", "" }, FailureDenied},
		"no code":              {sealed, func(a *OIDCAnswer) { a.Code = "" }, FailureDenied},
		"a code of nobody":     {sealed, func(a *OIDCAnswer) { a.Code = "guessed" }, FailureRefused},
		"the state of another": {other, func(a *OIDCAnswer) { a.State = b.oidc.open(other).State }, FailureRefused}, // the verifier is not the code's
	} {
		a := answer
		if tt.want == FailureRefused && name == "the state of another" {
			_, a = b.begin(t, ada) // a code of its own: it is spent
		}
		if tt.change != nil {
			tt.change(&a)
		}
		_, _, err := b.FinishOIDC(t.Context(), tt.sealed, a)
		if err != tt.want { //nolint:errorlint // what the browser is told is this very value
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	if n := b.liveSessions(t); n != 0 {
		t.Errorf("%d sessions were opened", n)
	}
	answer.Issuer = b.provider.Issuer()
	if _, _, err := b.FinishOIDC(t.Context(), sealed, answer); err != nil {
		t.Errorf("the right answer: %v", err)
	}
	_, _, err := b.FinishOIDC(t.Context(), sealed, answer)
	wantFailure(t, err, FailureRefused) // a code works once
}

func TestALoginMustComeBackInTime(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	sealed, answer := b.begin(t, ada)
	b.advance(loginTime)
	_, _, err := b.FinishOIDC(t.Context(), sealed, answer)
	wantFailure(t, err, FailureExpired)
}

func TestATokenOfAnotherLoginIsRefused(t *testing.T) {
	t.Parallel()
	for name, claim := range map[string]nimbustest.Person{
		"nonce":    {"nonce": "of another login"},
		"no nonce": {"nonce": nil},
		"party":    {"azp": "another client"},
		"audience": {"aud": []string{"another client"}},
		"issuer":   {"iss": "https://evil.example"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupOIDC(t)
			person := ada
			for k, v := range claim {
				person = but(person, k, v)
			}
			_, err := b.login(t, person)
			wantFailure(t, err, FailureRefused)
			person = but(but(ada, "aud", []string{"another client", b.provider.ClientID}), "azp", nil)
			_, err = b.login(t, person)
			wantFailure(t, err, FailureRefused) // it does not say to whom it was issued
			b.enter(t, but(person, "azp", b.provider.ClientID))
		})
	}
}

func TestWithoutAProviderThereIsNoLogin(t *testing.T) {
	t.Parallel()
	s := setup(t)
	_, _, err := s.StartOIDC(t.Context(), "/", "")
	wantFailure(t, err, FailureNotConfigured)
	_, _, err = s.FinishOIDC(t.Context(), "", OIDCAnswer{})
	wantFailure(t, err, FailureNotConfigured)
	if s.Provider() != "" {
		t.Errorf("the provider is called %s", s.Provider())
	}
}

func failuresOf(p *provider, question string) float64 {
	return testutil.ToFloat64(p.failures.WithLabelValues(question))
}

// The mapping under which addresses are compared must not make one of two: U+212A folds to k, and U+0130 to i.
func TestALookalikeAddressIsAnAddressOfItsOwn(t *testing.T) {
	t.Parallel()
	for victim, other := range map[string]string{"kilo@example.com": "\u212Ailo@example.com", "id@example.com": "\u0130d@example.com"} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			b := setupOIDC(t)
			owner, err := b.Register(t.Context(), NewAccount{Email: victim, Password: testPassword})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Login(t.Context(), other, testPassword, place); !problem.Is(err, problem.CodeInvalidCredentials) {
				t.Errorf("logging in with the other address: %v", err)
			}
			stranger := b.enter(t, nimbustest.Person{"sub": "stranger", "email": other, "email_verified": true})
			if stranger.Account.ID == owner.Account.ID || stranger.Account.Email != other {
				t.Errorf("the provider vouched for %q and the account is %+v", other, stranger.Account)
			}
			if _, err := b.Login(t.Context(), victim, testPassword, place); err != nil {
				t.Errorf("the owner has lost the account: %v", err)
			}
		})
	}
}

func TestAddressesBeyondASCIIAreKeptAsTheyAre(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, email := range []string{"\u212Ailo@example.com", "kilo@example.com", "\u00C9va@example.com", "\u00E9va@example.com"} {
		if s, err := b.Register(t.Context(), NewAccount{Email: email, Password: testPassword}); err != nil || s.Account.Email != email {
			t.Errorf("%q: %v %+v", email, err, s)
		}
	}
}
