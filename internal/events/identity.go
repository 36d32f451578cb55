package events

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// The limits of a ts. Earlier than 1971 is nearly always a clock that was never set, or seconds taken for
// milliseconds; the future is bounded so that one wrong clock does not put events where nobody looks.
const (
	maxAhead = 24 * time.Hour
)

var minTS = time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)

// identity is what makes an event the same event when it is sent again.
//
// With an idempotency key it is the key. Without one, in a signed request, it is the signature and the position: a
// request that is replayed is the same bytes, so it has the same signature. With neither, nothing says that two
// events are one, and each gets a random id.
type identity struct {
	projectID   uuid.UUID
	ts          time.Time
	name        string
	userID      string
	anonymousID string
	key         string
	signature   string
	position    int
}

// The version is hashed too: a change of the scheme gives new ids and not wrong ones.
const identityVersion = 1

// What the last part of the hashed bytes is. The values are part of the scheme: see testvectors/ids.json.
const (
	partNone = iota
	partUserID
	partAnonymousID
	partKey
	partSignature
)

// id returns the event's id: a UUID of version 8 that begins with ts in milliseconds, so that ids sort by time, and
// goes on with 74 bits of SHA-256.
func (i *identity) id() uuid.UUID {
	if i.key == "" && i.signature == "" {
		return randomID(i.ts)
	}
	// Every part has its length before it: ("a","bc") and ("ab","c") must not be the same event.
	b := make([]byte, 0, 512)
	b = append(b, identityVersion)
	b = append(b, i.projectID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(i.ts.UnixMicro()))
	b = i.appendSubject(b)
	if i.key != "" {
		b = appendPart(b, partKey, i.key)
	} else {
		b = appendPart(b, partSignature, i.signature)
		b = binary.BigEndian.AppendUint32(b, uint32(i.position))
	}
	sum := sha256.Sum256(b)
	return makeID(i.ts, sum[:10])
}

// keyHash identifies an event that has a key, and came without a ts or from a wrong clock: the time it was given is no part
// of it.
func (i *identity) keyHash() uuid.UUID {
	b := make([]byte, 0, 512)
	b = append(b, identityVersion)
	b = append(b, i.projectID[:]...)
	b = i.appendSubject(b)
	b = appendPart(b, partKey, i.key)
	sum := sha256.Sum256(b)
	return uuid.UUID(sum[:16])
}

// appendSubject appends the name and who did it; user_id counts before anonymous_id.
func (i *identity) appendSubject(b []byte) []byte {
	b = appendPart(b, partNone, i.name)
	switch {
	case i.userID != "":
		return appendPart(b, partUserID, i.userID)
	case i.anonymousID != "":
		return appendPart(b, partAnonymousID, i.anonymousID)
	default:
		return appendPart(b, partNone, "")
	}
}

func appendPart(b []byte, kind byte, s string) []byte {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// makeID lays out a UUID of version 8: 48 bits of milliseconds, then 74 of the 80 bits given around version and variant.
func makeID(ts time.Time, hash []byte) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(ts.UnixMilli())<<16)
	copy(id[6:], hash)
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

func randomID(ts time.Time) uuid.UUID {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program when the system has no randomness
	return makeID(ts, b[:])
}

// idFloor returns the smallest id an event of this millisecond can have.
func idFloor(ts time.Time) uuid.UUID { return makeID(ts, make([]byte, 10)) }

// idAfter returns the smallest id greater than this one.
func idAfter(id uuid.UUID) uuid.UUID {
	for i := len(id) - 1; i >= 0; i-- {
		id[i]++
		if id[i] != 0 {
			break
		}
	}
	return id
}
