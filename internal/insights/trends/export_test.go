package trends

import (
	"time"

	"github.com/google/uuid"
)

// Statement is SQL and what is bound in it.
type Statement struct {
	SQL  string
	Args []any
}

// Statements returns some that read the events of a range.
func Statements(projectID uuid.UUID, from, to time.Time) map[string]Statement {
	q := question{projectID: projectID, bounds: []time.Time{from, to}, measure: Users, breakdown: ByProp, breakdownProp: "x"}
	out := map[string]Statement{}
	sql, args := q.series(10)
	out["by prop"] = Statement{sql, args}
	q.breakdown = NoBreakdown
	sql, args = q.series(0)
	out["all"] = Statement{sql, args}
	return out
}

// Floor returns the start of the bucket that t is in.
func (b Bucket) Floor(t time.Time, loc *time.Location) time.Time {
	return time.Unix(b.floor(t.Unix(), loc), 0).In(loc)
}

// Next returns the end of the bucket that t is in, which is the start of the one after it.
func (b Bucket) Next(t time.Time, loc *time.Location) time.Time {
	return time.Unix(b.next(t.Unix(), loc), 0).In(loc)
}
