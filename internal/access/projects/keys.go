package projects

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/platform/secretbox"
)

// The prefixes let a person, a log filter and a secret scanner tell the three kinds apart. They are part of the public
// API: scanners are configured with them.
const (
	keyIDPrefix    = "nk_"
	secretPrefix   = "ns_"
	writeKeyPrefix = "nw_"
)

// The lengths after the prefix, in characters of 5.95 bits each.
const (
	keyIDChars    = 16
	secretChars   = 43 // 256 bits
	writeKeyChars = 24 // 142 bits: public, but not to be guessed
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Pair is an API key as its owner gets it, once.
type Pair struct {
	ID     string
	Secret string
}

// sealedKey is an API key as it is stored.
type sealedKey struct {
	id        string
	projectID uuid.UUID
	box       []byte
	sealedBy  string // the id of the key the box was sealed under
	hash      []byte
	name      string
	main      bool
	scopes    []string
	createdBy uuid.UUID
	expiresAt *time.Time
}

// newPair makes a key pair and what is stored of it; the caller adds what it may do.
func newPair(ring *secretbox.Ring, projectID uuid.UUID) (Pair, sealedKey, error) {
	pair := Pair{ID: keyIDPrefix + randomText(keyIDChars), Secret: secretPrefix + randomText(secretChars)}
	// The id as additional data: a box copied into another row of the database does not open there.
	box, sealedBy, err := ring.Seal([]byte(pair.Secret), []byte(pair.ID))
	if err != nil {
		return Pair{}, sealedKey{}, fmt.Errorf("seal the secret of key %s: %w", pair.ID, err)
	}
	return pair, sealedKey{id: pair.ID, projectID: projectID, box: box, sealedBy: sealedBy, hash: secretHash(pair.Secret)}, nil
}

func newWriteKey() string { return writeKeyPrefix + randomText(writeKeyChars) }

// secretHash finds a key by its secret. A fast hash is enough: nobody can try 2²⁵⁶ secrets.
func secretHash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// wellFormed tells whether s can be a key of this kind. What cannot must not reach the database, which answers text
// that is not UTF-8 with an error instead of with nothing.
func wellFormed(s, prefix string, chars int) bool {
	text, ok := strings.CutPrefix(s, prefix)
	if !ok || len(text) != chars {
		return false
	}
	for i := range len(text) {
		if !isAlphanumeric(text[i]) {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// randomText returns n characters, each of the 62 equally likely.
func randomText(n int) string {
	// The largest multiple of 62 in a byte; taking the rest of larger bytes would favour the first characters.
	const limit = 256 - 256%len(base62)
	out := make([]byte, 0, n)
	random := make([]byte, 2*n)
	for {
		rand.Read(random) // it never fails: without randomness the process ends
		for _, b := range random {
			if int(b) < limit {
				out = append(out, base62[int(b)%len(base62)])
				if len(out) == n {
					return string(out)
				}
			}
		}
	}
}
