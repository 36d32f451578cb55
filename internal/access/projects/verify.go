package projects

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/access/auth"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/secretbox"
)

// clockToleranceSeconds is how far the clock of a sender may be from ours. Longer would let a recorded request be
// replayed for longer; shorter would shut out machines whose clock is merely bad.
const clockToleranceSeconds = 300

// maxTimestampDigits keeps every accepted timestamp within 63 bits.
const maxTimestampDigits = 18

// lookupTime bounds the search for a key, because ingestion has no other limit until its events are queued.
const lookupTime = 5 * time.Second

// absentSecret stands in for the secret of a key that is not there.
var absentSecret = []byte(secretPrefix + strings.Repeat("0", secretChars))

// Keys verifies the credentials of machines. Any number of goroutines may use it at once.
//
// While Watch runs, keys are remembered until one of them changes; else each is looked up for each request.
type Keys struct {
	store store
	ring  *secretbox.Ring
	now   func() time.Time
	cache keyCache
	uses  *auth.Uses[string]
}

// NewKeys makes a Keys that finds keys in pool and opens their secrets with ring.
func NewKeys(pool *pgxpool.Pool, ring *secretbox.Ring, now func() time.Time) *Keys {
	store := newStore(pool)
	return &Keys{store: store, ring: ring, now: now, uses: auth.NewUses(store.keysUsed)}
}

// LastUsed is when API keys were last used. Somebody must run it.
func (k *Keys) LastUsed() *auth.Uses[string] { return k.uses }

// apiKey is a key that is alive, as the store finds it.
type apiKey struct {
	id        string
	projectID uuid.UUID
	box       []byte
	sealedBy  string
	scopes    []string
	expiresAt *time.Time // nil: lives until it is rotated
	secret    []byte     // opened, where it was needed
	disabled  bool       // the project is
	off       []string   // the dialects that are, where the key was found by its secret
}

func (k *apiKey) alive(now time.Time) bool { return k.expiresAt == nil || k.expiresAt.After(now) }

// VerifySignature returns the principal of a signed request. keyID, timestamp and signature are the values of its three
// headers. path is the path as it stands in the request line, without the query; for paths without escapes, and so for
// every path we serve to signed requests, URL.EscapedPath is the same. body is called once, after everything that can
// be refused without it, and must return the exact bytes sent; its error is returned as it is.
//
// Errors: invalid_signature for a malformed header or a signature that does not match, stale_timestamp when the
// timestamp is more than 300 s from our clock, invalid_key for a key that is unknown, expired, or of a deleted project.
func (k *Keys) VerifySignature(ctx context.Context, keyID, timestamp, signature, method, path string,
	body func() ([]byte, error),
) (*auth.Principal, error) {
	signedAt, ok := parseTimestamp(timestamp)
	if !ok {
		return nil, problem.New(problem.CodeInvalidSignature,
			"X-Api-Timestamp must be Unix seconds: 1 to %d decimal digits and nothing else.", maxTimestampDigits)
	}
	claimed, ok := parseSignature(signature)
	if !ok {
		return nil, problem.New(problem.CodeInvalidSignature, "X-Api-Signature must be 64 lower-case hexadecimal digits.")
	}
	if err := checkFresh(signedAt, k.now()); err != nil {
		return nil, err
	}

	key, found, err := k.find(ctx, keyID)
	if err != nil {
		return nil, err
	}
	secret := absentSecret
	if found {
		secret = key.secret
	}
	mac := newMAC(secret, timestamp, method, path)
	if !found {
		// Only now: a key that is not there has cost the same hashing as one that is.
		return nil, problem.New(problem.CodeInvalidKey, "X-Api-Key-Id names no key that works.%s", hint(keyID, keyIDPrefix))
	}
	content, err := body()
	if err != nil {
		return nil, err
	}
	mac.Write(content)
	if !hmac.Equal(mac.Sum(nil), claimed) {
		return nil, problem.New(problem.CodeInvalidSignature,
			"X-Api-Signature is not the signature of this request: %.20q %.200q with a body of %d bytes, signed at %s with the secret of %s.",
			method, path, len(content), timestamp, key.id)
	}
	if key.disabled {
		return nil, auth.ErrProjectDisabled()
	}
	k.uses.Note(key.id, k.now())
	return &auth.Principal{
		Kind: auth.KindAPIKey, ProjectID: key.projectID, KeyID: key.id, Scopes: key.scopes,
		Signature: signature, SignedAt: signedAt,
	}, nil
}

