package trends

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/events"
)

// FromEvents returns the same that does not read parts.
func (t *Trends) FromEvents() *Trends {
	own := *t
	own.sources = slices.DeleteFunc(slices.Clone(t.sources), func(s Source) bool { return s.Name() == partsSource{}.Name() })
	return &own
}

// Statement is SQL and what is bound in it.
type Statement struct {
	SQL  string
	Args []any
}

// Statements returns some that read the events of a range.
func Statements(projectID uuid.UUID, from, to time.Time) map[string]Statement {
	q := question{projectID: projectID, bounds: []time.Time{from, to}, measure: Users, breakdown: ByProp, breakdownProp: events.Path{{Member: "x"}}}
	out := map[string]Statement{}
	sql, args := q.series(10)
	out["by prop"] = Statement{sql, args}
	q.breakdown = NoBreakdown
	sql, args = q.series(0)
	out["all"] = Statement{sql, args}
	return out
}
