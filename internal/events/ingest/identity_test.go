package ingest

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
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
		key: v.Key, signature: v.Signature, position: v.Position}
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
		floor, next := idFloor(ts), idFloor(ts.Add(time.Millisecond))
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

func TestIDAfter(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"00000000-0000-8000-8000-000000000000": "00000000-0000-8000-8000-000000000001",
		"00000000-0000-8000-8000-0000000000ff": "00000000-0000-8000-8000-000000000100",
		"00000000-0000-8000-bfff-ffffffffffff": "00000000-0000-8000-c000-000000000000",
	} {
		if got := idAfter(uuid.MustParse(from)); got.String() != want {
			t.Errorf("after %s: %s, want %s", from, got, want)
		}
	}
}

// A cursor comes from the outside: whatever it is, it is a place in this list or an error.
func FuzzCursor(f *testing.F) {
	user := "u"
	filter := &Filter{ProjectID: uuid.MustParse("3fa85f64-5717-4562-b3fc-2c963f66afa6"), Names: []string{"a", "b"}, UserID: &user,
		Since: time.Unix(1, 0), Until: time.Unix(2, 0), Props: []byte(`{"a":1}`), Ascending: true}
	f.Add(encodeCursor(filter, uuid.MustParse("019bc0f3-5c40-8abc-9def-0123456789ab")))
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := decodeCursor(filter, s)
		if err == nil && encodeCursor(filter, id) != s {
			t.Errorf("%q is taken for %q", s, encodeCursor(filter, id))
		}
	})
}

func TestACursorIsGoodForItsFilterOnly(t *testing.T) {
	t.Parallel()
	user, other := "u", "v"
	base := Filter{ProjectID: uuid.New(), Names: []string{"ab", "c"}, UserID: &user, Since: time.Unix(1, 0), Until: time.Unix(2, 0), Props: []byte("{}")}
	cursor := encodeCursor(&base, uuid.New())
	for name, change := range map[string]func(f *Filter){
		"project": func(f *Filter) { f.ProjectID = uuid.New() },
		"names":   func(f *Filter) { f.Names = []string{"a", "bc"} },
		"no name": func(f *Filter) { f.Names = nil },
		"user":    func(f *Filter) { f.UserID = &other },
		"no user": func(f *Filter) { f.UserID = nil },
		"since":   func(f *Filter) { f.Since = time.Unix(0, 0) },
		"until":   func(f *Filter) { f.Until = time.Time{} },
		"props":   func(f *Filter) { f.Props = nil },
		"order":   func(f *Filter) { f.Ascending = true },
	} {
		changed := base
		change(&changed)
		if _, err := decodeCursor(&changed, cursor); err == nil {
			t.Errorf("%s: the cursor of another filter is taken", name)
		}
	}
	base.Limit = 7
	if _, err := decodeCursor(&base, cursor); err != nil {
		t.Errorf("another limit: %v", err)
	}
}