// VerifySecret returns the principal of a request that carries a project's secret itself, or invalid_key.
func (k *Keys) VerifySecret(ctx context.Context, secret string) (*auth.Principal, error) {
	if wellFormed(secret, secretPrefix, secretChars) {
		hash := secretHash(secret)
		key, found, err := cached(&k.cache, bySecret, string(hash), func() (apiKey, bool, error) {
			ctx, cancel := context.WithTimeout(ctx, lookupTime)
			defer cancel()
			return k.store.apiKeyBySecretHash(ctx, hash, k.now())
		})
		if err != nil {
			return nil, err
		}
		if found && key.alive(k.now()) {
			if key.disabled {
				return nil, auth.ErrProjectDisabled()
			}
			k.uses.Note(key.id, k.now())
			return &auth.Principal{
				Kind: auth.KindAPIKey, ProjectID: key.projectID, KeyID: key.id, Scopes: key.scopes, DialectsOff: key.off,
			}, nil
		}
	}
	return nil, problem.New(problem.CodeInvalidKey, "X-API-Key is no secret that works.%s", hint(secret, secretPrefix))
}

// Revive returns the principal of an API key that was proved before, for what outlives the request that proved it, or
// invalid_key.
func (k *Keys) Revive(ctx context.Context, keyID string) (*auth.Principal, error) {
	key, found, err := k.find(ctx, keyID)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, problem.New(problem.CodeInvalidKey, "The key does not work any more.")
	}
	if key.disabled {
		return nil, auth.ErrProjectDisabled()
	}
	return &auth.Principal{Kind: auth.KindAPIKey, ProjectID: key.projectID, KeyID: key.id, Scopes: key.scopes}, nil
}

// VerifyWriteKey returns the principal of a request that carries a write key. origin is its Origin header, empty when
// there is none. Errors: invalid_key, or origin_not_allowed when the key lists origins and this is none of them.
func (k *Keys) VerifyWriteKey(ctx context.Context, key, origin string) (*auth.Principal, error) {
	if !wellFormed(key, writeKeyPrefix, writeKeyChars) {
		return k.writeKeyPrincipal(key, storedWriteKey{}, false, origin)
	}
	return k.verifyWriteKey(ctx, key, origin, func(ctx context.Context) (storedWriteKey, bool, error) {
		return k.store.writeKeyByKey(ctx, key)
	})
}

// VerifyVendorKey is VerifyWriteKey for a key in the place of another vendor's: where that must be a UUID, it is the id of
// the write key.
func (k *Keys) VerifyVendorKey(ctx context.Context, key, origin string) (*auth.Principal, error) {
	id, err := uuid.Parse(key)
	if err != nil {
		return k.VerifyWriteKey(ctx, key, origin)
	}
	return k.verifyWriteKey(ctx, id.String(), origin, func(ctx context.Context) (storedWriteKey, bool, error) {
		return k.store.writeKeyByID(ctx, id)
	})
}

func (k *Keys) verifyWriteKey(
	ctx context.Context, key, origin string, load func(context.Context) (storedWriteKey, bool, error),
) (*auth.Principal, error) {
	stored, found, err := cached(&k.cache, byWriteKey, key, func() (storedWriteKey, bool, error) {
		ctx, cancel := context.WithTimeout(ctx, lookupTime)
		defer cancel()
		return load(ctx)
	})
	if err != nil {
		return nil, err
	}
	return k.writeKeyPrincipal(key, stored, found, origin)
}

