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
	b, err := openCursor(f, s, cursorVersion, cursorBytes)
	if err != nil {
		return uuid.UUID{}, err
	}
	return uuid.UUID(b), nil
}

// openCursor returns what a cursor has behind its filter.
func openCursor(f *Filter, s string, version byte, length int) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != length || b[0] != version {
		return nil, errCursor
	}
	if string(b[1:1+hashBytes]) != string(filterHash(f)) {
		return nil, errors.New("belongs to a list with other filters; send the same filters with every page")
	}
	return b[1+hashBytes:], nil
}

// The cursor of an incremental export is a place in two stretches.
const (
	placeVersion = 2
	placeBytes   = 1 + hashBytes + 16 + 8 + 8 + 4 + 16 + 16
)

func encodePlace(f *Filter, p *place) string {
	b := make([]byte, 0, placeBytes)
	b = append(b, placeVersion)
	b = append(b, filterHash(f)...)
	b = append(b, p.generation[:]...)
	b = binary.BigEndian.AppendUint64(b, p.xid)
	b = binary.BigEndian.AppendUint64(b, uint64(p.seq))
	b = binary.BigEndian.AppendUint32(b, p.read)
	b = append(b, p.after[:]...)
	b = append(b, p.last[:]...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodePlace(f *Filter, s string) (*place, error) {
	b, err := openCursor(f, s, placeVersion, placeBytes)
	if err != nil {
		return nil, err
	}
	p := &place{
		generation: uuid.UUID(b[:16]), xid: binary.BigEndian.Uint64(b[16:]), seq: int64(binary.BigEndian.Uint64(b[24:])),
		read: binary.BigEndian.Uint32(b[32:]), after: uuid.UUID(b[36:52]), last: uuid.UUID(b[52:]),
	}
	if p.xid == 0 || p.seq < 0 { // no transaction has the number 0, and one less than a number is in the query
		return nil, errCursor
	}
	return p, nil
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
	if f.Received {
		b = append(b, 2)
	}
	sum := sha256.Sum256(b)
	return sum[:hashBytes]
}

func appendPart(b []byte, kind byte, s string) []byte {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}
