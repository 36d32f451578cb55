package answers

import (
	"cmp"
	"context"
	"errors"
	"math"
	"strconv"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/parts"
	"github.com/bahagh/nimbus/internal/behaviour/scan"
	"github.com/bahagh/nimbus/internal/contract"
	"github.com/bahagh/nimbus/internal/events"
	"github.com/bahagh/nimbus/internal/insights/measures"
	"github.com/bahagh/nimbus/internal/insights/query"
)

type trendsAsk struct {
	*resolver
	scope scope
	trend trend
}

func (a *API) trends(at string, v *api.TrendsInsight) (*trendsAsk, error) {
	r := a.resolver(at)
	t := &trendsAsk{resolver: r}
	t.scope = r.scope(r.framed(v.From, v.To, v.Tz, v.WeekStart, v.AsOf, v.Filter, v.IncludeBots), a.now)
	r.countGroups(v.CountGroups)
	t.trend = trend{in: t.scope.Range, asOf: t.scope.asOf, top: int(or(v.Top, 10)), calendar: t.scope.calendar(string(value(v.Bucket)), "1h")}
	cohorts := t.breakdowns(v.Breakdown)
	r.audience(a, &t.scope, v.People, "breakdown/0/cohorts", cohorts, v.IncludeBots)
	t.trend.resolver = r
	for i := range v.Series {
		t.trend.lines = append(t.trend.lines, t.line("series/"+strconv.Itoa(i), &v.Series[i]))
	}
	for i := range v.Formulas {
		t.formula("formulas/"+strconv.Itoa(i)+"/expression", v.Formulas[i].Expression)
	}
	each := (len(v.Series) + len(v.Formulas)) * (1 + len(cohorts))
	if t.trend.groups != nil {
		each *= t.trend.top + 2 // and the rest, and all
	}
	if r.periods(t.trend.calendar, t.scope.Range, each) {
		t.trend.bounds = t.trend.calendar.Bounds(t.scope.Range)
	}
	return t, r.err()
}

// line reads a series, whose events are the conditions of a scan of its own.
func (t *trendsAsk) line(field string, v *api.TrendsSeries) trendLine {
	own := newResolver(t.at)
	own.custom = t.custom
	label := own.anyOf(field, v)
	own.marked()
	l := trendLine{query: own.query, Line: measures.Line{Label: label, Measure: measures.Measure(or(v.Measure, api.TrendsCount)), Prop: value(v.Prop),
		FirstTime: value(v.FirstTime), Cumulative: value(v.Cumulative), Rolling: int(value(v.RollingDays))}}
	l.query.AsOf, l.query.Filter, l.query.Groups = t.query.AsOf, t.query.Filter, t.query.Groups
	switch {
	case l.Measure.Numeric() && v.Prop == nil:
		own.refuse(field+"/prop", contract.CodeRequired, "is required when measure is "+string(l.Measure)+": name the number in props to measure")
	case !l.Measure.Numeric() && v.Prop != nil:
		own.refuse(field+"/prop", query.CodeConflict, "is only allowed with a measure of numbers, such as sum; "+string(l.Measure)+" measures no prop")
	case v.Prop != nil:
		l.number = own.prop(field+"/prop", *v.Prop)
	}
	own.conflicts(field, &l, t.trend.calendar.Bucket)
	t.bad, t.fault = append(t.bad, own.bad...), cmp.Or(t.fault, own.fault)
	return l
}

// conflicts refuses what does not go together.
func (r *resolver) conflicts(field string, l *trendLine, bucket query.Bucket) {
	if l.FirstTime && l.Measure.PerPerson() {
		r.refuse(field+"/first_time", query.CodeConflict, "is not allowed with "+string(l.Measure)+": each person has one first event")
	}
	if l.Cumulative && l.Measure != measures.Count && l.Measure != measures.Users && l.Measure != measures.Sum {
		r.refuse(field+"/cumulative", query.CodeConflict, "is only allowed with count, users and sum")
	}
	if l.Rolling == 0 {
		return
	}
	switch {
	case l.Measure != measures.Users:
		r.refuse(field+"/rolling_days", query.CodeConflict, "is only allowed with the measure users")
	case l.Cumulative || l.FirstTime:
		r.refuse(field+"/rolling_days", query.CodeConflict, "cannot be combined with cumulative or first_time")
	case bucket.Usual()*query.Second < query.Day:
		r.refuse(field+"/rolling_days", query.CodeConflict, "needs buckets of 1d, 1w or 1mo")
	}
}

