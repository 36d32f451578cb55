package nimbus

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of credentials: a secret alone, or a signature.
const (
	headerKey       = "X-Api-Key"
	headerKeyID     = "X-Api-Key-Id"
	headerTimestamp = "X-Api-Timestamp"
	headerSignature = "X-Api-Signature"
)

// Sign returns the signature of a request: the lower-case hex HMAC-SHA256, keyed with the project's secret, of
// "{timestamp}:{METHOD}:{path}:{body}".
//
// The timestamp is in Unix seconds; the server refuses one more than 300 s from its own clock. The method may be in
// any case. The path is that of the URL as it is sent (percent-encoded), without the query, from /v1 on: of
// https://example.com/analytics/v1/events it is /v1/events, because a server under a path is behind a proxy that
// takes the prefix away. The body is the exact bytes sent, so the compressed ones when the body is compressed.
func Sign(secret string, timestamp int64, method, path string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	// A hash never returns an error from Write.
	_, _ = fmt.Fprintf(mac, "%d:%s:%s:", timestamp, strings.ToUpper(method), path)
	_, _ = mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// SigningEditor returns an editor that signs each request with a project's key pair, at the time that now gives (nil
// for time.Now). Pass it to api.WithRequestEditorFn, after every editor that changes the body or the path: it signs
// what it finds.
//
// It reads the whole body into memory and puts an equal one in its place, so that the bytes signed are the bytes
// sent, on redirects too. It returns an error when the body cannot be read; the request is then not sent. A proxy may
// take away what is before /v1 of the path; one that changes more makes the signature wrong.
func SigningEditor(keyID, secret string, now func() time.Time) func(context.Context, *http.Request) error {
	if now == nil {
		now = time.Now
	}
	return func(_ context.Context, req *http.Request) error {
		body, err := takeBody(req)
		if err != nil {
			return fmt.Errorf("sign request: read body: %w", err)
		}
		signRequest(req, keyID, secret, now(), body)
		return nil
	}
}

// SecretEditor returns an editor that sends a project's secret with each request, for networks that are trusted. Pass
// it to api.WithRequestEditorFn.
func SecretEditor(secret string) func(context.Context, *http.Request) error {
	return func(_ context.Context, req *http.Request) error {
		req.Header.Set(headerKey, secret)
		return nil
	}
}

// signRequest signs a request with this body.
func signRequest(req *http.Request, keyID, secret string, now time.Time, body []byte) {
	method := req.Method
	if method == "" {
		method = http.MethodGet // what an empty method means to net/http
	}
	// The request target, not URL.Path: the server verifies the bytes of the request line, before any decoding.
	path, _, _ := strings.Cut(req.URL.RequestURI(), "?")
	if from := strings.LastIndex(path, "/v1/"); from > 0 {
		path = path[from:] // the last, because the prefix of a gateway may have versions of its own
	}
	timestamp := now.Unix()
	req.Header.Set(headerKeyID, keyID)
	req.Header.Set(headerTimestamp, strconv.FormatInt(timestamp, 10))
	req.Header.Set(headerSignature, Sign(secret, timestamp, method, path, body))
}

// takeBody returns the bytes of the request's body and leaves an equal body to be sent.
func takeBody(req *http.Request) ([]byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(req.Body)
	if closeErr := req.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
	req.ContentLength = int64(len(body))
	return body, nil
}
