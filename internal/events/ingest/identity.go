package ingest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events"
)

// identity is what makes an event the same event when it is sent again.
//
// With an idempotency key it is the key. Without one it is the seed of the request and the position in it: the seed
// of a signed request is its signature, which is the same when the same bytes are sent again. With neither, nothing
// says that two events are one, and each gets a random id.
type identity struct {
	projectID   uuid.UUID
	ts          time.Time
	name        string
	userID      string
	anonymousID string
	key         string
	seed        string
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
	partSeed
)

// id returns the event's id: a UUID of version 8 that begins with ts in milliseconds, so that ids sort by time, and
// goes on with 74 bits of SHA-256.
func (i *identity) id() uuid.UUID {
	if i.key == "" && i.seed == "" {
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
		b = appendPart(b, partSeed, i.seed)
		b = binary.BigEndian.AppendUint32(b, uint32(i.position))
	}
	sum := sha256.Sum256(b)
	return events.NewID(i.ts, [events.IDHashBytes]byte(sum[:]))
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

func randomID(ts time.Time) uuid.UUID {
	var b [events.IDHashBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program when the system has no randomness
	return events.NewID(ts, b)
}
