package contract_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/bahagh/nimbus/internal/contract"
)

// A part of an export that ended like the whole would be taken for it.
func TestAnExportThatCannotBeReadToItsEndBreaksOff(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{nil, errors.New("the database is away")} {
		body, err := contract.Stream(func(w io.Writer) error {
			_, _ = io.WriteString(w, "a line\n")
			_, _ = w.Write(make([]byte, 1<<20)) // more than is read ahead
			return cause
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		var broken any
		func() {
			defer func() { broken = recover() }()
			got, _ = io.ReadAll(body)
		}()
		if cause == nil && (broken != nil || len(got) != 7+1<<20) {
			t.Errorf("a whole export: %d bytes, %v", len(got), broken)
		}
		if err, _ := broken.(error); cause != nil && !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("an export that breaks off: %d bytes, %v", len(got), broken)
		}
	}
}

// What goes wrong before the first byte is a problem: the status has not been sent.
func TestAnExportThatCannotBeginIsAnError(t *testing.T) {
	t.Parallel()
	away := errors.New("the database is away")
	if _, err := contract.Stream(func(io.Writer) error { return away }); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
	body, err := contract.Stream(func(io.Writer) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(body); err != nil || len(got) != 0 {
		t.Errorf("an export of nothing: %q, %v", got, err)
	}
}
