package answers

import (
	"context"
	"strconv"
	"time"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/activity"
	"github.com/bahagh/nimbus/internal/insights/funnel"
	"github.com/bahagh/nimbus/internal/insights/paths"
	"github.com/bahagh/nimbus/internal/insights/retention"
	"github.com/bahagh/nimbus/internal/insights/sessions"
)

var utc = time.UTC

// behaviourPage is a page of people in the order of their numbers. A person may come more than once, by moment.
type behaviourPage struct {
	after int // how many are on the pages before
	limit int
	seen  int
	items []behaviour.Member
	more  bool
}

// add takes the next, and says whether another may follow.
func (p *behaviourPage) add(m behaviour.Member) bool {
	p.seen++
	if p.seen <= p.after {
		return true
	}
	if len(p.items) == p.limit {
		p.more = true
		return false
	}
	p.items = append(p.items, m)
	return true
}

func (p *behaviourPage) next() *string {
	if !p.more || p.limit == 0 {
		return nil
	}
	cursor := strconv.Itoa(p.after + len(p.items))
	return &cursor
}

func readCursor(cursor *string) (int, error) {
	if cursor == nil {
		return 0, nil
	}
	n, err := strconv.Atoi(*cursor)
	if err != nil || n < 0 {
		return 0, problem.Field(contract.InBody, "/cursor", "cursor", "is not the next_cursor of a page of this question")
	}
	return n, nil
}

// names returns how the answer writes the people of the page.
func (p *behaviourPage) names(ctx context.Context, v *behaviour.View) ([]string, error) {
	numbers := make([]uint32, len(p.items))
	for i, m := range p.items {
		numbers[i] = m.No
	}
	keys, err := v.Keys(ctx, numbers)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(p.items))
	for i, m := range p.items {
		out[i] = name(keys[m.No])
	}
	return out, nil
}

// collected is an operator that found the people behind a number.
type collected[T any] interface {
	operator[T]
	People() []behaviour.Member
}

// NoQuestion is the refusal of a question that cannot be read though it fits the contract: only its times can be the reason, because
// a question under a question is kept as it was sent, and what reads it then knows no leap seconds.
func NoQuestion() error {
	return problem.Field(contract.InBody, "/question", contract.CodeFormat, "must have no time with a leap second: write 23:59:59 for 23:59:60")
}

// AskPeople serves POST /v1/insights/people.
func (a *API) AskPeople(ctx context.Context, request api.AskPeopleRequestObject) (api.AskPeopleResponseObject, error) {
	a, begun, err := a.begin(ctx, request.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	b := &behind{API: a, ask: begun, at: &request.Body.At}
	after, err := readCursor(request.Body.Cursor)
	if err != nil {
		return nil, err
	}
	b.page = behaviourPage{after: after, limit: int(or(request.Body.Limit, 100))}
	variant, err := request.Body.Question.ValueByDiscriminator()
	if err != nil {
		return nil, NoQuestion()
	}
	switch v := variant.(type) {
	case api.FunnelInsight:
		err = b.funnel(ctx, &v)
	case api.RetentionInsight:
		err = b.retention(ctx, &v)
	case api.LifecycleInsight:
		err = b.lifecycle(ctx, &v)
	case api.StickinessInsight:
		err = b.stickiness(ctx, &v)
	case api.UniquesInsight:
		err = b.uniques(ctx, &v)
	case api.PathsInsight:
		err = b.paths(ctx, &v)
	case api.SessionsInsight:
		err = b.sessions(ctx, &v)
	}
	if err != nil {
		return nil, err
	}
	b.out.NextCursor = b.page.next()
	b.out.Meta = b.ask.meta(a.s.o.Now(), b.ask.scope.Range, b.definition, nil)
	return api.AskPeople200JSONResponse(b.out), nil
}

// behind finds who is behind a number.
type behind struct {
	*API
	ask        *ask
	at         *api.Coordinate
	page       behaviourPage
	definition string
	out        api.PeopleAnswer
}

// find runs an operator and makes the page of those it found.
func find[T collected[T]](ctx context.Context, b *behind, r *resolver, s scope, definition string, fresh func() T) error {
	if err := r.err(); err != nil {
		return err
	}
	b.ask.scope, b.definition = s, definition
	var err error
	b.ask.outcome, err = run(ctx, b.s, b.ask.project, &r.query, fresh, func(v *behaviour.View, op T) error {
		people := op.People()
		b.out.Total = int64(len(people))
		for _, m := range people {
			if !b.page.add(m) {
				break
			}
		}
		names, err := b.page.names(ctx, v)
		if err != nil {
			return err
		}
		b.out.Items = make([]api.PersonBehind, len(names))
		for i, name := range names {
			b.out.Items[i] = api.PersonBehind{Person: name, TS: s.time(b.page.items[i].At)}
		}
		return nil
	})
	return err
}

// group is the code of the group that the coordinate names; nil for all.
func (b *behind) group(r *resolver, values *scan.Dictionary) *uint32 {
	if b.at.Group == nil && !value(b.at.NoValue) {
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
	f, err := b.API.funnel("/question", v)
	if err != nil {
		return err
	}
	r := &resolver{query: f.query}
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
	t, err := b.API.retention("/question", v)
	if err != nil {
		return err
	}
	r := &resolver{query: t.query}
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
	l, err := b.API.lifecycle("/question", v)
	if err != nil {
		return err
	}
	r := &resolver{query: l.query}
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
	s, err := b.API.stickiness("/question", v)
	if err != nil {
		return err
	}
	r := &resolver{query: s.query}
	c := activity.StickinessCoordinate{Periods: b.index(r, "period", b.at.Period, 1, len(s.question.Bounds)-1), AtLeast: value(b.at.AtLeast)}
	return find(ctx, b, r, s.scope, activity.StickinessDefinition(&s.question), func() *activity.Stickiness {
		op := activity.NewStickiness(s.question)
		op.Collect(c)
		return op
	})
}

func (b *behind) uniques(ctx context.Context, v *api.UniquesInsight) error {
	u, err := b.API.uniques("/question", v)
	if err != nil {
		return err
	}
	r, bucket := &resolver{query: u.query}, -1
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
	p, err := b.API.paths("/question", v)
	if err != nil {
		return err
	}
	r := &resolver{query: p.query}
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
	s, err := b.API.sessions("/question", v)
	if err != nil {
		return err
	}
	r := &resolver{query: s.query}
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
