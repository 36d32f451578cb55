package projects

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/platform/secretbox"
)

func TestKeysHaveTheirPublishedForm(t *testing.T) {
	t.Parallel()
	ring, err := secretbox.New(bytes.Repeat([]byte{1}, secretbox.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	projectID := uuid.New()
	pair, sealed, err := newPair(ring, projectID)
	if err != nil {
		t.Fatal(err)
	}
	for form, key := range map[string]string{
		`^nk_[0-9A-Za-z]{16}$`: pair.ID,
		`^ns_[0-9A-Za-z]{43}$`: pair.Secret,
		`^nw_[0-9A-Za-z]{24}$`: newWriteKey(),
	} {
		if !regexp.MustCompile(form).MatchString(key) {
			t.Errorf("key %q does not match %s, which secret scanners look for", key, form)
		}
	}
	if sealed.id != pair.ID || sealed.projectID != projectID || !bytes.Equal(sealed.hash, secretHash(pair.Secret)) {
		t.Errorf("stored key %+v is not that of %+v", sealed, pair)
	}
	if bytes.Contains(sealed.box, []byte(pair.Secret)) {
		t.Error("the box shows the secret")
	}
	if secret, err := ring.Open(sealed.box, sealed.sealedBy, []byte(pair.ID)); err != nil || string(secret) != pair.Secret {
		t.Errorf("the box opens to %q, %v", secret, err)
	}
	if _, err := ring.Open(sealed.box, sealed.sealedBy, []byte("nk_0000000000000000")); err == nil {
		t.Error("the box opens in the row of another key")
	}
}

func TestRandomTextUsesEveryCharacterEquallyAndNeverRepeats(t *testing.T) {
	t.Parallel()
	const texts, chars = 2000, 43
	counts := make(map[byte]int)
	seen := make(map[string]bool)
	for range texts {
		s := randomText(chars)
		if len(s) != chars || seen[s] {
			t.Fatalf("text %q has the wrong length or came twice", s)
		}
		seen[s] = true
		for i := range len(s) {
			counts[s[i]]++
		}
	}
	// 1387 of each are expected, with a standard deviation of 37; taking bytes modulo 62 would give 1680 of the first 8.
	for i := range len(base62) {
		if n := counts[base62[i]]; n < 1130 || n > 1640 {
			t.Errorf("character %q came %d times of %d", base62[i], n, texts*chars)
		}
	}
}

func TestWellFormed(t *testing.T) {
	t.Parallel()
	good := "nk_" + strings.Repeat("a", 15) + "Z"
	for key, want := range map[string]bool{
		good: true, good + "a": false, good[:18]: false, "": false, "nk_": false, "ns_" + good[3:]: false,
		"nk_" + strings.Repeat("a", 15) + "\x00": false, "nk_" + strings.Repeat("a", 15) + "\xff": false,
		"nk_" + strings.Repeat("a", 15) + "_": false, " " + good: false, good + "\n": false,
	} {
		if got := wellFormed(key, keyIDPrefix, keyIDChars); got != want {
			t.Errorf("wellFormed(%q) = %v, want %v", key, got, want)
		}
	}
}

func TestHintsRepeatNothingOfTheKey(t *testing.T) {
	t.Parallel()
	secret := secretPrefix + strings.Repeat("s", secretChars)
	got := hint(secret, writeKeyPrefix)
	if !strings.Contains(got, "a secret") || !strings.Contains(got, "a write key") || strings.Contains(got, "sss") {
		t.Errorf("hint %q", got)
	}
	if got := hint(secret, secretPrefix); got != "" {
		t.Errorf("a secret in its own place gets the hint %q", got)
	}
}
