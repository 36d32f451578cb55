package accounts

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/bahagh/nimbus/internal/contract/problem"
)

const (
	issuer      = "nimbus"
	claimSID    = "sid" // the session
	claimType   = "typ"
	typeAccess  = "access"
	clockLeeway = 5 * time.Second // between the clocks of two nodes
	// maxAccessTokenBytes is ten times the size of ours; nothing longer is worth decoding.
	maxAccessTokenBytes = 4096
)

// accessTokens mints and checks access tokens: JWTs signed with HMAC-SHA256. Only this file and oidc_tokens.go touch the
// JWT library.
type accessTokens struct {
	key jwk.Key // with its id
	ttl time.Duration
	now func() time.Time
}

func newAccessTokens(secret []byte, ttl time.Duration, now func() time.Time) (*accessTokens, error) {
	key, err := jwk.FromRaw(secret)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	id, err := derive(secret, "nimbus access token key id", 8)
	if err != nil {
		return nil, err
	}
	if err := key.Set(jwk.KeyIDKey, hex.EncodeToString(id)); err != nil {
		return nil, fmt.Errorf("name signing key: %w", err)
	}
	return &accessTokens{key: key, ttl: ttl, now: now}, nil
}

// mint returns a token that proves the account and the session for as long as ttl.
func (t *accessTokens) mint(account, session uuid.UUID) (string, error) {
	now := t.now()
	token, err := jwt.NewBuilder().
		Issuer(issuer).
		Subject(account.String()).
		Claim(claimSID, session.String()).
		Claim(claimType, typeAccess).
		IssuedAt(now).
		Expiration(now.Add(t.ttl)).
		JwtID(uuid.NewString()).
		Build()
	if err != nil {
		return "", fmt.Errorf("build access token: %w", err)
	}
	signed, err := jwt.Sign(token, jwt.WithKey(jwa.HS256, t.key))
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return string(signed), nil
}

// verify returns the account and the session that a token proves. The causes stay untold, in the log too: they would
// repeat parts of what was sent.
func (t *accessTokens) verify(token string) (account, session uuid.UUID, err error) {
	if len(token) > maxAccessTokenBytes || !isCompact(token) {
		return account, session, errInvalidToken()
	}
	claims, err := jwt.ParseString(token,
		jwt.WithKeyProvider(jws.KeyProviderFunc(t.keyFor)),
		jwt.WithIssuer(issuer),
		jwt.WithClaimValue(claimType, typeAccess),
		jwt.WithRequiredClaim(jwt.IssuedAtKey),
		jwt.WithRequiredClaim(jwt.ExpirationKey),
		jwt.WithRequiredClaim(jwt.JwtIDKey),
		jwt.WithClock(jwt.ClockFunc(t.now)),
		jwt.WithAcceptableSkew(clockLeeway),
	)
	if errors.Is(err, jwt.ErrTokenExpired()) {
		return account, session, problem.New(problem.CodeTokenExpired, "The access token has expired. Refresh it.")
	}
	if err != nil {
		return account, session, errInvalidToken()
	}
	sid, _ := claims.Get(claimSID)
	text, _ := sid.(string)
	account, errAccount := uuid.Parse(claims.Subject())
	session, errSession := uuid.Parse(text)
	if errAccount != nil || errSession != nil {
		return account, session, errInvalidToken()
	}
	return account, session, nil
}

// keyFor offers our key to a token whose header names it and our algorithm, and asks for nothing else. The library itself
// checks with the algorithm of the key and does not look at the one that the token claims.
func (t *accessTokens) keyFor(_ context.Context, sink jws.KeySink, signature *jws.Signature, _ *jws.Message) error {
	header := signature.ProtectedHeaders()
	if header.Algorithm() != jwa.HS256 || header.KeyID() != t.key.KeyID() || len(header.Critical()) > 0 {
		return errors.New("signed in another way than ours")
	}
	sink.Key(jwa.HS256, t.key)
	return nil
}

// isCompact keeps everything else that the library would try to read (JSON, white space, encryption) away from it.
func isCompact(s string) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
	return strings.Count(s, ".") == 2 && strings.Trim(s, alphabet) == ""
}

func errInvalidToken() error {
	return problem.New(problem.CodeInvalidToken, "The token is not one of ours, or no longer. Log in again.")
}

// derive makes a key of n bytes out of the secret, for one purpose only.
func derive(secret []byte, purpose string, n int) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, purpose, n)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return key, nil
}
