package ingest

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events"
)

// idVector is a line of testvectors/ids.json: what every implementation must derive.
type idVector struct {
	Name        string    `json:"name"`
	ProjectID   uuid.UUID `json:"project_id"`
	TS          time.Time `json:"ts"`
	Event       string    `json:"event"`
	UserID      string    `json:"user_id"`
	AnonymousID string    `json:"anonymous_id"`
	Key         string    `json:"idempotency_key"`
	Signature   string    `json:"signature"`
	Position    int       `json:"position"`
	ID          uuid.UUID `json:"id"`
}

func (v *idVector) identity() *identity {
	return &identity{projectID: v.ProjectID, ts: v.TS, name: v.Event, userID: v.UserID, anonymousID: v.AnonymousID,
		key: v.Key, seed: v.Signature, position: v.Position}
}

func loadVectors(t *testing.T) []idVector {
	t.Helper()
	b, err := os.ReadFile("../../../testvectors/ids.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []idVector
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if len(out) < 8 {
		t.Fatalf("only %d vectors", len(out))
	}
	return out
}

// A change of an id would store every event a second time.
func TestIDsAreThoseOfTheVectors(t *testing.T) {
	t.Parallel()
	seen := map[uuid.UUID]string{}
	for _, v := range loadVectors(t) {
		got := v.identity().id()
		if got != v.ID {
			t.Errorf("%s: %s, want %s", v.Name, got, v.ID)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q are the same event", v.Name, other)
		}
		seen[got] = v.Name
		if got.Version() != 8 || got.Variant() != uuid.RFC4122 {
			t.Errorf("%s: version %d, variant %d", v.Name, got.Version(), got.Variant())
		}
	}
}

func TestIDsSortByTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	var ids []uuid.UUID
	for k := range 100 {
		i := identity{ts: at.Add(time.Duration(k) * time.Millisecond), name: "e", key: "k"}
		ids = append(ids, i.id())
	}
	if !slices.IsSortedFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		t.Error("later events have smaller ids")
	}
	for k, id := range ids {
		ts := at.Add(time.Duration(k) * time.Millisecond)
		floor, next := events.FirstID(ts), events.FirstID(ts.Add(time.Millisecond))
		if bytes.Compare(floor[:], id[:]) > 0 || bytes.Compare(id[:], next[:]) >= 0 {
			t.Errorf("%s is not between the floors of its millisecond", id)
		}
	}
}

func TestWithoutKeyAndSignatureNothingIsTheSame(t *testing.T) {
	t.Parallel()
	i := identity{ts: time.Now(), name: "e", userID: "u"}
	if first, second := i.id(), i.id(); first == second {
		t.Error("two events that nothing says are one have one id")
	}
}
