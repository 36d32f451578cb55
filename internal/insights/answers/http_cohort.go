package answers

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/insights/cohorts"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/query"
)

const (
	maxClauseDepth = 8
	maxClauses     = 50
)

// codeUnknownCohort is the code of a field that names a cohort which the project does not have.
const codeUnknownCohort = "unknown_cohort"

// clauses reads what the clauses of one pass over the people ask.
type clauses struct {
	*resolver
	asOf   int64
	stored func() ([]Cohort, error) // the saved cohorts of the project
	count  int                      // clauses of the cohort at hand
	inside []Cohort                 // the cohorts whose clauses lead here, the outermost first
}

func (a *API) clauses(r *resolver, asOf int64, bots *bool) *clauses {
	r.query.AsOf, r.query.Filter = asOf, considered(nil, value(bots))
	return &clauses{resolver: r, asOf: asOf, stored: a.cohorts}
}

// cohortAsk is a cohort, resolved.
type cohortAsk struct {
	*clauses
	question cohorts.Question
}

func (a *API) cohort(at string, v *api.CohortQuestion) (*cohortAsk, error) {
	asOf := a.now.UnixMicro()
	if v.AsOf != nil {
		asOf = v.AsOf.UnixMicro()
	}
	c := a.members(at, asOf, v.IncludeBots)
	c.question.Where = c.clause("where", &v.Where, 1)
	return c, c.ready()
}

// members is the cohort of all people with an event or a profile.
func (a *API) members(at string, asOf int64, bots *bool) *cohortAsk {
	c := &cohortAsk{clauses: a.clauses(a.resolver(at), asOf, bots)}
	c.query.To, c.profiles = asOf, &profileClauses{}
	c.question = cohorts.Question{Where: cohorts.Clause{Op: cohorts.And}, Profiles: &c.profiles.all}
	return c
}

// ready sets what is read. Where the clause can hold only of people who did something, the others need no row.
func (c *cohortAsk) ready() error {
	if err := c.err(); err != nil {
		return err
	}
	if !c.question.Everybody() {
		c.marked()
		if len(c.profiles.list) == 0 {
			c.profiles = nil // nobody is in it for a profile alone
		}
	}
	within(&c.query, c.question.Reads().Clip(query.Range{From: 0, To: c.asOf}))
	return nil
}

// audience reads whom a question considers, and the cohorts that it is broken down by.
func (r *resolver) audience(a *API, s *scope, people *api.CohortClause, field string, groups []string, bots *bool) {
	if people == nil && len(groups) == 0 {
		return
	}
	c := a.clauses(a.resolver(r.at), s.asOf, bots)
	r.who = &audience{resolver: c.resolver}
	if people != nil {
		r.who.people = true
		r.who.wheres = append(r.who.wheres, c.clause("people", people, 1))
	}
	for i, ref := range groups {
		c.count = 0
		found, where := c.in(field+"/"+strconv.Itoa(i), ref)
		r.who.groups, r.who.wheres = append(r.who.groups, found), append(r.who.wheres, where)
	}
	r.bad, r.fault = append(r.bad, c.bad...), c.fault
	if len(c.bad) == 0 && c.fault == nil {
		r.who.reads(s.asOf)
	}
}

// group is how an answer writes a cohort that it is broken down by.
func (a *audience) group(i int) (api.GroupValue, *string) {
	return jsonOf(parts.Value{Kind: parts.String, Text: a.groups[i].ID.String()}), &a.groups[i].Name
}

// grouping is by what an answer is broken down.
type grouping struct {
	by      bool // a property of events or of profiles
	column  int  // of it
	values  *scan.Dictionary
	label   string
	profile bool
	cohorts []string
}

// breakdown is that of a property, with so many groups; 10 when nothing is said.
func (g *grouping) breakdown(top *int32) *query.Breakdown {
	return &query.Breakdown{Column: g.column, Top: int(or(top, 10)), Compare: compareValues(g.values), Label: g.label, Profile: g.profile}
}

