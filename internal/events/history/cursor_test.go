package history

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

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
