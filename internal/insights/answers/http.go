package answers

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// API is the part of the contract's server that answers questions about behaviour.
type API struct {
	s *Service
	// Of the project in question, from begin on.
	home    query.Home
	now     time.Time                     // the moment of a question that names none
	cohorts func() ([]Cohort, error)      // its saved cohorts
	custom  func() ([]CustomEvent, error) // its custom events
}

// NewAPI returns the operations.
func NewAPI(s *Service) *API { return &API{s: s} }

// ask is what every operation does around its question.
type ask struct {
	project uuid.UUID
	began   time.Time
	scope   scope
	of      *resolver // that knows whom the question considers; nil: everybody
	outcome outcome
}

// begin returns the operations on one project, whose calendar they know. Its cohorts and custom events are read when a
// question names one.
func (a *API) begin(ctx context.Context, project uuid.UUID) (*API, *ask, error) {
	begun := &ask{project: project, began: a.s.o.Now()}
	home, err := a.s.o.Home(ctx, project)
	cohorts := sync.OnceValues(func() ([]Cohort, error) { return a.s.o.Cohorts(ctx, project) })
	custom := sync.OnceValues(func() ([]CustomEvent, error) { return a.s.o.CustomEvents(ctx, project) })
	return &API{s: a.s, home: home, now: begun.began, cohorts: cohorts, custom: custom}, begun, err
}

func (a *API) resolver(at string) *resolver {
	r := newResolver(at)
	r.home, r.custom = a.home, a.custom
	return r
}

// meta says how the answer came about. The range is that which was answered.
func (a *ask) meta(now time.Time, in query.Range, definition string, incomplete *time.Time) api.InsightMeta {
	source := api.InsightSourceParts
	if a.outcome.fromEvents {
		source = api.InsightSourceEvents
	}
	return api.InsightMeta{
		Exact: true, Definition: definition + a.of.words(), Tz: a.scope.tz, WeekStart: api.WeekStart(a.scope.weekStart()), AsOf: time.UnixMicro(a.scope.asOf).UTC(),
		From: a.scope.time(in.From), To: a.scope.time(in.To), IncompleteFrom: incomplete, Source: source,
		Scanned: a.outcome.scanned, TookMs: float64(now.Sub(a.began).Microseconds()) / 1000,
	}
}

// time is an instant in the zone of the question.
func (s *scope) time(us int64) time.Time { return time.UnixMicro(us).In(s.loc) }

// incomplete is the first of the bounds' periods that is not over, nil when all are.
func (s *scope) incomplete(bounds []int64) *time.Time {
	for i := 1; i < len(bounds); i++ {
		if bounds[i] > s.asOf {
			t := s.time(bounds[i-1])
			return &t
		}
	}
	return nil
}

// value is the zero value for what is absent.
func value[T any](v *T) (zero T) {
	if v == nil {
		return zero
	}
	return *v
}

// or is what is given, or the usual when nothing is.
func or[T any](v *T, usual T) T {
	if v == nil {
		return usual
	}
	return *v
}

// framed reads what all questions have.
func (r *resolver) framed(from, to time.Time, tz *string, week *api.WeekStart, asOf *time.Time, filter *api.MetricsFilter, bots *bool) *frame {
	when := query.When{TZ: value(tz), WeekStart: query.WeekStart(value(week))}.At(r.home)
	return &frame{from: from, to: to, tz: when.TZ, weekStart: string(when.WeekStart), asOf: asOf, includeBots: value(bots), filter: r.filter("filter", filter)}
}

// step reads a step: the condition, and how the definition names it.
func (r *resolver) step(field string, event *string, custom *api.CustomEventID, filter *api.MetricsFilter) (marks uint64, label string) {
	fits := r.filter(below(field, "filter"), filter)
	switch {
	case event != nil && custom != nil:
		r.refuse(below(field, "custom_event"), query.CodeConflict, "cannot be combined with event")
	case custom != nil:
		return r.customEvent(below(field, "custom_event"), *custom, fits)
	case event != nil:
		return r.mark(field, []string{*event}, fits), *event
	}
	return r.mark(field, nil, fits), "anything"
}

// below is the pointer of a member of a field; of the question itself where there is no field.
func below(field, member string) string {
	if field == "" {
		return member
	}
	return field + "/" + member
}

// filter reads a tree of conditions.
func (r *resolver) filter(field string, f *api.MetricsFilter) *scan.Filter {
	tree, err := query.FilterOf(f)
	if err != nil {
		r.refuse(field, contract.CodeType, "is no condition")
	}
	if tree == nil {
		return nil
	}
	nodes := 0
	out := r.condition(tree, field, 1, &nodes)
	return &out
}

// condition makes of a node what a scan asks of events. Unlike query.Filter.Check it names the very node that is too much.
func (r *resolver) condition(f *query.Filter, field string, depth int, nodes *int) (out scan.Filter) {
	*nodes++
	switch {
	case depth > query.MaxFilterDepth:
		r.refuse(field, contract.CodeTooDeep, "a filter is at most "+strconv.Itoa(query.MaxFilterDepth)+" levels deep")
		return out
	case *nodes == query.MaxFilterNodes+1:
		r.refuse(field, contract.CodeTooLarge, "is one node more than a filter may have: "+strconv.Itoa(query.MaxFilterNodes))
		return out
	case *nodes > query.MaxFilterNodes:
		return out
	}
	out = scan.Filter{Op: scan.Op(f.Op), Text: f.Text, Number: f.Number}
	if f.Path != nil {
		out.Prop = r.member(field+"/prop", f.Path)
	}
	for i := range f.Filters {
		at := field + "/filters/" + strconv.Itoa(i)
		if f.Op == query.Not {
			at = field + "/filter"
		}
		out.Filters = append(out.Filters, r.condition(&f.Filters[i], at, depth+1, nodes))
	}
	for i := range f.Values {
		at := field + "/value"
		if f.Op == query.In {
			at = field + "/values/" + strconv.Itoa(i)
		}
		out.Values = append(out.Values, r.scalar(at, f.Values[i]))
	}
	return out
}

func (r *resolver) scalar(field string, raw json.RawMessage) parts.Value {
	v, err := scan.ScalarValue(raw)
	if err != nil || v.Kind == parts.JSON {
		r.refuse(field, contract.CodeType, "must be a string, a number, true or false")
	}
	return v
}

// jsonOf is a value of a property in an answer.
func jsonOf(v parts.Value) json.RawMessage { return v.JSON() }

func timesOf(t *query.Times) *api.StepTime {
	if t == nil {
		return nil
	}
	return &api.StepTime{N: int64(t.N), Mean: t.Mean, Median: t.Median, P90: t.P90, Min: t.Min, Max: t.Max}
}

func int64s(in []int) []int64 {
	out := make([]int64, len(in))
	for i, n := range in {
		out[i] = int64(n)
	}
	return out
}

// recast reads a question as the same question without its project, which is how it is kept and asked about.
func recast(question, insight any) error {
	text, err := json.Marshal(question)
	if err == nil {
		err = json.Unmarshal(text, insight)
	}
	if err != nil {
		return fmt.Errorf("read the question: %w", err)
	}
	return nil
}
