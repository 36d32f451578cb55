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

// encodeCursor names the last row of a page of rows that are listed by their ids.
func encodeCursor(last uuid.UUID) string {
	return cursorEncoding.EncodeToString(append([]byte{cursorVersion}, last[:]...))
}

// decodeCursor returns the row that the page before ended with. A cursor that encodeCursor did not make is a validation
// error of the parameter `cursor`.
func decodeCursor(cursor string) (uuid.UUID, error) {
	raw, err := cursorEncoding.DecodeString(cursor)
	if err != nil || len(raw) != 1+len(uuid.UUID{}) || raw[0] != cursorVersion || len(cursor) != cursorEncoding.EncodedLen(len(raw)) {
		return uuid.UUID{}, problem.Field(contract.InQuery, "/cursor", codeCursor,
			"must be the next_cursor of the page before, unchanged; leave it out for the first page")
	}
	return uuid.UUID(raw[1:]), nil
}

// Page reads a page of rows that are listed by their ids: at most limit of them, of those that come after cursor; an empty
// cursor starts at the first one. next is empty on the last page. read returns at most limit rows that come after the row with
// an id.
func Page[T any](cursor string, limit int32, read func(after *uuid.UUID, limit int32) ([]T, error), id func(*T) uuid.UUID) (page []T, next string, err error) {
	var after *uuid.UUID
	if cursor != "" {
		last, err := decodeCursor(cursor)
		if err != nil {
			return nil, "", err
		}
		after = &last
	}
	page, err = read(after, limit+1) // one more than asked for tells whether there is a next page
	if err != nil {
		return nil, "", err
	}
	if len(page) > int(limit) {
		page = page[:limit]
		next = encodeCursor(id(&page[limit-1]))
	}
	return page, next, nil
}
