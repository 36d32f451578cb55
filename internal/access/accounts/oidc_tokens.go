package accounts

import (
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/bahagh/nimbus/internal/access/auth"
)

const (
	providerLeeway = 30 * time.Second // between the provider's clock and ours
	// maxProviderTokenBytes is what fits into a header beside others; tokens with many groups come close to it.
	maxProviderTokenBytes = 12 << 10
	minModulusBits        = 2048
	maxModulusBits        = 8192 // checking takes the square of it
	maxSubjectBytes       = 255  // OpenID Connect Core, 2
)

// errProviderTokenExpired is the one cause that the sender of a token can do something about.
var errProviderTokenExpired = errors.New("the token has expired")

// providerKeys are the keys that the provider signs with, by their ids.
type providerKeys map[string]jwk.Key

// parseKeys reads a JWK set and keeps what can check RS256: RSA keys for signatures, and of each only the public part.
// Others are left out, because a provider may publish keys for other purposes and of kinds yet to come.
func parseKeys(b []byte) (providerKeys, error) {
	set, err := jwk.Parse(b, jwk.WithIgnoreParseError(true))
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	keys := make(providerKeys, set.Len())
	for i := range set.Len() {
		key, _ := set.Key(i)
		if use := key.KeyUsage(); use != "" && use != string(jwk.ForSignature) {
			continue
		}
		if alg := key.Algorithm().String(); alg != "" && alg != jwa.RS256.String() {
			continue
		}
		var public rsa.PublicKey
		if checked, err := jwk.PublicKeyOf(key); err != nil || checked.Raw(&public) != nil {
			continue // of another kind
		}
		if bits := public.N.BitLen(); bits < minModulusBits || bits > maxModulusBits {
			continue
		}
		if keys[key.KeyID()], err = jwk.FromRaw(&public); err != nil {
			return nil, fmt.Errorf("read the key %q: %w", key.KeyID(), err)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no RSA key for signatures among the keys")
	}
	return keys, nil
}

// claims are what a token of the provider says, when its signature, issuer, audience and times are right.
type claims struct {
	subject   string
	expires   time.Time
	audience  []string
	party     string // azp: to whom it was issued
	nonce     string
	email     string
	verified  bool // the address is the subject's
	sessionID uuid.UUID
}

// verifyWith checks a token of the issuer for the client. key is nil when there is none of the token's id. Its errors are
// not told to anybody: they would repeat parts of what was sent.
func verifyWith(key jwk.Key, token, issuer, client string, now time.Time) (*claims, error) {
	if key == nil {
		return nil, errors.New("signed with an unknown key")
	}
	t, err := jwt.ParseString(token,
		jwt.WithKey(jwa.RS256, key),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(client),
		jwt.WithRequiredClaim(jwt.SubjectKey),
		jwt.WithRequiredClaim(jwt.ExpirationKey),
		jwt.WithClock(jwt.ClockFunc(func() time.Time { return now })),
		jwt.WithAcceptableSkew(providerLeeway),
	)
	if errors.Is(err, jwt.ErrTokenExpired()) {
		return nil, errProviderTokenExpired
	}
	if err != nil {
		return nil, err
	}
	c := &claims{subject: t.Subject(), expires: t.Expiration().Add(providerLeeway), audience: t.Audience(),
		party: text(t, "azp"), nonce: text(t, "nonce"), email: auth.FoldEmail(text(t, "email")),
		verified: isTrue(t, "email_verified") || isTrue(t, "xms_edov"), sessionID: sessionOf(token)}
	if c.subject == "" || len(c.subject) > maxSubjectBytes || strings.ContainsRune(c.subject, 0) {
		return nil, errors.New("the subject is none")
	}
	if _, ok := t.Get("events"); ok {
		return nil, errors.New("a token about an event, such as a logout, proves nobody")
	}
	return c, nil
}

// keyID reads the header of a token and returns the id of the key it is signed with. The library checks with the key and
// algorithm it is given and does not look at what the header claims, so that is compared here.
func keyID(token string) (string, error) {
	if len(token) > maxProviderTokenBytes || !isCompact(token) {
		return "", errors.New("not a compact JWT")
	}
	message, err := jws.ParseString(token)
	if err != nil || len(message.Signatures()) != 1 {
		return "", errors.New("not a signed JWT")
	}
	header := message.Signatures()[0].ProtectedHeaders()
	if header.Algorithm() != jwa.RS256 || len(header.Critical()) > 0 {
		return "", errors.New("not signed with RS256")
	}
	switch strings.TrimPrefix(strings.ToLower(header.Type()), "application/") {
	case "", "jwt", "at+jwt":
		return header.KeyID(), nil
	}
	return "", errors.New("a JWT for another purpose")
}

// find returns the key of an id, nil if there is none. A token without an id can only mean the only key there is.
func (k providerKeys) find(id string) jwk.Key {
	if id == "" && len(k) == 1 {
		for _, only := range k {
			return only
		}
	}
	if id == "" {
		return nil
	}
	return k[id]
}

func text(t jwt.Token, claim string) string {
	v, _ := t.Get(claim)
	s, _ := v.(string)
	return s
}

// isTrue also takes the forms in which some providers write a boolean: "true", 1 and "1".
func isTrue(t jwt.Token, claim string) bool {
	v, _ := t.Get(claim)
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return v == "true" || v == "1"
	case float64:
		return v == 1
	}
	return false
}

// sessionOf is the id of the session of a provider's token: a hash of what is signed, in the layout of UUID version 8. The
// signature itself is left out, because the last character of its base64 can be written in several ways.
func sessionOf(token string) uuid.UUID {
	sum := sha256.Sum256([]byte("nimbus session of a token\x00" + token[:strings.LastIndexByte(token, '.')]))
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}
