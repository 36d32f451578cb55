package answers

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/insights/cohorts"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/query"
)

const (
	maxClauseDepth = 8
	maxClauses     = 50
)

// cohortAsk is a cohort, resolved.
type cohortAsk struct {
	*resolver
	asOf     int64
	clauses  int
	profiles profileClauses
	question cohorts.Question
}

func (a *API) cohort(at string, v *api.CohortQuestion) (*cohortAsk, error) {
	c := &cohortAsk{resolver: a.resolver(at), asOf: a.s.o.Now().UnixMicro()}
	if v.AsOf != nil {
		c.asOf = v.AsOf.UnixMicro()
	}
	c.query.AsOf = c.asOf
	c.query.Filter = considered(nil, value(v.IncludeBots))
	c.question.Profiles = &c.profiles.all
	c.question.Where = c.clause("where", &v.Where, 1)
	c.query.From, c.query.To = 0, c.asOf
	return c, c.err()
}

func (c *cohortAsk) clause(field string, v *api.CohortClause, depth int) (out cohorts.Clause) {
	c.clauses++
	switch {
	case depth > maxClauseDepth:
		c.refuse(field, contract.CodeTooDeep, "a cohort is at most "+strconv.Itoa(maxClauseDepth)+" levels deep")
		return out
	case c.clauses == maxClauses+1:
		c.refuse(field, contract.CodeTooLarge, "is one clause more than a cohort may have: "+strconv.Itoa(maxClauses))
		return out
	case c.clauses > maxClauses:
		return out
	}
	variant, err := v.ValueByDiscriminator()
	if err != nil {
		c.refuse(field, contract.CodeType, "is no clause")
		return out
	}
	switch v := variant.(type) {
	case api.ClauseGroup:
		if out.Op = cohorts.And; v.Op == api.ClauseOr {
			out.Op = cohorts.Or
		}
		for i := range v.Clauses {
			out.Clauses = append(out.Clauses, c.clause(field+"/clauses/"+strconv.Itoa(i), &v.Clauses[i], depth+1))
		}
	case api.ClauseNot:
		out.Op, out.Clauses = cohorts.Not, []cohorts.Clause{c.clause(field+"/clause", &v.Clause, depth+1)}
	case api.ClauseDid:
		out = cohorts.Clause{Op: cohorts.Did, Marks: c.step(field, v.Event, v.Filter), Times: c.times(field+"/times", v.Times), Label: label(v.Event)}
		out.Within = c.within(field+"/within", v.Within)
	case api.ClauseFirst:
		out = cohorts.Clause{Op: cohorts.First, Marks: c.step(field, v.Event, v.Filter), Within: c.within(field+"/within", &v.Within), Label: label(v.Event)}
	case api.ClauseSequence:
		out = cohorts.Clause{Op: cohorts.Sequence, Window: or(v.WindowSeconds, 7*24*3600) * query.Second, Within: c.within(field+"/within", v.Within)}
		for i := range v.Steps {
			at := field + "/steps/" + strconv.Itoa(i)
			out.Steps = append(out.Steps, funnel.Step{Marks: c.step(at, v.Steps[i].Event, v.Steps[i].Filter), Label: label(v.Steps[i].Event)})
		}
	case api.ClauseProfile:
		out = c.profiles.clause(c.filter(field+"/filter", &v.Filter))
	case api.ClauseIn:
		c.refuse(field+"/op", "conflict", "is not answered by this server yet")
	}
	return out
}

// times reads how often an event has to be done: at least once when nothing is said.
func (c *cohortAsk) times(field string, v *api.Times) cohorts.Times {
	t := cohorts.Times{Min: 1, Max: math.MaxInt}
	if v == nil {
		return t
	}
	t.Min = 0
	if v.Eq == nil && v.Gt == nil && v.Gte == nil && v.Lt == nil && v.Lte == nil {
		c.refuse(field, contract.CodeRequired, "needs at least one bound, such as gte")
	}
	if v.Gt != nil {
		t.Min = max(t.Min, int(*v.Gt)+1)
	}
	if v.Gte != nil {
		t.Min = max(t.Min, int(*v.Gte))
	}
	if v.Lt != nil {
		t.Max = min(t.Max, int(*v.Lt)-1)
	}
	if v.Lte != nil {
		t.Max = min(t.Max, int(*v.Lte))
	}
	if v.Eq != nil {
		t.Min, t.Max = max(t.Min, int(*v.Eq)), min(t.Max, int(*v.Eq))
	}
	return t
}

func (c *cohortAsk) within(field string, v *api.Within) query.Range {
	ever := query.Range{From: math.MinInt64, To: math.MaxInt64}
	switch {
	case v == nil:
		return ever
	case v.LastDays != nil && (v.From != nil || v.To != nil):
		c.refuse(field+"/last_days", "conflict", "cannot be combined with from or to")
	case v.LastDays != nil:
		return query.Range{From: c.asOf - int64(*v.LastDays)*query.Day, To: c.asOf}
	}
	if v.From != nil {
		ever.From = v.From.UnixMicro()
	}
	if v.To != nil {
		ever.To = v.To.UnixMicro()
	}
	if ever.From >= ever.To {
		c.refuse(field+"/from", "order", "must be before to")
	}
	return ever
}

// AskCohort serves POST /v1/insights/cohort.
func (a *API) AskCohort(ctx context.Context, request api.AskCohortRequestObject) (api.AskCohortResponseObject, error) {
	a, begun, err := a.begin(ctx, request.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	c, err := a.cohort("", request.Body)
	if err != nil {
		return nil, err
	}
	after, err := readCursor(request.Body.Cursor)
	if err != nil {
		return nil, err
	}
	out := api.AskCohort200JSONResponse{People: []string{}}
	begun.scope = scope{tz: "UTC", loc: utc, week: time.Monday, asOf: c.asOf}
	begun.outcome, err = run(ctx, a.s, begun.project, &c.query, func() *cohorts.Cohort { return cohorts.New(c.question) },
		func(v *behaviour.View, op *cohorts.Cohort) (err error) {
			found := op.Answer()
			out.Size = int64(found.Len())
			page := behaviourPage{after: after, limit: int(or(request.Body.Limit, 100))}
			for no := range found.All() {
				if !page.add(behaviour.Member{No: no}) {
					break
				}
			}
			out.NextCursor = page.next()
			out.People, err = page.names(ctx, v)
			return err
		}, func(ctx context.Context, v *behaviour.View) error {
			return c.profiles.fill(ctx, v, v.Identity(c.asOf), c.asOf)
		})
	if err != nil {
		return nil, err
	}
	out.Meta = begun.meta(a.s.o.Now(), query.Range{To: c.asOf}, cohorts.Definition(&c.question), nil)
	return out, nil
}