// by reads by what an answer is broken down: a property of events or of profiles, or cohorts.
func (r *resolver) by(prop, profile *string, cohorts *api.CohortRefs) (g grouping) {
	switch {
	case prop == nil && profile == nil && cohorts == nil:
		r.refuse("breakdown", contract.CodeRequired, "needs prop, profile or cohorts")
	case prop != nil && profile != nil:
		r.refuse("breakdown/profile", query.CodeConflict, "cannot be combined with prop")
	case prop != nil && cohorts != nil:
		r.refuse("breakdown/cohorts", query.CodeConflict, "cannot be combined with prop")
	case profile != nil && cohorts != nil:
		r.refuse("breakdown/cohorts", query.CodeConflict, "cannot be combined with profile")
	case prop != nil:
		g = grouping{by: true, label: *prop}
		g.column, g.values = r.column(*prop)
	case profile != nil:
		g = grouping{by: true, label: *profile, profile: true}
		g.column, g.values = r.profile(*profile)
	default:
		g.cohorts = *cohorts
	}
	return g
}

// in reads the clause that somebody is in a saved cohort, which is named by its id or its name.
func (c *clauses) in(field, ref string) (Cohort, cohorts.Clause) {
	cohort, ok := c.find(field, ref)
	out := cohorts.Clause{Op: cohorts.In, Label: "are in the cohort " + cohort.Name}
	if !ok {
		return cohort, out
	}
	if cohort.Where == nil {
		if c.lists[cohort.ID] == nil {
			c.lists[cohort.ID] = &behaviour.Set{}
		}
		out.Set = c.lists[cohort.ID]
		return cohort, out
	}
	c.inside = append(c.inside, cohort)
	defer func() { c.inside = c.inside[:len(c.inside)-1] }()
	if first := slices.IndexFunc(c.inside, func(x Cohort) bool { return x.ID == cohort.ID }); first < len(c.inside)-1 {
		names := make([]string, 0, len(c.inside))
		for _, x := range c.inside[first:] {
			names = append(names, x.Name)
		}
		c.refuse(field, "circle", "leads in a circle: "+strings.Join(names, " in "))
		return cohort, out
	}
	out.Clauses = []cohorts.Clause{c.kept(field, cohort)}
	return cohort, out
}

// kept reads the clause of a saved cohort. What is wrong with it is wrong with the field that names it.
func (c *clauses) kept(field string, cohort Cohort) cohorts.Clause {
	var where api.CohortClause
	if err := json.Unmarshal(cohort.Where, &where); err != nil {
		c.fault = fmt.Errorf("read the clause of cohort %s: %w", cohort.ID, err)
		return cohorts.Clause{Op: cohorts.In}
	}
	count, outer := c.count, c.pin
	if c.count = 0; outer == nil {
		c.pin = &pin{field, cohort.Name}
	}
	out := c.clause("where", &where, 1)
	c.count, c.pin = count, outer
	return out
}

// find returns the cohort that an id or a name is of.
func (c *clauses) find(field, ref string) (Cohort, bool) {
	all, err := c.stored()
	if err != nil {
		c.fault = err
		return Cohort{Name: ref}, false
	}
	var named []Cohort
	for _, x := range all {
		if strings.EqualFold(x.ID.String(), ref) {
			return x, true
		}
		if x.Name == ref {
			named = append(named, x)
		}
	}
	switch len(named) {
	case 0:
		c.refuse(field, codeUnknownCohort, "must be the id or the name of a cohort of this project, and "+strconv.Quote(ref)+" is none")
	case 1:
		return named[0], true
	default:
		c.refuse(field, "ambiguous", "is the name of "+strconv.Itoa(len(named))+" cohorts: use the id of one")
	}
	return Cohort{Name: ref}, false
}

