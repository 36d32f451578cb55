package auth

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/contract/problem"
)

func TestCursorLeadsBackToItsRow(t *testing.T) {
	t.Parallel()
	id := uuid.Must(uuid.NewV7())
	got, err := decodeCursor(encodeCursor(id))
	if err != nil || got != id {
		t.Errorf("decodeCursor = %v, %v; want %v", got, err, id)
	}
}

func TestForeignCursorsAreAnErrorOfTheParameter(t *testing.T) {
	t.Parallel()
	good := encodeCursor(uuid.Must(uuid.NewV7()))
	otherVersion := cursorEncoding.EncodeToString(append([]byte{2}, make([]byte, 16)...))
	for _, cursor := range []string{"x", "!", good[:22], good + "A", good + "\n", good + "=", "\n" + good, otherVersion, uuid.NewString()} {
		_, err := decodeCursor(cursor)
		var e *problem.Error
		if !errors.As(err, &e) || e.Code != problem.CodeValidation || len(e.Fields) != 1 ||
			e.Fields[0].In != "query" || e.Fields[0].Pointer != "/cursor" || e.Fields[0].Code != "cursor" {
			t.Errorf("decodeCursor(%q) = %v, want a cursor error of the query", cursor, err)
		}
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add("")
	f.Add(encodeCursor(uuid.Nil))
	f.Add("AQAAAAAAAAAAAAAAAAAAAAA\n")
	f.Fuzz(func(t *testing.T, cursor string) {
		id, err := decodeCursor(cursor)
		if err == nil && encodeCursor(id) != cursor {
			t.Errorf("cursor %q is accepted, but the place %s has the cursor %q", cursor, id, encodeCursor(id))
		}
	})
}
