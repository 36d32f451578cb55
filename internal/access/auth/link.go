package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// The prefixes of the tokens in links, by which people and secret scanners tell them from keys.
const (
	InvitationPrefix = "ni_"
	ResetPrefix      = "np_"
)

// The pages of the dashboard that take a token. It stands behind the #, which browsers send to nobody: no log has it.
const (
	InvitationPage = "/invitation#"
	ResetPage      = "/reset#"
)

const linkBytes = 32

// NewLinkToken returns the token of a link, with 256 random bits, and what is stored of it.
func NewLinkToken(prefix string) (token string, hash []byte) {
	b := make([]byte, linkBytes)
	_, _ = rand.Read(b) // never fails
	token = prefix + base64.RawURLEncoding.EncodeToString(b)
	return token, LinkHash(token)
}

// LinkHash is what is stored of a token. It needs no salt: nobody guesses 256 bits.
func LinkHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