// anyOf reads the event of a series or several, and returns how a definition names them.
func (r *resolver) anyOf(field string, v *api.TrendsSeries) (label string) {
	if len(v.AnyOf) == 0 {
		_, label = r.step(field, v.Event, v.CustomEvent, v.Filter)
		return label
	}
	if v.Event != nil || v.CustomEvent != nil || v.Filter != nil {
		r.refuse(field+"/any_of", query.CodeConflict, "cannot be combined with event, custom_event or filter")
	}
	labels := make([]string, len(v.AnyOf))
	for i := range v.AnyOf {
		s := &v.AnyOf[i]
		_, labels[i] = r.step(field+"/any_of/"+strconv.Itoa(i), s.Event, s.CustomEvent, s.Filter)
	}
	return query.List(labels, "or")
}

// prop is the prop that a path of the contract names.
func (r *resolver) prop(field, path string) string {
	p, _ := events.ParsePath(path) // the contract's pattern lets nothing else through
	return r.member(field, p)
}

func (t *trendsAsk) formula(field, expression string) {
	f, err := measures.ParseFormula(expression, len(t.trend.lines))
	var wrong *measures.FormulaError
	if errors.As(err, &wrong) {
		t.refuse(field, "formula", "is no formula: at character "+strconv.Itoa(wrong.Position)+", "+wrong.Detail)
		return
	}
	t.trend.formulas = append(t.trend.formulas, f)
}

// breakdowns reads by what the answer is broken down: by values, or by the cohorts that it returns.
func (t *trendsAsk) breakdowns(all []api.TrendsBreakdown) (cohorts []string) {
	for i := range all {
		field, b := "breakdown/"+strconv.Itoa(i), &all[i]
		if value(b.By) != api.TrendsByCohorts {
			if b.Cohorts != nil {
				t.refuse(field+"/cohorts", query.CodeConflict, "is only allowed by cohorts")
			}
			if t.trend.groups == nil {
				t.trend.groups = &scan.Breakdown{}
			}
			t.breakdown(field, b)
			continue
		}
		switch {
		case len(all) > 1:
			t.refuse(field+"/by", query.CodeConflict, "cannot be combined with another breakdown: a person may be in several cohorts")
		case b.Prop != nil:
			t.refuse(field+"/prop", query.CodeConflict, "is only allowed by prop")
		case b.Edges != nil:
			t.refuse(field+"/edges", query.CodeConflict, "is only allowed by prop")
		case b.Cohorts == nil:
			t.refuse(field+"/cohorts", contract.CodeRequired, "is required: name the cohorts by id or name")
		default:
			cohorts = *b.Cohorts
		}
	}
	return cohorts
}

func (t *trendsAsk) breakdown(field string, v *api.TrendsBreakdown) {
	d, words := &scan.Dictionary{ByName: true}, "the name of the event"
	byProfile := value(v.By) == api.TrendsByProfile
	switch byName := value(v.By) == api.TrendsByName; {
	case byName && v.Prop != nil:
		t.refuse(field+"/prop", query.CodeConflict, "is only allowed by prop")
	case byName && v.Edges != nil:
		t.refuse(field+"/edges", query.CodeConflict, "is only allowed by prop")
	case !byName && v.Prop == nil:
		t.refuse(field+"/prop", contract.CodeRequired, "is required: name the value in props to break down by")
	case !byName:
		d, words = scan.NewDictionary(t.prop(field+"/prop", *v.Prop)), *v.Prop
		d.As = written
		if byProfile {
			t.give(d)
			words += " of people's profiles"
		}
		if v.Edges != nil {
			words = "ranges of " + words
		}
	}
	for i, edge := range v.Edges {
		if i > 0 && edge <= v.Edges[i-1] {
			t.refuse(field+"/edges/"+strconv.Itoa(i), query.CodeOrder, "must be greater than the one before")
		}
	}
	d.Edges = v.Edges
	t.trend.groups.By, t.trend.by = append(t.trend.groups.By, d), append(t.trend.by, words)
}

