package projects

import (
	"cmp"
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/text/currency"

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

// codeCurrency is the code of what is no currency.
const codeCurrency = "currency"

// check refuses what is no time zone and what is no currency, which the contract cannot say; nil is not given.
func check(timeZone, code *string) error {
	var bad []contract.FieldError
	if timeZone != nil {
		if _, ok := zone.Load(*timeZone); !ok {
			bad = append(bad, contract.FieldError{In: contract.InBody, Pointer: "/time_zone", Code: zone.Code, Detail: zone.Advice, Item: -1})
		}
	}
	if code != nil {
		if _, err := currency.ParseISO(*code); err != nil {
			bad = append(bad, contract.FieldError{In: contract.InBody, Pointer: "/currency", Code: codeCurrency,
				Detail: "must be the code of a currency in ISO 4217, such as EUR", Item: -1})
		}
	}
	if len(bad) > 0 {
		return problem.Invalid(bad...)
	}
	return nil
}
