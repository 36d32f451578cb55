package nimbustest

import (
	"crypto/rand"
	"crypto/rsa"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"
)

// Provider is an OpenID provider on a port of its own, with its endpoints, its keys and its codes that work once.
type Provider struct {
	*mockoidc.MockOIDC

	// Asked counts the requests for its keys.
	Asked atomic.Int64

	fault atomic.Pointer[func(w http.ResponseWriter, r *http.Request, next http.Handler)]
}

// OIDC starts a provider; it stops when the test ends.
func OIDC(t testing.TB) *Provider {
	t.Helper()
	m, err := mockoidc.NewServer(rsaKey(t))
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{MockOIDC: m}
	err = m.AddMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == mockoidc.JWKSEndpoint {
				p.Asked.Add(1)
			}
			if fault := p.fault.Load(); fault != nil {
				(*fault)(w, r, next)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(ln, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Server.Close() })
	return p
}

// Fail makes the provider answer with this handler; nil restores it.
func (p *Provider) Fail(fault func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	if fault == nil {
		p.fault.Store(nil)
		return
	}
	p.fault.Store(&fault)
}

// Away makes the provider refuse every request.
func (p *Provider) Away() {
	p.Fail(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusBadGateway) })
}

// Rotate makes the provider sign with a new key and forget the one before.
func (p *Provider) Rotate(t testing.TB) {
	t.Helper()
	pair, err := mockoidc.NewKeypair(rsaKey(t))
	if err != nil {
		t.Fatal(err)
	}
	p.Keypair = pair
}

// Claims returns the claims of a token for Nimbus about a subject, with changes; a nil removes a claim.
func (p *Provider) Claims(subject string, changes jwt.MapClaims) jwt.MapClaims {
	now := p.Now()
	c := jwt.MapClaims{"iss": p.Issuer(), "aud": p.ClientID, "sub": subject, "iat": now.Unix(), "exp": now.Add(p.AccessTTL).Unix()}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// Token signs claims as the provider does.
func (p *Provider) Token(t testing.TB, claims jwt.MapClaims) string {
	t.Helper()
	token, err := p.Keypair.SignJWT(claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Person is somebody whom the provider knows, by the claims of his ID tokens beside those of every token.
type Person map[string]any

// ID is the subject.
func (p Person) ID() string { return p["sub"].(string) }

// Userinfo is not used.
func (p Person) Userinfo([]string) ([]byte, error) { return []byte("{}"), nil }

// Claims adds the person's claims to those of an ID token.
func (p Person) Claims(_ []string, base *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	c := jwt.MapClaims{"iss": base.Issuer, "aud": base.Audience, "exp": base.ExpiresAt, "iat": base.IssuedAt, "nonce": base.Nonce}
	maps.Copy(c, p)
	return c, nil
}

// Authorize goes to the provider as a browser does, logs the person in there, and returns what the browser comes back
// with.
func (p *Provider) Authorize(t testing.TB, target string, person Person) url.Values {
	t.Helper()
	if !strings.HasPrefix(target, p.AuthorizationEndpoint()) {
		t.Fatalf("the browser was sent to %s", target)
	}
	p.QueueUser(person)
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.Get(target)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	back, err := res.Location()
	if err != nil {
		t.Fatalf("the provider answered %s and no redirect", res.Status)
	}
	return back.Query()
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
