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
	got, err := DecodeCursor(EncodeCursor(id))
	if err != nil || got != id {
		t.Errorf("DecodeCursor = %v, %v; want %v", got, err, id)
	}
}

func TestForeignCursorsAreAnErrorOfTheParameter(t *testing.T) {
	t.Parallel()
	good := EncodeCursor(uuid.Must(uuid.NewV7()))
	otherVersion := cursorEncoding.EncodeToString(append([]byte{2}, make([]byte, 16)...))
	for _, cursor := range []string{"x", "!", good[:22], good + "A", good + "\n", good + "=", "\n" + good, otherVersion, uuid.NewString()} {
		_, err := DecodeCursor(cursor)
		var e *problem.Error
		if !errors.As(err, &e) || e.Code != problem.CodeValidation || len(e.Fields) != 1 ||
			e.Fields[0].In != "query" || e.Fields[0].Pointer != "/cursor" || e.Fields[0].Code != "cursor" {
			t.Errorf("DecodeCursor(%q) = %v, want a cursor error of the query", cursor, err)
		}
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add("")
	f.Add(EncodeCursor(uuid.Nil))
	f.Add("AQAAAAAAAAAAAAAAAAAAAAA\n")
	f.Fuzz(func(t *testing.T, cursor string) {
		id, err := DecodeCursor(cursor)
		if err == nil && EncodeCursor(id) != cursor {
			t.Errorf("cursor %q is accepted, but the place %s has the cursor %q", cursor, id, EncodeCursor(id))
		}
	})
}
