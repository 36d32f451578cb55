package events

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// The SDKs have the list too: an id that one of them identifies somebody by must not be nobody here.
func TestTheListOfJunkIsThatOfTheSDKs(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../testvectors/junk.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct{ Junk, Fine []string }
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, id := range vectors.Junk {
		if !Junk(id) {
			t.Errorf("%q is no junk", id)
		}
	}
	for _, id := range vectors.Fine {
		if Junk(id) {
			t.Errorf("%q is junk", id)
		}
	}
	for _, id := range junk {
		if !slices.Contains(vectors.Junk, id) {
			t.Errorf("testvectors/junk.json lacks %q", id)
		}
	}
}
