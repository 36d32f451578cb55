package trends_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/bahagh/nimbus/gen/api"
	"github.com/bahagh/nimbus/internal/behaviour"
	"github.com/bahagh/nimbus/internal/behaviour/build"
	"github.com/bahagh/nimbus/internal/events/rollups"
	"github.com/bahagh/nimbus/internal/insights/query"
	"github.com/bahagh/nimbus/internal/insights/trends"
	"github.com/bahagh/nimbus/internal/platform/replica"
)

// event is one stored event; props as encoding/json decodes them.
type event struct {
	name, user, anonymous string
	ts                    time.Time
	props                 map[string]any
	who                   string // is the person who did it, "" when nobody knows: see identify
}

// identify says who did each event: an anonymous id is the user of the first event that carries both and, from the first that carries
// it with another user on, a person of its own.
func identify(events []event) {
	sorted := make([]*event, len(events))
	for i := range events {
		sorted[i] = &events[i]
	}
	slices.SortStableFunc(sorted, func(x, y *event) int { return x.ts.Compare(y.ts) })
	owner, split := map[string]string{}, map[string]bool{}
	for _, e := range sorted {
		if _, known := owner[e.anonymous]; !known && e.user != "" && e.anonymous != "" {
			owner[e.anonymous] = e.user
		}
	}
	for _, e := range sorted {
		if e.user != "" {
			e.who = "user " + e.user
			split[e.anonymous] = split[e.anonymous] || owner[e.anonymous] != e.user
			continue
		}
		switch user, known := owner[e.anonymous]; {
		case e.anonymous == "":
		case known && !split[e.anonymous]:
			e.who = "user " + user
		default:
			e.who = "anonymous " + e.anonymous
		}
	}
}

// keep stores events with their rollups, as ingestion does.
func (b *bench) keep(t testing.TB, events []event) {
	t.Helper()
	var counts rollups.Counts
	months := map[time.Time]bool{}
	rows := make([][]any, len(events))
	for i := range events {
		e := &events[i]
		if e.props == nil {
			e.props = map[string]any{}
		}
		props, err := json.Marshal(e.props)
		if err != nil {
			t.Fatal(err)
		}
		id := uuid.New()
		ms := uint64(e.ts.UnixMilli())
		for k := range 6 {
			id[k] = byte(ms >> (40 - 8*k))
		}
		id[6] = 0x80 | id[6]&0x0f
		rows[i] = []any{project, id, e.ts, e.ts, int64(0), e.name, none(e.user), none(e.anonymous), json.RawMessage(props)}
		counts.Add(project, e.name, e.ts)
		months[time.Date(e.ts.Year(), e.ts.Month(), 1, 0, 0, 0, 0, time.UTC)] = true
	}
	for month := range months {
		if _, err := b.pool.Exec(t.Context(), "SELECT ensure_event_partition($1)", month); err != nil {
			t.Fatal(err)
		}
	}
	columns := []string{"project_id", "id", "ts", "received_at", "seq", "name", "user_id", "anonymous_id", "props"}
	if _, err := b.pool.CopyFrom(t.Context(), pgx.Identifier{"events"}, columns, pgx.CopyFromRows(rows)); err != nil {
		t.Fatal(err)
	}
	b.apply(t, &counts)
}

