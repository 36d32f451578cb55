package accounts

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

type object = map[string]any

// with returns a copy with one member changed, or removed when the value is nil.
func with(o object, name string, value any) object {
	c := maps.Clone(o)
	c[name] = value
	if value == nil {
		delete(c, name)
	}
	return c
}

func hs256(secret []byte) func(string) []byte {
	return func(signed string) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(signed))
		return mac.Sum(nil)
	}
}

// forge makes a JWT without the library that will judge it.
func forge(t testing.TB, header, claims object, sign func(string) []byte) string {
	t.Helper()
	return segment(t, header) + "." + segment(t, claims) + "." + base64.RawURLEncoding.EncodeToString(sign(segment(t, header)+"."+segment(t, claims)))
}

func segment(t testing.TB, o object) string {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// dissect reads what a token says.
func dissect(t testing.TB, token string) (header, claims object) {
	t.Helper()
	parts := strings.Split(token, ".")
	for i, o := range []*object{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(raw, o)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func TestAnAccessTokenSaysWhatItShould(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	header, claims := dissect(t, s.AccessToken)
	if header["alg"] != "HS256" || header["kid"] == "" || header["kid"] == nil {
		t.Errorf("header %v", header)
	}
	now := float64(b.clock.Now().Unix())
	if claims["iss"] != "nimbus" || claims["typ"] != "access" || claims["sub"] != s.Account.ID.String() ||
		claims["iat"] != now || claims["exp"] != now+3600 {
		t.Errorf("claims %v", claims)
	}
	if len(claims) != 7 {
		t.Errorf("%d claims, want iss, sub, sid, typ, iat, exp and jti: %v", len(claims), claims)
	}
	p, err := b.VerifyAccess(t.Context(), s.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if p.Kind != auth.KindAccount || p.AccountID != s.Account.ID || p.SessionID.String() != claims["sid"] ||
		p.Scopes != nil || p.RefreshToken != "" {
		t.Errorf("got %+v", p)
	}
	_, again := dissect(t, b.refresh(t, s.RefreshToken).AccessToken)
	if again["jti"] == claims["jti"] || again["sid"] != claims["sid"] {
		t.Errorf("after a refresh: %v, before: %v", again, claims)
	}
	if other := b.another(t, func(c *Config) { c.Secret = []byte(strings.Repeat("x", 32)) }); other.access.key.KeyID() == header["kid"] {
		t.Error("two secrets have one key id")
	}
	if strings.Contains(fmt.Sprint(header), string(testSecret)) {
		t.Error("the secret is in the header")
	}
}

func TestVerifyAccessAcceptsNoForgery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	header, claims := dissect(t, s.AccessToken)
	ours := hs256(testSecret)
	if _, err := b.VerifyAccess(t.Context(), forge(t, header, claims, ours)); err != nil {
		t.Fatalf("the forge itself does not work: %v", err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rs256 := func(signed string) []byte {
		sum := sha256.Sum256([]byte(signed))
		sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Error(err)
		}
		return sig
	}
	hs512 := func(signed string) []byte {
		mac := hmac.New(sha512.New, testSecret)
		mac.Write([]byte(signed))
		return mac.Sum(nil)
	}
	none := func(string) []byte { return nil }
	parts := strings.Split(s.AccessToken, ".")
	flipped := []byte(parts[2])
	flipped[0] ^= 1
	now := b.clock.Now().Unix()

	for name, token := range map[string]string{
		"alg none, no signature":            forge(t, with(header, "alg", "none"), claims, none),
		"alg None":                          forge(t, with(header, "alg", "None"), claims, none),
		"alg none, good signature":          forge(t, with(header, "alg", "none"), claims, ours),
		"alg none without a key id":         forge(t, object{"alg": "none"}, claims, none),
		"no alg":                            forge(t, with(header, "alg", nil), claims, ours),
		"empty signature":                   forge(t, header, claims, none),
		"RS256":                             forge(t, with(header, "alg", "RS256"), claims, rs256),
		"RS256 signature as HS256":          forge(t, header, claims, rs256),
		"RS256, key in the header":          forge(t, with(with(header, "alg", "RS256"), "jwk", object{"kty": "RSA", "n": "AQAB", "e": "AQAB"}), claims, rs256),
		"key at an address":                 forge(t, with(with(header, "alg", "RS256"), "jku", "http://127.0.0.1:1/jwks"), claims, rs256),
		"HS512 with our secret":             forge(t, with(header, "alg", "HS512"), claims, hs512),
		"HS512 signature as HS256":          forge(t, header, claims, hs512),
		"another secret":                    forge(t, header, claims, hs256([]byte(strings.Repeat("x", 32)))),
		"empty secret":                      forge(t, header, claims, hs256(nil)),
		"another key id":                    forge(t, with(header, "kid", "other"), claims, ours),
		"no key id":                         forge(t, with(header, "kid", nil), claims, ours),
		"critical extension":                forge(t, with(header, "crit", []string{"exp"}), claims, ours),
		"typ refresh":                       forge(t, header, with(claims, "typ", "refresh"), ours),
		"typ missing":                       forge(t, header, with(claims, "typ", nil), ours),
		"typ a list":                        forge(t, header, with(claims, "typ", []string{"access"}), ours),
		"another issuer":                    forge(t, header, with(claims, "iss", "https://accounts.example.com"), ours),
		"no issuer":                         forge(t, header, with(claims, "iss", nil), ours),
		"no expiry":                         forge(t, header, with(claims, "exp", nil), ours),
		"no jti":                            forge(t, header, with(claims, "jti", nil), ours),
		"no iat":                            forge(t, header, with(claims, "iat", nil), ours),
		"issued later than now":             forge(t, header, with(claims, "iat", now+3600), ours),
		"not yet valid":                     forge(t, header, with(claims, "nbf", now+3600), ours),
		"subject no id":                     forge(t, header, with(claims, "sub", "ada"), ours),
		"no subject":                        forge(t, header, with(claims, "sub", nil), ours),
		"no session":                        forge(t, header, with(claims, "sid", nil), ours),
		"session a number":                  forge(t, header, with(claims, "sid", 7), ours),
		"another account's session":         forge(t, header, with(claims, "sub", uuid.NewString()), ours),
		"tampered claims":                   parts[0] + "." + segment(t, with(claims, "exp", now+999999)) + "." + parts[2],
		"tampered signature":                parts[0] + "." + parts[1] + "." + string(flipped),
		"cut signature":                     s.AccessToken[:len(s.AccessToken)-2],
		"two parts":                         parts[0] + "." + parts[1],
		"five parts, like an encrypted one": s.AccessToken + ".a.b",
		"as JSON":                           fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2]),
		"bare claims":                       `{"iss":"nimbus","typ":"access"}`,
		"white space around it":             " " + s.AccessToken + "\n",
		"padding":                           s.AccessToken + "=",
		"empty":                             "",
		"only dots":                         "..",
		"too long":                          parts[0] + "." + strings.Repeat("A", 5000) + "." + parts[2],
	} {
		p, err := b.VerifyAccess(t.Context(), token)
		if !problem.Is(err, problem.CodeInvalidToken) {
			t.Errorf("%s: got %+v, %v", name, p, err)
		}
	}
	_, err = b.VerifyAccess(t.Context(), s.RefreshToken)
	wantCode(t, err, problem.CodeWrongTokenType)
	_, err = b.VerifyAccess(t.Context(), forge(t, header, with(claims, "sid", uuid.NewString()), ours))
	wantCode(t, err, problem.CodeSessionEnded)
}

func TestAccessTokensExpireWithALittleLeeway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.register(t)
	b.clock.advance(time.Hour + clockLeeway - time.Second)
	wantAccess(t, b.Service, s)
	b.clock.advance(time.Second)
	_, err := b.VerifyAccess(t.Context(), s.AccessToken)
	wantCode(t, err, problem.CodeTokenExpired)
}

func TestAccessTokensOfANodeWithAClockAheadAreGood(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ahead := b.another(t, func(c *Config) { c.Now = func() time.Time { return b.clock.Now().Add(clockLeeway - time.Second) } })
	s, err := ahead.Register(t.Context(), NewAccount{Email: testEmail, Password: testPassword})
	if err != nil {
		t.Fatal(err)
	}
	wantAccess(t, b.Service, s)
}

func FuzzVerifyAccess(f *testing.F) {
	b := setup(f)
	s := b.register(f)
	header, claims := dissect(f, s.AccessToken)
	for _, seed := range []string{
		"", "..", "a.b.c", s.AccessToken, s.RefreshToken, s.AccessToken[1:], s.AccessToken + "=",
		forge(f, with(header, "alg", "none"), claims, func(string) []byte { return nil }),
		forge(f, header, with(claims, "exp", "soon"), hs256(testSecret)),
		forge(f, header, with(claims, "sid", "\x00"), hs256(testSecret)),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		p, err := b.VerifyAccess(t.Context(), token)
		// A worker has a database of its own, in which the session of another process's seed is not live.
		if err == nil || problem.Is(err, problem.CodeSessionEnded) {
			dot := max(0, strings.LastIndexByte(token, '.'))
			signature, _ := base64.RawURLEncoding.DecodeString(token[min(dot+1, len(token)):])
			if !hmac.Equal(signature, hs256(testSecret)(token[:dot])) {
				t.Fatalf("%q let %+v in, %v", token, p, err)
			}
			return
		}
		if !problem.Is(err, problem.CodeWrongTokenType) && !problem.Is(err, problem.CodeInvalidToken) {
			t.Fatalf("%q: %v", token, err)
		}
	})
}

// Fuzzing seldom gets past the signature; this gets behind it.
func FuzzSignedClaims(f *testing.F) {
	b := setup(f)
	s := b.register(f)
	header, claims := dissect(f, s.AccessToken)
	good, err := json.Marshal(claims)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "{}", "null", "[]", string(good), `{"exp":1e400}`, `{"exp":-1}`, `{"aud":[1]}`, `{"iss":"nimbus","sub":7}`, "\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		signed := segment(t, header) + "." + base64.RawURLEncoding.EncodeToString(payload)
		p, err := b.VerifyAccess(t.Context(), signed+"."+base64.RawURLEncoding.EncodeToString(hs256(testSecret)(signed)))
		if err == nil {
			if p.AccountID != s.Account.ID {
				t.Fatalf("%q let %+v in", payload, p)
			}
			return
		}
		for _, code := range []problem.Code{problem.CodeInvalidToken, problem.CodeTokenExpired, problem.CodeSessionEnded} {
			if problem.Is(err, code) {
				return
			}
		}
		t.Fatalf("%q: %v", payload, err)
	})
}
