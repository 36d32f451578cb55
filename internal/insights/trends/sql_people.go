package trends

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
)

// named is what names the person of an event: u and the user id, else a and the anonymous id, NULL where both are absent or junk.
func (s *statement) named() string {
	junk := s.arg(behaviour.JunkIDs(), "text[]")
	absent := func(column string) string {
		return fmt.Sprintf("coalesce(lower(btrim(%s, E' \\t\\n\\r\\v\\f\\u0085\\u00a0')) = ANY (%s), true)", column, junk)
	}
	return `(CASE WHEN NOT ` + absent("e.user_id") + ` THEN 'u' || e.user_id WHEN NOT ` + absent("e.anonymous_id") +
		` THEN 'a' || e.anonymous_id END COLLATE "C")`
}

// identified joins each event with whom its person is by links and merges.
func (s *statement) identified() string {
	if s.measure != Users || len(s.aliases) == 0 {
		return ""
	}
	n := len(s.aliases)
	own, is, ts, received, ids := make([]string, n), make([]string, n), make([]*time.Time, n), make([]*time.Time, n), make([]*uuid.UUID, n)
	for i, a := range s.aliases {
		own[i], is[i] = keyText(a.Own), keyText(a.Is)
		if a.Split != nil {
			at, got := time.UnixMicro(a.Split.TS).UTC(), time.UnixMicro(a.Split.Received).UTC()
			ts[i], received[i], ids[i] = &at, &got, &a.Split.ID
		}
	}
	return fmt.Sprintf(" LEFT JOIN unnest(%s, %s, %s, %s, %s) AS i (own, person, ts, received_at, id) ON i.own = %s",
		s.arg(own, "text[]"), s.arg(is, "text[]"), s.arg(ts, "timestamptz[]"), s.arg(received, "timestamptz[]"), s.arg(ids, "uuid[]"), s.own)
}

func keyText(k behaviour.PersonKey) string {
	if k.Kind == behaviour.User {
		return "u" + k.Key
	}
	return "a" + k.Key
}

// person is who did an event. From the event of a conflict on, an anonymous id is a person of its own.
func (s *statement) person() string {
	if len(s.aliases) == 0 {
		return s.own
	}
	return "CASE WHEN i.own IS NULL OR (e.ts, e.received_at, e.id) >= (i.ts, i.received_at, i.id) THEN " + s.own +
		` ELSE i.person COLLATE "C" END`
}