func (c *clauses) clause(field string, v *api.CohortClause, depth int) (out cohorts.Clause) {
	c.count++
	switch {
	case depth > maxClauseDepth:
		c.refuse(field, contract.CodeTooDeep, "a cohort is at most "+strconv.Itoa(maxClauseDepth)+" levels deep")
		return out
	case c.count == maxClauses+1:
		c.refuse(field, contract.CodeTooLarge, "is one clause more than a cohort may have: "+strconv.Itoa(maxClauses))
		return out
	case c.count > maxClauses:
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
		out = cohorts.Clause{Op: cohorts.Did, Times: c.times(field+"/times", v.Times)}
		out.Marks, out.Label = c.step(field, v.Event, v.CustomEvent, v.Filter)
		out.Within, out.WithinLabel = c.within(field+"/within", v.Within)
	case api.ClauseFirst:
		out = cohorts.Clause{Op: cohorts.First}
		out.Marks, out.Label = c.step(field, v.Event, v.CustomEvent, v.Filter)
		out.Within, out.WithinLabel = c.within(field+"/within", &v.Within)
	case api.ClauseSequence:
		out = cohorts.Clause{Op: cohorts.Sequence, Window: or(v.WindowSeconds, 7*24*3600) * query.Second}
		out.Within, out.WithinLabel = c.within(field+"/within", v.Within)
		for i := range v.Steps {
			s := &v.Steps[i]
			marks, label := c.step(field+"/steps/"+strconv.Itoa(i), s.Event, s.CustomEvent, s.Filter)
			out.Steps = append(out.Steps, funnel.Step{Marks: marks, Label: label})
		}
	case api.ClauseIn:
		_, out = c.in(field+"/cohort", v.Cohort)
	case api.ClauseProfile:
		if c.profiles == nil {
			c.profiles = &profileClauses{}
		}
		out = c.profiles.clause(c.filter(field+"/filter", &v.Filter))
	}
	return out
}

// times reads how often an event has to be done: at least once when nothing is said.
func (c *clauses) times(field string, v *api.Times) cohorts.Times {
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

// within reads the range of a clause, and says it in words; ever has none.
func (c *clauses) within(field string, v *api.Within) (query.Range, string) {
	ever := query.Range{From: math.MinInt64, To: math.MaxInt64}
	switch {
	case v == nil:
		return ever, ""
	case v.LastDays != nil && (v.From != nil || v.To != nil):
		c.refuse(field+"/last_days", "conflict", "cannot be combined with from or to")
	case v.LastDays != nil:
		span := int64(*v.LastDays) * query.Day
		return query.Range{From: c.asOf - span, To: c.asOf}, "in the last " + query.Span(span)
	}
	var words []string
	if v.From != nil {
		ever.From, words = v.From.UnixMicro(), append(words, "from "+v.From.Format(time.RFC3339))
	}
	if v.To != nil {
		ever.To, words = v.To.UnixMicro(), append(words, "before "+v.To.Format(time.RFC3339))
	}
	if ever.From >= ever.To {
		c.refuse(field+"/from", "order", "must be before to")
	}
	return ever, strings.Join(words, " and ")
}

// AskCohort serves POST /v1/insights/cohort.
func (a *API) AskCohort(ctx context.Context, request api.AskCohortRequestObject) (api.AskCohortResponseObject, error) {
	a, begun, err := a.begin(ctx, request.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	page, err := a.page(request.Body.Cursor, int(or(request.Body.Limit, 100)))
	if err != nil {
		return nil, err
	}
	c, err := a.cohort("", request.Body)
	if err != nil {
		return nil, err
	}
	if err := page.isOf(c.asOf); err != nil {
		return nil, err
	}
	out := api.AskCohort200JSONResponse{}
	err = c.members(ctx, a, begun, func(v *behaviour.View, found *behaviour.Set) error {
		out.Size = int64(found.Len())
		people, err := page.of(ctx, v, membersOf(found))
		out.People, out.NextCursor = make([]string, len(people)), page.next()
		for i, p := range people {
			out.People[i] = Name(p.key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out.Meta = begun.meta(a.s.o.Now(), query.Range{To: c.asOf}, cohorts.Definition(&c.question), nil)
	return out, nil
}

// members finds the people of the cohort.
func (c *cohortAsk) members(ctx context.Context, a *API, begun *ask, then func(v *behaviour.View, found *behaviour.Set) error) (err error) {
	begun.scope = scope{tz: "UTC", loc: utc, week: time.Monday, asOf: c.asOf}
	begun.outcome, err = run(ctx, a.s, begun.project, c.resolver, func() *cohorts.Cohort { return cohorts.New(c.question) },
		func(v *behaviour.View, op *cohorts.Cohort, _ *groups[*cohorts.Cohort]) error {
			return then(v, op.Answer())
		})
	return err
}

// membersOf is a set without moments.
func membersOf(set *behaviour.Set) []behaviour.Member {
	out := make([]behaviour.Member, 0, set.Len())
	for no := range set.All() {
		out = append(out, behaviour.Member{No: no})
	}
	return out
}
