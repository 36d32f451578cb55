package events

import (
	"time"

	"github.com/google/uuid"
)

// Event is an event as it is stored.
type Event struct {
	ProjectID   uuid.UUID
	ID          uuid.UUID
	TS          time.Time // to the microsecond
	ReceivedAt  time.Time
	Seq         int64
	Name        string
	UserID      string // empty when there is none
	AnonymousID string // empty when there is none
	Props       []byte // a JSON object
}
