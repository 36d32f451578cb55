package audit

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"testing"
)

// A part of an export that ended like the whole would be taken for it.
func TestAnExportThatCannotBeReadToItsEndBreaksOff(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{nil, errors.New("the database is away")} {
		r, w := io.Pipe()
		go func() {
			_, _ = io.WriteString(w, "a line\n")
			_ = w.CloseWithError(cause)
		}()
		var got []byte
		var broken any
		func() {
			defer func() { broken = recover() }()
			got, _ = io.ReadAll(&stream{bufio.NewReader(r), r})
		}()
		if cause == nil && (broken != nil || string(got) != "a line\n") {
			t.Errorf("a whole export: %q, %v", got, broken)
		}
		if err, _ := broken.(error); cause != nil && !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("an export that breaks off: %q, %v", got, broken)
		}
	}
}

func TestACursorThatWeDidNotMakeIsRefused(t *testing.T) {
	t.Parallel()
	for _, cursor := range []string{"x", "!", "AAAA", encodeCursor(position{}) + "A", "____________________________________"} {
		if p, err := decodeCursor(cursor); !errors.Is(err, errCursor) {
			t.Errorf("%q: %v, %v", cursor, p, err)
		}
	}
}
