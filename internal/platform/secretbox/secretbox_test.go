package secretbox_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/bahagh/nimbus/internal/platform/secretbox"
)

func key(fill byte) []byte { return bytes.Repeat([]byte{fill}, secretbox.KeyBytes) }

func ring(t *testing.T, current []byte, previous ...[]byte) *secretbox.Ring {
	t.Helper()
	r, err := secretbox.New(current, previous...)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return r
}

func seal(t *testing.T, r *secretbox.Ring, plaintext, aad string) ([]byte, string) {
	t.Helper()
	box, keyID, err := r.Seal([]byte(plaintext), []byte(aad))
	if err != nil {
		t.Fatalf("Seal: %v", err)
	}
	return box, keyID
}

func TestOpenReturnsWhatWasSealed(t *testing.T) {
	t.Parallel()
	r := ring(t, key(1))
	for _, plaintext := range []string{"", "ns_secret", strings.Repeat("x", 10_000)} {
		box, keyID := seal(t, r, plaintext, "nk_a")
		if keyID != r.CurrentID() {
			t.Errorf("sealed under %s, want the current key %s", keyID, r.CurrentID())
		}
		if plaintext != "" && bytes.Contains(box, []byte(plaintext)) {
			t.Error("the box shows its content")
		}
		got, err := r.Open(box, keyID, []byte("nk_a"))
		if err != nil || string(got) != plaintext {
			t.Errorf("Open = %q, %v; want %q", got, err, plaintext)
		}
	}
}

func TestSealingTwiceGivesDifferentBoxes(t *testing.T) {
	t.Parallel()
	r := ring(t, key(1))
	a, _ := seal(t, r, "ns_secret", "nk_a")
	b, _ := seal(t, r, "ns_secret", "nk_a")
	if bytes.Equal(a, b) {
		t.Error("two boxes of the same secret are equal, so a reader of the database learns that the secrets are")
	}
}

func TestABoxDoesNotOpenElsewhereNorChanged(t *testing.T) {
	t.Parallel()
	r := ring(t, key(1))
	box, keyID := seal(t, r, "ns_secret", "nk_a")
	if _, err := r.Open(box, keyID, []byte("nk_b")); err == nil {
		t.Error("a box moved to another row opens")
	}
	for i := range box {
		changed := bytes.Clone(box)
		changed[i] ^= 1
		if _, err := r.Open(changed, keyID, []byte("nk_a")); err == nil {
			t.Fatalf("a box with byte %d changed opens", i)
		}
	}
	for n := range box {
		if _, err := r.Open(box[:n], keyID, []byte("nk_a")); err == nil {
			t.Fatalf("a box cut to %d bytes opens", n)
		}
	}
}

func TestAPreviousKeyOpensButDoesNotSeal(t *testing.T) {
	t.Parallel()
	old := ring(t, key(1))
	box, oldID := seal(t, old, "ns_secret", "nk_a")

	both := ring(t, key(2), key(1), key(2))
	got, err := both.Open(box, oldID, []byte("nk_a"))
	if err != nil || string(got) != "ns_secret" {
		t.Errorf("Open under the previous key = %q, %v", got, err)
	}
	if both.CurrentID() == oldID {
		t.Error("the ring still seals under the previous key")
	}
}

func TestAMissingKeyIsNamedWithTheSettingsToLookAt(t *testing.T) {
	t.Parallel()
	box, keyID := seal(t, ring(t, key(1)), "ns_secret", "nk_a")
	_, err := ring(t, key(2)).Open(box, keyID, []byte("nk_a"))
	var unknown *secretbox.UnknownKeyError
	if !errors.As(err, &unknown) || unknown.KeyID != keyID {
		t.Fatalf("Open = %v, want an UnknownKeyError of %s", err, keyID)
	}
	want := "sealed under key " + keyID + ", which is not among NIMBUS_SECRET_KEY and NIMBUS_SECRET_KEY_PREVIOUS"
	if err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

func TestNewRefusesKeysOfAnotherLength(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := secretbox.New(make([]byte, n)); err == nil || !strings.Contains(err.Error(), "current key") {
			t.Errorf("a current key of %d bytes: error %v, want one that names it", n, err)
		}
		if _, err := secretbox.New(key(1), key(2), make([]byte, n)); err == nil || !strings.Contains(err.Error(), "previous key 2") {
			t.Errorf("a previous key of %d bytes: error %v, want one that names it", n, err)
		}
	}
}

func TestKeyIDsNeverChangeBetweenReleases(t *testing.T) {
	t.Parallel()
	// printf 'nimbus secretbox key id\0' plus 32 bytes of 0x01, sha256sum, the first 16 digits.
	const want = "852efbcf69287459"
	if got := ring(t, key(1)).CurrentID(); got != want {
		t.Errorf("key id %s, want %s: stored boxes name their key by it", got, want)
	}
}

func FuzzOpenNeverAcceptsWhatWasNotSealed(f *testing.F) {
	r, err := secretbox.New(key(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, "", []byte{})
	f.Add(make([]byte, 64), r.CurrentID(), []byte("nk_a"))
	f.Fuzz(func(t *testing.T, box []byte, keyID string, aad []byte) {
		if plaintext, err := r.Open(box, keyID, aad); err == nil {
			t.Errorf("a forged box opened to %q", plaintext)
		}
	})
}
