package accounts

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/test/nimbustest"
)

func (b *oidcBundle) token(t testing.TB, changes jwt.MapClaims) string {
	t.Helper()
	return b.provider.Token(t, b.provider.Claims("ada-1", changes))
}

func (b *oidcBundle) verifyToken(t testing.TB, token string) error {
	t.Helper()
	_, err := b.VerifyAccess(t.Context(), token)
	return err
}

func TestATokenOfTheProviderIsAnAccessTokenOfWhoeverHasLoggedIn(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	token := b.token(t, nil)
	wantCode(t, b.verifyToken(t, token), problem.CodeIdentityNotLinked)
	account := b.enter(t, ada).Account
	p, err := b.VerifyAccess(t.Context(), token)
	if err != nil || p.AccountID != account.ID {
		t.Fatalf("%+v, %v", p, err)
	}
	again, err := b.node(t).VerifyAccess(t.Context(), token)
	if err != nil || again.SessionID != p.SessionID {
		t.Errorf("another node sees another session: %+v, %v", again, err)
	}
	for _, aud := range []any{b.provider.ClientID, []string{"another client", b.provider.ClientID}} {
		if err := b.verifyToken(t, b.token(t, jwt.MapClaims{"aud": aud, "nbf": b.clock.Now().Unix()})); err != nil {
			t.Errorf("issued to %v: %v", aud, err)
		}
	}
	sessions, err := b.Sessions(t.Context(), account.ID)
	if err != nil || len(sessions) != 4 { // of the login and of each token
		t.Errorf("%d sessions, %v", len(sessions), err)
	}
}

