package answers

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/insights/query"
)

// API is the part of the contract's server that answers questions about behaviour.
type API struct{ s *Service }

// NewAPI returns the operations.
func NewAPI(s *Service) *API { return &API{s} }

// ask is what every operation does around its question.
type ask struct {
	project uuid.UUID
	began   time.Time
	scope   scope
	outcome outcome
}

func (a *API) begin(project uuid.UUID) *ask { return &ask{project: project, began: a.s.o.Now()} }

// meta says how the answer came about. The range is that which was answered.
func (a *ask) meta(now time.Time, in query.Range, definition string, incomplete *time.Time) api.InsightMeta {
	source := api.InsightSourceParts
	if a.outcome.fromEvents {
		source = api.InsightSourceEvents
	}
	return api.InsightMeta{
		Exact: true, Definition: definition, Tz: a.scope.tz, AsOf: time.UnixMicro(a.scope.asOf).UTC(),
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
	return &frame{from: from, to: to, tz: value(tz), weekStart: string(value(week)), asOf: asOf, includeBots: value(bots), filter: r.filter("filter", filter)}
}

// step reads a step.
func (r *resolver) step(field string, event *string, filter *api.MetricsFilter) uint64 {
	var names []string
	if event != nil {
		names = []string{*event}
	}
	return r.mark(field, names, r.filter(field+"/filter", filter))
}

const (
	maxFilterDepth = 8
	maxFilterNodes = 50
)

// filter reads a tree of conditions.
func (r *resolver) filter(field string, f *api.MetricsFilter) *scan.Filter {
	if f == nil {
		return nil
	}
	nodes := 0
	out := r.filterAt(f, field, 1, &nodes)
	return &out
}

func (r *resolver) filterAt(f *api.MetricsFilter, field string, depth int, nodes *int) (out scan.Filter) {
	*nodes++
	switch {
	case depth > maxFilterDepth:
		r.refuse(field, contract.CodeTooDeep, "a filter is at most "+strconv.Itoa(maxFilterDepth)+" levels deep")
		return out
	case *nodes == maxFilterNodes+1:
		r.refuse(field, contract.CodeTooLarge, "is one node more than a filter may have: "+strconv.Itoa(maxFilterNodes))
		return out
	case *nodes > maxFilterNodes:
		return out
	}
	variant, err := f.ValueByDiscriminator()
	if err != nil {
		r.refuse(field, contract.CodeType, "is no condition")
		return out
	}
	switch v := variant.(type) {
	case api.FilterGroup:
		out.Op = scan.Op(v.Op)
		for i := range v.Filters {
			out.Filters = append(out.Filters, r.filterAt(&v.Filters[i], field+"/filters/"+strconv.Itoa(i), depth+1, nodes))
		}
	case api.FilterNot:
		out.Op, out.Filters = scan.Not, []scan.Filter{r.filterAt(&v.Filter, field+"/filter", depth+1, nodes)}
	case api.FilterEqual:
		out = scan.Filter{Op: scan.Op(v.Op), Prop: v.Prop, Values: []parts.Value{r.scalar(field+"/value", v.Value)}}
	case api.FilterIn:
		out = scan.Filter{Op: scan.In, Prop: v.Prop}
		for i := range v.Values {
			out.Values = append(out.Values, r.scalar(field+"/values/"+strconv.Itoa(i), v.Values[i]))
		}
	case api.FilterContains:
		out = scan.Filter{Op: scan.Contains, Prop: v.Prop, Text: v.Value}
	case api.FilterCompare:
		out = scan.Filter{Op: scan.Op(v.Op), Prop: v.Prop, Number: v.Value}
	case api.FilterExists:
		out = scan.Filter{Op: scan.Exists, Prop: v.Prop}
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
func jsonOf(v parts.Value) json.RawMessage {
	switch v.Kind {
	case parts.False:
		return json.RawMessage("false")
	case parts.True:
		return json.RawMessage("true")
	case parts.Number:
		return json.RawMessage(v.Text)
	case parts.String, parts.JSON:
		text, _ := json.Marshal(v.Text) //nolint:errchkjson // a string
		return text
	case parts.Absent, parts.Null:
	}
	return json.RawMessage("null")
}

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
