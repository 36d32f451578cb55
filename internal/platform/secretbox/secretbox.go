package secretbox

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// KeyBytes is the length of every key, in bytes.
const KeyBytes = 32

// keyIDBytes is the length of a key's id, a prefix of its hash: enough that two keys never share one by accident.
const keyIDBytes = 8

// keyIDLabel is the domain separation of the hash: the id differs from any other hash of the same key that may be
// shown.
const keyIDLabel = "nimbus secretbox key id\x00"

// errOpen gives no reason: a wrong box, key or AAD cannot be told apart.
var errOpen = errors.New("secretbox: the box was changed, or belongs somewhere else")

// UnknownKeyError says that a box was sealed under a key that this ring does not hold.
type UnknownKeyError struct{ KeyID string }

// Error names the settings to look at.
func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("sealed under key %s, which is not among NIMBUS_SECRET_KEY and NIMBUS_SECRET_KEY_PREVIOUS", e.KeyID)
}

// Ring seals under one key and opens what was sealed under any of several. It never changes, and any number of
// goroutines may use it at once.
type Ring struct {
	currentID string
	ciphers   map[string]cipher.AEAD
}

// New makes a ring that seals under current and opens what was sealed under current or one of previous. It fails when
// a key is not 32 bytes long. Naming a key twice does no harm.
func New(current []byte, previous ...[]byte) (*Ring, error) {
	r := &Ring{ciphers: make(map[string]cipher.AEAD, 1+len(previous))}
	id, err := r.add(current)
	if err != nil {
		return nil, fmt.Errorf("secretbox: current key: %w", err)
	}
	r.currentID = id
	for i, key := range previous {
		if _, err := r.add(key); err != nil {
			return nil, fmt.Errorf("secretbox: previous key %d: %w", i+1, err)
		}
	}
	return r, nil
}

func (r *Ring) add(key []byte) (string, error) {
	if len(key) != KeyBytes {
		return "", fmt.Errorf("must be %d bytes long and is %d", KeyBytes, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	// A random nonce for each box, put in front of it. A repeated nonce would break the encryption; even with a
	// million secrets its probability is below one in 10¹⁶.
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append([]byte(keyIDLabel), key...))
	id := hex.EncodeToString(sum[:keyIDBytes])
	r.ciphers[id] = aead
	return id, nil
}

// CurrentID returns the id of the key that Seal uses: 16 lower-case hex digits.
func (r *Ring) CurrentID() string { return r.currentID }

// Has reports whether boxes under the key of this id can be opened.
func (r *Ring) Has(keyID string) bool {
	_, ok := r.ciphers[keyID]
	return ok
}

// Seal encrypts plaintext under the current key and returns the box with the id of that key; both must be kept. aad is
// not part of the box: Open must be given the same.
func (r *Ring) Seal(plaintext, aad []byte) (box []byte, keyID string, err error) {
	return r.ciphers[r.currentID].Seal(nil, nil, plaintext, aad), r.currentID, nil
}

// Open returns the plaintext of a box that Seal made with the same aad. It fails with [*UnknownKeyError] when keyID
// is not in the ring, and with an error without a reason when the box or aad was changed.
func (r *Ring) Open(box []byte, keyID string, aad []byte) ([]byte, error) {
	aead, ok := r.ciphers[keyID]
	if !ok {
		return nil, &UnknownKeyError{KeyID: keyID}
	}
	plaintext, err := aead.Open(nil, nil, box, aad)
	if err != nil {
		return nil, errOpen
	}
	return plaintext, nil
}
