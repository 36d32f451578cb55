package answers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract/problem"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/platform/turns"
)

// Options are what a Service is made of.
type Options struct {
	Store   *behaviour.Store
	Timeout time.Duration // of one question
	Memory  int64         // that one question may hold, in bytes; scan.DefaultMemory when 0
	Now     func() time.Time
	// Home returns the calendar of a project, for the questions that name none.
	Home func(ctx context.Context, project uuid.UUID) (query.Home, error)
	// Cohorts returns the saved cohorts of a project, for the questions that name one.
	Cohorts func(ctx context.Context, project uuid.UUID) ([]Cohort, error)
	// CustomEvents returns the custom events of a project, for the questions that name one.
	CustomEvents func(ctx context.Context, project uuid.UUID) ([]CustomEvent, error)
	// Unproven is told which days of an answer had to be read from the events, because their parts failed the proof.
	Unproven func(ctx context.Context, project uuid.UUID, days []int32)
}

// Service answers questions.
type Service struct{ o Options }

// New returns a Service.
func New(o Options) *Service { return &Service{o} }

// workers is how many goroutines share the people of a question.
const workers = 2

// operator is what a kind of question computes from people.
type operator[T any] interface {
	Add(p *behaviour.Person)
	Merge(other T)
}

// outcome is how a question was answered.
type outcome struct {
	scanned    int64
	fromEvents bool
}

// run scans what a question needs and adds everybody whom it considers to operators of its kind, which it merges. after is called
// with the view before it is closed: with the operator of all, and those of the groups that the answer is broken down by.
func run[T operator[T]](ctx context.Context, s *Service, project uuid.UUID, r *resolver, fresh func() T,
	after func(v *behaviour.View, all T, groups *groups[T]) error) (outcome, error) {
	if err := turns.Heavy(ctx, project.String()); err != nil {
		return outcome{}, fmt.Errorf("take a turn: %w", err)
	}
	for back := int64(behaviour.SessionLength); ; back *= 4 {
		reading := &reading[T]{s: s, project: project, r: r, query: r.query, fresh: fresh, after: after}
		if r.query.Sessions {
			reading.query.From = max(0, r.query.From-back)
		}
		if err := reading.once(ctx); !errors.Is(err, errSessionUnderWay) {
			return reading.outcome, s.refusal(err)
		}
	}
}

// views opens views for questions.
func (s *Service) views() *query.Views {
	return &query.Views{Store: s.o.Store, Timeout: s.o.Timeout, Unproven: s.o.Unproven}
}

// inView calls fn with a view of the days that a query meets.
func (s *Service) inView(ctx context.Context, project uuid.UUID, q *scan.Query, fn func(v *behaviour.View) error) (o outcome, err error) {
	if err := turns.Heavy(ctx, project.String()); err != nil {
		return o, fmt.Errorf("take a turn: %w", err)
	}
	first, last := days(q)
	err = s.views().View(ctx, project, first, last, func(v *behaviour.View) error {
		o = outcome{fromEvents: len(v.Unproven) > 0}
		for _, h := range v.Headers {
			for i := range h.Chunks {
				o.scanned += int64(h.Chunks[i].Rows)
			}
		}
		return fn(v)
	})
	return o, s.refusal(err)
}

// errSessionUnderWay says that somebody's sessions may have been cut wrongly, because one was under way where the scan began.
var errSessionUnderWay = errors.New("a session was under way where the scan began")

// reading is run, read once.
type reading[T operator[T]] struct {
	s       *Service
	project uuid.UUID
	r       *resolver
	query   scan.Query // that of the resolver, which may begin earlier
	fresh   func() T
	after   func(v *behaviour.View, all T, groups *groups[T]) error
	outcome outcome
}

func (o *reading[T]) once(ctx context.Context) error {
	first, last := days(&o.query)
	if since, until, ok := o.r.who.days(); ok {
		first, last = min(first, since), max(last, until)
	}
	return o.s.views().View(ctx, o.project, first, last, func(v *behaviour.View) error {
		o.outcome = outcome{fromEvents: len(v.Unproven) > 0}
		return o.answer(ctx, v)
	})
}

