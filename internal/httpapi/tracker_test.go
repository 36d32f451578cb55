package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"net/http"
	"testing"

	"github.com/bahagh/nimbus/gen/tracker"
)

func TestTheTrackerIsServedToPagesOfEveryOrigin(t *testing.T) {
	t.Parallel()
	s := setup(t)
	script := Tracker()
	for path, caching := range map[string]string{
		"/sdk.js":   "public, max-age=3600, stale-while-revalidate=86400",
		script.Path: "public, max-age=31536000, immutable",
	} {
		w := s.do("GET", path, "", "Origin", "https://shop.example.com")
		if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), tracker.JS) {
			t.Fatalf("%s: status %d, %d bytes", path, w.Code, w.Body.Len())
		}
		for name, want := range map[string]string{
			"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": caching, "X-Content-Type-Options": "nosniff",
			"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin",
			"Content-Location": script.Path, "Nimbus-Integrity": script.Integrity, "Content-Encoding": "",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		sum := sha512.Sum384(w.Body.Bytes())
		if script.Integrity != "sha384-"+base64.StdEncoding.EncodeToString(sum[:]) {
			t.Error("a browser would refuse the script: its hash is another")
		}
		if w := s.do("GET", path, "", "If-None-Match", w.Header().Get("ETag")); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
			t.Errorf("%s: status %d to one who has it already", path, w.Code)
		}
	}
	if w := s.do("GET", "/sdk/0000000000000000.js", ""); w.Code != http.StatusNotFound {
		t.Errorf("status %d for the path of another script", w.Code)
	}
}

func TestTheTrackerIsCompressedForThoseWhoTakeIt(t *testing.T) {
	t.Parallel()
	w := setup(t).do("GET", "/sdk.js", "", "Accept-Encoding", "gzip, br")
	if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Vary") != "Accept-Encoding" {
		t.Fatalf("headers: %v", w.Header())
	}
	const limit = 6016 // as in sdk/typescript/scripts/size.mjs
	if n := w.Body.Len(); n > limit {
		t.Errorf("%d bytes, more than a page should have to load", n)
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(z); err != nil || !bytes.Equal(b, tracker.JS) {
		t.Errorf("%v: it is another script", err)
	}
}
