package auth

import (
	"encoding/base64"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
)

// cursorVersion is the first byte of a cursor. Another meaning of the rest needs another version, so that a cursor made
// before an upgrade is refused instead of misread.
const cursorVersion = 1

// codeCursor is the code of a cursor that we did not make.
const codeCursor = "cursor"

// Strict, so that one place in the list has one cursor.
var cursorEncoding = base64.RawURLEncoding.Strict()

// EncodeCursor names the last row of a page of rows that are listed by their ids.
func EncodeCursor(last uuid.UUID) string {
	return cursorEncoding.EncodeToString(append([]byte{cursorVersion}, last[:]...))
}

// DecodeCursor returns the row that the page before ended with. A cursor that EncodeCursor did not make is a validation
// error of the parameter `cursor`.
func DecodeCursor(cursor string) (uuid.UUID, error) {
	raw, err := cursorEncoding.DecodeString(cursor)
	if err != nil || len(raw) != 1+len(uuid.UUID{}) || raw[0] != cursorVersion || len(cursor) != cursorEncoding.EncodedLen(len(raw)) {
		return uuid.UUID{}, problem.Field(contract.InQuery, "/cursor", codeCursor,
			"must be the next_cursor of the page before, unchanged; leave it out for the first page")
	}
	return uuid.UUID(raw[1:]), nil
}
