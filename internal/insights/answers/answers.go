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

// maxRetries bounds how many damaged days one question reads anew.
const maxRetries = 8

// run scans what a question needs and adds everybody to operators of its kind, which it merges. prepare is called with the view
// before there are operators, and after before the view is closed.
func run[T operator[T]](ctx context.Context, s *Service, project uuid.UUID, q *scan.Query, fresh func() T, after func(v *behaviour.View, op T) error,
	prepare ...func(ctx context.Context, v *behaviour.View) error) (outcome, error) {
	if err := turns.Heavy(ctx, project.String()); err != nil {
		return outcome{}, fmt.Errorf("take a turn: %w", err)
	}
	var doubt []int32
	back := int64(behaviour.SessionLength)
	for {
		read := *q
		if q.Sessions {
			read.From = max(0, q.From-back)
		}
		o, err := once(ctx, s, project, q.From, &read, doubt, fresh, after, prepare...)
		var damaged *damagedDay
		switch {
		case errors.Is(err, errSessionUnderWay):
			back *= 4
		case errors.As(err, &damaged) && len(doubt) < maxRetries:
			doubt = append(doubt, damaged.day)
		default:
			return o, s.refusal(err)
		}
	}
}

// errSessionUnderWay says that somebody's sessions may have been cut wrongly, because one was under way where the scan began.
var errSessionUnderWay = errors.New("a session was under way where the scan began")

// once is run, read once. from is where the question begins, which the scan may begin before.
func once[T operator[T]](ctx context.Context, s *Service, project uuid.UUID, from int64, q *scan.Query, doubt []int32, fresh func() T,
	after func(v *behaviour.View, op T) error, prepare ...func(ctx context.Context, v *behaviour.View) error) (o outcome, err error) {
	var unproven []int32
	var underWay atomic.Bool
	first, last := days(q)
	err = s.o.Store.View(ctx, project, first, last, s.o.Timeout, doubt, func(v *behaviour.View) error {
		unproven = v.Unproven
		for _, do := range prepare {
			if err := do(ctx, v); err != nil {
				return err
			}
		}
		return s.scan(ctx, v, q, &o, func(each []func(*behaviour.Person) error) ([]func(*behaviour.Person) error, func() error) {
			ops := make([]T, workers)
			for i := range ops {
				op := fresh()
				ops[i] = op
				each = append(each, func(p *behaviour.Person) error {
					if q.Sessions && q.From > 0 && !cutRight(p.Sessions, q.From, from) {
						underWay.Store(true)
						return nil
					}
					op.Add(p)
					return nil
				})
			}
			return each, func() error {
				if underWay.Load() {
					return errSessionUnderWay
				}
				for _, op := range ops[1:] {
					ops[0].Merge(op)
				}
				return after(v, ops[0])
			}
		})
	})
	if len(unproven) > 0 && s.o.Unproven != nil {
		s.o.Unproven(ctx, project, unproven)
	}
	return o, err
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

// scan runs the query over a view. start returns what takes the people, and what is done with the result.
func (s *Service) scan(ctx context.Context, v *behaviour.View, q *scan.Query, o *outcome,
	start func([]func(*behaviour.Person) error) ([]func(*behaviour.Person) error, func() error)) error {
	o.fromEvents = len(v.Unproven) > 0
	for _, h := range v.Headers {
		for i := range h.Chunks {
			o.scanned += int64(h.Chunks[i].Rows)
		}
	}
	own := *q
	own.Identity, own.Memory = v.Identity(q.AsOf), s.o.Memory
	each, done := start(nil)
	if err := scan.People(ctx, &own, v.Headers, v, each...); err != nil {
		var part *scan.DamagedPart
		if errors.As(err, &part) {
			return &damagedDay{v.Day(part.Part), err}
		}
		return err
	}
	return done()
}

// damagedDay is a day of which a part is damaged.
type damagedDay struct {
	day int32
	err error
}

func (d *damagedDay) Error() string { return fmt.Sprintf("day %d: %v", d.day, d.err) }
func (d *damagedDay) Unwrap() error { return d.err }

// refusal turns what a question may not have into the answer that says so.
func (s *Service) refusal(err error) error {
	var column *scan.ErrNoColumn
	switch {
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

// name is how an answer writes a person.
func name(k behaviour.PersonKey) string {
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
