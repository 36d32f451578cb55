package projects

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

// encodeCursor names the last project of a page.
func encodeCursor(last uuid.UUID) string {
	return cursorEncoding.EncodeToString(append([]byte{cursorVersion}, last[:]...))
}

// decodeCursor returns the project that the page before ended with.
func decodeCursor(cursor string) (uuid.UUID, error) {
	raw, err := cursorEncoding.DecodeString(cursor)
	if err != nil || len(raw) != 1+len(uuid.UUID{}) || raw[0] != cursorVersion || len(cursor) != cursorEncoding.EncodedLen(len(raw)) {
		return uuid.UUID{}, problem.Field(contract.InQuery, "/cursor", codeCursor,
			"must be the next_cursor of the page before, unchanged; leave it out for the first page")
	}
	return uuid.UUID(raw[1:]), nil
}
