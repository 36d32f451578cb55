package answers

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/activity"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/paths"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/retention"
	"github.com/bahagh/nimbus/internal/insights/sessions"
)

var utc = time.UTC

// collected is an operator that found the people behind a number.
type collected[T any] interface {
	operator[T]
	People() []behaviour.Member
}

// NoQuestion is the refusal of a question that cannot be read though it fits the contract: only its times can be the reason, because
// a question under a question is kept as it was sent, and what reads it then knows no leap seconds.
func NoQuestion() error { return noQuestion("") }

func noQuestion(in string) error {
	return problem.Field(contract.InBody, in+"/question", contract.CodeFormat, "must have no time with a leap second: write 23:59:59 for 23:59:60")
}

// AskPeople serves POST /v1/insights/people.
func (a *API) AskPeople(ctx context.Context, request api.AskPeopleRequestObject) (api.AskPeopleResponseObject, error) {
	a, begun, err := a.begin(ctx, request.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	page, err := a.page(request.Body.Cursor, int(or(request.Body.Limit, 100)))
	if err != nil {
		return nil, err
	}
	b, err := a.behind(ctx, begun, &request.Body.Question, &request.Body.At, page)
	if err != nil {
		return nil, err
	}
	out := api.AskPeople200JSONResponse{Items: make([]api.PersonBehind, len(b.people)), Total: b.total, NextCursor: page.next()}
	for i, p := range b.people {
		out.Items[i] = api.PersonBehind{Person: Name(p.key), TS: begun.scope.time(p.At)}
	}
	out.Meta = begun.meta(a.s.o.Now(), begun.scope.Range, b.definition, nil)
	return out, nil
}

// maxExport is how many people one export has.
const maxExport = 1_000_000

// ExportPeople serves POST /v1/insights/people/csv.
func (a *API) ExportPeople(ctx context.Context, request api.ExportPeopleRequestObject) (api.ExportPeopleResponseObject, error) {
	a, begun, err := a.begin(ctx, request.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	b, err := a.behind(ctx, begun, &request.Body.Question, &request.Body.At, &page{limit: maxExport})
	if err != nil {
		return nil, err
	}
	if b.total > maxExport {
		return nil, problem.New(problem.CodeQueryTooHeavy, "There are %d people behind this number, and an export has at most %d: shorten the range.", b.total, maxExport)
	}
	var text bytes.Buffer
	out := newPeopleCSV(&text, "ts")
	if b.page.groups != nil {
		out = newGroupsCSV(&text, "ts")
	}
	for _, p := range b.people {
		if err := out.write(p.key, begun.scope.time(p.At).Format(time.RFC3339Nano)); err != nil {
			return nil, err
		}
	}
	return api.ExportPeople200TextCsvResponse{Body: &text, ContentLength: int64(text.Len())}, out.flush()
}

// Behind returns whom events call the people behind a number by, each once. More than most of them is limit_reached.
func (a *API) Behind(ctx context.Context, project uuid.UUID, v *api.Behind, most int) ([]behaviour.PersonKey, error) {
	a, begun, err := a.begin(ctx, project)
	if err != nil {
		return nil, err
	}
	b := &behind{API: a, ask: begun, in: "/behind", at: &v.At, page: &page{limit: math.MaxInt32}}
	if err := b.find(ctx, &v.Question); err != nil {
		return nil, err
	}
	if b.page.groups != nil {
		return nil, problem.Field(contract.InBody, b.in+"/question/count_groups", query.CodeConflict, "counts groups, and a cohort is of people")
	}
	keys := make([]behaviour.PersonKey, 0, len(b.people))
	for _, p := range b.people {
		if n := len(keys); n == 0 || keys[n-1] != p.key {
			keys = append(keys, p.key)
		}
	}
	if len(keys) > most {
		return nil, problem.New(problem.CodeLimitReached, "There are %d people behind this number, and a fixed cohort has at most %d.", len(keys), most)
	}
	return keys, nil
}

// behind finds who is behind a number.
type behind struct {
	*API
	ask        *ask
	in         string // pointer of what has the question and the coordinate
	at         *api.Coordinate
	page       *page
	definition string
	people     []named
	total      int64
}

func (a *API) behind(ctx context.Context, begun *ask, question *api.Insight, at *api.Coordinate, page *page) (*behind, error) {
	b := &behind{API: a, ask: begun, at: at, page: page}
	return b, b.find(ctx, question)
}

func (b *behind) find(ctx context.Context, question *api.Insight) error {
	variant, err := question.ValueByDiscriminator()
	if err != nil {
		return noQuestion(b.in)
	}
	switch v := variant.(type) {
	case api.FunnelInsight:
		return b.funnel(ctx, &v)
	case api.RetentionInsight:
		return b.retention(ctx, &v)
	case api.LifecycleInsight:
		return b.lifecycle(ctx, &v)
	case api.StickinessInsight:
		return b.stickiness(ctx, &v)
	case api.UniquesInsight:
		return b.uniques(ctx, &v)
	case api.PathsInsight:
		return b.paths(ctx, &v)
	case api.SessionsInsight:
		return b.sessions(ctx, &v)
	case api.TrendsInsight:
		return b.trends(ctx, &v)
	default:
		return fmt.Errorf("a question is a %T", v)
	}
}

// again is the resolver of a question, for the coordinate.
func (b *behind) again(of *resolver) *resolver {
	r := &resolver{part: contract.InBody, at: b.in, query: of.query, lists: of.lists, who: of.who, profiles: of.profiles}
	if who := r.who; who != nil && len(who.groups) > 0 {
		b.cohort(r)
	}
	if of.divided != nil {
		r.divided = of.divided.asked(r, b.at)
	}
	return r
}

// cohort reads which of the cohorts of a breakdown is asked about.
func (b *behind) cohort(r *resolver) {
	switch {
	case value(b.at.NoValue):
		r.refuse("at/no_value", "conflict", "is not allowed with a breakdown by cohorts")
	case value(b.at.Other):
		r.refuse("at/other", "conflict", "is not allowed with a breakdown by cohorts")
	case b.at.Group != nil:
		v, _ := scan.ScalarValue(b.at.Group)
		at := slices.IndexFunc(r.who.groups, func(c Cohort) bool { return v.Kind == parts.String && strings.EqualFold(v.Text, c.ID.String()) })
		if at < 0 {
			r.refuse("at/group", codeUnknownCohort, "must be the id of a cohort of the breakdown")
		}
		r.who.only = at + 1
	}
}

// find runs an operator and makes the page of those it found.
func find[T collected[T]](ctx context.Context, b *behind, r *resolver, s scope, definition string, fresh func() T) error {
	if err := r.err(); err != nil {
		return err
	}
	if err := b.page.isOf(s.asOf); err != nil {
		return err
	}
	b.page.groups = r.query.Groups
	b.ask.scope, b.ask.of, b.definition = s, r, definition
	var err error
	b.ask.outcome, err = run(ctx, b.s, b.ask.project, r, fresh, func(v *behaviour.View, op T, _ *groups[T]) (err error) {
		members := op.People()
		b.total = int64(len(members))
		b.people, err = b.page.of(ctx, v, members)
		return err
	})
	return err
}

// group is the code of the group that the coordinate names; nil for all.
func (b *behind) group(r *resolver, values *scan.Dictionary) *uint32 {
	if b.at.Group == nil && !value(b.at.NoValue) || r.who != nil && len(r.who.groups) > 0 {
		return nil
	}
	if values == nil {
		r.refuse("at/group", "conflict", "is only allowed with a breakdown")
		return nil
	}
	code := uint32(0)
	if b.at.Group != nil {
		v, err := scan.ScalarValue(b.at.Group)
		if err != nil {
			r.refuse("at/group", contract.CodeType, "must be a string, a number, true or false")
		}
		code = values.Code(v)
	}
	return &code
}

// index holds a coordinate to what the answer has: n of it, from first on.
func (b *behind) index(r *resolver, field string, v *int32, first, n int) int {
	if v == nil {
		r.refuse("at/"+field, contract.CodeRequired, "is required")
		return first
	}
	if int(*v) < first || int(*v) >= first+n {
		r.refuse("at/"+field, contract.CodeMaximum, "must be from "+strconv.Itoa(first)+" to "+strconv.Itoa(first+n-1)+", as the answer has it")
		return first
	}
	return int(*v)
}

func (b *behind) funnel(ctx context.Context, v *api.FunnelInsight) error {
	f, err := b.API.funnel(b.in+"/question", v)
	if err != nil {
		return err
	}
	r := b.again(f.resolver)
	c := funnel.Coordinate{Bucket: -1, Other: value(b.at.Other), Lost: value(b.at.Lost), Group: b.group(r, f.values)}
	c.Step = b.index(r, "step", b.at.Step, 1, len(f.question.Steps)) - 1
	if b.at.Row != nil {
		c.Bucket = b.index(r, "row", b.at.Row, 0, max(0, len(f.question.Bounds)-1))
	}
	return find(ctx, b, r, f.scope, funnel.Definition(&f.question), func() *funnel.Funnel {
		op := funnel.New(f.question)
		op.Collect(c)
		return op
	})
}

func (b *behind) retention(ctx context.Context, v *api.RetentionInsight) error {
	t, err := b.API.retention(b.in+"/question", v)
	if err != nil {
		return err
	}
	r := b.again(t.resolver)
	c := retention.Coordinate{Other: value(b.at.Other), Lost: value(b.at.Lost), Group: b.group(r, t.values)}
	c.Row, c.Period = b.index(r, "row", b.at.Row, 0, t.question.Rows), b.index(r, "period", b.at.Period, 0, t.question.Periods)
	return find(ctx, b, r, t.scope, retention.Definition(&t.question), func() *retention.Retention {
		op := retention.New(t.question)
		op.Collect(c)
		return op
	})
}

var states = map[api.CoordinateState]activity.State{api.StateNew: activity.New, api.StateReturning: activity.Returning,
	api.StateResurrecting: activity.Resurrecting, api.StateDormant: activity.Dormant}

func (b *behind) lifecycle(ctx context.Context, v *api.LifecycleInsight) error {
	l, err := b.API.lifecycle(b.in+"/question", v)
	if err != nil {
		return err
	}
	r := b.again(l.resolver)
	c := activity.LifecycleCoordinate{Period: b.index(r, "row", b.at.Row, 0, len(l.question.Bounds)-1), State: states[value(b.at.State)]}
	if b.at.State == nil {
		r.refuse("at/state", contract.CodeRequired, "is required")
	}
	return find(ctx, b, r, l.scope, activity.LifecycleDefinition(&l.question), func() *activity.Lifecycle {
		op := activity.NewLifecycle(l.question)
		op.Collect(c)
		return op
	})
}

func (b *behind) stickiness(ctx context.Context, v *api.StickinessInsight) error {
	s, err := b.API.stickiness(b.in+"/question", v)
	if err != nil {
		return err
	}
	r := b.again(s.resolver)
	c := activity.StickinessCoordinate{Periods: b.index(r, "period", b.at.Period, 1, len(s.question.Bounds)-1), AtLeast: value(b.at.AtLeast)}
	return find(ctx, b, r, s.scope, activity.StickinessDefinition(&s.question), func() *activity.Stickiness {
		op := activity.NewStickiness(s.question)
		op.Collect(c)
		return op
	})
}

func (b *behind) uniques(ctx context.Context, v *api.UniquesInsight) error {
	u, err := b.API.uniques(b.in+"/question", v)
	if err != nil {
		return err
	}
	r, bucket := b.again(u.resolver), -1
	if b.at.Row != nil {
		bucket = b.index(r, "row", b.at.Row, 0, max(0, len(u.question.Bounds)-1))
	}
	return find(ctx, b, r, u.scope, activity.UniquesDefinition(&u.question), func() *activity.Uniques {
		op := activity.NewUniques(u.question)
		op.Collect(bucket)
		return op
	})
}

func (b *behind) paths(ctx context.Context, v *api.PathsInsight) error {
	p, err := b.API.paths(b.in+"/question", v)
	if err != nil {
		return err
	}
	r := b.again(p.resolver)
	c := p.coordinate(r, b.at)
	switch {
	case c.Other:
	case b.at.Node == nil:
		r.refuse("at/node", contract.CodeRequired, "is required: which node, or other")
	default:
		c.Node = p.nodes.Code(parts.Value{Kind: parts.String, Text: *b.at.Node})
	}
	return find(ctx, b, r, p.scope, paths.Definition(&p.question), p.fresh(&c))
}

func (b *behind) sessions(ctx context.Context, v *api.SessionsInsight) error {
	s, err := b.API.sessions(b.in+"/question", v)
	if err != nil {
		return err
	}
	r := b.again(s.resolver)
	c := sessions.Coordinate{Bucket: -1, Other: value(b.at.Other), Group: b.group(r, s.values)}
	if b.at.Row != nil {
		c.Bucket = b.index(r, "row", b.at.Row, 0, max(0, len(s.question.Bounds)-1))
	}
	return find(ctx, b, r, s.scope, sessions.Definition(&s.question), func() *sessions.Sessions {
		op := sessions.New(s.question)
		op.Collect(c)
		return op
	})
}