func TestARevokedSessionOfATokenDoesNotComeBackHoweverTheTokenIsWritten(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	account := b.enter(t, ada).Account
	token := b.token(t, nil)
	p, err := b.VerifyAccess(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Logout(t.Context(), account.ID, p.SessionID); err != nil {
		t.Fatal(err)
	}
	wantCode(t, b.verifyToken(t, token), problem.CodeSessionEnded)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	spare := strings.IndexByte(alphabet, token[len(token)-1]) ^ 1 // bits that base64 has and the signature has not
	if err := b.verifyToken(t, token[:len(token)-1]+alphabet[spare:spare+1]); err == nil {
		t.Error("the token comes back with another last character")
	}
	if err := b.verifyToken(t, b.token(t, jwt.MapClaims{"jti": "another"})); err != nil {
		t.Errorf("another token: %v", err)
	}
}

func TestOneTokenUsedByManyAtOnceHasOneSession(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	b.enter(t, ada)
	token := b.token(t, nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := b.verifyToken(t, token); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := b.liveSessions(t); n != 2 {
		t.Errorf("%d sessions, want those of the login and of the token", n)
	}
}

func TestATokenThatIsNotForUsIsRefused(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	b.enter(t, ada)
	now, kid := b.clock.Now(), must(t)(b.provider.Keypair.KeyID())
	sign := func(method jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"] = kid
		for name, value := range header {
			token.Header[name] = value
		}
		signed, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	rs256 := func(header map[string]any) string {
		return sign(jwt.SigningMethodRS256, b.provider.Keypair.PrivateKey, header, b.provider.Claims("ada-1", nil))
	}
	public, err := x509.MarshalPKIXPublicKey(b.provider.Keypair.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	published := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := rs256(nil)
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"no signature":           sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, b.provider.Claims("ada-1", nil)),
		"signature cut off":      parts[0] + "." + parts[1] + ".",
		"HMAC with a public key": sign(jwt.SigningMethodHS256, published, nil, b.provider.Claims("ada-1", nil)),
		"HMAC with the DER":      sign(jwt.SigningMethodHS256, public, nil, b.provider.Claims("ada-1", nil)),
		"RS512 of the same key":  sign(jwt.SigningMethodRS512, b.provider.Keypair.PrivateKey, nil, b.provider.Claims("ada-1", nil)),
		"PS256 of the same key":  sign(jwt.SigningMethodPS256, b.provider.Keypair.PrivateKey, nil, b.provider.Claims("ada-1", nil)),
		"alg says otherwise":     rs256(map[string]any{"alg": "HS256"}),
		"another's key":          sign(jwt.SigningMethodRS256, stranger, nil, b.provider.Claims("ada-1", nil)),
		"an unknown key":         sign(jwt.SigningMethodRS256, stranger, map[string]any{"kid": "unknown"}, b.provider.Claims("ada-1", nil)),
		"its own key along":      sign(jwt.SigningMethodRS256, stranger, map[string]any{"kid": "own", "jwk": map[string]any{"kty": "RSA"}}, b.provider.Claims("ada-1", nil)),
		"critical extension":     rs256(map[string]any{"crit": []string{"b64"}, "b64": true}),
		"logout token":           rs256(map[string]any{"typ": "logout+jwt"}),
		"an event":               b.token(t, jwt.MapClaims{"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}),
		"another issuer":         b.token(t, jwt.MapClaims{"iss": "https://evil.example"}),
		"issuer with a slash":    b.token(t, jwt.MapClaims{"iss": b.provider.Issuer() + "/"}),
		"no issuer":              b.token(t, jwt.MapClaims{"iss": nil}),
		"another audience":       b.token(t, jwt.MapClaims{"aud": "another client"}),
		"no audience":            b.token(t, jwt.MapClaims{"aud": nil}),
		"no subject":             b.token(t, jwt.MapClaims{"sub": nil}),
		"empty subject":          b.token(t, jwt.MapClaims{"sub": ""}),
		"long subject":           b.token(t, jwt.MapClaims{"sub": strings.Repeat("x", maxSubjectBytes+1)}),
		"subject with U+0000":    b.token(t, jwt.MapClaims{"sub": "a\x00b"}),
		"without end":            b.token(t, jwt.MapClaims{"exp": nil}),
		"not yet":                b.token(t, jwt.MapClaims{"nbf": now.Add(time.Minute).Unix()}),
		"from the future":        b.token(t, jwt.MapClaims{"iat": now.Add(time.Minute).Unix()}),
		"too long":               b.token(t, jwt.MapClaims{"groups": strings.Repeat("x", maxProviderTokenBytes)}),
		"JSON":                   `{"payload":"","signatures":[]}`,
		"another's access token": "a.b.c",
		"changed claims":         parts[0] + "." + strings.Split(b.token(t, jwt.MapClaims{"sub": "eve"}), ".")[1] + "." + parts[2],
		"an empty token":         "",
	} {
		if err := b.verifyToken(t, token); !problem.Is(err, problem.CodeInvalidToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantCode(t, b.verifyToken(t, b.token(t, jwt.MapClaims{"exp": now.Add(-providerLeeway).Unix()})), problem.CodeTokenExpired)
	if n := b.liveSessions(t); n != 1 {
		t.Errorf("%d sessions, want that of the login alone", n)
	}
	for name, token := range map[string]string{"as it should be": good, "of an access token's type": rs256(map[string]any{"typ": "at+JWT"}),
		"of a clock behind ours": b.token(t, jwt.MapClaims{"exp": now.Add(-providerLeeway + time.Second).Unix(), "iat": now.Add(-time.Hour).Unix()}),
		"of a clock before ours": b.token(t, jwt.MapClaims{"nbf": now.Add(providerLeeway).Unix()}),
		"without a key's id":     rs256(map[string]any{"kid": ""})} {
		if err := b.verifyToken(t, token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func must(t testing.TB) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func TestANewKeyIsFoundAndAWithdrawnOneForgotten(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	b.provider.AccessTTL = 24 * time.Hour
	b.enter(t, ada)
	old := b.token(t, nil)
	if err := b.verifyToken(t, old); err != nil {
		t.Fatal(err)
	}
	b.provider.Rotate(t)
	fresh := b.token(t, nil)
	wantCode(t, b.verifyToken(t, fresh), problem.CodeInvalidToken) // the keys were asked for a moment ago
	b.advance(providerPause)
	if err := b.verifyToken(t, fresh); err != nil {
		t.Errorf("the new key is not found: %v", err)
	}
	wantCode(t, b.verifyToken(t, old), problem.CodeInvalidToken)

	last := b.token(t, jwt.MapClaims{"jti": "last"})
	b.provider.Rotate(t)
	b.advance(providerFresh)
	wantCode(t, b.verifyToken(t, last), problem.CodeInvalidToken) // nobody had to bring a token of the new key for that
}

func TestTokensThatStrangersMakeUpDoNotBecomeAFloodOfQuestions(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	b.enter(t, ada)
	b.provider.Rotate(t)
	unknown := b.token(t, nil)
	b.advance(providerPause)
	before := b.provider.Asked.Load()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { _ = b.verifyToken(t, strings.Replace(unknown, ".e", ".f", 1)) })
		all.Go(func() { _ = b.verifyToken(t, "garbage") })
	}
	all.Wait()
	if n := b.provider.Asked.Load() - before; n != 1 {
		t.Errorf("%d questions", n)
	}
	b.provider.Rotate(t)
	for range 3 {
		_ = b.verifyToken(t, b.token(t, nil))
	}
	if n := b.provider.Asked.Load() - before; n != 1 {
		t.Errorf("%d questions", n)
	}
}

func TestAProviderThatIsAwayIsAskedAgainLater(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	b.provider.Away()
	_, _, err := b.StartOIDC(t.Context(), "/", "")
	wantFailure(t, err, FailureUnavailable)
	wantCode(t, b.verifyToken(t, b.token(t, nil)), problem.CodeProviderUnavailable)
	wantCode(t, b.verifyToken(t, "garbage"), problem.CodeInvalidToken)
	if n := failuresOf(b.oidc.provider, questionKeys); n != 1 {
		t.Errorf("%v failures are counted", n)
	}
	b.provider.Fail(nil)
	_, _, err = b.StartOIDC(t.Context(), "/", "")
	wantFailure(t, err, FailureUnavailable) // not at once
	b.advance(providerPause)
	b.enter(t, ada)
}

func TestAnOutageOfTheProviderKeepsTokensGoodForADay(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	b.provider.AccessTTL = 48 * time.Hour
	b.enter(t, ada)
	token := b.token(t, nil)
	sealed, answer := b.begin(t, ada)
	b.provider.Away()
	_, _, err := b.FinishOIDC(t.Context(), sealed, answer)
	wantFailure(t, err, FailureUnavailable)
	if n := failuresOf(b.oidc.provider, questionToken); n != 1 {
		t.Errorf("%v failures are counted", n)
	}
	b.advance(providerTrust - time.Second)
	if err := b.verifyToken(t, token); err != nil {
		t.Errorf("an outage of a day: %v", err)
	}
	b.advance(providerPause)
	wantCode(t, b.verifyToken(t, token), problem.CodeProviderUnavailable)
	b.provider.Fail(nil)
	b.advance(providerPause)
	if err := b.verifyToken(t, token); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

// While one asks a provider that hangs, whoever can do without the answer does.
func TestASlowProviderHoldsUpNobodyWhoCanDoWithoutIt(t *testing.T) {
	t.Parallel()
	b := setupOIDC(t)
	b.provider.AccessTTL = 48 * time.Hour
	b.enter(t, ada)
	token := b.token(t, nil)
	asked, release := make(chan struct{}), make(chan struct{})
	b.provider.Fail(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		close(asked)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	b.advance(providerFresh)
	var one sync.WaitGroup
	one.Go(func() {
		if err := b.verifyToken(t, token); err != nil {
			t.Errorf("who asked: %v", err)
		}
	})
	<-asked
	if err := b.verifyToken(t, token); err != nil {
		t.Errorf("who did not: %v", err)
	}
	close(release)
	one.Wait()
}

func TestAnAnswerThatTakesTooLongOrTooMuchIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(w http.ResponseWriter, r *http.Request, next http.Handler){
		"hanging": func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() },
		"huge": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.HasSuffix(r.URL.Path, "jwks.json") {
				_, _ = w.Write(bytes.Repeat([]byte(" "), providerBytes+1)) // and then good keys
			}
			next.ServeHTTP(w, r)
		},
		"moved": func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		},
		"a page": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { _, _ = w.Write([]byte("<html>")) },
		"no keys": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			instead(w, r, next, "jwks.json", `{"keys":[]}`)
		},
		"another issuer": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			instead(w, r, next, "openid-configuration", `{"issuer":"https://evil.example"}`)
		},
		"no endpoints": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			instead(w, r, next, "openid-configuration", `{"issuer":"http://`+r.Host+`/oidc"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupOIDC(t)
			b.oidc.patience = nimbustest.Patience
			if name == "hanging" {
				b.oidc.patience = 50 * time.Millisecond
			}
			b.provider.Fail(fault)
			_, _, err := b.StartOIDC(t.Context(), "/", "")
			wantFailure(t, err, FailureUnavailable)
			if n := failuresOf(b.oidc.provider, questionKeys); n != 1 {
				t.Errorf("%v failures are counted", n)
			}
		})
	}
}

func instead(w http.ResponseWriter, r *http.Request, next http.Handler, path, body string) {
	if strings.HasSuffix(r.URL.Path, path) {
		_, _ = w.Write([]byte(body))
		return
	}
	next.ServeHTTP(w, r)
}

func TestASafeProviderCannotSendUsToUnsafeAddresses(t *testing.T) {
	t.Parallel()
	safe := &provider{config: OIDC{Issuer: "https://id.example"}}
	for _, endpoint := range []string{"", "/token", "http://id.example/token", "ftp://id.example", "https:///token", "https://%"} {
		if safe.checkEndpoint(endpoint) == nil {
			t.Errorf("%q is taken", endpoint)
		}
	}
	if err := safe.checkEndpoint("https://tokens.example/x"); err != nil {
		t.Error(err)
	}
}

func TestOnlyKeysThatCanCheckRS256AreKept(t *testing.T) {
	t.Parallel()
	generate := func(bits int) *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := generate(2048)
	set := map[string][]map[string]any{}
	add := func(id string, key any, members map[string]any) {
		k, err := jwk.FromRaw(key)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]any{}
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		m["kid"] = id
		for name, value := range members {
			m[name] = value
		}
		set["keys"] = append(set["keys"], m)
	}
	add("good", good.Public(), map[string]any{"use": "sig", "alg": "RS256"})
	add("plain", good.Public(), nil)
	add("private", good, nil)
	add("encryption", good.Public(), map[string]any{"use": "enc"})
	add("RS512", good.Public(), map[string]any{"alg": "RS512"})
	add("curve", curve.Public(), nil)
	add("secret", []byte("0123456789abcdef0123456789abcdef"), nil)
	add("short", generate(1024).Public(), nil)
	set["keys"] = append(set["keys"], map[string]any{"kty": "yet to come", "kid": "new"})
	b, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := parseKeys(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 3 || keys.find("good") == nil || keys.find("plain") == nil || keys.find("private") == nil {
		t.Errorf("kept %v", keys)
	}
	if _, private := keys.find("private").(jwk.RSAPrivateKey); private {
		t.Error("a private key is kept")
	}
	if keys.find("") != nil || keys.find("secret") != nil {
		t.Error("a key is found that is none")
	}
	if _, err := parseKeys([]byte("{")); err == nil {
		t.Error("half a document is taken")
	}
}
