package answers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/cohorts"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/people"
)

// Clause checks a clause, when the cohorts of the project are known: see CheckClause.
type Clause func(all []Cohort, itself *Cohort) (json.RawMessage, error)

// CheckClause returns the check of a clause. It refuses one that cannot be asked of a project with some cohorts, or that leads back to
// itself, which is nil for a new cohort, and returns the clause as it is kept: with the ids of the cohorts that it names.
func (a *API) CheckClause(ctx context.Context, project uuid.UUID, where *api.CohortClause) (Clause, error) {
	custom, err := a.s.o.CustomEvents(ctx, project)
	return func(all []Cohort, itself *Cohort) (json.RawMessage, error) {
		a := &API{now: time.Unix(0, 0), cohorts: func() ([]Cohort, error) { return all, nil }, custom: func() ([]CustomEvent, error) { return custom, nil }}
		return a.checked(itself, where)
	}, err
}

func (a *API) checked(itself *Cohort, where *api.CohortClause) (json.RawMessage, error) {
	c := a.clauses(a.resolver(""), a.now.UnixMicro(), nil)
	if itself != nil {
		c.inside = []Cohort{*itself}
	}
	c.clause("where", where, 1)
	if err := c.err(); err != nil {
		return nil, err
	}
	var tree map[string]any
	text, err := json.Marshal(where)
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		err = d.Decode(&tree)
	}
	if err == nil {
		c.byID(tree)
		text, err = json.Marshal(tree)
	}
	if err != nil {
		return nil, fmt.Errorf("keep a clause: %w", err)
	}
	return text, nil
}

// byID puts the ids of cohorts where a clause has their names. All of them are there.
func (c *clauses) byID(clause map[string]any) {
	if ref, ok := clause["cohort"].(string); ok && clause["op"] == "in" {
		found, _ := c.find("", ref)
		clause["cohort"] = found.ID
	}
	under, _ := clause["clauses"].([]any)
	for _, x := range append(under, clause["clause"]) {
		if x, ok := x.(map[string]any); ok {
			c.byID(x)
		}
	}
}

// saved reads the question who is in a saved cohort.
func (a *API) saved(id uuid.UUID) (*cohortAsk, error) {
	all, err := a.cohorts()
	if err != nil {
		return nil, err
	}
	for _, x := range all {
		if x.ID == id {
			c := a.members("", a.now.UnixMicro(), nil)
			c.part = contract.InPath
			_, c.question.Where = c.in("cohort_id", id.String())
			return c, c.ready()
		}
	}
	return nil, problem.NotFound()
}

// maxMoments is at how many moments the size of a cohort is told.
const maxMoments = 400

// sizes finds the people of a cohort, and counts them at several moments.
type sizes struct {
	now  *cohorts.Cohort
	then *cohorts.History
}

// Add adds a person.
func (s *sizes) Add(p *behaviour.Person) { s.now.Add(p); s.then.Add(p) }

// Merge adds what another found.
func (s *sizes) Merge(other *sizes) { s.now.Merge(other.now); s.then.Merge(other.then) }