func (*Keys) writeKeyPrincipal(key string, stored storedWriteKey, found bool, origin string) (*auth.Principal, error) {
	switch {
	case found && stored.disabled:
		return nil, auth.ErrProjectDisabled()
	case !found:
		return nil, problem.New(problem.CodeInvalidKey, "X-Write-Key is no write key that works.%s", hint(key, writeKeyPrefix))
	case OriginAllowed(stored.AllowedOrigins, origin):
		return &auth.Principal{
			Kind: auth.KindWriteKey, ProjectID: stored.projectID, KeyID: stored.ID.String(), Scopes: auth.WriteKeyScopes,
			DialectsOff: stored.off,
		}, nil
	case origin == "":
		return nil, problem.New(problem.CodeOriginNotAllowed,
			"The request has no Origin header, and this write key is only for the origins it lists.")
	}
	return nil, problem.New(problem.CodeOriginNotAllowed, "This write key is not for the origin %.100q.", origin)
}

// find returns the key of this id, with its secret, when it is alive.
func (k *Keys) find(ctx context.Context, keyID string) (apiKey, bool, error) {
	if !wellFormed(keyID, keyIDPrefix, keyIDChars) {
		return apiKey{}, false, nil
	}
	key, found, err := cached(&k.cache, byID, keyID, func() (apiKey, bool, error) {
		ctx, cancel := context.WithTimeout(ctx, lookupTime)
		defer cancel()
		key, found, err := k.store.apiKeyByID(ctx, keyID, k.now())
		if err != nil || !found {
			return key, found, err
		}
		if key.secret, err = k.ring.Open(key.box, key.sealedBy, []byte(key.id)); err != nil {
			return apiKey{}, false, fmt.Errorf("open the secret of key %s: %w", key.id, err)
		}
		return key, true, nil
	})
	return key, found && key.alive(k.now()), err
}

// hint names the mistake of putting one kind of key where another belongs. It repeats nothing of the key but its prefix.
func hint(got, want string) string {
	names := map[string]string{keyIDPrefix: "the id of an API key", secretPrefix: "a secret", writeKeyPrefix: "a write key"}
	for prefix, name := range names {
		if prefix != want && strings.HasPrefix(got, prefix) {
			return fmt.Sprintf(" It begins with %s, so it is %s; this header takes %s, which begins with %s.",
				prefix, name, names[want], want)
		}
	}
	return ""
}

// parseTimestamp reads decimal Unix seconds, with neither sign nor space, as strconv alone would allow.
func parseTimestamp(s string) (int64, bool) {
	if len(s) == 0 || len(s) > maxTimestampDigits {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	return seconds, err == nil
}

// parseSignature reads a signature. Upper-case digits are refused: the signature as text is part of the identity of the
// events sent with it, so one request must not have several.
func parseSignature(s string) ([]byte, bool) {
	if len(s) != 64 || strings.ToLower(s) != s {
		return nil, false
	}
	sum, err := hex.DecodeString(s)
	return sum, err == nil
}

// checkFresh refuses a timestamp too far from our clock, and says by how much: with that the sender can tell a clock
// that is wrong from a request that waited too long.
func checkFresh(signedAt int64, now time.Time) error {
	behind := now.Unix() - signedAt
	if behind >= -clockToleranceSeconds && behind <= clockToleranceSeconds {
		return nil
	}
	relation, distance := "behind", behind
	if behind < 0 {
		relation, distance = "ahead of", -behind
	}
	advice := ""
	if signedAt/1000 > now.Unix()/2 {
		advice = " It looks like milliseconds or less; send seconds."
	}
	return problem.New(problem.CodeStaleTimestamp,
		"The server's time is %d (%s). X-Api-Timestamp is %d seconds %s it; at most %d are allowed.%s",
		now.Unix(), now.UTC().Format(time.RFC3339), distance, relation, clockToleranceSeconds, advice)
}
