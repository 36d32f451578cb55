package accounts

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/bahagh/nimbus/internal/platform/secretbox"
)

const (
	// loginTime is how long a person may take at the provider.
	loginTime = 10 * time.Minute
	// loginPlace binds the cookie to its purpose.
	loginPlace = "nimbus oidc login"
)

// LoginFailure says why a login at the provider failed; the names are part of the API.
type LoginFailure string

// The reasons.
const (
	FailureNotConfigured      LoginFailure = "oidc_not_configured"
	FailureUnavailable        LoginFailure = "oidc_unavailable"
	FailureDenied             LoginFailure = "oidc_denied"
	FailureExpired            LoginFailure = "oidc_expired"
	FailureRefused            LoginFailure = "oidc_refused"
	FailureEmailUnverified    LoginFailure = "oidc_email_unverified"
	FailureConflict           LoginFailure = "oidc_conflict"
	FailureDisabled           LoginFailure = "oidc_disabled"
	FailureRegistrationClosed LoginFailure = "oidc_registration_closed"
)

// Error is the name of the reason.
func (f LoginFailure) Error() string { return string(f) }

// oidcLogin is the way through the provider; without one it is nil, and there is none.
type oidcLogin struct {
	*provider
	box *secretbox.Ring
}

func newOIDCLogin(config *OIDC, secret []byte, now func() time.Time) (*oidcLogin, error) {
	if config == nil {
		return nil, nil //nolint:nilnil // no provider is a valid choice
	}
	c := *config
	if c.Name == "" {
		u, err := url.Parse(c.Issuer)
		if err != nil {
			return nil, errors.New("the issuer is not a URL")
		}
		c.Name = u.Hostname()
	}
	key, err := derive(secret, loginPlace, secretbox.KeyBytes)
	if err != nil {
		return nil, err
	}
	box, err := secretbox.New(key)
	if err != nil {
		return nil, err
	}
	return &oidcLogin{provider: newProvider(c, now), box: box}, nil
}

// pendingLogin is what a browser brings back in its cookie. It is encrypted, because the verifier is a secret, and
// authenticated, because nobody but us may say where the browser goes next.
type pendingLogin struct {
	State      string    `json:"state"`    // proves that the answer belongs to this browser
	Nonce      string    `json:"nonce"`    // proves that the token belongs to this login
	Verifier   string    `json:"verifier"` // proves that the code is redeemed by who asked for it
	ReturnTo   string    `json:"return_to"`
	Invitation string    `json:"invitation"`
	Expires    time.Time `json:"expires"`
}

func (o *oidcLogin) seal(l *pendingLogin) (string, error) {
	b, err := json.Marshal(l)
	if err != nil {
		return "", fmt.Errorf("encode the login: %w", err)
	}
	box, _, err := o.box.Seal(b, []byte(loginPlace))
	if err != nil {
		return "", fmt.Errorf("seal the login: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(box), nil
}

// open returns the login that a cookie is of, nil if there is none that still holds.
func (o *oidcLogin) open(sealed string) *pendingLogin {
	box, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil
	}
	b, err := o.box.Open(box, o.box.CurrentID(), []byte(loginPlace))
	if err != nil {
		return nil
	}
	var l pendingLogin
	if err := json.Unmarshal(b, &l); err != nil || !o.now().Before(l.Expires) {
		return nil
	}
	return &l
}

// Provider is the name of the identity provider; empty without one.
func (s *Service) Provider() string {
	if s.oidc == nil {
		return ""
	}
	return s.oidc.config.Name
}

// localPath returns a path of this server, written so that it can be a Location; "/" for everything else. A person is looking,
// so a path that is odd (/people/auth0|123) is taken and one that leads elsewhere is replaced, and neither is an error.
func localPath(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(u.Path, "//") || strings.ContainsAny(s, "\\\t\r\n") || len(s) > maxReturnBytes {
		return "/"
	}
	return u.String()
}

// maxReturnBytes keeps the cookie of a login within what browsers take.
const maxReturnBytes = 1500

// StartOIDC returns where the browser must go to log in, and what it must bring back. returnTo is a path on this server;
// invitation, which may be empty, is for somebody who needs one to register.
// Its errors that a person can see are LoginFailures.
func (s *Service) StartOIDC(ctx context.Context, returnTo, invitation string) (target, sealed string, err error) {
	if s.oidc == nil {
		return "", "", FailureNotConfigured
	}
	state, err := s.oidc.current(ctx)
	if err != nil {
		return "", "", FailureUnavailable
	}
	l := &pendingLogin{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		ReturnTo: localPath(returnTo), Invitation: invitation, Expires: s.now().Add(loginTime)}
	if sealed, err = s.oidc.seal(l); err != nil {
		return "", "", err
	}
	return state.oauth.AuthCodeURL(l.State, oauth2.S256ChallengeOption(l.Verifier), oauth2.SetAuthURLParam("nonce", l.Nonce)), sealed, nil
}

// OIDCAnswer is what the provider sent the browser back with.
type OIDCAnswer struct{ State, Code, Issuer, Error string }

// FinishOIDC opens a session for the person that the provider names, and returns where the browser goes next. sealed
// is what StartOIDC returned. Its errors that a person can see are LoginFailures.
func (s *Service) FinishOIDC(ctx context.Context, sealed string, answer OIDCAnswer) (*Session, string, error) {
	if s.oidc == nil {
		return nil, "", FailureNotConfigured
	}
	login := s.oidc.open(sealed)
	if login == nil || subtle.ConstantTimeCompare([]byte(login.State), []byte(answer.State)) != 1 {
		return nil, "", FailureExpired
	}
	if answer.Issuer != "" && answer.Issuer != s.oidc.config.Issuer {
		return nil, "", FailureRefused
	}
	if answer.Error != "" || answer.Code == "" {
		return nil, "", FailureDenied
	}
	c, err := s.oidc.identify(ctx, login, answer.Code)
	if err != nil {
		return nil, "", err
	}
	session, err := s.enterAs(ctx, c, login.Invitation)
	return session, login.ReturnTo, err
}

// identify redeems the code and checks that the ID token was made for this login. Its errors are LoginFailures.
func (o *oidcLogin) identify(ctx context.Context, login *pendingLogin, code string) (*claims, error) {
	state, err := o.current(ctx)
	if err != nil {
		return nil, FailureUnavailable
	}
	token, err := o.redeem(ctx, state, code, login.Verifier)
	if errors.Is(err, errProviderRefused) {
		return nil, FailureRefused
	}
	if err != nil {
		return nil, FailureUnavailable
	}
	c, err := o.verify(ctx, token)
	switch {
	case errors.Is(err, errProviderAway):
		return nil, FailureUnavailable
	case err != nil:
		o.failures.WithLabelValues(questionToken).Inc()
		o.config.Log.Warn("the identity provider gave a token that does not stand the checks", "issuer", o.config.Issuer, "error", err)
		return nil, FailureRefused
	case subtle.ConstantTimeCompare([]byte(c.nonce), []byte(login.Nonce)) != 1:
		return nil, FailureRefused
	// A token for several must say that it was issued to us (OpenID Connect Core, 3.1.3.7).
	case c.party != o.config.ClientID && (c.party != "" || len(c.audience) > 1):
		return nil, FailureRefused
	}
	return c, nil
}