// written is what an answer shows of a value: a list or an object is its JSON text.
func written(v parts.Value) parts.Value {
	if v.Kind == parts.JSON {
		v.Kind = parts.String
	}
	return v
}

// AskTrends serves POST /v1/insights/trends.
func (a *API) AskTrends(ctx context.Context, request api.AskTrendsRequestObject) (api.AskTrendsResponseObject, error) {
	a, begun, err := a.begin(ctx, request.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	var v api.TrendsInsight
	if err := recast(request.Body, &v); err != nil {
		return nil, err
	}
	t, err := a.trends("", &v)
	if err != nil {
		return nil, err
	}
	var measured *tables
	begun.scope, begun.of = t.scope, t.resolver
	begun.outcome, err = a.s.inView(ctx, begun.project, t.trend.reads(), func(v *behaviour.View) (err error) {
		measured, err = a.s.measure(ctx, v, &t.trend)
		return err
	})
	if err != nil {
		return nil, err
	}
	return api.AskTrends200JSONResponse(t.answer(begun, a, measured)), nil
}

func (t *trendsAsk) definition() string {
	lines := make([]measures.Line, len(t.trend.lines))
	for i := range lines {
		lines[i] = t.trend.lines[i].Line
	}
	return measures.Definition(lines, t.trend.formulas, t.trend.by, t.trend.calendar.Bucket)
}

func (t *trendsAsk) answer(begun *ask, a *API, in *tables) api.TrendsAnswer {
	bounds := t.trend.bounds
	out := api.TrendsAnswer{Bucket: api.Bucket(t.trend.calendar.Bucket), Groups: []api.TrendsGroup{}}
	for _, at := range bounds[:len(bounds)-1] {
		out.Starts = append(out.Starts, t.scope.time(at))
	}
	rows := make([]measures.Row, len(in.lines))
	for i, table := range in.lines {
		rows[i] = table.All
	}
	out.Series, out.Formulas = t.rows(rows)
	shown := in.shown
	if in.rest {
		shown = append(shown[:len(shown):len(shown)], scan.Rest)
	}
	for _, code := range shown {
		g := api.TrendsGroup{Values: []api.TrendsValue{}, Other: code == scan.Rest}
		if !g.Other {
			g.Values = t.values(code)
		}
		for i, table := range in.lines {
			var ok bool
			if rows[i], ok = table.Groups[code]; !ok {
				rows[i] = t.trend.lines[i].Blank(len(bounds) - 1)
			}
		}
		g.Series, g.Formulas = t.rows(rows)
		out.Groups = append(out.Groups, g)
	}
	for i, lines := range in.cohorts {
		id, name := t.who.group(i)
		g := api.TrendsGroup{Values: []api.TrendsValue{{Value: id, Cohort: name}}}
		for k, table := range lines {
			rows[k] = table.All
		}
		g.Series, g.Formulas = t.rows(rows)
		out.Groups = append(out.Groups, g)
	}
	out.Meta = begun.meta(a.s.o.Now(), t.scope.Range, t.definition(), t.scope.incomplete(bounds))
	return out
}

// rows writes the series of a group, and its formulas.
func (t *trendsAsk) rows(in []measures.Row) (series, formulas []api.TrendsLine) {
	series, formulas = make([]api.TrendsLine, len(in)), make([]api.TrendsLine, len(t.trend.formulas))
	for i := range in {
		series[i] = lineOf(in[i])
	}
	at := make([]float64, len(in))
	for k, f := range t.trend.formulas {
		of := func(pick func(measures.Row) float64) float64 {
			for i := range in {
				at[i] = pick(in[i])
			}
			return f.Of(at)
		}
		row := measures.Row{Total: of(func(r measures.Row) float64 { return r.Total }), Values: make([]float64, len(t.trend.bounds)-1)}
		for b := range row.Values {
			row.Values[b] = of(func(r measures.Row) float64 { return r.Values[b] })
		}
		formulas[k] = lineOf(row)
	}
	return series, formulas
}

func lineOf(r measures.Row) api.TrendsLine {
	out := api.TrendsLine{Total: finite(r.Total), Values: make([]*float64, len(r.Values))}
	for i, v := range r.Values {
		out.Values[i] = finite(v)
	}
	return out
}

// finite is nil for what JSON cannot say.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// values writes the values of a group.
func (t *trendsAsk) values(code uint32) []api.TrendsValue {
	key, out := t.trend.groups.Key(code), make([]api.TrendsValue, len(t.trend.groups.By))
	for i, d := range t.trend.groups.By {
		switch {
		case key[i] == 0: // without a value
		case d.Edges != nil:
			gte, lt := d.Range(key[i])
			out[i].Gte, out[i].Lt = finite(gte), finite(lt)
		default:
			out[i].Value = jsonOf(d.Value(key[i]))
		}
	}
	return out
}

// trends finds the people whose events a number was measured of.
func (b *behind) trends(ctx context.Context, v *api.TrendsInsight) error {
	t, err := b.API.trends(b.in+"/question", v)
	if err != nil {
		return err
	}
	byCohorts := t.who != nil && len(t.who.groups) > 0
	if byCohorts && len(b.at.Groups) == 1 {
		b.at.Group = b.at.Groups[0].Value
	}
	r := b.again(t.resolver)
	line := &t.trend.lines[b.index(r, "series", b.at.Series, 0, len(t.trend.lines))]
	at := measures.Coordinate{Bucket: -1}
	if !byCohorts {
		at.Group = t.coordinate(r, b.at)
	}
	if b.at.Row != nil {
		at.Bucket = b.index(r, "row", b.at.Row, 0, len(t.trend.bounds)-1)
	}
	if err := r.err(); err != nil {
		return err
	}
	if value(b.at.Other) { // which groups are shown has to be known
		first := t.trend
		first.lines = first.lines[:1]
		_, err := b.s.inView(ctx, b.ask.project, t.trend.reads(), func(v *behaviour.View) error {
			_, err := b.s.measure(ctx, v, &first)
			return err
		})
		if err != nil {
			return err
		}
	}
	question, q := t.trend.scanned(line, t.trend.bounds)
	r.query = *q
	return find(ctx, b, r, t.scope, t.definition(), func() *measures.Behind { return measures.NewBehind(question, at) })
}

// coordinate is the code of the group that a coordinate names; nil for all events.
func (t *trendsAsk) coordinate(r *resolver, at *api.Coordinate) *uint32 {
	by := t.trend.groups
	if at.Group != nil || value(at.NoValue) {
		r.refuse("at/group", query.CodeConflict, "is not for trends: name the group by groups, as the answer has its values")
	}
	if by == nil {
		if at.Groups != nil || value(at.Other) {
			r.refuse("at/groups", query.CodeConflict, "is only allowed with a breakdown")
		}
		return nil
	}
	code := scan.Rest
	switch {
	case value(at.Other):
		if at.Groups != nil {
			r.refuse("at/groups", query.CodeConflict, "cannot be combined with other")
		}
		return &code
	case at.Groups == nil:
		return nil
	case len(at.Groups) != len(by.By):
		r.refuse("at/groups", query.CodeConflict, "must have a value for each breakdown: "+strconv.Itoa(len(by.By)))
		return nil
	}
	var key scan.Key
	for i := range at.Groups {
		key[i] = r.code("at/groups/"+strconv.Itoa(i), by.By[i], &at.Groups[i])
	}
	code = by.Code(key)
	return &code
}

// code is that of a value, or of a range, in a dictionary.
func (r *resolver) code(field string, d *scan.Dictionary, v *api.TrendsValue) uint32 {
	if d.Edges != nil {
		if v.Value != nil {
			r.refuse(field+"/value", query.CodeConflict, "is not for ranges: name one by gte and lt")
		}
		if v.Gte == nil && v.Lt == nil {
			return 0
		}
		code, ok := d.CodeOfRange(or(v.Gte, math.Inf(-1)))
		if _, lt := d.Range(code); !ok || or(v.Lt, math.Inf(1)) != lt {
			r.refuse(field, contract.CodeEnum, "is no range of the breakdown")
		}
		return code
	}
	if v.Gte != nil || v.Lt != nil {
		r.refuse(field, query.CodeConflict, "is no range: gte and lt are only for a breakdown with edges")
	}
	if v.Value == nil {
		return 0
	}
	text, err := scan.ScalarValue(v.Value)
	if err != nil || text.Kind == parts.JSON {
		r.refuse(field+"/value", contract.CodeType, "must be a string, a number, true or false")
	}
	return d.Code(text)
}
