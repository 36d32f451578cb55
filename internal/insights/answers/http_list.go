package answers

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/cohorts"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/people"
)

// ListPeople serves GET /v1/people.
func (a *API) ListPeople(ctx context.Context, request api.ListPeopleRequestObject) (api.ListPeopleResponseObject, error) {
	p := request.Params
	l := &listing{project: p.ProjectID, search: value(p.Search), limit: int(or(p.Limit, 100))}
	a, begun, err := a.begin(ctx, p.ProjectID)
	if err != nil {
		return nil, err
	}
	if l.after, err = readListCursor(contract.InQuery, "cursor", p.Cursor); err != nil {
		return nil, err
	}
	l.cohort = a.members("", a.now.UnixMicro(), nil)
	if p.Props != nil {
		filter, err := holds(*p.Props)
		if err != nil {
			return nil, err
		}
		l.cohort.question.Where.Clauses = []cohorts.Clause{l.cohort.profiles.clause(filter)}
	}
	page, err := a.list(ctx, begun, l)
	return api.ListPeople200JSONResponse(page), err
}

// QueryPeople serves POST /v1/people/query.
func (a *API) QueryPeople(ctx context.Context, request api.QueryPeopleRequestObject) (api.QueryPeopleResponseObject, error) {
	q := request.Body
	l := &listing{project: q.ProjectID, search: value(q.Search), limit: int(or(q.Limit, 100)), columns: q.Columns}
	a, begun, err := a.begin(ctx, q.ProjectID)
	if err != nil {
		return nil, err
	}
	if l.after, err = readListCursor(contract.InBody, "/cursor", q.Cursor); err != nil {
		return nil, err
	}
	l.cohort = a.members("", a.now.UnixMicro(), q.IncludeBots)
	if q.Where != nil {
		l.cohort.question.Where = l.cohort.clause("where", q.Where, 1)
		if err := l.cohort.err(); err != nil {
			return nil, err
		}
	}
	page, err := a.list(ctx, begun, l)
	return api.QueryPeople200JSONResponse(page), err
}

func readListCursor(in string, at string, cursor *string) (after int64, err error) {
	if cursor == nil {
		return -1, nil
	}
	no, err := strconv.ParseUint(*cursor, 10, 32)
	if err != nil {
		return 0, problem.Field(in, at, "cursor", "is not the next_cursor of a page of this list")
	}
	return int64(no), nil
}

// holds is the filter of profiles that contain a JSON object.
func holds(object string) (*scan.Filter, error) {
	all, err := query.Holds([]byte(object))
	if err != nil {
		return nil, problem.Field(contract.InQuery, "props", contract.CodeType, "must be a JSON object")
	}
	return &scan.Filter{Op: scan.And, Filters: all}, nil
}

// listing is a list of people.
type listing struct {
	project uuid.UUID
	cohort  *cohortAsk // who is in it
	search  string
	columns []string // of profiles; nil for all
	after   int64    // the number of the last person of the page before
	limit   int
}

func (a *API) list(ctx context.Context, begun *ask, l *listing) (page api.PeoplePage, err error) {
	c := l.cohort
	begun.outcome, err = run(ctx, a.s, l.project, c.resolver, func() *members { return &members{Cohort: cohorts.New(c.question)} },
		func(v *behaviour.View, op *members, _ *groups[*members]) error {
			r, found := c.profiles.reader, op.Answer()
			if l.search != "" {
				matching, err := r.Search(ctx, l.search)
				if err != nil {
					return err
				}
				found.Intersect(matching)
			}
			page.Total = int64(found.Len())
			var numbers []uint32
			for no := range found.All() {
				if int64(no) <= l.after {
					continue
				}
				if len(numbers) == l.limit {
					cursor := strconv.Itoa(int(numbers[l.limit-1]))
					page.NextCursor = &cursor
					break
				}
				numbers = append(numbers, no)
			}
			page.Items, err = l.rows(ctx, v, r, op, numbers)
			return err
		})
	return page, err
}

// rows are the items of a page.
func (l *listing) rows(ctx context.Context, v *behaviour.View, r *people.Reader, op *members, numbers []uint32) ([]api.PersonRow, error) {
	keys, err := v.Keys(ctx, numbers)
	if err != nil {
		return nil, err
	}
	profiles, err := r.Of(ctx, numbers)
	if err != nil {
		return nil, err
	}
	rows := make([]api.PersonRow, len(numbers))
	for i, no := range numbers {
		p := profiles[no]
		if l.columns != nil {
			maps.DeleteFunc(p, func(name string, _ people.Value) bool { return !slices.Contains(l.columns, name) })
		}
		rows[i] = api.PersonRow{Person: Name(keys[no])}
		if rows[i].Props, err = p.JSON(); err != nil {
			return nil, err
		}
		if s := op.of(no); s.events > 0 {
			first, last := time.UnixMicro(s.first).UTC(), time.UnixMicro(s.last).UTC()
			rows[i].Events, rows[i].FirstSeen, rows[i].LastSeen = s.events, &first, &last
		}
	}
	return rows, nil
}

// seen is when somebody was there.
type seen struct{ first, last, events int64 }

// members are those in a cohort, and when everybody was seen.
type members struct {
	*cohorts.Cohort
	seen []seen // by number
}

// Add looks at a person.
func (m *members) Add(p *behaviour.Person) {
	m.Cohort.Add(p)
	if n := len(p.Rows); n > 0 {
		m.grow(int(p.No) + 1)
		m.seen[p.No] = seen{p.Rows[0].TS, p.Rows[n-1].TS, int64(n)}
	}
}

func (m *members) grow(n int) {
	if n > len(m.seen) {
		m.seen = append(m.seen, make([]seen, n-len(m.seen))...)
	}
}

// Merge adds what another one of other people found.
func (m *members) Merge(other *members) {
	m.Cohort.Merge(other.Cohort)
	m.grow(len(other.seen))
	for no, s := range other.seen {
		if s.events > 0 {
			m.seen[no] = s
		}
	}
}

func (m *members) of(no uint32) seen {
	if int(no) < len(m.seen) {
		return m.seen[no]
	}
	return seen{}
}
