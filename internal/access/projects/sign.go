package projects

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// Sign returns the signature of a request: the lower-case hex HMAC-SHA256, keyed with the text of the secret, of
// `{timestamp}:{METHOD}:{path}:{body}`. timestamp is the text of X-Api-Timestamp; path is the path exactly as it stands
// in the request line, escapes included, without the query; body is the exact bytes sent, compressed if they are sent
// compressed. testvectors/signatures.json is what every implementation of this must agree with.
func Sign(secret, timestamp, method, path string, body []byte) string {
	mac := newMAC([]byte(secret), timestamp, method, path)
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// newMAC has been given everything that comes before the body, so that a body of megabytes need not be copied behind it.
// A colon in the path would let bytes move between path and body under one signature; no path that is served has one.
func newMAC(secret []byte, timestamp, method, path string) hash.Hash {
	mac := hmac.New(sha256.New, secret)
	for _, part := range [...]string{timestamp, method, path} {
		mac.Write([]byte(part))
		mac.Write([]byte{':'})
	}
	return mac
}