// answer asks first who is considered, and then the question.
func (o *reading[T]) answer(ctx context.Context, v *behaviour.View) error {
	q := &o.query
	q.Identity, q.Memory = v.Identity(q.AsOf), o.s.o.Memory
	if err := o.r.fill(ctx, v, q.Identity); err != nil {
		return err
	}
	if o.r.before != nil {
		if err := o.r.before(ctx, v, q.Identity); err != nil {
			return err
		}
	}
	only, sets, err := o.s.audience(ctx, v, o.r.who, q.Identity, &o.outcome)
	if err != nil {
		return err
	}
	if only != nil {
		q.Only = only
	}
	shown, err := o.shown(ctx, v, q)
	if err != nil {
		return err
	}
	var underWay atomic.Bool
	fresh := func() *grouped[T] { return newGrouped(o.fresh, sets, o.r.divided, shown) }
	ok := func(p *behaviour.Person) bool {
		if q.Sessions && q.From > 0 && !cutRight(p.Sessions, q.From, o.r.query.From) {
			underWay.Store(true)
		}
		return !underWay.Load() && o.r.divided.wants(p, shown)
	}
	var ofGroups []*behaviour.Set
	if q.Groups != nil {
		ofGroups, sets = sets, nil
	}
	all, err := pass(ctx, v, q, &o.outcome, fresh, ok)
	if err == nil && len(ofGroups) > 0 {
		all.cohorts, err = o.cohortsOfGroups(ctx, v, ofGroups, ok)
	}
	switch {
	case err != nil:
		return err
	case underWay.Load():
		return errSessionUnderWay
	}
	return o.after(v, all.whole, all.answer())
}

// pass hands everybody of a scan to operators, whom it asks for one a worker, and merges them. Those whom ok is false of it leaves
// out; nil is true of everybody.
func pass[T operator[T]](ctx context.Context, v *behaviour.View, q *scan.Query, o *outcome, fresh func() T,
	ok func(*behaviour.Person) bool) (T, error) {
	for _, h := range v.Headers {
		for i := range h.Chunks {
			if h.Chunks[i].MaxTS >= q.From && h.Chunks[i].MinTS < q.To {
				o.scanned += int64(h.Chunks[i].Rows)
			}
		}
	}
	return shared(ctx, v, q, fresh, func(op T, p *behaviour.Person) error {
		if ok == nil || ok(p) {
			op.Add(p)
		}
		return nil
	})
}

// shared has the workers share the people of a scan, each of which adds them to one of its own, and merges what they have.
func shared[T interface{ Merge(other T) }](ctx context.Context, v *behaviour.View, q *scan.Query, fresh func() T,
	add func(to T, p *behaviour.Person) error) (T, error) {
	ops, each := make([]T, workers), make([]func(*behaviour.Person) error, workers)
	for i := range ops {
		op := fresh()
		ops[i], each[i] = op, func(p *behaviour.Person) error { return add(op, p) }
	}
	if err := scan.People(ctx, q, v.Headers, v, each...); err != nil {
		return ops[0], err
	}
	for _, op := range ops[1:] {
		ops[0].Merge(op)
	}
	return ops[0], nil
}

// grouped is an operator of everybody and one of each group that the answer is broken down by.
type grouped[T operator[T]] struct {
	fresh   func() T
	whole   T
	cohorts []T
	sets    []*behaviour.Set // who is in each cohort

	divided *division // nil: by nothing else
	shown   map[uint32]bool
	values  map[uint32]T // by code; with shown, scan.Rest has those that are not
	census  *census
}

func newGrouped[T operator[T]](fresh func() T, sets []*behaviour.Set, d *division, shown map[uint32]bool) *grouped[T] {
	g := &grouped[T]{fresh: fresh, whole: fresh(), sets: sets}
	for range sets {
		g.cohorts = append(g.cohorts, fresh())
	}
	if d != nil && d.only == nil && !d.other {
		g.divided, g.shown, g.values, g.census = d, shown, map[uint32]T{}, newCensus(d)
	}
	return g
}

// Add adds a person, to every group that he is in, too.
func (g *grouped[T]) Add(p *behaviour.Person) {
	if g.divided != nil {
		g.census.Add(p)
		code := g.divided.group(p)
		if g.shown != nil && !g.shown[code] {
			code = scan.Rest
		}
		g.of(code).Add(p)
	}
	for i, set := range g.sets {
		if set.Has(p.No) {
			g.cohorts[i].Add(p)
		}
	}
	g.whole.Add(p)
}

