package history

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/google/uuid"
)

// A cursor is the place in the list and a hash of the filter: going on with another filter would skip and repeat events
// without a word.
const (
	cursorVersion = 1
	hashBytes     = 8
	cursorBytes   = 1 + hashBytes + 16
)

var errCursor = errors.New("is not a cursor of this list; start again without one")

func encodeCursor(f *Filter, last uuid.UUID) string {
	b := make([]byte, 0, cursorBytes)
	b = append(b, cursorVersion)
	b = append(b, filterHash(f)...)
	b = append(b, last[:]...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeCursor(f *Filter, s string) (uuid.UUID, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != cursorBytes || b[0] != cursorVersion {
		return uuid.UUID{}, errCursor
	}
	if string(b[1:1+hashBytes]) != string(filterHash(f)) {
		return uuid.UUID{}, errors.New("belongs to a list with other filters; send the same filters with every page")
	}
	return uuid.UUID(b[1+hashBytes:]), nil
}

// filterHash leaves out the limit: it may differ from page to page. Every part has its kind and its length before it,
// so that two filters never give the same bytes.
func filterHash(f *Filter) []byte {
	b := append([]byte(nil), f.ProjectID[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.Names)))
	for _, n := range f.Names {
		b = appendPart(b, 0, n)
	}
	if f.UserID != nil {
		b = appendPart(b, 1, *f.UserID)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(f.Since.UnixMicro()))
	if !f.Until.IsZero() {
		b = binary.BigEndian.AppendUint64(b, uint64(f.Until.UnixMicro()))
	}
	b = appendPart(b, 0, string(f.Props))
	if f.Ascending {
		b = append(b, 1)
	}
	sum := sha256.Sum256(b)
	return sum[:hashBytes]
}

func appendPart(b []byte, kind byte, s string) []byte {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}