// GetCohortSize serves GET /v1/projects/{project_id}/cohorts/{cohort_id}/size.
func (a *API) GetCohortSize(ctx context.Context, request api.GetCohortSizeRequestObject) (api.GetCohortSizeResponseObject, error) {
	a, begun, err := a.begin(ctx, request.ProjectID)
	if err != nil {
		return nil, err
	}
	c, err := a.saved(request.CohortID)
	if err != nil {
		return nil, err
	}
	moments, scope, err := a.moments(&request.Params)
	if err != nil {
		return nil, err
	}
	then := make([]cohorts.Clause, len(moments))
	for i, at := range moments {
		c.asOf = at
		_, then[i] = c.in("cohort_id", request.CohortID.String())
	}
	if !c.question.Everybody() {
		within(&c.query, cohorts.Reads(append(then, c.question.Where)).Clip(query.Range{From: 0, To: c.query.AsOf}))
	}
	var profiles cohorts.Profiles
	if c.question.Everybody() && len(moments) > 0 {
		c.before = func(ctx context.Context, v *behaviour.View, id *behaviour.Identity) (err error) {
			profiles, err = people.ReadTimes(ctx, v, id, c.query.AsOf)
			return err
		}
	}
	out := api.GetCohortSize200JSONResponse{}
	begun.scope = *scope
	begun.outcome, err = run(ctx, a.s, begun.project, c.resolver, func() *sizes {
		return &sizes{cohorts.New(c.question), cohorts.NewHistory(moments, then, profiles)}
	}, func(_ *behaviour.View, op *sizes, _ *groups[*sizes]) error {
		out.Size = int64(op.now.Answer().Len())
		for i, n := range op.then.Sizes() {
			out.Series = append(out.Series, api.CohortSizePoint{At: scope.time(moments[i]), Size: n})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	definition := cohorts.Definition(&c.question)
	if len(moments) > 0 {
		definition += " At each moment, only what was done before it counts, of people who had done something or had a profile by then; who is whom, and what profiles say, is what is known now."
	}
	out.Meta = begun.meta(a.s.o.Now(), scope.Range, definition, nil)
	return out, nil
}

// moments are the ends of the buckets that are over.
func (a *API) moments(p *api.GetCohortSizeParams) ([]int64, *scope, error) {
	r := a.resolver("")
	r.part = contract.InQuery
	f := r.framed(earliest, a.now, p.Tz, p.WeekStart, nil, nil, nil)
	if p.Bucket == nil && (p.From != nil || p.To != nil) {
		r.refuse("bucket", contract.CodeRequired, "is required with from and to")
	}
	if p.Bucket != nil && p.From == nil {
		r.refuse("from", contract.CodeRequired, "is required with bucket")
	}
	f.from, f.to = or(p.From, f.from), or(p.To, f.to)
	s := r.scope(f, a.now)
	if r.err() != nil || p.Bucket == nil {
		return nil, &s, r.err()
	}
	c := s.calendar(string(*p.Bucket), "")
	if about := int((s.To-s.From)/(c.Bucket.Usual()*query.Second)) + 2; about > maxMoments {
		r.refuse("bucket", contract.CodeTooLarge, "makes about "+strconv.Itoa(about)+" sizes, more than "+strconv.Itoa(maxMoments)+
			": shorten the range or use a longer period")
		return nil, &s, r.err()
	}
	var ends []int64
	for _, end := range c.Bounds(s.Range)[1:] {
		if end <= s.asOf {
			ends = append(ends, end)
		}
	}
	return ends, &s, nil
}

// ExportCohort serves GET /v1/projects/{project_id}/cohorts/{cohort_id}/people.
func (a *API) ExportCohort(ctx context.Context, request api.ExportCohortRequestObject) (api.ExportCohortResponseObject, error) {
	a, begun, err := a.begin(ctx, request.ProjectID)
	if err != nil {
		return nil, err
	}
	c, err := a.saved(request.CohortID)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	out := newPeopleCSV(&text)
	if c.question.Where.Set != nil {
		err = a.s.o.Store.EachListed(ctx, begun.project, request.CohortID, func(k behaviour.PersonKey) error { return out.write(k) })
	} else {
		err = c.members(ctx, a, begun, func(v *behaviour.View, found *behaviour.Set) error { return writeAll(ctx, out, v, found) })
	}
	if err == nil {
		err = out.flush()
	}
	return api.ExportCohort200TextCsvResponse{Body: &text, ContentLength: int64(text.Len())}, err
}

// writeAll writes everybody who is in a set.
func writeAll(ctx context.Context, out peopleCSV, v *behaviour.View, found *behaviour.Set) error {
	if found.Len() > maxExport {
		return problem.New(problem.CodeQueryTooHeavy, "There are %d people in this cohort, and an export has at most %d.", found.Len(), maxExport)
	}
	people, err := nameAll(ctx, v, membersOf(found))
	for i := range people {
		if err == nil {
			err = out.write(people[i].key)
		}
	}
	return err
}

// Unknown returns which of some ids nobody has: no event of the project named them.
func (a *API) Unknown(ctx context.Context, project uuid.UUID, keys []behaviour.PersonKey) (unknown []behaviour.PersonKey, err error) {
	err = a.s.o.Store.View(ctx, project, 0, math.MaxInt32-1, a.s.o.Timeout, nil, func(v *behaviour.View) error {
		known, err := v.Known(ctx, keys)
		unknown = slices.DeleteFunc(slices.Clone(keys), func(k behaviour.PersonKey) bool { return known[k] })
		return err
	})
	return unknown, a.s.refusal(err)
}
