package projects

import (
	"cmp"
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/platform/zone"
)

// Calendar is what a project's questions mean by a day and by a week, unless they say it themselves.
type Calendar struct {
	TimeZone  string // of the IANA database; UTC when empty
	WeekStart string // monday or sunday; monday when empty
}

// usual is the calendar of a project that does not say.
var usual = Calendar{TimeZone: "UTC", WeekStart: "monday"}

// orUsual fills in what a new project does not say.
func (c Calendar) orUsual() Calendar {
	return Calendar{TimeZone: cmp.Or(c.TimeZone, usual.TimeZone), WeekStart: cmp.Or(c.WeekStart, usual.WeekStart)}
}

// CalendarOf returns the calendar of a project as pool has it, the usual one when there is no such project.
func CalendarOf(ctx context.Context, pool *pgxpool.Pool, projectID uuid.UUID) (Calendar, error) {
	return newStore(pool).calendar(ctx, projectID)
}

// checkZone refuses what is no time zone, which the contract cannot say.
func checkZone(name string) error {
	if _, ok := zone.Load(name); !ok {
		return problem.Field(contract.InBody, "/time_zone", zone.Code, zone.Advice)
	}
	return nil
}