func none(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// run asks by the body of a request, as it arrives.
func (b *bench) run(t testing.TB, question map[string]any) (api.MetricsResult, error) {
	t.Helper()
	body, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	var query api.MetricsQuery
	if err := query.DecodeJSON(body); err != nil {
		return api.MetricsResult{}, err
	}
	reply, err := b.api.RunMetricsQuery(t.Context(), api.RunMetricsQueryRequestObject{Body: &query})
	if err != nil {
		return api.MetricsResult{}, err
	}
	return api.MetricsResult(reply.(api.RunMetricsQuery200JSONResponse)), nil
}

// valuesAt is what a path names in a value, said once more and without events.Path: nil stands for absent.
func valuesAt(path string, v any) []any {
	if path == "" {
		return []any{v}
	}
	if rest, ok := strings.CutPrefix(path, "[]"); ok {
		var all []any
		list, _ := v.([]any)
		for _, element := range list {
			all = append(all, valuesAt(rest, element)...)
		}
		return all
	}
	if rest, ok := strings.CutPrefix(path, "["); ok {
		number, rest, _ := strings.Cut(rest, "]")
		n, _ := strconv.Atoi(number)
		list, _ := v.([]any)
		if n >= len(list) {
			return valuesAt(rest, nil)
		}
		return valuesAt(rest, list[n])
	}
	path = strings.TrimPrefix(path, ".")
	var name strings.Builder
	i := 0
	for ; i < len(path) && path[i] != '.' && path[i] != '['; i++ {
		if path[i] == '\\' && i+1 < len(path) && strings.Contains(`.[\`, path[i+1:i+2]) {
			i++
		}
		name.WriteByte(path[i])
	}
	object, _ := v.(map[string]any)
	return valuesAt(path[i:], object[name.String()])
}

// matches is what a filter means, said once more and without SQL.
func matches(f map[string]any, props map[string]any) bool {
	switch f["op"] {
	case "and":
		return !slices.ContainsFunc(f["filters"].([]any), func(g any) bool { return !matches(g.(map[string]any), props) })
	case "or":
		return slices.ContainsFunc(f["filters"].([]any), func(g any) bool { return matches(g.(map[string]any), props) })
	case "not":
		return !matches(f["filter"].(map[string]any), props)
	case "neq":
		return !slices.ContainsFunc(valuesAt(f["prop"].(string), props), func(v any) bool { return same(v, f["value"]) })
	default:
		return slices.ContainsFunc(valuesAt(f["prop"].(string), props), func(v any) bool { return fits(f, v) })
	}
}

// fits says whether a condition is true of one value.
func fits(f map[string]any, v any) bool {
	number, isNumber := v.(float64)
	text, isText := v.(string)
	switch f["op"] {
	case "eq":
		return same(v, f["value"])
	case "in":
		return slices.ContainsFunc(f["values"].([]any), func(x any) bool { return same(v, x) })
	case "contains":
		return isText && strings.Contains(text, f["value"].(string))
	case "starts_with":
		return isText && strings.HasPrefix(text, f["value"].(string))
	case "gt":
		return isNumber && number > f["value"].(float64)
	case "gte":
		return isNumber && number >= f["value"].(float64)
	case "lt":
		return isNumber && number < f["value"].(float64)
	case "lte":
		return isNumber && number <= f["value"].(float64)
	case "exists":
		return v != nil
	}
	panic(f)
}

func same(v, scalar any) bool {
	switch v.(type) {
	case string, float64, bool:
		return v == scalar
	default:
		return false
	}
}

// measured is what a measure means; nil is no value.
func measured(measure, prop string, events []*event) *float64 {
	var numbers []float64
	people := map[string]bool{}
	sum := 0.0
	for _, e := range events {
		if p := e.who; p != "" {
			people[p] = true
		}
		for _, n := range numbersAt(prop, e) {
			numbers = append(numbers, n)
			sum += n
		}
	}
	switch measure {
	case "count":
		return ptr(float64(len(events)))
	case "users":
		return ptr(float64(len(people)))
	case "sum":
		return &sum
	}
	if len(numbers) == 0 {
		return nil
	}
	slices.Sort(numbers)
	switch measure {
	case "avg":
		return ptr(sum / float64(len(numbers)))
	case "min":
		return &numbers[0]
	case "max":
		return &numbers[len(numbers)-1]
	}
	rank := map[string]float64{"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}[measure] * float64(len(numbers)-1)
	low, high := numbers[int(math.Floor(rank))], numbers[int(math.Ceil(rank))]
	return ptr(low + (rank-math.Floor(rank))*(high-low))
}

func numbersAt(prop string, e *event) (numbers []float64) {
	if prop == "" {
		return nil
	}
	for _, v := range valuesAt(prop, e.props) {
		if n, ok := v.(float64); ok {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// counted reports whether an event has a part in a measure at all.
func counted(measure, prop string, e *event) bool {
	switch measure {
	case "count":
		return true
	case "users":
		return e.who != ""
	default:
		return len(numbersAt(prop, e)) > 0
	}
}

// keyOf is the value of a breakdown: "v" and the value, or "none".
func keyOf(breakdown, prop string, e *event) string {
	if breakdown == "name" {
		return "v" + e.name
	}
	switch v := valuesAt(prop, e.props)[0].(type) {
	case nil:
		return "none"
	case string:
		return "v" + v
	case float64:
		return "v" + strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return fmt.Sprintf("v%t", v)
	default:
		var b bytes.Buffer
		text, _ := json.Marshal(v)
		// jsonb writes a space after each comma and colon; the values here have none in strings.
		b.WriteString("v" + strings.NewReplacer(",", ", ", ":", ": ").Replace(string(text)))
		return b.String()
	}
}

func equal(got, want *float64) bool {
	if got == nil || want == nil {
		return got == want
	}
	return math.Abs(*got-*want) <= 1e-9*math.Max(1, math.Abs(*want))
}

func show(v *float64) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprint(*v)
}

// expect compares a whole reply with what the events say.
func expect(t *testing.T, r *api.MetricsResult, events []event, q map[string]any) {
	t.Helper()
	measure, _ := q["measure"].(string)
	prop, _ := q["prop"].(string)
	names, _ := q["names"].([]string)
	filter, _ := q["filter"].(map[string]any)
	var in []*event
	for i := range events {
		e := &events[i]
		if e.ts.Before(r.From) || !e.ts.Before(r.To) || len(names) > 0 && !slices.Contains(names, e.name) ||
			filter != nil && !matches(filter, e.props) || !counted(measure, prop, e) {
			continue
		}
		in = append(in, e)
	}
	check := func(what string, total *float64, series []api.Point, of []*event) {
		t.Helper()
		if want := measured(measure, prop, of); !equal(total, want) {
			t.Errorf("%s: total %s, want %s", what, show(total), show(want))
		}
		buckets := make([][]*event, len(series))
		for _, e := range of {
			i := sort.Search(len(series), func(i int) bool { return series[i].TS.After(e.ts) }) - 1
			buckets[i] = append(buckets[i], e)
		}
		for i, p := range series {
			if want := measured(measure, prop, buckets[i]); !equal(p.Value, want) {
				t.Errorf("%s at %v: %s, want %s", what, p.TS, show(p.Value), show(want))
			}
		}
	}
	check("all", r.Total, r.Series, in)

	breakdown, _ := q["breakdown"].(string)
	if breakdown == "" {
		if len(r.Groups) > 0 {
			t.Error("groups without a breakdown")
		}
		return
	}
	by, _ := q["breakdown_prop"].(string)
	groups := map[string][]*event{}
	for _, e := range in {
		k := keyOf(breakdown, by, e)
		groups[k] = append(groups[k], e)
	}
	keys := make([]string, 0, len(groups))
	for k := range groups {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		order := cmp.Compare(*measured(measure, prop, groups[b]), *measured(measure, prop, groups[a]))
		if a == "none" || b == "none" { // after every value of the same measure
			return cmp.Or(order, cmp.Compare(b, a))
		}
		return cmp.Or(order, strings.Compare(a, b))
	})
	top := min(q["top"].(int), len(keys))
	want := top
	if len(keys) > top {
		want++
	}
	if len(r.Groups) != want {
		t.Fatalf("%d groups, want %d of %q", len(r.Groups), want, keys)
	}
	for i := range top {
		g := &r.Groups[i]
		key := "none"
		if g.Value != nil {
			key = "v" + *g.Value
		}
		if g.Other || key != keys[i] {
			t.Fatalf("group %d is %q (other %t), want %q", i, key, g.Other, keys[i])
		}
		check(key, g.Total, g.Series, groups[key])
	}
	if len(keys) > top {
		var rest []*event
		for _, k := range keys[top:] {
			rest = append(rest, groups[k]...)
		}
		g := &r.Groups[top]
		if !g.Other || g.Value != nil {
			t.Fatalf("the last group is %+v, want the rest", g)
		}
		check("the rest", g.Total, g.Series, rest)
	}
}

// Numbers are multiples of a quarter, whose sums are exact in binary too.
var scalars = []any{"", "a", "b", "ab", "B", "a b", "%", "'", "ü", "日本", "1", "true", "null", "none", true, false,
	0.0, 1.0, -1.0, 2.5, 3.25, 1000.0, -250.75, 4503599627370496.0}

var propNames = []string{"a", "b", "c", "", " ", "quo'te", `back\slash`, "日本", "$1", "op"}

func randomProps(r *rand.Rand) map[string]any {
	props := map[string]any{}
	for range r.IntN(5) {
		name := propNames[r.IntN(len(propNames))]
		switch r.IntN(12) {
		case 0:
			props[name] = nil
		case 1, 2, 3, 4:
			props[name] = randomNested(r, 1+r.IntN(3))
		default:
			props[name] = scalars[r.IntN(len(scalars))]
		}
	}
	return props
}

// randomNested is lists and objects of few names, so that paths find something.
func randomNested(r *rand.Rand, depth int) any {
	switch kind := r.IntN(5); {
	case depth == 0 || kind == 0:
		return []any{nil, scalars[r.IntN(len(scalars))], scalars[r.IntN(len(scalars))]}[r.IntN(3)]
	case kind < 3:
		list := make([]any, r.IntN(4))
		for i := range list {
			list[i] = randomNested(r, depth-1)
		}
		return list
	default:
		object := map[string]any{}
		for range 1 + r.IntN(3) {
			object[nestedNames[r.IntN(len(nestedNames))]] = randomNested(r, depth-1)
		}
		return object
	}
}

var nestedNames = []string{"a", "b", "0", "x.y", "q[0]"}

// paths into what randomNested makes, of one value and of several.
var (
	onePaths  = []string{"a.a", "b.a", "a[0]", "a[1].b", "b.0", "a.0[0]", `b.x\.y`, `a.q\[0]`, "c[0][1]", "a.b.a", "a.x.y", `x\.y`}
	manyPaths = []string{"a[]", "b[]", "a[].a", "b[].a", "a.b[]", "a[][]", "c[][0]", "b[1][]", `a[].x\.y`, "a.a[].b[]"}
)

func randomPath(r *rand.Rand, several bool) string {
	switch kind := r.IntN(4); {
	case kind == 0 && several:
		return manyPaths[r.IntN(len(manyPaths))]
	case kind < 2:
		return onePaths[r.IntN(len(onePaths))]
	default:
		return propNames[r.IntN(3)]
	}
}

func randomEvents(r *rand.Rand, n int, from, to time.Time) []event {
	events := make([]event, n)
	for i := range events {
		e := event{name: string(rune('a' + r.IntN(4))), ts: from.Add(time.Duration(r.Int64N(int64(to.Sub(from))))).Truncate(time.Microsecond), props: randomProps(r)}
		if r.IntN(3) > 0 {
			e.user = fmt.Sprint("p", r.IntN(12))
		}
		if r.IntN(3) > 0 {
			e.anonymous = fmt.Sprint("p", r.IntN(12)) // the same words as the users: they are other people
		}
		events[i] = e
	}
	return events
}

func randomFilter(r *rand.Rand, depth int) map[string]any {
	name := func() string { return propNames[r.IntN(3)+r.IntN(2)*r.IntN(len(propNames)-2)] }
	f := map[string]any{"prop": name()}
	if f["prop"] == "" { // the contract wants a name
		f["prop"] = "a"
	}
	if r.IntN(2) == 0 {
		f["prop"] = randomPath(r, true)
	}
	kind := r.IntN(14)
	if depth == 0 {
		kind = 4 + r.IntN(10)
	}
	switch kind {
	case 0, 1, 2:
		filters := make([]any, 1+r.IntN(3))
		for i := range filters {
			filters[i] = randomFilter(r, depth-1)
		}
		return map[string]any{"op": []string{"and", "or"}[r.IntN(2)], "filters": filters}
	case 3:
		return map[string]any{"op": "not", "filter": randomFilter(r, depth-1)}
	case 4, 5:
		f["op"], f["value"] = "eq", scalars[r.IntN(len(scalars))]
	case 6, 7:
		f["op"], f["value"] = "neq", scalars[r.IntN(len(scalars))]
	case 8:
		f["op"] = "in"
		values := make([]any, 1+r.IntN(6))
		for i := range values {
			values[i] = scalars[r.IntN(len(scalars))]
		}
		f["values"] = values
	case 9, 13:
		f["op"], f["value"] = []string{"contains", "starts_with"}[r.IntN(2)], scalars[1+r.IntN(12)]
	case 10, 11:
		f["op"], f["value"] = []string{"gt", "gte", "lt", "lte"}[r.IntN(4)], scalars[16+r.IntN(len(scalars)-16)]
	default:
		f["op"] = "exists"
	}
	return f
}

func randomQuestion(r *rand.Rand, from, to time.Time) map[string]any {
	span := to.Sub(from)
	start := from.Add(time.Duration(r.Int64N(int64(span))) - span/8)
	q := map[string]any{"project_id": project, "top": 1 + r.IntN(6),
		"bucket": []string{"1h", "1d", "1w", "1mo"}[r.IntN(4)], "tz": []string{"UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"}[r.IntN(4)],
		"from": start.Format(time.RFC3339Nano), "to": start.Add(time.Hour + time.Duration(r.Int64N(int64(span)))).Format(time.RFC3339Nano)}
	q["measure"] = []string{"count", "users", "sum", "avg", "min", "max", "p50", "p90", "p95", "p99"}[r.IntN(10)]
	if q["measure"] != "count" && q["measure"] != "users" {
		q["prop"] = randomPath(r, true)
	}
	if r.IntN(4) > 0 {
		q["filter"] = randomFilter(r, 3)
	}
	if r.IntN(3) == 0 {
		q["names"] = []string{"a", "c", "a"}
	}
	switch r.IntN(3) {
	case 0:
		q["breakdown"] = "name"
	case 1:
		q["breakdown"], q["breakdown_prop"] = "prop", randomPath(r, false)
	}
	return q
}

// world is events around a change of the clocks and the turn of a month, in several partitions.
func world(t testing.TB) (b *bench, events []event, from, to time.Time) {
	t.Helper()
	b = setup(t)
	from, to = utc("2025-10-20T00:00:00Z"), utc("2025-11-04T00:00:00Z")
	events = randomEvents(rand.New(rand.NewPCG(7, 7)), 1500, from, to)
	identify(events)
	b.keep(t, events)
	b.build(t)
	return b, events, from, to
}

// build makes the parts of what was kept.
func (b *bench) build(t testing.TB) {
	t.Helper()
	builder := build.New(behaviour.NewStore(b.pool), build.Options{})
	if err := builder.Survey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := builder.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestEveryQuestionAnswersWhatTheEventsSay holds answers to a reading of all events, and those from parts to those from the events:
// to the last digit.
func TestEveryQuestionAnswersWhatTheEventsSay(t *testing.T) {
	t.Parallel()
	b, events, from, to := world(t)
	plain := b.limited(limits)
	r := rand.New(rand.NewPCG(11, 13))
	sources := map[api.MetricsMetaSource]int{}
	for i := range 900 {
		q := randomQuestion(r, from, to)
		result, err := b.run(t, q)
		text, _ := json.Marshal(q)
		if err != nil {
			t.Fatalf("question %d: %v\n%s", i, err, text)
		}
		if expect(t, &result, events, q); t.Failed() {
			t.Fatalf("question %d: %s", i, text)
		}
		source := api.SourceParts
		switch {
		case q["measure"] == "count" && q["filter"] == nil && q["breakdown"] != "prop":
			source = api.SourceRollup
		case nested(q):
			source = api.SourceEvents
		}
		if result.Meta.Source != source || !result.Meta.Exact {
			t.Errorf("%s: %+v, want it from %s", text, result.Meta, source)
		}
		sources[source]++
		same, err := plain.run(t, q)
		if err != nil {
			t.Fatal(err)
		}
		same.Meta, result.Meta = api.MetricsMeta{}, api.MetricsMeta{}
		got, _ := json.Marshal(result)
		if want, _ := json.Marshal(same); !bytes.Equal(got, want) {
			t.Fatalf("question %d: %s\n%s: %s\nfrom the events: %s", i, text, source, got, want)
		}
	}
	t.Log(sources)
}

// nested says whether a question looks into objects or lists.
func nested(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			path, _ := x.(string)
			if (name == "prop" || name == "breakdown_prop") && strings.ContainsAny(strings.ReplaceAll(strings.ReplaceAll(path, `\.`, ""), `\[`, ""), ".[") || nested(x) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, nested)
	}
	return false
}

// What props contain means the same to parts and to PostgreSQL.
func TestPropsContainWhatPostgreSQLSaysTheyDo(t *testing.T) {
	t.Parallel()
	b, events, from, to := world(t)
	plain := b.limited(limits)
	r := rand.New(rand.NewPCG(17, 19))
	found := 0
	for i := range 300 {
		props := map[string]any{}
		for name, v := range events[r.IntN(len(events))].props {
			switch r.IntN(3) {
			case 0:
				props[name] = v
			case 1:
				props[name] = part(r, v)
			}
		}
		text, _ := json.Marshal(props)
		p := api.QueryMetricsParams{ProjectID: project, From: &from, To: &to, Bucket: ptr(api.Bucket1D), Props: ptr(string(text)),
			Measure: ptr([]api.Measure{api.MeasureCount, api.MeasureUsers}[r.IntN(2)])}
		var totals []float64
		for _, of := range []*trends.API{b.api, plain.api} {
			reply, err := of.QueryMetrics(t.Context(), api.QueryMetricsRequestObject{Params: p})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			totals = append(totals, *reply.(api.QueryMetrics200JSONResponse).Total)
		}
		if totals[0] != totals[1] {
			t.Errorf("question %d: %s: %v of parts, %v of events", i, text, totals[0], totals[1])
		}
		if totals[0] > 0 {
			found++
		}
	}
	if found < 100 {
		t.Errorf("only %d questions found something", found)
	}
}

// part is a part of a value that the value contains, mostly.
func part(r *rand.Rand, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, x := range v {
			if r.IntN(2) == 0 {
				out[name] = part(r, x)
			}
		}
		return out
	case []any:
		out := []any{}
		for range r.IntN(3) {
			if len(v) > 0 {
				out = append(out, part(r, v[r.IntN(len(v))]))
			}
		}
		if r.IntN(6) == 0 && len(v) > 0 {
			return v[0] // a list contains no element as it is
		}
		return out
	default:
		return v
	}
}

// FuzzFilter sends any text as a filter: it is refused as the caller's mistake, or it is answered.
func FuzzFilter(f *testing.F) {
	b, events, from, to := world(f)
	r := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		text, _ := json.Marshal(randomFilter(r, 4))
		f.Add(text)
	}
	for _, text := range []string{`{"op":"eq","prop":"a","value":1e308}`, `{"op":"gt","prop":"a","value":-1e-308}`, `{"op":"in","prop":"a","values":[1e400]}`,
		`{"op":"eq","prop":"\u0000","value":"\ud800"}`, `{"op":"eq","prop":"a","value":{}}`, `{"op":"contains","prop":"a","value":"\\"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, filter []byte) {
		var query api.MetricsQuery
		body := fmt.Appendf(nil, `{"project_id":%q,"bucket":"1mo","from":%q,"to":%q,"filter":%s}`,
			project, from.Format(time.RFC3339), to.Format(time.RFC3339), filter)
		if query.DecodeJSON(body) != nil {
			return
		}
		reply, err := b.api.RunMetricsQuery(t.Context(), api.RunMetricsQueryRequestObject{Body: &query})
		if err != nil {
			if !refused(err) {
				t.Fatalf("%v, want an answer or a problem of the caller", err)
			}
			return
		}
		var tree map[string]any
		if err := json.Unmarshal(filter, &tree); err != nil {
			return // the text closed the filter and went on with other members
		}
		result := api.MetricsResult(reply.(api.RunMetricsQuery200JSONResponse))
		if hasNumber(tree) {
			return // encoding/json rounds numbers that PostgreSQL compares exactly
		}
		expect(t, &result, events, map[string]any{"measure": "count", "filter": tree})
	})
}

func hasNumber(v any) bool {
	switch v := v.(type) {
	case float64:
		return v != math.Trunc(v*4)/4 || math.Abs(v) > 1<<52
	case []any:
		return slices.ContainsFunc(v, hasNumber)
	case map[string]any:
		for _, x := range v {
			if hasNumber(x) {
				return true
			}
		}
	}
	return false
}

func BenchmarkEvents(b *testing.B) {
	const events, days = 1_000_000, 30
	env := setup(b)
	env.api = trends.NewAPI(trends.New(trends.Options{Reads: replica.Without(env.pool), Limits: query.Limits{Timeout: time.Minute, MaxEvents: 2 * events}, Home: home, Now: func() time.Time { return now }}))
	r := rand.New(rand.NewPCG(1, 2))
	batch := make([]event, 0, 50_000)
	for i := range events {
		at := now.Add(-time.Duration(r.Int64N(int64(days * 24 * time.Hour))))
		batch = append(batch, event{name: fmt.Sprint("name", r.IntN(20)), ts: at.Truncate(time.Microsecond), user: fmt.Sprint("user_", r.IntN(1+r.IntN(100_000))),
			props: map[string]any{"plan": []string{"free", "pro", "team"}[r.IntN(3)], "amount": float64(r.IntN(100_000)) / 100, "page": fmt.Sprint("/page/", r.IntN(500)), "country": string([]byte{'A' + byte(r.IntN(26)), 'A' + byte(r.IntN(4))})}})
		if len(batch) == cap(batch) || i == events-1 {
			env.keep(b, batch)
			batch = batch[:0]
		}
	}
	env.build(b)
	if _, err := env.pool.Exec(b.Context(), "VACUUM ANALYZE events, event_parts, event_part_columns"); err != nil {
		b.Fatal(err)
	}
	plain := env.limited(query.Limits{Timeout: time.Minute, MaxEvents: 2 * events})
	ask := func(extra map[string]any) map[string]any {
		q := map[string]any{"project_id": project, "bucket": "1d", "limit": 30}
		for k, v := range extra {
			q[k] = v
		}
		return q
	}
	for _, c := range []struct {
		name string
		q    map[string]any
	}{
		{"users", ask(map[string]any{"measure": "users"})},
		{"avg", ask(map[string]any{"measure": "avg", "prop": "amount"})},
		{"p95", ask(map[string]any{"measure": "p95", "prop": "amount"})},
		{"count filtered", ask(map[string]any{"filter": map[string]any{"op": "eq", "prop": "plan", "value": "pro"}})},
		{"count by country", ask(map[string]any{"breakdown": "prop", "breakdown_prop": "country"})},
		{"users by plan", ask(map[string]any{"measure": "users", "breakdown": "prop", "breakdown_prop": "plan"})},
		{"users of a name", ask(map[string]any{"measure": "users", "names": []string{"name3"}})},
		{"sum by page, two conditions", ask(map[string]any{"measure": "sum", "prop": "amount", "breakdown": "prop", "breakdown_prop": "page",
			"filter": map[string]any{"op": "and", "filters": []any{map[string]any{"op": "eq", "prop": "plan", "value": "pro"},
				map[string]any{"op": "gte", "prop": "amount", "value": 500}}}})},
	} {
		for _, from := range []struct {
			name string
			of   *bench
		}{{"parts", env}, {"SQL", plain}} {
			b.Run(c.name+"/"+from.name, func(b *testing.B) {
				var took []time.Duration
				for b.Loop() {
					start := time.Now()
					r, err := from.of.run(b, c.q)
					if err != nil {
						b.Fatal(err)
					}
					if want := map[string]api.MetricsMetaSource{"parts": api.SourceParts, "SQL": api.SourceEvents}[from.name]; r.Meta.Source != want {
						b.Fatalf("answered from %s, want %s", r.Meta.Source, want)
					}
					took = append(took, time.Since(start))
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(took[(len(took)*99)/100].Microseconds())/1000, "p99-ms")
			})
		}
	}
}