// of returns the operator of a value.
func (g *grouped[T]) of(code uint32) T {
	op, ok := g.values[code]
	if !ok {
		op = g.fresh()
		g.values[code] = op
	}
	return op
}

// Merge adds what another found.
func (g *grouped[T]) Merge(other *grouped[T]) {
	g.whole.Merge(other.whole)
	for i := range g.cohorts {
		g.cohorts[i].Merge(other.cohorts[i])
	}
	if g.divided == nil {
		return
	}
	g.census.Merge(other.census)
	for code, op := range other.values {
		g.of(code).Merge(op)
	}
}

// answer returns the groups as an answer has them.
func (g *grouped[T]) answer() *groups[T] {
	if g.divided == nil {
		return &groups[T]{list: g.cohorts}
	}
	out := &groups[T]{rest: g.fresh()}
	top, others := g.census.shown()
	out.others = len(others)
	for _, value := range top {
		out.list, out.values = append(out.list, g.of(value.Value)), append(out.values, value.Value)
	}
	if g.shown != nil {
		out.rest = g.of(scan.Rest)
		return out
	}
	for _, value := range others {
		out.rest.Merge(g.of(value.Value))
	}
	return out
}

// cutRight says whether a person's sessions that reach from or more are what they would be had all his events been read, and not
// only those since a moment. They are when he did nothing for longer than a session's gap before one of them: what came before
// does not matter then. A session is cut after a day, too, and where that is depends on where it began.
func cutRight(all []behaviour.Session, since, from int64) bool {
	before := since - 1 // the latest that what was not read can be
	for i := range all {
		if all[i].Start-before > behaviour.SessionGap {
			return true
		}
		if all[i].Last >= from {
			return false
		}
		before = all[i].Last
	}
	return true
}

// refusal turns what a question may not have into the answer that says so.
func (s *Service) refusal(err error) error {
	var column *scan.ErrNoColumn
	switch {
	case err == nil:
		return nil
	case errors.Is(err, scan.ErrTooLarge):
		return problem.Wrap(err, problem.CodeQueryTooHeavy, "This question needs more memory than one may have: shorten the range, or ask for fewer events.")
	case errors.Is(err, behaviour.ErrBehind):
		return problem.Wrap(err, problem.CodeQueryTooHeavy, "Too many of the events in the range are not ready for questions about people yet: shorten the range, or ask again in a minute.")
	case errors.As(err, &column):
		return problem.Wrap(err, problem.CodeQueryTooHeavy, "The property %.200q of %.200q has too many different values to ask questions about people by.", column.Prop, column.Name)
	}
	return err
}

// days returns the UTC days that a query meets, from one to before another.
func days(q *scan.Query) (from, to int32) {
	from, to = 0, math.MaxInt32-1
	if q.From > 0 {
		from = behaviour.DayAt(time.UnixMicro(q.From))
	}
	last := q.To
	if q.AsOf != 0 {
		last = min(last, q.AsOf)
	}
	if last < math.MaxInt64/2 {
		to = max(from, behaviour.DayAt(time.UnixMicro(last-1))+1)
	}
	return from, to
}

// within cuts what an operator reads to where there can be events.
func within(q *scan.Query, r query.Range) {
	q.From, q.To = max(r.From, 0), r.To
}

// Name is how an answer writes a person.
func Name(k behaviour.PersonKey) string {
	if k.Kind == behaviour.Anonymous {
		return "a:" + k.Key
	}
	return k.Key
}

// compareValues orders the codes of a dictionary by the type and the text of what they stand for.
func compareValues(d *scan.Dictionary) behaviour.Compare {
	return func(a, b uint32) int {
		x, y := d.Value(a), d.Value(b)
		if x.Kind != y.Kind {
			return rank(x.Kind) - rank(y.Kind)
		}
		return strings.Compare(x.Text, y.Text)
	}
}

// kinds is the order of types in an answer.
var kinds = []parts.Kind{parts.Absent, parts.Null, parts.False, parts.True, parts.Number, parts.String, parts.JSON}

func rank(k parts.Kind) int { return slices.Index(kinds, k) }
